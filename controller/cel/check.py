"""The types of a tree: what it reads, and every fault that shows before there are values.

The rules are CEL's. Three are looser, because values of unknown type are frequent and the mistake
is none: numbers of both types can be compared, also within lists and maps, and in `in`.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from controller.cel.faults import Failed, Fault, did_you_mean
from controller.cel.functions import FUNCTIONS, HABITS, LEFT_OUT, Function, regular_expression
from controller.cel.parse import (
    MACROS,
    Call,
    Chain,
    Comparison,
    Conditional,
    Has,
    Index,
    ListOf,
    Literal,
    Logic,
    Macro,
    MapOf,
    Member,
    Name,
    Node,
    Unary,
)
from controller.cel.types import (
    BOOL,
    DYN,
    INT,
    NULL,
    STRING,
    Type,
    comparable,
    item_of,
    joined,
    kind_of,
    list_of,
    map_of,
)

_NAMED_MAX = 8  # names in a hint
_ARITHMETIC = {
    "+": ("int", "double", "string", "list"),
    "-": ("int", "double"),
    "*": ("int", "double"),
    "/": ("int", "double"),
    "%": ("int",),
}
_NUMBERS = {"int", "double"}
_ORDERED = {"int", "double", "string", "bool"}
_DASHED = re.compile(r"[A-Za-z0-9_-]+")


class Reads(Struct):
    """What an evaluation may ask for, and needs room for."""

    paths: dict[tuple[str, ...], Type]
    slots: int  # variables of macros at once


def check(tree: Node, names: Mapping[str, Type], text: str) -> Reads:
    """Fills in types, paths and slots. Raises Fault."""
    checker = _Checker(names, text)
    checker.value(tree)
    return Reads(checker.paths, checker.slots)


class _Checker:
    def __init__(self, names: Mapping[str, Type], text: str) -> None:
        self.names = names
        self.text = text
        self.variables: list[tuple[str, Type]] = []
        self.paths: dict[tuple[str, ...], Type] = {}
        self.slots = 0

    def value(self, node: Node) -> Type:
        """The type of a node that must be a value."""
        type_ = self.visit(node)
        if type_.kind == "record":
            path = ".".join(_path(node))
            named = ", ".join(f"{path}.{field}" for field in list(type_.fields)[:_NAMED_MAX])
            hint = f"name a field: {named}" if named else "it has no fields here"
            if isinstance(node, Member):
                hint = self.dashed(node.offset) or hint
            raise Fault(node.offset, f"{path} is no value by itself", hint)
        return type_

    def visit(self, node: Node) -> Type:
        """The type of a node, which may be a record."""
        node.type = _CHECKS[type(node)](self, node)
        return node.type

    def literal(self, node: Literal) -> Type:
        kind = kind_of(node.value)
        assert kind is not None
        return Type(kind)

    # --------------------------------------------------------------------------------- names

    def name(self, node: Name) -> Type:
        for slot in range(len(self.variables) - 1, -1, -1):
            name, type_ = self.variables[slot]
            if name == node.name:
                node.slot = slot
                return type_
        if node.name not in self.names:
            raise self.unknown_name(node)
        node.path = (node.name,)
        return self.reads(node.path, self.names[node.name], node.offset)

    def unknown_name(self, node: Name) -> Fault:
        problem = f"unknown name: {node.name}"
        if node.name in LEFT_OUT:
            return Fault(node.offset, f"functions of {node.name} are not supported")
        if node.name in FUNCTIONS:
            return Fault(node.offset, problem, f"write {FUNCTIONS[node.name].usage}")
        known = [*self.names, *(name for name, _ in self.variables)]
        hint = self.dashed(node.offset) or did_you_mean(node.name, known)
        return Fault(node.offset, problem, hint or _listed("the names here are", known))

    def member(self, node: Member) -> Type:
        of = self.visit(node.operand)
        if of.kind == "record":
            node.path = (*_path(node.operand), node.field)
            return self.reads(node.path, self.field(of, node), node.offset)
        return self.field_of_value(of, node)

    def has(self, node: Has) -> Type:
        of = self.visit(node.operand)
        if of.kind != "record":
            self.field_of_value(of, node)
            return BOOL
        node.path = (*_path(node.operand), node.field)
        node.leaf = self.reads(node.path, self.field(of, node), node.offset)
        if node.leaf.kind == "record":
            raise Fault(node.offset, f"has asks for a value, and {'.'.join(node.path)} is none")
        return BOOL

    def reads(self, path: tuple[str, ...], type_: Type, offset: int) -> Type:
        """Notes what is read."""
        if type_.kind == "unavailable":
            raise Fault(offset, type_.problem, type_.hint)
        if type_.kind != "record":
            self.paths.setdefault(path, type_)
        return type_

    def field(self, of: Type, node: Member | Has) -> Type:
        if node.field in of.fields:
            return of.fields[node.field]
        path = ".".join(_path(node.operand))
        hint = self.dashed(node.offset, of.fields) or did_you_mean(node.field, of.fields)
        hint = hint or _listed(f"{path} has", of.fields) or f"{path} has no fields here"
        raise Fault(node.offset, f"{path} has no field {node.field}", hint)

    def field_of_value(self, of: Type, node: Member | Has) -> Type:
        if of.kind == "map":
            return item_of(of)
        if of.kind == "dyn":
            return DYN
        hint = ""
        if node.field in FUNCTIONS or node.field in HABITS:
            hint = f"a function is called with brackets: {_usage(node.field)}"
        elif of.kind == "list":
            hint = "an element of a list is read by its number: [0]"
        raise Fault(node.offset, f"{of} has no field {node.field}", hint)

    def dashed(self, offset: int, known: Mapping[str, Type] | None = None) -> str:
        """The hint, if the name was meant to go on after a `-`, or to begin before it.

        `known`: what the whole name would be.
        """
        start = offset
        while known is None and start and _DASHED.fullmatch(self.text[start - 1]):
            start -= 1
        found = _DASHED.match(self.text, start)
        meant = found[0].replace("-", "_") if found else ""
        if found is None or "-" not in found[0].strip("-"):
            return ""
        if known is not None and meant not in known and did_you_mean(meant, known) == "":
            return ""
        return f'a "-" in a name is written "_": {meant.strip("_")}'

    def index(self, node: Index) -> Type:
        of = self.visit(node.operand)
        if of.kind == "record":
            raise self.index_of_record(node)
        index = self.value(node.index)
        wanted = {"list": INT, "map": STRING, "dyn": DYN}.get(of.kind)
        if wanted is None:
            raise Fault(node.offset, f"{of} has no elements that could be read with [ ]")
        if not _fits(index, wanted):
            what = "a number from 0" if of.kind == "list" else "a string"
            raise Fault(node.offset, f"the index of {of} is {what}, not {index}")
        return item_of(of)

    def index_of_record(self, node: Index) -> Fault:
        path = ".".join(_path(node.operand))
        hint = f"write {path}.name"
        if isinstance(node.index, Literal) and isinstance(node.index.value, str):
            field = node.index.value.replace("-", "_")
            hint = f"write {path}.{field}" if field.isidentifier() else hint
        return Fault(node.offset, f"the fields of {path} are read with a point", hint)

    # ----------------------------------------------------------------------------- operators

    def unary(self, node: Unary) -> Type:
        type_ = self.value(node.operand)
        if node.operator == "!":
            self.boolean(node.operand, type_, node.offset, "!")
            return BOOL
        if type_.kind not in _NUMBERS | {"dyn"}:
            raise Fault(node.offset, f"- can't take {type_}")
        return type_

    def boolean(self, node: Node, type_: Type, offset: int, taker: str) -> None:
        if type_.kind in ("bool", "dyn"):
            return
        hint = {
            "string": 'compare it: == "text", or != ""',
            "int": "compare it: != 0",
            "double": "compare it: != 0.0",
            "list": "ask for its size: size(x) > 0",
            "map": "ask for its size: size(x) > 0",
        }
        raise Fault(offset, f"{taker} takes a boolean, not {type_}", hint.get(type_.kind, ""))

    def chain(self, node: Chain) -> Type:
        type_ = self.value(node.first)
        for operator, offset, operand in node.rest:
            type_ = self.arithmetic(operator, offset, type_, self.value(operand))
        return type_

    def arithmetic(self, operator: str, offset: int, left: Type, right: Type) -> Type:
        known = right if left.kind == "dyn" else left
        allowed = _ARITHMETIC[operator]
        both = joined(left, right)
        if known.kind == "dyn":
            return DYN
        if both and known.kind in allowed:
            if both.kind == "dyn":  # one side is, and must turn out to be as the other
                return list_of(DYN) if known.kind == "list" else known
            return both
        problem = f"{operator} can't take {left} and {right}"
        raise Fault(offset, problem, _arithmetic_hint(operator, left, right))

    def comparison(self, node: Comparison) -> Type:
        left, right = self.value(node.left), self.value(node.right)
        if node.operator == "in":
            self.membership(node, left, right)
        elif node.operator in ("==", "!="):
            if not comparable(left, right):
                raise Fault(
                    node.offset, f"{left} is never equal to {right}", _equal_hint(left, right)
                )
        elif not self.ordered(left, right):
            problem = f"{node.operator} can't take {left} and {right}"
            raise Fault(node.offset, problem, _order_hint(left, right))
        return BOOL

    def ordered(self, left: Type, right: Type) -> bool:
        if not {left.kind, right.kind} <= _ORDERED | {"dyn"}:
            return False
        return comparable(left, right)

    def membership(self, node: Comparison, left: Type, right: Type) -> None:
        if right.kind not in ("list", "map", "dyn"):
            hint = 'for a part of a string write text.contains("part")'
            problem = f"in takes a list or a map on its right side, not {right}"
            raise Fault(node.offset, problem, hint if right.kind == "string" else "")
        element = STRING if right.kind == "map" else item_of(right)
        if not comparable(left, element):
            raise Fault(
                node.offset,
                f"{left} is never in {right}"
                + ("" if right.kind == "list" else ", whose keys are strings"),
            )

    def logic(self, node: Logic) -> Type:
        for operand in node.operands:
            type_ = self.value(operand)
            self.boolean(operand, type_, node.offset, node.operator)
        return BOOL

    def conditional(self, node: Conditional) -> Type:
        condition = self.value(node.condition)
        self.boolean(node.condition, condition, node.offset, "?")
        yes, no = self.value(node.yes), self.value(node.no)
        type_ = joined(yes, no)
        if type_ is None:
            problem = f"? gives {yes} or {no}; both must be of one type"
            raise Fault(node.offset, problem, _conversion_hint(yes, no))
        return type_

    # -------------------------------------------------------------------------- lists, macros

    def list_of(self, node: ListOf) -> Type:
        return list_of(_common([self.value(item) for item in node.items]))

    def map_of(self, node: MapOf) -> Type:
        values = []
        for key, value in node.entries:
            type_ = self.value(key)
            if not _fits(type_, STRING):
                hint = "write it in quotes" if isinstance(key, Literal) else "write string(x)"
                raise Fault(key.offset, f"a key of a map is a string, not {type_}", hint)
            values.append(self.value(value))
        return map_of(_common(values))

    def macro(self, node: Macro) -> Type:
        over = self.value(node.target)
        if over.kind not in ("list", "map", "dyn"):
            raise Fault(node.offset, f"{node.name} goes through a list or a map, not {over}")
        element = STRING if over.kind == "map" else item_of(over)
        node.slot = len(self.variables)
        self.variables.append((node.variable.value, element))  # type: ignore[arg-type]
        self.slots = max(self.slots, len(self.variables))
        bodies = [self.value(body) for body in node.bodies]
        self.variables.pop()
        if node.name != "map" or len(bodies) > 1:
            self.boolean(node.bodies[0], bodies[0], node.bodies[0].offset, node.name)
        if node.name == "map":
            return list_of(bodies[-1])
        return list_of(element) if node.name == "filter" else BOOL

    # ------------------------------------------------------------------------------ functions

    def call(self, node: Call) -> Type:
        function = FUNCTIONS.get(node.function)
        if function is None:
            raise self.unknown_function(node)
        called_alone = node.target is None
        if not (function.alone if called_alone else function.of):
            problem = f"{node.function} is not called like this"
            raise Fault(node.offset, problem, f"write {function.usage}")
        takes = node.arguments if node.target is None else [node.target, *node.arguments]
        types = [self.value(argument) for argument in takes]
        if not any(len(way.takes) == len(types) for way in function.overloads):
            problem = f"{node.function} takes {_counts(function, called_alone)}"
            raise Fault(node.offset, problem, f"write {function.usage}")
        fitting = [way for way in function.overloads if _fit(types, way.takes)]
        if not fitting:
            raise _wrong_argument(node, function, types)
        self.pattern(node, takes)
        return fitting[0].gives

    def unknown_function(self, node: Call) -> Fault:
        target = node.target
        if isinstance(target, Name) and target.name in LEFT_OUT and target.name not in self.names:
            return Fault(target.offset, f"functions of {target.name} are not supported")
        hint = _usage_hint(node.function)
        if node.function in LEFT_OUT:
            return Fault(node.offset, f"the function {node.function} is not supported", hint)
        known = [*FUNCTIONS, *MACROS, "has"]
        hint = hint or did_you_mean(node.function, known)
        hint = hint or f"the functions are {', '.join(known)}"
        return Fault(node.offset, f"unknown function: {node.function}", hint)

    def pattern(self, node: Call, takes: list[Node]) -> None:
        """A regular expression that is written there is compiled before it is needed."""
        if node.function != "matches" or not isinstance(takes[1], Literal):
            return
        try:
            node.pattern = regular_expression(str(takes[1].value))
        except Failed as failed:
            raise Fault(takes[1].offset, failed.problem) from None


def _path(node: Node) -> tuple[str, ...]:
    """Of a node that is a record."""
    assert isinstance(node, Name | Member)
    return node.path


def _listed(begin: str, names: object) -> str:
    words = list(names)  # type: ignore[call-overload]
    if not words or len(words) > _NAMED_MAX:
        return ""
    return f"{begin} {', '.join(words)}"


def _fits(type_: Type, wanted: Type) -> bool:
    if "dyn" in (type_.kind, wanted.kind):
        return True
    if type_.kind != wanted.kind:
        return False
    return type_.kind not in ("list", "map") or _fits(item_of(type_), item_of(wanted))


def _fit(types: list[Type], takes: tuple[Type, ...]) -> bool:
    return len(types) == len(takes) and all(map(_fits, types, takes))


def _common(types: list[Type]) -> Type:
    """The type of elements."""
    if not types:
        return DYN
    type_: Type | None = types[0]
    for each in types[1:]:
        type_ = joined(type_, each) if type_ else None
    return type_ or DYN


def _counts(function: Function, alone: bool) -> str:
    """`1 or 2 arguments`, without what stands before the point."""
    counts = sorted({len(way.takes) - (not alone) for way in function.overloads})
    many = "argument" if counts == [1] else "arguments"
    return f"{' or '.join(str(count) if count else 'no' for count in counts)} {many}"


def _wrong_argument(node: Call, function: Function, types: list[Type]) -> Fault:
    """The first argument that no way of calling takes."""
    ways = [way.takes for way in function.overloads if len(way.takes) == len(types)]
    for position, type_ in enumerate(types):
        wanted = list(dict.fromkeys(str(takes[position]) for takes in ways))
        if not any(_fits(type_, takes[position]) for takes in ways):
            problem = f"{node.function} takes {_either(wanted)}, not {type_}"
            hint = "write string(x) around it" if wanted == ["a string"] else ""
            return Fault(node.offset, problem, _convertible(type_, hint))
    return Fault(node.offset, f"{node.function} can't take these arguments together")


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _convertible(type_: Type, hint: str) -> str:
    return hint if type_.kind in ("int", "double", "bool") else ""


def _usage(name: str) -> str:
    return FUNCTIONS[name].usage if name in FUNCTIONS else HABITS[name].removeprefix("write ")


def _usage_hint(name: str) -> str:
    if name in MACROS:
        return f"write list.{name}(x, x > 1)"
    return HABITS.get(name, "")


def _conversion_hint(left: Type, right: Type) -> str:
    if {left.kind, right.kind} == _NUMBERS:
        return "write double(x) around the integer"
    if "string" in (left.kind, right.kind) and {left.kind, right.kind} & {*_NUMBERS, "bool"}:
        return "write string(x) around the other one"
    return ""


def _arithmetic_hint(operator: str, left: Type, right: Type) -> str:
    kinds = {left.kind, right.kind}
    if operator == "%" and "double" in kinds:
        return "% takes two integers; write int(x) around a double"
    if kinds == _NUMBERS or (operator == "+" and "string" in kinds):
        return _conversion_hint(left, right)
    if operator == "+" and "list" in kinds and left.kind != right.kind:
        return "to add one element, write list + [x]"
    if "string" in kinds and kinds & _NUMBERS:
        return "write int(x) or double(x) around the string"
    return ""


def _equal_hint(left: Type, right: Type) -> str:
    if NULL in (left, right):
        return "whether a value is there: has(x.field)"
    return _order_hint(left, right)


def _order_hint(left: Type, right: Type) -> str:
    kinds = {left.kind, right.kind}
    if "string" in kinds and kinds & _NUMBERS:
        return "write int(x) or double(x) around the string, or string(x) around the number"
    if kinds == {"string", "bool"}:
        return "write the boolean without quotes: true, false"
    return ""


_CHECKS: Mapping[type[Node], Callable[[_Checker, Any], Type]] = {
    Literal: _Checker.literal,
    Name: _Checker.name,
    Member: _Checker.member,
    Has: _Checker.has,
    Index: _Checker.index,
    Call: _Checker.call,
    Macro: _Checker.macro,
    ListOf: _Checker.list_of,
    MapOf: _Checker.map_of,
    Unary: _Checker.unary,
    Chain: _Checker.chain,
    Comparison: _Checker.comparison,
    Logic: _Checker.logic,
    Conditional: _Checker.conditional,
}
