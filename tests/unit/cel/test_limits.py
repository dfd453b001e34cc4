"""Every limit, at it and one past it; and that the worst expressions stay small and fast."""

import inspect
import sys
import time

import pytest

from controller.cel import limits
from controller.cel.program import EvaluationFailed, ExpressionFault
from controller.cel.program import compile as compiled
from controller.cel.types import DYN, STRING, list_of

NAMES = {"x": DYN, "list": list_of(DYN), "text": STRING}


def evaluate(text: str, value: object = None) -> object:
    return compiled(text, NAMES).evaluate(lambda path: value)


def fails(text: str, value: object = None) -> str:
    with pytest.raises(EvaluationFailed) as raised:
        evaluate(text, value)
    return raised.value.problem


def faulty(text: str) -> str:
    with pytest.raises(ExpressionFault) as raised:
        compiled(text, NAMES)
    return raised.value.problem


def test_the_length_of_an_expression() -> None:
    longest = "1" + " " * (limits.EXPRESSION_MAX - 1)
    assert evaluate(longest) == 1
    assert faulty(longest + " ") == "an expression has at most 10,000 characters"


MOST = limits.NESTING_MAX
NESTED = [
    ("brackets", lambda n: "(" * (n - 1) + "1" + ")" * (n - 1)),
    ("lists", lambda n: "[" * (n - 1) + "1" + "]" * (n - 1)),
    ("maps", lambda n: '{"a":' * (n - 1) + "1" + "}" * (n - 1)),
    ("not", lambda n: "!" * (n - 1) + "x"),
    ("minus", lambda n: "-" * (n - 1) + "x"),
    ("conditions", lambda n: "x ? 1 : " * (n - 1) + "1"),
    ("calls", lambda n: "string(" * (n - 1) + "x" + ")" * (n - 1)),
    ("methods", lambda n: "text" + ".trim()" * (n - 1)),
    ("members", lambda n: "x" + ".a" * (n - 1)),
    ("indices", lambda n: "x" + "[0]" * (n - 1)),
    ("inner indices", lambda n: "x[" * (n - 1) + "0" + "]" * (n - 1)),
    ("operands", lambda n: "1 + x" + ".a" * (n - 2)),
    ("last operands", lambda n: "1 + 2 + x" + ".a" * (n - 2)),
    ("comparisons", lambda n: "x" + " == x" * (n - 1)),
    ("macros", lambda n: "x" + ".map(y, y)" * (n - 1)),
    ("inner macros", lambda n: "x.map(y, " * (n - 1) + "1" + ")" * (n - 1)),
    ("has", lambda n: "has(x" + ".a" * (n - 1) + ")"),
]


@pytest.mark.parametrize(("text"), [each for _, each in NESTED], ids=[name for name, _ in NESTED])
def test_the_nesting_of_an_expression(text: object) -> None:
    compiled(text(MOST), NAMES)
    for too_deep in (MOST + 1, 400):
        assert "nested more than 50 levels deep" in faulty(text(too_deep))


@pytest.mark.parametrize("mixed", ["(1+2*", "(true||false&&1==2+3*", "x.map(y,[{'a':-", "!(true?("])
def test_no_mixture_goes_deeper(mixed: str) -> None:
    assert "nested more than 50 levels deep" in faulty(mixed * 400)


def test_long_chains_are_not_deep() -> None:
    assert evaluate("+".join(["1"] * 4000)) == 4000
    assert evaluate(" && ".join(["true"] * 1000)) is True
    assert evaluate(" || ".join(["false"] * 1000)) is False
    assert evaluate("1" + " - 1 + 1" * 1000) == 1
    assert len(evaluate("[" + "1," * 4000 + "]")) == 4000


