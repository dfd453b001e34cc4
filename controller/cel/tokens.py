"""Text to tokens: numbers and strings by value, names, operators."""

import re
from collections.abc import Callable, Iterator
from functools import cache

from msgspec import Struct

from controller.cel.faults import ExpressionFault
from controller.cel.limits import EXPRESSION_MAX, INT_MAX


class Token(Struct):
    """`kind` is int, double, string, name or end, or the operator itself."""

    kind: str
    value: object
    offset: int


# The parts of one pattern, whose names are the kinds. No two of them, and no two branches within
# one, can go on from the same place for long: matching takes time that grows as the text.
_PARTS = r"""
    (?P<space> (?: [ \t\n\f\r]++ | //[^\n]*+ )++ )
  | (?P<double> [0-9]++\.[0-9]++ (?:[eE][+-]?[0-9]++)? | [0-9]++[eE][+-]?[0-9]++
              | \.[0-9]++ (?:[eE][+-]?[0-9]++)? )
  | (?P<hex> 0[xX][0-9a-fA-F]++ )
  | (?P<int> [0-9]++ )
  | (?P<raw> [rR] (?: \"\"\"(?s:.*?)\"\"\" | '''(?s:.*?)''' | "[^"\n\r]*+" | '[^'\n\r]*+' ) )
  | (?P<string> \"\"\"(?s:[^\\]|\\.)*?\"\"\" | '''(?s:[^\\]|\\.)*?'''
              | "(?:[^"\\\n\r]|\\.)*+" | '(?:[^'\\\n\r]|\\.)*+' )
  | (?P<bytes> (?:[bB][rR]?|[rR][bB]) ["'] )
  | (?P<name> [A-Za-z_][A-Za-z0-9_]*+ )
  | (?P<operator> && | \|\| | == | != | <= | >= | [-+*/%<>!?:.,()\[\]{}] )
"""
_ESCAPES = r"""\\(?:([abfnrtv])|([\\?"'`])|[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})
                  |U([0-9a-fA-F]{8})|([0-3][0-7]{2})|)"""
_CONTROLS = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
_SURROGATES = range(0xD800, 0xE000)
_CODE_POINT_MAX = 0x10FFFF

# What other languages write, and what is written here.
_HABITS = {
    "=": "to compare, write ==",
    "&": "for and, write &&",
    "|": "for or, write ||",
    "`": 'a "-" in a name is written "_"',
    "$": "inside ${{ }} names stand by themselves: params.date",
    **dict.fromkeys("\u201c\u201d\u2018\u2019", 'write straight quotes: "text"'),
    '"': 'a string ends with the same quote, on the same line; a " in it is written \\"',
    "'": "a string ends with the same quote, on the same line; a ' in it is written \\'",
}


@cache
def _pattern(parts: str) -> re.Pattern[str]:
    """Compiled when it is first needed: it takes longer than importing this package."""
    return re.compile(parts, re.VERBOSE)


def tokens(text: str) -> list[Token]:
    """All of the text, and an end. Raises ExpressionFault."""
    if len(text) > EXPRESSION_MAX:
        raise ExpressionFault(
            EXPRESSION_MAX, f"an expression has at most {EXPRESSION_MAX:,} characters"
        )
    return [*_read(text), Token("end", None, len(text))]


def _read(text: str) -> Iterator[Token]:
    match = _pattern(_PARTS).match
    offset = 0
    while offset < len(text):
        found = match(text, offset)
        if found is None:
            raise _unexpected(text, offset)
        kind, said = found.lastgroup or "", found[0]
        if kind == "operator":
            yield Token(said, said, offset)
        elif kind == "name":
            yield Token("name", said, offset)
        elif kind != "space":
            kind, value_of = _LITERALS[kind]
            yield Token(kind, value_of(said, offset), offset)
            if kind in ("int", "double"):
                _ends(text, found.end())
        offset = found.end()


def _unexpected(text: str, offset: int) -> ExpressionFault:
    character = text[offset]
    problem = f"unexpected character {character}"
    if character in "\"'":
        problem = "the string has no end"
    elif not character.isprintable():
        problem = f"unexpected character U+{ord(character):04X}"
    return ExpressionFault(offset, problem, _HABITS.get(character, ""))


def _ends(text: str, offset: int) -> None:
    """A number ends where no letter follows."""
    after = text[offset : offset + 1]
    if after in ("u", "U") and after:
        raise ExpressionFault(offset, "unsigned integers (1u) are not supported", "remove the u")
    if after.isalnum() or after == "_":
        raise ExpressionFault(
            offset, f'a number is followed by "{after}"', "write an operator between them"
        )


def _integer(said: str, offset: int) -> int:
    """Up to 2^63: that is a fault unless a `-` stands before it, which the parser knows."""
    digits = said.lstrip("0") or "0"
    value = int(digits) if len(digits) <= len(str(INT_MAX)) else INT_MAX + 2
    return _in_range(value, offset)


def _hexadecimal(said: str, offset: int) -> int:
    return _in_range(int(said, 16), offset)


def _in_range(value: int, offset: int) -> int:
    if value > INT_MAX + 1:
        raise ExpressionFault(
            offset, f"an integer is at most {INT_MAX}", "with a point it is a double: 1e20"
        )
    return value


def _double(said: str, offset: int) -> float:
    return float(said)


def _raw(said: str, offset: int) -> str:
    quotes = _quotes(said[1:])
    return said[1 + quotes : -quotes]


def _string(said: str, offset: int) -> str:
    quotes = _quotes(said)
    inner = said[quotes:-quotes]
    if "\\" not in inner:
        return inner
    return _pattern(_ESCAPES).sub(lambda found: _escape(found, offset + quotes), inner)


def _quotes(said: str) -> int:
    """How many characters open the string."""
    return 3 if len(said) >= 6 and said[:3] in ('"""', "'''") else 1


def _escape(found: re.Match[str], start: int) -> str:
    control, itself, byte, short, long, octal = found.groups()
    if control:
        return _CONTROLS[control]
    if itself:
        return itself
    code = int(octal, 8) if octal else int(byte or short or long or "-1", 16)
    if 0 <= code <= _CODE_POINT_MAX and code not in _SURROGATES:
        return chr(code)
    problem = "no character has this number"
    if code < 0:
        problem = f"\\{found.string[found.end() : found.end() + 1]} is no escape"
    hint = 'write \\\\ for one \\, or a string with r before it: r"\\d+"'
    raise ExpressionFault(start + found.start(), problem, hint if code < 0 else "")


def _bytes(said: str, offset: int) -> object:
    raise ExpressionFault(offset, 'bytes (b"…") are not supported', "write a string, without the b")


_LITERALS: dict[str, tuple[str, Callable[[str, int], object]]] = {
    "int": ("int", _integer),
    "hex": ("int", _hexadecimal),
    "double": ("double", _double),
    "raw": ("string", _raw),
    "string": ("string", _string),
    "bytes": ("bytes", _bytes),
}
