"""What expressions of a step with `forEach` read of its items."""

from typing import Any

import pytest

from controller.spec.expression import Failed, NoValue, evaluate, items_read, reads_item
from controller.spec.models import Spec
from controller.spec.reading.load import load

SPEC = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: etl}
spec:
  params: {p: 3}
  steps:
    - {name: each, run: x, forEach: [1], outputs: {rows: integer}, env: {A: "${{ item }}"}}
    - {name: after, run: x, dependsOn: [each], env: {A: "${{ params.p }}"}}
"""


@pytest.fixture(scope="module")
def spec() -> Spec:
    loaded = load(SPEC.encode(), "a.yaml")
    assert loaded.faults == ()
    return loaded.documents[0].workflow.spec


def given(spec: Spec, code: str, item: Any = None, **results: Any) -> Any:
    def lookup(path: tuple[str, ...]) -> object:
        match path:
            case ("item",):
                return item
            case ("index",):
                return 7
            case ("steps", "each", *rest) if (found := ".".join(rest)) in results:
                return results[found]
            case ("steps", "each", "outputs", "rows") if "rows" in results:
                return results["rows"]
        raise NoValue("there is nothing")

    return evaluate(spec, code, lookup)


@pytest.mark.parametrize(
    ("code", "item", "gives"),
    [
        ("item", "eu", "eu"),
        ("item", None, None),
        ("item + 1", 2, 3),
        ("item.a.b", {"a": {"b": [1]}}, [1]),
        ("has(item.a)", {"a": 1}, True),
        ("has(item.a)", {}, False),
        ('has(item.a) ? item.a : "none"', {}, "none"),
        ("item.a == null", {"a": None}, True),
        ("item[1]", ["a", "b"], "b"),
        ("index + 1", None, 8),
        ("[index, item]", "x", [7, "x"]),
        ("[1, 2].map(item, item + index)", "hidden", [8, 9]),
    ],
)
def test_an_item_can_be_any_value(spec: Spec, code: str, item: Any, gives: Any) -> None:
    assert given(spec, code, item) == gives


@pytest.mark.parametrize("code", ["item.a", "item + 1", "item[0]"])
def test_an_item_without_what_is_read(spec: Spec, code: str) -> None:
    with pytest.raises(Failed):
        given(spec, code, {"b": 1})


@pytest.mark.parametrize(
    ("code", "gives"),
    [
        ("steps.each.outputs.rows", [1, None, 3]),
        ("steps.each.outputs.rows[0] + 1", 2),
        ("steps.each.outputs.rows.filter(r, r != null)", [1, 3]),
        ("steps.each.failed", ["us"]),
        ('"us" in steps.each.failed', True),
    ],
)
def test_results_are_lists(spec: Spec, code: str, gives: Any) -> None:
    assert given(spec, code, rows=[1, None, 3], failed=["us"]) == gives


@pytest.mark.parametrize(
    ("code", "read"),
    [
        ("params.p", set()),
        ("item", {"item"}),
        ("item.a.b", {"item"}),
        ("has(item.a)", {"item"}),
        ("index", {"index"}),
        ("item == index", {"item", "index"}),
        ("[1].map(item, item)", set()),
        ("steps.each.failed", set()),
    ],
)
def test_what_is_read_of_an_item(spec: Spec, code: str, read: set[str]) -> None:
    assert items_read(spec, [code, "params.p"]) == read
    assert reads_item(spec, code) is bool(read)