DEEPEST = [
    "x.exists(y, true && " * (MOST // 2 - 1) + "true" + ")" * (MOST // 2 - 1),
    "x.exists_one(y, " * (MOST - 2) + "true" + ")" * (MOST - 2),
    "(true?" * (MOST - 2) + "1" + ":2)" * (MOST - 2),
    "[1+" * (MOST // 3 - 1) + "1" + "][0]" * (MOST // 3 - 1),
]


@pytest.mark.parametrize("text", DEEPEST, ids=[text[:20] for text in DEEPEST])
def test_the_deepest_expression_needs_half_of_the_stack(text: str) -> None:
    before, here = sys.getrecursionlimit(), len(inspect.stack())
    sys.setrecursionlimit(here + 500)
    try:
        evaluate(text, [1])
    finally:
        sys.setrecursionlimit(before)


def test_the_steps_of_an_evaluation() -> None:
    most = [1] * limits.ELEMENTS_MAX
    assert evaluate("list.all(i, i > 0)", most) is True
    assert "more than 100,000 steps" in fails("list.all(i, i > 0) && list.exists(i, true)", most)
    assert "more than 100,000 steps" in fails("list.map(i, list.map(j, i))", [1] * 400)
    assert len(evaluate("list.map(i, list.map(j, 0).size())", [1] * 310)) == 310


def test_nothing_goes_on_after_the_last_step() -> None:
    rest = "list.map(i, list.map(j, i)) == [] || true"
    assert "more than 100,000 steps" in fails(rest, [1] * 400)
    assert "more than 100,000 steps" in fails("list.exists(k, " + rest + ")", [1] * 400)


def test_a_large_body_costs_more_steps() -> None:
    body = " + ".join(["i"] * 100)
    assert evaluate(f"list.map(i, {body}).size()", [1] * 10_000) == 10_000
    assert "steps" in fails(f"list.map(i, {body}).size()", [1] * 10_001)


def test_the_length_of_a_string() -> None:
    half = "a" * (limits.STRING_MAX // 2)
    assert len(evaluate("text + text", half)) == limits.STRING_MAX
    assert (
        fails("text + text + 'a'", half) == "the string would be longer than 1,048,576 characters"
    )
    assert "longer than" in fails("text.replace('', 'abc')", half)
    assert "longer than" in fails("[text, text, text].join()", half)
    assert "longer than" in fails("['', ''].join(text + text + 'a')", half)


def test_the_size_of_data() -> None:
    longest = "a" * limits.STRING_MAX
    assert evaluate("size(x)", longest) == limits.STRING_MAX
    assert evaluate("size(x)", [longest]) == 1
    assert (
        fails("size(x)", longest + "a") == "x can't be used: it has more than 1,048,576 characters"
    )
    assert "more than 1,048,576 characters" in fails("size(x)", [longest, "a"])
    assert "more than 1,048,576 characters" in fails("size(x)", {longest: "a"})
    assert evaluate("size(x)", [1] * limits.ELEMENTS_MAX) == limits.ELEMENTS_MAX
    assert "more than 100,000 elements" in fails("size(x)", [1] * (limits.ELEMENTS_MAX + 1))
    assert "more than 100,000 elements" in fails("size(x)", [[1] * (limits.ELEMENTS_MAX)])


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_the_depth_of_data() -> None:
    assert evaluate("x == x", nested(limits.DEPTH_MAX)) is True
    assert fails("x == x", nested(limits.DEPTH_MAX + 1)) == (
        "x can't be used: it is more than 64 lists and maps deep"
    )
    assert "deep" in fails("string(x)", nested(100_000))
    assert "the result can't be used" in fails("[x]", nested(limits.DEPTH_MAX))


def test_the_size_of_a_regular_expression() -> None:
    most = "a" * limits.PATTERN_MAX
    assert evaluate("text.matches(text)", most) is True
    assert (
        fails("text.matches(text)", most + "a")
        == "a regular expression has at most 1,000 characters"
    )
    assert "no regular expression" in fails("text.matches(text)", "((a{100}){100}){100}")
    assert "compile failed" in fails("text.matches(text)", r"(\pL{1,30}){1,30}")
    assert evaluate(r"text.matches(r'^[\pL\pN_-]{1,5}$')", "äöü-1") is True
    assert evaluate("list.all(i, 'abc'.matches(list[0]))", ["^[a-c]{1,9}$"] * 9_000) is True
    assert "steps" in fails("list.exists(i, 'a'.matches(string(i)))", [*range(1_000)])


# A text of 10,000 characters or data of 1 MiB can't hold up the controller.
SLOW = [
    ("list.map(a, [a, a]).map(b, [b, b]).map(c, [c, c])", [1] * 30_000),
    ("[0]" + ".map(a, [a, a])" * 40, None),
    ("[[0]" + ".map(a, [a, a])" * 20 + "].exists(a, a == [0]" + ".map(a, [a, a])" * 20 + ")", None),
    ("[[1]" + ".map(a, a + a)" * 20 + "]", None),
    ("[list]" + ".map(a, a + a)" * 40, [1]),
    ("[text]" + ".map(a, a + a)" * 40, "a"),
    ("[text]" + ".map(a, a + a)" * 20 + ".map(a, [a, a].join(a))", "a"),
    (
        "list.map(a, x[0].contains(x[1])).size()",
        ["a" * 500_000, "a" * 250_000 + "b"] + [1] * 90_000,
    ),
    ("list.map(a, list[0] == list[1]).size()", ["a" * 500_000, "a" * 499_999 + "b"] + [1] * 90_000),
    ("list.map(a, list[0] < list[1]).size()", ["a" * 500_000, "a" * 499_999 + "b"] + [1] * 90_000),
    ("list.map(a, list[0].lowerAscii()).size()", ["A" * 1_000_000] + [1] * 90_000),
    ("list.map(a, list[0].trim()).size()", [" " * 1_000_000] + [1] * 90_000),
    ("list.map(a, list[0].split('')).size()", ["A" * 1_000_000] + [1] * 90_000),
    ("list.map(a, list[0].split('A')).size()", ["A" * 90_000] + [1] * 90_000),
    ("list.map(a, list[0].replace('A', 'BB')).size()", ["A" * 500_000] + [1] * 90_000),
    ("list.map(a, int(list[0])).size()", ["1" * 1_000_000] + [1] * 90_000),
    ("list.map(a, list[0].matches('(A|B|C)*D')).size()", ["ABC" * 300_000] + [1] * 90_000),
    ("list.map(a, list[0].matches('.{1,500}x')).size()", ["A" * 10_000] + [1] * 90_000),
    ("list.exists(a, 'b'.matches('((.{1,20}){1,20}){1,9}' + string(a)))", [1] * 90_000),
    ("list.exists(a, 'b'.matches('((.{1,20}){1,20}){1,9}' + string(a)))", [*range(90_000)]),
    (r"list.exists(a, 'b'.matches(r'(\pL{1,30}){1,30}' + string(a)))", [*range(90_000)]),
    (r"list.exists(a, 'b'.matches(r'\pL{9}' + string(a)))", [*range(90_000)]),
    ("list.exists(a, 'b'.matches('" + r"\\pL|" * 300 + "' + string(a)))", [*range(90_000)]),
    ("list.filter(a, a in list).size()", [*range(90_000)]),
    ("list.filter(a, string(a) in list).size()", [*range(90_000)]),
    (
        "list.map(a, x[0] == x[1]).size()",
        [{"a" * 500_000: 1}, {"a" * 499_999 + "a": 1}] + [1] * 90_000,
    ),
    ("list.map(a, " + "+".join(["a"] * 4_900) + ").size()", [1] * 90_000),
    ("list.exists(a, list.all(b, 1 / 0 > 0))", [1] * 90_000),
    ("list.all(a, 1 / 0 > 0)", [1] * 90_000),
]


@pytest.mark.parametrize(("text", "value"), SLOW, ids=[text[:60] for text, _ in SLOW])
def test_the_worst_evaluation_takes_a_second_at_most(text: str, value: object) -> None:
    began = time.process_time()
    try:
        evaluate(text, value)
    except EvaluationFailed as failed:
        assert len(failed.problem) < 200
    assert time.process_time() - began < 5  # on a slow machine that does other things as well


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "'" * 10_000,
        '"""' * 3_333,
        "\\" * 10_000,
        "a." * 5_000,
        "-" * 10_000,
        "[" * 10_000,
        "0x" * 5_000,
        "1." * 5_000,
        "r'''" * 2_500,
        "//" * 5_000,
        "'\\" * 5_000,
        "a-" * 5_000,
    ],
)
def test_the_worst_text_is_refused_fast(text: str) -> None:
    began = time.process_time()
    with pytest.raises(ExpressionFault):
        compiled(text, NAMES)
    assert time.process_time() - began < 1
