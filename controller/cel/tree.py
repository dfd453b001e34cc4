"""The nodes of an expression."""

from msgspec import Struct

from controller.cel.types import DYN, Type

# How many expressions follow the variable.
MACROS = {
    "map": (1, 2),
    "filter": (1,),
    "all": (1,),
    "exists": (1,),
    "exists_one": (1,),
}


class Node(Struct, kw_only=True):
    """What is left open here is filled in by `check`."""

    offset: int
    height: int = 1
    size: int = 1  # nodes, with all below


class Literal(Node):
    value: str | int | float | bool | None


class Read(Node, kw_only=True):
    """What may be a value from outside, or a record of such values."""

    path: tuple[str, ...] = ()  # check; empty: it is none
    type: Type = DYN  # check


class Name(Read):
    name: str
    slot: int = -1  # check: if it is the variable of a macro


class Member(Read):
    """`operand.field`"""

    operand: Node
    field: str


class Has(Read):
    """`has(operand.field)`"""

    operand: Node
    field: str


class Subscript(Node):
    operand: Node
    index: Node


class FunctionCall(Node):
    function: str
    target: Node | None  # `target.function(…)`
    arguments: list[Node]
    pattern: object = None  # check: the regular expression, if it is written there


class Macro(Node):
    """`target.name(variable, body)`, or `target.map(variable, filter, body)`"""

    name: str
    target: Node
    variable: str
    bodies: list[Node]
    slot: int = -1  # check


class ListOf(Node):
    items: list[Node]


class MapOf(Node):
    entries: list[tuple[Node, Node]]


class Unary(Node):
    operator: str
    operand: Node


class Chain(Node):
    """`+ - * / %` from left to right: the value so far, and the next operand."""

    first: Node
    rest: list[tuple[str, int, Node]]  # operator, its offset, operand


class Comparison(Node):
    operator: str
    left: Node
    right: Node


class Logic(Node):
    operator: str
    operands: list[Node]


class Conditional(Node):
    condition: Node
    yes: Node
    no: Node
