"""The types of expressions, and of what they can read."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Kind = Literal[
    "string", "int", "double", "bool", "null", "dyn", "list", "map", "record", "unavailable"
]


class Type(Struct, frozen=True):
    """A type, by its kind.

    `dyn` is known only when the value is there. The keys of a `map` are strings. A `record` is no
    value: it has a closed set of named fields, and only these can be read. A field of it that is
    `unavailable` can't be read here; the type says why.
    """

    kind: Kind
    item: "Type | None" = None  # of a list its elements, of a map its values
    fields: Mapping[str, "Type"] = {}
    problem: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """As messages name it: `an integer`, `a list of strings`."""
        if self.kind == "list" and self.item and self.item.kind in _PLURALS:
            return f"a list of {_PLURALS[self.item.kind]}"
        return WORDS[self.kind]


STRING = Type("string")
INT = Type("int")
DOUBLE = Type("double")
BOOL = Type("bool")
NULL = Type("null")
DYN = Type("dyn")

WORDS: dict[Kind, str] = {
    "string": "a string",
    "int": "an integer",
    "double": "a double",
    "bool": "a boolean",
    "null": "null",
    "dyn": "a value of any type",
    "list": "a list",
    "map": "a map",
    "record": "a group of values",
}
_PLURALS: dict[Kind, str] = {
    "string": "strings",
    "int": "integers",
    "double": "doubles",
    "bool": "booleans",
    "list": "lists",
    "map": "maps",
}
_KINDS: dict[type, Kind] = {
    str: "string",
    int: "int",
    float: "double",
    bool: "bool",
    type(None): "null",
    list: "list",
    dict: "map",
}


def list_of(item: Type) -> Type:
    return Type("list", item)


def map_of(value: Type) -> Type:
    return Type("map", value)


def record(fields: Mapping[str, Type]) -> Type:
    return Type("record", fields=fields)


def unavailable(problem: str, hint: str = "") -> Type:
    return Type("unavailable", problem=problem, hint=hint)


def item_of(type_: Type) -> Type:
    """What a list or map holds."""
    return type_.item or DYN


def kind_of(value: object) -> Kind | None:
    """The kind of a value while it is evaluated; None: it is nothing that CEL knows."""
    return _KINDS.get(type(value))


def word(value: object) -> str:
    """The type of a value, as messages name it."""
    return WORDS.get(kind_of(value) or "dyn", "a value")


def joined(one: Type, other: Type) -> Type | None:
    """The type of what is one or the other; None: they have nothing in common."""
    if one == other:
        return one
    if "dyn" in (one.kind, other.kind):
        return DYN
    if one.kind == other.kind in ("list", "map"):
        item = joined(item_of(one), item_of(other))
        return Type(one.kind, item) if item else None
    return None


def comparable(one: Type, other: Type) -> bool:
    """Whether the two can ever be equal."""
    if "dyn" in (one.kind, other.kind):
        return True
    if one.kind == other.kind:
        return one.kind not in ("list", "map") or comparable(item_of(one), item_of(other))
    return {one.kind, other.kind} == {"int", "double"}
