"""The types of a tree: what it reads, and every fault that shows before there are values.

The rules are those of Google's checker. docs/decisions/0013-expressions.md names the exceptions.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from controller.cel import hints
from controller.cel.faults import EvaluationFailed, ExpressionFault, cut
from controller.cel.functions import FUNCTIONS, Function, regular_expression
from controller.cel.tree import (
    Chain,
    Comparison,
    Conditional,
    FunctionCall,
    Has,
    ListOf,
    Literal,
    Logic,
    Macro,
    MapOf,
    Member,
    Name,
    Node,
    Subscript,
    Unary,
)
from controller.cel.types import (
    BOOL,
    DYN,
    INT,
    STRING,
    Kind,
    Type,
    comparable,
    item_of,
    joined,
    kind_of,
    list_of,
    map_of,
)

# What the operators take; both sides are of one kind.
_ARITHMETIC: Mapping[str, tuple[Kind, ...]] = {
    "+": ("int", "double", "string", "list"),
    "-": ("int", "double"),
    "*": ("int", "double"),
    "/": ("int", "double"),
    "%": ("int",),
}
_ORDERED: tuple[Kind, ...] = ("int", "double", "string", "bool", "dyn")


class Reads(Struct):
    """What an expression gives, may ask for, and needs room for."""

    type: Type
    paths: dict[tuple[str, ...], Type]
    slots: int  # variables of macros at once


def check(tree: Node, names: Mapping[str, Type], text: str) -> Reads:
    """Fills in what the tree leaves open. Raises ExpressionFault."""
    checker = _Checker(names, text)
    return Reads(checker.value(tree), checker.paths, checker.slots)


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
            path = _path(node)
            hint = hints.of_record(path, type_, self.text, node.offset)
            raise ExpressionFault(node.offset, f"{path} is no value by itself", hint)
        return type_

    def visit(self, node: Node) -> Type:
        """The type of a node, which may be a record."""
        return _CHECKS[type(node)](self, node)

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
        return self.read(node, (node.name,), self.names[node.name])

    def unknown_name(self, node: Name) -> ExpressionFault:
        if node.name in hints.LEFT_OUT:
            return ExpressionFault(node.offset, f"functions of {node.name} are not supported")
        if node.name in FUNCTIONS:
            hint = f"write {FUNCTIONS[node.name].usage}"
        else:
            known = [*_readable(self.names), *(name for name, _ in self.variables)]
            hint = hints.of_name(node.name, known, self.text, node.offset)
            hint = hint or hints.all_of(known, "the names here are")
        return ExpressionFault(node.offset, f"unknown name: {cut(node.name)}", hint)

    def member(self, node: Member) -> Type:
        of = self.visit(node.operand)
        if of.kind == "record":
            return self.field(node, of)
        return self.field_of_value(of, node)

    def has(self, node: Has) -> Type:
        of = self.visit(node.operand)
        if of.kind != "record":
            self.field_of_value(of, node)
        elif self.field(node, of).kind == "record":
            path = ".".join(node.path)
            raise ExpressionFault(node.offset, f"has asks for a value, and {path} is none")
        return BOOL

    def field(self, node: Member | Has, record: Type) -> Type:
        if node.field in record.fields:
            path = (*_read(node.operand).path, node.field)
            return self.read(node, path, record.fields[node.field])
        of = _path(node.operand)
        known = _readable(record.fields)
        hint = hints.of_name(node.field, known, self.text, node.offset)
        hint = hint or hints.all_of(known, f"{of} has")
        raise ExpressionFault(node.offset, f"{of} has no field {cut(node.field)}", hint)

    def read(self, node: Name | Member | Has, path: tuple[str, ...], type_: Type) -> Type:
        """Notes what is read."""
        if type_.kind == "unavailable":
            raise ExpressionFault(node.offset, type_.problem, type_.hint)
        node.path, node.type = path, type_
        if type_.kind != "record":
            self.paths.setdefault(path, type_)
        return type_

    def field_of_value(self, of: Type, node: Member | Has) -> Type:
        if of.kind == "map":
            return item_of(of)
        if of.kind == "dyn":
            return DYN
        hint = hints.without_brackets(node.field)
        if of.kind == "list":
            hint = hint or "an element of a list is read by its number: [0]"
        raise ExpressionFault(node.offset, f"{of} has no field {cut(node.field)}", hint)

    def index(self, node: Subscript) -> Type:
        of = self.visit(node.operand)
        if of.kind == "record":
            raise self.index_of_record(node)
        index = self.value(node.index)
        wanted = {"list": INT, "map": STRING, "dyn": DYN}.get(of.kind)
        if wanted is None:
            raise ExpressionFault(node.offset, f"{of} has no elements that could be read with [ ]")
        if not _fits(index, wanted):
            what = "a number from 0" if of.kind == "list" else "a string"
            raise ExpressionFault(node.offset, f"the index of {of} is {what}, not {index}")
        return item_of(of)

    def index_of_record(self, node: Subscript) -> ExpressionFault:
        path = _path(node.operand)
        hint = f"write {path}.name"
        if isinstance(node.index, Literal) and isinstance(node.index.value, str):
            field = node.index.value.replace("-", "_")
            hint = f"write {path}.{field}" if field.isidentifier() else hint
        return ExpressionFault(node.offset, f"the fields of {path} are read with a point", hint)

    # ----------------------------------------------------------------------------- operators

    def unary(self, node: Unary) -> Type:
        type_ = self.value(node.operand)
        if node.operator == "!":
            self.boolean(type_, node.offset, "!")
            return BOOL
        if type_.kind not in ("int", "double", "dyn"):
            raise ExpressionFault(node.offset, f"- can't take {type_}")
        return type_

    def boolean(self, type_: Type, offset: int, taker: str) -> None:
        if type_.kind not in ("bool", "dyn"):
            problem = f"{taker} takes a boolean, not {type_}"
            raise ExpressionFault(offset, problem, hints.as_boolean(type_))

    def chain(self, node: Chain) -> Type:
        type_ = self.value(node.first)
        for operator, offset, operand in node.rest:
            type_ = self.arithmetic(operator, offset, type_, self.value(operand))
        return type_

    def arithmetic(self, operator: str, offset: int, left: Type, right: Type) -> Type:
        known = right if left.kind == "dyn" else left
        both = joined(left, right)
        if known.kind == "dyn":
            return DYN
        if both and known.kind in _ARITHMETIC[operator]:
            if both.kind == "dyn":  # one side is, and must turn out to be as the other
                return list_of(DYN) if known.kind == "list" else known
            return both
        problem = f"{operator} can't take {left} and {right}"
        raise ExpressionFault(offset, problem, hints.arithmetic(operator, left, right))

    def comparison(self, node: Comparison) -> Type:
        left, right = self.value(node.left), self.value(node.right)
        if node.operator == "in":
            self.membership(node, left, right)
            return BOOL
        equality = node.operator in ("==", "!=")
        ordered = left.kind in _ORDERED and right.kind in _ORDERED
        if not (comparable(left, right) and (equality or ordered)):
            problem = f"{node.operator} can't take {left} and {right}"
            if equality:
                problem = f"{left} is never equal to {right}"
            raise ExpressionFault(node.offset, problem, hints.comparison(left, right))
        return BOOL

    def membership(self, node: Comparison, left: Type, right: Type) -> None:
        if right.kind not in ("list", "map", "dyn"):
            hint = 'for a part of a string write text.contains("part")'
            problem = f"in takes a list or a map on its right side, not {right}"
            raise ExpressionFault(node.offset, problem, hint if right.kind == "string" else "")
        element = STRING if right.kind == "map" else item_of(right)
        if not comparable(left, element):
            keys = ", whose keys are strings" if right.kind == "map" else ""
            raise ExpressionFault(node.offset, f"{left} is never in {right}{keys}")

    def logic(self, node: Logic) -> Type:
        for operand in node.operands:
            self.boolean(self.value(operand), operand.offset, node.operator)
        return BOOL

    def conditional(self, node: Conditional) -> Type:
        self.boolean(self.value(node.condition), node.condition.offset, "?")
        yes, no = self.value(node.yes), self.value(node.no)
        type_ = joined(yes, no)
        if type_ is None:
            problem = f"? gives {yes} or {no}; both must be of one type"
            raise ExpressionFault(node.offset, problem, hints.one_type(yes, no))
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
                raise ExpressionFault(key.offset, f"a key of a map is a string, not {type_}", hint)
            values.append(self.value(value))
        return map_of(_common(values))

    def macro(self, node: Macro) -> Type:
        over = self.value(node.target)
        if over.kind not in ("list", "map", "dyn"):
            raise ExpressionFault(
                node.offset, f"{node.name} goes through a list or a map, not {over}"
            )
        element = STRING if over.kind == "map" else item_of(over)
        node.slot = len(self.variables)
        self.variables.append((node.variable, element))
        self.slots = max(self.slots, len(self.variables))
        bodies = [self.value(body) for body in node.bodies]
        self.variables.pop()
        if node.name != "map" or len(bodies) > 1:
            self.boolean(bodies[0], node.bodies[0].offset, node.name)
        if node.name == "map":
            return list_of(bodies[-1])
        return list_of(element) if node.name == "filter" else BOOL

    # ------------------------------------------------------------------------------ functions

    def call(self, node: FunctionCall) -> Type:
        function = FUNCTIONS.get(node.function)
        if function is None:
            raise self.unknown_function(node)
        called_alone = node.target is None
        if not (function.alone if called_alone else function.of):
            problem = f"{node.function} is not called like this"
            raise ExpressionFault(node.offset, problem, f"write {function.usage}")
        takes = node.arguments if node.target is None else [node.target, *node.arguments]
        types = [self.value(argument) for argument in takes]
        if not any(len(way.takes) == len(types) for way in function.overloads):
            problem = f"{node.function} takes {_counts(function, called_alone)}"
            raise ExpressionFault(node.offset, problem, f"write {function.usage}")
        fitting = [way for way in function.overloads if _fit(types, way.takes)]
        if not fitting:
            raise _wrong_argument(node, function, types)
        self.pattern(node, takes)
        return fitting[0].gives

    def unknown_function(self, node: FunctionCall) -> ExpressionFault:
        if node.target is not None:
            self.value(node.target)  # whose fault may be the reason
        name = node.function
        if name in hints.LEFT_OUT:
            return ExpressionFault(node.offset, f"the function {name} is not supported")
        return ExpressionFault(node.offset, f"unknown function: {cut(name)}", hints.function(name))

    def pattern(self, node: FunctionCall, takes: list[Node]) -> None:
        """A regular expression that is written there is compiled before it is needed."""
        if node.function != "matches" or not isinstance(takes[1], Literal):
            return
        try:
            node.pattern = regular_expression(str(takes[1].value))
        except EvaluationFailed as failed:
            raise ExpressionFault(takes[1].offset, failed.problem) from None


def _read(node: Node) -> Name | Member:
    """A node that is a record."""
    assert isinstance(node, Name | Member)
    return node


def _readable(names: Mapping[str, Type]) -> list[str]:
    return [name for name, type_ in names.items() if type_.kind != "unavailable"]


def _path(node: Node) -> str:
    """Of a node that is a record."""
    return ".".join(_read(node).path)


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
    for other in types[1:]:
        type_ = joined(type_, other) if type_ else None
    return type_ or DYN


def _counts(function: Function, alone: bool) -> str:
    """`1 or 2 arguments`, without what stands before the point."""
    counts = sorted({len(way.takes) - (not alone) for way in function.overloads})
    many = "argument" if counts == [1] else "arguments"
    return f"{' or '.join(str(count) if count else 'no' for count in counts)} {many}"


def _wrong_argument(node: FunctionCall, function: Function, types: list[Type]) -> ExpressionFault:
    """The first argument that no way of calling takes."""
    ways = [way.takes for way in function.overloads if len(way.takes) == len(types)]
    found, takes = next(
        (type_, takes)
        for type_, takes in zip(types, zip(*ways, strict=True), strict=True)
        if not any(_fits(type_, taken) for taken in takes)
    )
    wanted = list(dict.fromkeys(map(str, takes)))
    hint = hints.as_string(found) if wanted == ["a string"] else ""
    return ExpressionFault(
        node.offset, f"{node.function} takes {_either(wanted)}, not {found}", hint
    )


def _either(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


_CHECKS: Mapping[type[Node], Callable[[_Checker, Any], Type]] = {
    Literal: _Checker.literal,
    Name: _Checker.name,
    Member: _Checker.member,
    Has: _Checker.has,
    Subscript: _Checker.index,
    FunctionCall: _Checker.call,
    Macro: _Checker.macro,
    ListOf: _Checker.list_of,
    MapOf: _Checker.map_of,
    Unary: _Checker.unary,
    Chain: _Checker.chain,
    Comparison: _Checker.comparison,
    Logic: _Checker.logic,
    Conditional: _Checker.conditional,
}
