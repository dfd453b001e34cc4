"""Tokens to a tree.

Operators are parsed by precedence. Chains of `+ - * / %`, of `&&` and of `||` are one node each,
however long they are. Everything else makes the tree higher, and its height is limited: then no
later pass over it, and no evaluation, can go too deep for Python's stack.
"""

from collections.abc import Callable
from typing import TypeVar

from controller.cel.faults import ExpressionFault, cut
from controller.cel.limits import INT_MAX, NESTING_MAX
from controller.cel.tokens import Token, tokens
from controller.cel.tree import (
    MACROS,
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

_LEVELS = {
    "||": 1,
    "&&": 2,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in"), 3),
    **dict.fromkeys("+-", 4),
    **dict.fromkeys("*/%", 5),
}
_LITERALS = {"int": "number", "double": "number", "string": "string"}
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_NO_FIELDS = {"in", *_WORDS}
_RESERVED = {
    *("as", "break", "const", "continue", "else", "for", "function", "if", "import", "let"),
    *("loop", "package", "namespace", "return", "var", "void", "while"),
}
_HABITS = {
    "and": "for and, write &&",
    "or": "for or, write ||",
    "not": "for not, write !",
    "is": "to compare, write ==",
    "if": "write condition ? this : that",
    "then": "write condition ? this : that",
    "else": "write condition ? this : that",
    "for": "write list.map(x, x + 1), or filter, all, exists",
}
N = TypeVar("N", bound=Node)


def parse(text: str) -> Node:
    """Raises ExpressionFault."""
    parser = _Parser(tokens(text))
    if parser.token.kind == "end":
        raise ExpressionFault(0, "the expression is empty")
    tree = parser.expression()
    if parser.token.kind != "end":
        raise parser.unexpected()
    return tree


class _Parser:
    def __init__(self, all_tokens: list[Token]) -> None:
        self.tokens = all_tokens
        self.position = 0
        self.token = all_tokens[0]
        self.depth = 0

    # ---------------------------------------------------------------------------------- tokens

    def advance(self) -> Token:
        """The present token; the next one is then present."""
        token = self.token
        if token.kind != "end":
            self.position += 1
            self.token = self.tokens[self.position]
        return token

    def take(self, kind: str) -> Token | None:
        return self.advance() if self.token.kind == kind else None

    def expect(self, kind: str) -> Token:
        if self.token.kind != kind:
            raise self.unexpected(f'"{kind}" is missing')
        return self.advance()

    def unexpected(self, missing: str = "") -> ExpressionFault:
        token = self.token
        if token.kind == "end":
            problem = "the expression ends too early"
            return ExpressionFault(token.offset, f"{problem}: {missing}" if missing else problem)
        what = _LITERALS.get(token.kind) or f'"{cut(str(token.value))}"'
        return ExpressionFault(token.offset, f"unexpected {what}", self.meant() or missing)

    def meant(self) -> str:
        """A hint, if other languages or other parts of CEL have the present token here."""
        token, before = self.token, self.tokens[max(self.position - 1, 0)]
        for near in (before, token):
            if near.kind == "name" and near.value in _HABITS:
                return _HABITS[str(near.value)]
        if token.kind == "{" and before.kind == "name":
            return 'messages (Name{field: value}) are not supported; a map has quotes: {"a": 1}'
        if token.kind == "?" and before.kind in (".", "["):
            return "optional values (.? and [?) are not supported; ask has(x.field) first"
        return ""

    # ---------------------------------------------------------------------------------- nodes

    def over(self, node: N, *below: Node) -> N:
        """The node, with its height and size."""
        node.height = 1 + max((child.height for child in below), default=0)
        node.size = 1 + sum(child.size for child in below)
        if node.height > NESTING_MAX:
            raise self.too_deep(node.offset)
        return node

    def too_deep(self, offset: int) -> ExpressionFault:
        return ExpressionFault(
            offset, f"the expression is nested more than {NESTING_MAX} levels deep"
        )

    def deeper(self, part: Callable[..., Node], *arguments: int) -> Node:
        """A part of the tree whose parser may come back to the one that calls it."""
        self.depth += 1
        if self.depth > NESTING_MAX:
            raise self.too_deep(self.token.offset)
        node = part(*arguments)
        self.depth -= 1
        return node

    def expression(self) -> Node:
        return self.deeper(self.conditional)

    def conditional(self) -> Node:
        condition = self.binary(1)
        question = self.take("?")
        if not question:
            return condition
        yes = self.binary(1)
        self.expect(":")
        no = self.expression()
        node = Conditional(condition, yes, no, offset=question.offset)
        return self.over(node, condition, yes, no)

    def binary(self, least: int) -> Node:
        """Operands and the operators of this level and tighter ones."""
        left = self.unary()
        while (level := self.level()) >= least:
            operator = self.advance()
            right = self.deeper(self.binary, level + 1)
            left = self.joined(level, operator, left, right)
        return left

    def level(self) -> int:
        """Of the present token, if it is an operator between two operands; else 0."""
        token = self.token
        if token.kind == "name":
            return 3 if token.value == "in" else 0
        return _LEVELS.get(token.kind, 0)

    def joined(self, level: int, token: Token, left: Node, right: Node) -> Node:
        operator = str(token.value)
        if level == 3:
            return self.over(Comparison(operator, left, right, offset=token.offset), left, right)
        if level < 3:
            if not isinstance(left, Logic) or left.operator != operator:
                left = self.over(Logic(operator, [left], offset=token.offset), left)
            left.operands.append(right)
        else:
            if not isinstance(left, Chain):
                left = self.over(Chain(left, [], offset=token.offset), left)
            left.rest.append((operator, token.offset, right))
        return self.grown(left, right)

    def grown(self, node: N, right: Node) -> N:
        """A chain that has got one operand more."""
        node.size += right.size
        node.height = max(node.height, 1 + right.height)
        if node.height > NESTING_MAX:
            raise self.too_deep(node.offset)
        return node

    def unary(self) -> Node:
        if self.token.kind not in ("!", "-"):
            return self.member()
        operator = self.advance()
        if operator.kind == "-" and self.token.kind in ("int", "double"):
            number = self.advance()
            value = -number.value  # type: ignore[operator]
            return self.members(Literal(value, offset=operator.offset))
        operand = self.deeper(self.unary)
        return self.over(Unary(operator.kind, operand, offset=operator.offset), operand)

    # ------------------------------------------------------------------- members and primaries

    def member(self) -> Node:
        return self.members(self.primary())

    def members(self, node: Node) -> Node:
        """What follows an operand: fields, calls, indices."""
        while True:
            if self.take("."):
                node = self.field(node)
            elif bracket := self.take("["):
                if self.token.kind == "?":
                    raise self.unexpected()
                index = self.expression()
                self.expect("]")
                node = self.over(Subscript(node, index, offset=bracket.offset), node, index)
            else:
                return node

    def field(self, operand: Node) -> Node:
        name = self.name_of_field()
        if not self.take("("):
            node = Member(operand, str(name.value), offset=name.offset)
            return self.over(node, operand)
        arguments = self.listed(")")
        if name.value in MACROS:
            return self.macro(name, operand, arguments)
        call = FunctionCall(str(name.value), operand, arguments, offset=name.offset)
        return self.over(call, operand, *arguments)

    def name_of_field(self) -> Token:
        token = self.token
        if token.kind != "name":
            raise self.unexpected("a name is missing after the point")
        if token.value in _NO_FIELDS:
            hint = f'of a map, write ["{token.value}"]'
            raise ExpressionFault(
                token.offset, f'"{token.value}" can\'t be the name of a field', hint
            )
        return self.advance()

    def macro(self, name: Token, target: Node, arguments: list[Node]) -> Node:
        kind = str(name.value)
        if len(arguments) - 1 not in MACROS[kind]:
            usage = "list.map(x, x + 1)" if kind == "map" else f"list.{kind}(x, x > 1)"
            problem = f"{kind} takes a variable and an expression"
            raise ExpressionFault(name.offset, problem, f"write {usage}")
        variable, *bodies = arguments
        if not isinstance(variable, Name):
            raise ExpressionFault(variable.offset, f"{kind} takes the name of a variable first")
        node = Macro(kind, target, variable.name, bodies, offset=name.offset)
        return self.over(node, target, *bodies)

    def listed(self, end: str, more: bool = False) -> list[Node]:
        """Expressions and commas up to `end`. `more`: a comma may stand before it."""
        items: list[Node] = []
        while not self.take(end):
            if items:
                self.separated(end)
                if more and self.take(end):
                    break
            items.append(self.expression())
        return items

    def separated(self, end: str) -> None:
        if not self.take(","):
            raise self.unexpected(f'"," or "{end}" is missing')

    def primary(self) -> Node:
        token = self.token
        if token.kind == "name":
            return self.named()
        if token.kind in ("int", "double", "string"):
            return self.literal()
        if self.take("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if self.take("["):
            items = self.listed("]", more=True)
            return self.over(ListOf(items, offset=token.offset), *items)
        if self.take("{"):
            return self.mapping(token)
        if token.kind == ".":
            raise ExpressionFault(
                token.offset, "a name does not begin with a point", "remove the point"
            )
        raise self.unexpected()

    def literal(self) -> Node:
        token = self.advance()
        if token.value == INT_MAX + 1 and token.kind == "int":
            raise ExpressionFault(token.offset, f"an integer is at most {INT_MAX}")
        return Literal(token.value, offset=token.offset)  # type: ignore[arg-type]

    def mapping(self, brace: Token) -> Node:
        entries: list[tuple[Node, Node]] = []
        while not self.take("}"):
            if entries:
                self.separated("}")
                if self.take("}"):
                    break
            key = self.expression()
            self.expect(":")
            entries.append((key, self.expression()))
        below = [node for entry in entries for node in entry]
        return self.over(MapOf(entries, offset=brace.offset), *below)

    def named(self) -> Node:
        """A constant, a name, a call, has(…)."""
        if self.token.value == "in":
            raise self.unexpected()
        token = self.advance()
        name = str(token.value)
        if name in _WORDS:
            return Literal(_WORDS[name], offset=token.offset)
        if name in _RESERVED:
            problem = f'"{name}" is a reserved word of the language'
            raise ExpressionFault(token.offset, problem, _HABITS.get(name, ""))
        if not self.take("("):
            return Name(name, offset=token.offset)
        arguments = self.listed(")")
        if name == "has":
            return self.has(token, arguments)
        return self.over(FunctionCall(name, None, arguments, offset=token.offset), *arguments)

    def has(self, token: Token, arguments: list[Node]) -> Node:
        if len(arguments) != 1 or not isinstance(arguments[0], Member):
            hint = 'write has(x.field); whether a map has a key: "key" in x'
            raise ExpressionFault(token.offset, "has takes one field", hint)
        field = arguments[0]
        node = Has(field.operand, field.field, offset=field.offset)
        return self.over(node, field.operand)
