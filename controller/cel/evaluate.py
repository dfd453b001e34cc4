"""A checked tree to closures, which take an evaluation and give a value.

The closures look at the values that they get, never at the types that were found before: whatever
data comes, the worst that follows is EvaluationFailed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from controller.cel.faults import EvaluationFailed, Exhausted, cut, shown
from controller.cel.functions import FUNCTIONS, Overload, matched
from controller.cel.limits import OPERATIONS_A_STEP
from controller.cel.operators import ARITHMETIC, COMPARISONS, negate
from controller.cel.reading import Closure, Evaluation, is_there, read
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
from controller.cel.types import kind_of, word


def build(node: Node) -> Closure:
    return _BUILDERS[type(node)](node)


# ---------------------------------------------------------------------------------------- reading


def _literal(node: Literal) -> Closure:
    value = node.value
    return lambda evaluation: value


def _name(node: Name) -> Closure:
    slot = node.slot
    if slot < 0:
        return read(node.path, node.type, node.offset)
    return lambda evaluation: evaluation.variables[slot]


def _member(node: Member) -> Closure:
    if node.path:
        return read(node.path, node.type, node.offset)
    operand, field, offset = build(node.operand), node.field, node.offset

    def member(evaluation: Evaluation) -> object:
        value = operand(evaluation)
        if type(value) is not dict:
            raise EvaluationFailed(f"{word(value)} has no field {cut(field)}", offset)
        if field not in value:
            raise EvaluationFailed(f"the map has no key {shown(field)}", offset)
        return value[field]

    return member


def _has(node: Has) -> Closure:
    if node.path:
        return is_there(read(node.path, node.type, node.offset))
    operand, field, offset = build(node.operand), node.field, node.offset

    def has(evaluation: Evaluation) -> bool:
        value = operand(evaluation)
        if type(value) is not dict:
            raise EvaluationFailed(f"{word(value)} has no field {cut(field)}", offset)
        return field in value

    return has


def _index(node: Subscript) -> Closure:
    operand, index, offset = build(node.operand), build(node.index), node.offset

    def element(evaluation: Evaluation) -> object:
        within, at = operand(evaluation), index(evaluation)
        if type(within) is dict:
            return _by_key(evaluation, within, at, offset)
        if type(within) is not list:
            raise EvaluationFailed(
                f"{word(within)} has no elements that could be read with [ ]", offset
            )
        return _by_number(within, at, offset)

    return element


def _by_key(evaluation: Evaluation, within: dict[str, object], key: object, offset: int) -> object:
    if type(key) is str:
        evaluation.read(len(key))
        if key in within:
            return within[key]
    raise EvaluationFailed(f"the map has no key {shown(key)}", offset)


def _by_number(within: list[object], number: object, offset: int) -> object:
    """A double that is whole is a number of an element as well."""
    if type(number) is not int and not (type(number) is float and number.is_integer()):
        raise EvaluationFailed(
            f"the index of a list is a number from 0, not {word(number)}", offset
        )
    if 0 <= number < len(within):
        return within[int(number)]
    many = f"the list has {len(within)} element{'' if len(within) == 1 else 's'}"
    raise EvaluationFailed(f"{many}, and none with the index {shown(number)}", offset)


# -------------------------------------------------------------------------------------- operators


def _unary(node: Unary) -> Closure:
    operand, offset = build(node.operand), node.offset

    def opposite(evaluation: Evaluation) -> bool:
        value = operand(evaluation)
        if type(value) is not bool:
            raise EvaluationFailed(f"! takes a boolean, not {word(value)}", offset)
        return not value

    def negative(evaluation: Evaluation) -> object:
        value = operand(evaluation)
        try:
            return negate(value)
        except EvaluationFailed as failed:
            failed.at(offset)
            raise

    return opposite if node.operator == "!" else negative


def _chain(node: Chain) -> Closure:
    first = build(node.first)
    rest = [(ARITHMETIC[name], offset, build(operand)) for name, offset, operand in node.rest]

    def chain(evaluation: Evaluation) -> object:
        value = first(evaluation)
        for operator, offset, operand in rest:
            right = operand(evaluation)
            try:
                value = operator(evaluation, value, right)
            except EvaluationFailed as failed:
                failed.at(offset)
                raise
        return value

    return chain


def _comparison(node: Comparison) -> Closure:
    left, right, offset = build(node.left), build(node.right), node.offset
    operator = COMPARISONS[node.operator]

    def comparison(evaluation: Evaluation) -> object:
        one, other = left(evaluation), right(evaluation)
        try:
            return operator(evaluation, one, other)
        except EvaluationFailed as failed:
            failed.at(offset)
            raise

    return comparison


def _logic(node: Logic) -> Closure:
    operands = [build(operand) for operand in node.operands]
    decide = _decided(node.operator == "||", node.operator, node.offset)
    return lambda evaluation: decide(evaluation, operands)


def _decided(by: bool, taker: str, offset: int) -> Callable[[Evaluation, Iterable[Closure]], bool]:
    """One that is `by` decides, even if one before it failed. Else the first failure counts."""

    def decide(evaluation: Evaluation, parts: Iterable[Closure]) -> bool:
        failed: EvaluationFailed | None = None
        for part in parts:
            try:
                value: object = part(evaluation)
                if value is by:
                    return by
                if type(value) is not bool:
                    raise EvaluationFailed(f"{taker} takes a boolean, not {word(value)}", offset)
            except Exhausted:
                raise
            except EvaluationFailed as problem:
                failed = failed or problem
        if failed:
            raise failed
        return not by

    return decide


def _conditional(node: Conditional) -> Closure:
    condition, yes, no = build(node.condition), build(node.yes), build(node.no)
    offset = node.offset

    def conditional(evaluation: Evaluation) -> object:
        value = condition(evaluation)
        if value is True:
            return yes(evaluation)
        if value is False:
            return no(evaluation)
        raise EvaluationFailed(f"? takes a boolean, not {word(value)}", offset)

    return conditional


# ------------------------------------------------------------------------- lists, maps, functions


def _list_of(node: ListOf) -> Closure:
    items = [build(item) for item in node.items]
    return lambda evaluation: [item(evaluation) for item in items]


def _map_of(node: MapOf) -> Closure:
    entries = [(key.offset, build(key), build(value)) for key, value in node.entries]

    def map_of(evaluation: Evaluation) -> dict[str, object]:
        made: dict[str, object] = {}
        for offset, key_of, value_of in entries:
            key, value = key_of(evaluation), value_of(evaluation)
            if type(key) is not str:
                raise EvaluationFailed(f"a key of a map is a string, not {word(key)}", offset)
            if key in made:
                raise EvaluationFailed(f"the map has the key {shown(key)} twice", offset)
            made[key] = value
        return made

    return map_of


def _call(node: FunctionCall) -> Closure:
    given = node.arguments if node.target is None else [node.target, *node.arguments]
    arguments = [build(argument) for argument in given]
    ways = [way for way in FUNCTIONS[node.function].overloads if len(way.takes) == len(given)]
    function, offset = node.function, node.offset
    if node.pattern is not None:
        return _matched(arguments[0], node)

    def call(evaluation: Evaluation) -> object:
        values = [argument(evaluation) for argument in arguments]
        try:
            return _way(function, ways, values).run(evaluation, *values)
        except EvaluationFailed as failed:
            failed.at(offset)
            raise

    return call


def _matched(text: Closure, node: FunctionCall) -> Closure:
    pattern, offset = node.pattern, node.offset

    def matches(evaluation: Evaluation) -> bool:
        value = text(evaluation)
        if type(value) is not str:
            raise EvaluationFailed(f"matches can't take {word(value)}", offset)
        try:
            return matched(evaluation, value, pattern)
        except EvaluationFailed as failed:
            failed.at(offset)
            raise

    return matches


def _way(function: str, ways: list[Overload], values: list[object]) -> Overload:
    kinds = [kind_of(value) for value in values]
    for way in ways:
        if all(kind == takes.kind for kind, takes in zip(kinds, way.takes, strict=True)):
            return way
    found = " and ".join(word(value) for value in values)
    raise EvaluationFailed(f"{function} can't take {found}")


# ----------------------------------------------------------------------------------------- macros


def _macro(node: Macro) -> Closure:
    target, slot, offset = build(node.target), node.slot, node.offset
    collect = _COLLECTORS[node.name](node, [build(body) for body in node.bodies])
    cost = max(1, sum(body.size for body in node.bodies) // OPERATIONS_A_STEP)

    def macro(evaluation: Evaluation) -> object:
        over = target(evaluation)
        if type(over) is not list and type(over) is not dict:
            raise EvaluationFailed(
                f"{node.name} goes through a list or a map, not {word(over)}", offset
            )
        try:
            return collect(evaluation, _rounds(evaluation, over, slot, cost))
        except EvaluationFailed as failed:
            failed.at(offset)
            raise

    return macro


def _rounds(
    evaluation: Evaluation, over: Iterable[object], slot: int, cost: int
) -> Iterator[object]:
    """Each element of a list, or key of a map, in turn as the variable."""
    for item in over:
        evaluation.take(cost)
        evaluation.variables[slot] = item
        yield item


Collector = Callable[[Evaluation, Iterator[object]], object]


def _mapped(node: Macro, bodies: list[Closure]) -> Collector:
    if len(bodies) == 1:
        (body,) = bodies
        return lambda evaluation, rounds: [body(evaluation) for _ in rounds]
    test, gives = _tested(node, bodies[0]), bodies[1]
    return lambda evaluation, rounds: [gives(evaluation) for _ in rounds if test(evaluation)]


def _filtered(node: Macro, bodies: list[Closure]) -> Collector:
    test = _tested(node, bodies[0])
    return lambda evaluation, rounds: [item for item in rounds if test(evaluation)]


def _exists_one(node: Macro, bodies: list[Closure]) -> Collector:
    test = _tested(node, bodies[0])
    return lambda evaluation, rounds: sum(1 for _ in rounds if test(evaluation)) == 1


def _quantified(node: Macro, bodies: list[Closure]) -> Collector:
    decide = _decided(node.name == "exists", node.name, node.offset)
    (body,) = bodies
    return lambda evaluation, rounds: decide(evaluation, (body for _ in rounds))


def _tested(node: Macro, body: Closure) -> Closure:
    def test(evaluation: Evaluation) -> bool:
        value = body(evaluation)
        if type(value) is not bool:
            raise EvaluationFailed(f"{node.name} takes a boolean, not {word(value)}", node.offset)
        return value is True

    return test


_COLLECTORS: Mapping[str, Callable[[Macro, list[Closure]], Collector]] = {
    "map": _mapped,
    "filter": _filtered,
    "all": _quantified,
    "exists": _quantified,
    "exists_one": _exists_one,
}
_BUILDERS: Mapping[type[Node], Callable[[Any], Closure]] = {
    Literal: _literal,
    Name: _name,
    Member: _member,
    Has: _has,
    Subscript: _index,
    FunctionCall: _call,
    Macro: _macro,
    ListOf: _list_of,
    MapOf: _map_of,
    Unary: _unary,
    Chain: _chain,
    Comparison: _comparison,
    Logic: _logic,
    Conditional: _conditional,
}
