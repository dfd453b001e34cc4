"""Text that may be printed: it steers no terminal and begins no line, and its styles are marks.

What treadle shows comes from specs, paths, people and processes, so it can hold anything. A style
is therefore no escape in the text but a pair of marks: lone surrogates, which no text from outside
has, because UTF-8 can't hold them. Only `inked`, on the way to a terminal, turns the marks into
escapes, and makes all else visible that is no ordinary character. Views use `visible` themselves
where they measure a text.

Styles are words: green, red, bold …
"""

import re

_ANSI = {"green": 32, "red": 31, "yellow": 33, "cyan": 36, "dim": 2, "bold": 1}
_ANSI |= {"blue": 34, "magenta": 35}  # only to tell steps apart

_RESET = "\x1b[0m"
_MARKS = {style: chr(0xD800 + code) for style, code in _ANSI.items()}
_END = "\ud800"
_ESCAPES = {_END: _RESET} | {mark: f"\x1b[{_ANSI[style]}m" for style, mark in _MARKS.items()}
_COLOUR = re.compile(r"(\x1b\[[0-9;:]*m)")
_ANY_MARK = re.compile(f"([{''.join(_ESCAPES)}])")

# What no program needs to get as it is: control characters but \n, and what is invisible and
# changes how its surroundings look. Spaces, joiners of letters and unknown characters stay.
HIDDEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def paint(text: str, style: str) -> str:
    """The text in this style; "" is none."""
    return f"{_MARKS[style]}{text}{_END}" if style and text else text


def visible(text: str) -> str:
    """One line without control characters, and without any others that can't be seen."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else " " if char in "\n\t" else escape(char) for char in text
    )


def inked(line: str) -> str:
    """The line for a terminal or a file: escapes for our own styles, all else is visible."""
    if line.isprintable():
        return line
    return "".join(_ESCAPES.get(part) or visible(part) for part in _ANY_MARK.split(line))


def inked_output(line: str, coloured: bool) -> str:
    """A line that a process printed, for a terminal: with its colours, if these are wanted.

    A colour ends with its line. It can make text hard to see, but moves nothing.
    """
    if line.isprintable():
        return line
    parts = _COLOUR.split(line.expandtabs())
    if not coloured or len(parts) == 1:
        return visible(line.expandtabs())
    return "".join(part if _COLOUR.fullmatch(part) else visible(part) for part in parts) + _RESET


def as_json(data: str) -> str:
    r"""The same JSON, with `\u202e` for what could steer a terminal."""
    if data.isascii() and "\x7f" not in data:
        return data
    return HIDDEN.sub(_json_escape, data)


def escape(char: str) -> str:
    r"""`\x1b`, `\r`, `\u202e`: also what YAML has in quotes."""
    return char.encode("unicode_escape").decode()


def _json_escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[n : n + 4]}" for n in range(0, len(units), 4))
