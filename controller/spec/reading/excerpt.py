"""The line of a fault, and the word in it that is wrong, for a picture of the fault.

The word is found by its first character, without the structure of the file: a word in quotes up to
its closing quote, a plain one up to what ends a plain value in YAML: also a comma or a bracket, if
a bracket stands before it on the line. That may be too short for a value of several lines; it never
shows another place.
"""

import re
from collections.abc import Sequence

from msgspec.structs import replace

from controller.errors import Excerpt, Fault

EXCERPT_MAX = 200  # characters of a long line
_BEFORE = 80  # of these, how many stand before the fault

# Compiled when a fault needs them: most files have none.
_QUOTED = r'"(?:\\.|[^"\\])*"' r"|'(?:''|[^'])*'"
_PLAIN = _QUOTED + r"|[^\s,\[\]{}].*?(?=\s*(?::(?:\s|$)|\s#|$))"
_IN_BRACKETS = _QUOTED + r"|[^\s,\[\]{}](?:[^,\[\]{}]*?)(?=\s*(?:[,\[\]{}]|:(?:\s|$)|\s#|$))"
_BRACKET = r"[\[{]"
_BLANKS = r"\s*"
_BLANKS_IN_QUOTES = r"(?:\s|\\[\snrt])*"
_LINE_END = r"\r\n?|\n"


def lines_of(text: str) -> list[str]:
    """The lines of a text as YAML counts them; `decode` refuses what else might end one."""
    return re.split(_LINE_END, text)


def with_excerpt(fault: Fault, lines: Sequence[str]) -> Fault:
    """The fault with its line, if it has one. `lines`: of its file."""
    if not 0 < fault.line <= len(lines):
        return fault
    return replace(fault, excerpt=excerpt(lines[fault.line - 1], fault.column))


def excerpt(line: str, column: int) -> Excerpt:
    """The part of `line` around `column`, which counts characters from 1."""
    start = min(column - 1, len(line))
    begin = max(0, min(start - _BEFORE, len(line) - EXCERPT_MAX))
    end = begin + EXCERPT_MAX
    # A word may be as long as the file: search only what is shown.
    words = _IN_BRACKETS if re.compile(_BRACKET).search(line, begin, start) else _PLAIN
    word = re.compile(words).match(line, start, end)
    length = len(word[0]) if word else 1
    text = line[begin:end]
    if end < len(line):
        text = f"{text[:-1]}…"
    if begin:
        text = f"…{text[1:]}"
    return Excerpt(text=text, start=start - begin, length=length)


def end_in_source(text: str, source: str, at: int, style: str) -> int:
    """Where a part of a value ends in its source, which may break its lines and escape quotes.

    `style`: the character with which the value begins. 0 where the source has another text.
    """
    for char in text:
        if char.isspace():
            continue
        at = after_blanks(source, at, style)
        if style == '"' and source[at : at + 1] == "\\":
            at += 1
        written = "''" if style == char == "'" else char
        if not source.startswith(written, at):
            return 0
        at += len(written)
    return at


def after_blanks(source: str, at: int, style: str) -> int:
    blanks = re.compile(_BLANKS_IN_QUOTES if style == '"' else _BLANKS).match(source, at)
    assert blanks is not None  # there may be none
    return blanks.end()
