"""What is wrong with bytes that are not YAML text, in words that say how to fix it.

libyaml says what its scanner expected; we say what the author most likely did. Only the first such
fault of a file is known, because after it the text has no structure to check.
"""

import re
from collections.abc import Iterator

import yaml
from msgspec.structs import replace

from controller.errors import Fault

# What YAML forbids everywhere, except as an escape. We search first: libyaml gives only an offset.
# And what ends a line for libyaml (YAML 1.1) but in no editor: it would become a blank.
_FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
# What nobody sees, and what turns the direction of writing around it: with these a file can say
# something else than it shows. Joiners (U+200C, U+200D) are left out: some languages need them.
_UNSEEN = re.compile(
    "[\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\U000e0000-\U000e007f]"
)
_TAB_INDENT = re.compile(r" *-* *\t")

_PROBLEMS = {
    "mapping values are not allowed in this context": (
        "a key isn't possible here",
        'check the indentation; text that holds ": " needs quotes',
    ),
    "did not find expected key": (
        "the line doesn't fit those around it",
        "check indentation and quotes",
    ),
    "did not find expected '-' indicator": (
        "the line doesn't fit the list around it",
        "check the indentation",
    ),
    "did not find expected ',' or ']'": ("the list is not closed", 'add "]", or a "," between'),
    "did not find expected ',' or '}'": ("the mapping is not closed", 'add "}", or a "," between'),
    "could not find expected ':'": ('expected "key: value"', "check the indentation"),
    "found unexpected end of stream": ("the quote is not closed", "add the closing quote"),
    "did not find expected whitespace or line break": (
        "text can't begin with !",
        "put it in quotes",
    ),
    "block sequence entries are not allowed in this context": (
        "a list can't begin here",
        "begin it on a line of its own",
    ),
}


def decode(data: bytes, file: str) -> str | Fault:
    """The text of `data` (UTF-8, with or without a byte order mark), or why it is not text."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The three bytes of the byte order mark are removed before decoding.
        at = error.start + (3 if data.startswith(b"\xef\xbb\xbf") else 0)
        line = data.count(b"\n", 0, at) + 1
        before = data[data.rfind(b"\n", 0, at) + 1 : at].removeprefix(b"\xef\xbb\xbf")
        column = len(before.decode()) + 1
        problem = f"not UTF-8: byte 0x{data[at]:02x} at offset {at}"
        return _fault(file, line, column, problem, "save the file as UTF-8")
    if forbidden := _FORBIDDEN.search(text):
        at = forbidden.start()
        line, column = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1
        code = f"{ord(text[at]):04x}"
        problem = f"the character U+{code.upper()} is not allowed in a spec"
        return _fault(file, line, column, problem, f'in double quotes, write "\\u{code}"')
    return text


def unseen(text: str, file: str) -> Iterator[Fault]:
    """A warning for each line that has such characters."""
    if text.isascii():
        return
    line, at = 1, -1
    for found in _UNSEEN.finditer(text):
        lines = text.count("\n", max(at, 0), found.start())
        is_first = lines > 0 or at < 0
        line, at = line + lines, found.start()
        if is_first:
            column = at - text.rfind("\n", 0, at)
            problem = f"the character U+{ord(found[0]):04X} can't be seen, and can hide other text"
            code = found[0].encode("unicode_escape").decode()
            hint = f'remove it; if it is meant, write "{code}" in double quotes'
            yield replace(_fault(file, line, column, problem, hint), severity="warning")


def explain(error: yaml.YAMLError, text: str, file: str) -> Fault:
    """The fault behind an error of libyaml."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return _fault(file, 0, 0, f"not YAML: {' '.join(str(error).split())}")
    problem = str(getattr(error, "problem", error))
    lines = text[: mark.index + 200].splitlines() if mark.index else text.splitlines()
    written = lines[mark.line] if mark.line < len(lines) else ""
    line, column = mark.line + 1, mark.column + 1
    if _TAB_INDENT.match(written):
        return _fault(file, line, column, "a tab indents this line", "indent with spaces")
    if problem == "found character that cannot start any token":
        character = written[mark.column : mark.column + 1]
        return _fault(file, line, column, f"text can't begin with {character}", "put it in quotes")
    if found := _expression_at(written, mark.column):
        start, code = found
        quoted = written[start - 1 : start] in ("'", '"')
        words = "the quotes around this expression end inside it" if quoted else _UNQUOTED
        return _fault(file, line, start + 1, words, _in_quotes(code))
    words, hint = _PROBLEMS.get(problem, (f"not YAML: {problem}", ""))
    # If something was never closed, it also helps to know where it was opened.
    opened = getattr(error, "context_mark", None)
    if opened is not None and "closed" in words:
        hint += f"; it was opened at line {opened.line + 1}, column {opened.column + 1}"
    return _fault(file, line, column, words, hint)


_UNQUOTED = "this expression needs quotes around it"
_SHOWN_MAX = 60  # characters of an expression


def _expression_at(line: str, column: int) -> tuple[int, str] | None:
    """Where the expression begins in which YAML stumbled at this column, and what it is."""
    start = line.rfind("${{", 0, column + len("${{"))
    end = line.find("}}", start) + len("}}")
    inside = 0 <= start < end and column <= end and line[start - 1 : start] != "!"
    return (start, line[start:end]) if inside else None


def _in_quotes(code: str) -> str:
    if "'" not in code and len(code) <= _SHOWN_MAX:
        return f"write '{code}'"
    if not {'"', "\\"} & set(code) and len(code) <= _SHOWN_MAX:
        return f'write "{code}"'
    return """put it in '…', with no other ' in it, or in "…", with no other " in it"""


def _fault(file: str, line: int, column: int, problem: str, hint: str = "") -> Fault:
    return Fault(file=file, line=line, column=column, problem=problem, hint=hint)
