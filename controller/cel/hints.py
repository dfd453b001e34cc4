"""What was probably meant by a text that has a fault, and what to write instead."""

import re
from collections.abc import Collection, Iterable
from itertools import islice

from controller.cel.functions import FUNCTIONS
from controller.cel.tree import MACROS
from controller.cel.types import Kind, Type

_NAMED_MAX = 8  # names in a hint
_COMPARED_MAX = 100  # names that a wrong one is compared with: 2 ms
_CLOSE_MAX = 64  # a longer name was not meant to be one of the known ones
_WORD = re.compile(r"[A-Za-z0-9_-]+")

# Functions of CEL and of what extends it, and names that stand before them.
LEFT_OUT = {
    *("uint", "bytes", "type", "dyn", "timestamp", "duration", "format", "charAt", "indexOf"),
    *("lastIndexOf", "substring", "reverse", "sort", "sortBy", "distinct", "flatten", "slice"),
    *("getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours"),
    *("getMilliseconds", "getMinutes", "getMonth", "getSeconds", "existsOne", "transformList"),
    *("transformMap", "transformMapEntry", "optMap", "optFlatMap", "orValue", "hasValue", "now"),
    *("math", "strings", "sets", "lists", "optional", "cel", "base64", "regex", "google", "re"),
}
# What other languages call a function, and how it is called here.
_HABITS = {
    "len": "size(x)",
    "length": "size(x)",
    "count": "size(x)",
    "str": "string(x)",
    "float": "double(x)",
    "boolean": "bool(x)",
    "integer": "int(x)",
    "lower": "text.lowerAscii()",
    "upper": "text.upperAscii()",
    "toLower": "text.lowerAscii()",
    "toUpper": "text.upperAscii()",
    "strip": "text.trim()",
    "any": "list.exists(x, x > 1)",
    "some": "list.exists(x, x > 1)",
    "every": "list.all(x, x > 1)",
    "match": 'text.matches("^[a-z]+$")',
    "existsOne": "list.exists_one(x, x > 1)",
}
_AS_BOOLEAN: dict[Kind, str] = {
    "string": 'compare it: == "text", or != ""',
    "int": "compare it: != 0",
    "double": "compare it: != 0.0",
    "list": "ask for its size: size(x) > 0",
    "map": "ask for its size: size(x) > 0",
}
_NUMBERS: set[Kind] = {"int", "double"}

# ------------------------------------------------------------------------------------------ names


def did_you_mean(word: str, names: Collection[str]) -> str:
    """The name that was probably meant, or nothing."""
    close = _closest(word, names)
    return f'did you mean "{close}"?' if close else ""


def _closest(word: str, names: Collection[str]) -> str:
    from difflib import get_close_matches

    if len(word) > _CLOSE_MAX:
        return ""
    if len(names) > _COMPARED_MAX:
        names = list(islice((name for name in names if name[:1] == word[:1]), _COMPARED_MAX))
    folded = {name.lower(): name for name in names}
    close = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


def of_name(name: str, known: Collection[str], text: str, offset: int) -> str:
    """What was meant by the unknown name at this offset of the text."""
    whole = _dashed(text, offset)
    meant = whole.replace("-", "_")
    with_dash = f'a "-" in a name is written "_": {meant}' if meant else ""
    if meant in known:
        return with_dash
    subtracted = whole.partition("-")[2][:1].isdigit()
    return did_you_mean(name, known) or ("" if subtracted else with_dash)


def _dashed(text: str, offset: int) -> str:
    """A name that goes on after a `-`, or begins before it."""
    start = offset
    while start and _WORD.fullmatch(text[start - 1]):
        start -= 1
    found = _WORD.match(text, start)
    whole = found[0].strip("-") if found else ""
    return whole if "-" in whole and len(whole) <= _CLOSE_MAX else ""


def all_of(names: Iterable[str], begin: str) -> str:
    """`begin` and all the names, or nothing if there are many."""
    few = list(islice(names, _NAMED_MAX + 1))
    return f"{begin} {', '.join(few)}" if 0 < len(few) <= _NAMED_MAX else ""


def of_record(path: str, record: Type, text: str, offset: int) -> str:
    """What to read instead of the record at this offset of the text."""
    if "." in path and _dashed(text, offset):
        return of_name("", (), text, offset)
    readable = (name for name, type_ in record.fields.items() if type_.kind != "unavailable")
    few = [f"{path}.{name}" for name in islice(readable, _NAMED_MAX)]
    return f"name a field: {', '.join(few)}" if few else "it has no fields here"


def function(name: str) -> str:
    """How to call what was probably meant."""
    if name in MACROS:
        return f"write list.{name}(x, x > 1)"
    if name in _HABITS:
        return f"write {_HABITS[name]}"
    known = [*FUNCTIONS, *MACROS, "has"]
    return did_you_mean(name, known) or f"the functions are {', '.join(known)}"


def without_brackets(name: str) -> str:
    """If a function was meant by the name of a field."""
    usage = FUNCTIONS[name].usage if name in FUNCTIONS else _HABITS.get(name)
    return f"a function is called with brackets: {usage}" if usage else ""


# ------------------------------------------------------------------------------------------ types


def as_boolean(type_: Type) -> str:
    return _AS_BOOLEAN.get(type_.kind, "")


def as_string(type_: Type) -> str:
    return "write string(x) around it" if type_.kind in ("int", "double", "bool") else ""


def one_type(left: Type, right: Type) -> str:
    """How to make two values of one type."""
    kinds = {left.kind, right.kind}
    if kinds == _NUMBERS:
        return "write double(x) around the integer"
    if "string" in kinds and kinds & {*_NUMBERS, "bool"}:
        return "write string(x) around the other one"
    return ""


def arithmetic(operator: str, left: Type, right: Type) -> str:
    kinds = {left.kind, right.kind}
    if operator == "%" and "double" in kinds:
        return "% takes two integers; write int(x) around a double"
    if kinds == _NUMBERS or (operator == "+" and "string" in kinds):
        return one_type(left, right)
    if operator == "+" and "list" in kinds and left.kind != right.kind:
        return "to add one element, write list + [x]"
    if "string" in kinds and kinds & _NUMBERS:
        return "write int(x) or double(x) around the string"
    return ""


def comparison(left: Type, right: Type) -> str:
    kinds = {left.kind, right.kind}
    if "null" in kinds:
        return "whether a value is there: has(x.field)"
    if "string" in kinds and kinds & _NUMBERS:
        return "write int(x) or double(x) around the string, or string(x) around the number"
    if kinds == {"string", "bool"}:
        return "write the boolean without quotes: true, false"
    return ""
