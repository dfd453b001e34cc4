"""Steps with `forEach` on the command line: parents, children and patterns of them."""

import json

import pytest
from cli.place import Place
from story import Story, a_step

FOUND = """
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: etl}
spec:
  steps:
    - name: find
      run: echo 'names=["a","b"]' > $TREADLE_OUTPUT
      outputs: {names: array}
    - name: load
      run: echo it is $N
      env: {N: "${{ item }}"}
      forEach: ${{ steps.find.outputs.names }}
      dependsOn: [find]
"""


@pytest.fixture
def etl(place: Place) -> Place:
    """Of three children `us` failed, so `report` was skipped."""
    load = a_step("load", forEach=["eu", "us", "jp"], env={"R": "${{ item }}"})
    story = Story().accept([load, a_step("report", "load")], name="etl")
    for name, code in (("load[eu]", 0), ("load[us]", 1), ("load[jp]", 0)):
        story.exit(name, code, workflow="etl")
    place.log(story.records)
    return place


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["retry", "etl"], "etl: would retry load[us] and report"),
        (["retry", "etl", "load"], "etl: would retry load[us] and report"),
        (["retry", "etl/load[eu]"], "etl: would retry load[eu] and report"),
        (["retry", "etl", "load[?p]"], "etl: would retry load[jp] and report"),
        (["retry", "etl", "load[*"], "etl: would retry load[eu], load[us], load[jp] and 1 more"),
        (
            ["mark", "etl", "load[us]", "--succeeded", "--reason", "x"],
            "etl: would mark load[us] as succeeded",
        ),
    ],
)
def test_commands_that_change_a_child(etl: Place, words: list[str], said: str) -> None:
    assert etl.says(*words, "--dry-run") == f"{said}\n"


def test_a_parent_is_not_marked(etl: Place) -> None:
    said = etl.complains("mark", "etl", "load", "--succeeded", "--reason", "x", code=2)
    assert said == (
        'treadle: etl: "load" has children; mark a child instead: '
        "treadle mark etl 'load[us]' --succeeded"
    )


@pytest.mark.parametrize("command", ["logs", "status", "explain", "retry"])
def test_a_child_that_is_not_there(etl: Place, command: str) -> None:
    said = etl.complains(command, "etl", "load[eus]", code=5)
    assert said == 'treadle: etl has no step "load[eus]"; did you mean "load[us]"?'


def test_status_of_all_of_a_parent_and_of_a_child(etl: Place) -> None:
    assert "1 failed (load[us]), 1 skipped, 2 of 4 steps succeeded" in etl.says("status", "etl")
    page = etl.says("status", "etl", "load")
    assert page == etl.says("status", "etl/load")
    rows = [line.split()[1] for line in page.splitlines() if " load[" in line and "─" not in line]
    assert rows == ["load[eu]", "load[us]", "load[jp]"]
    child = json.loads(etl.says("status", "etl", "load[us]", "-o", "json"))
    assert (child["parent"], child["key"], child["item"], child["index"]) == ("load", "us", "us", 1)


def test_explain_of_all_of_a_parent_and_of_a_child(etl: Place) -> None:
    assert "✗ load[us] failed (exit 1) → skipped: report" in etl.says("explain", "etl")
    said = etl.says("explain", "etl", "load")
    assert "it has 3 children: eu, us, jp" in said
    assert said.endswith("next: treadle logs etl 'load[us]' · treadle retry etl load\n")
    inputs = etl.says("explain", "etl", "load[us]", "--inputs").splitlines()
    assert '    item: "us"' in inputs
    assert not [line for line in inputs if line.startswith(("  -", "  +"))]
    assert '    forEach: ["eu","us","jp"]' in etl.says("explain", "etl", "load", "--inputs")


def test_real_children(place: Place) -> None:
    """A list that a step gives; the output of one child, of all, and of a pattern."""
    (place.specs / "etl.yaml").write_text(FOUND)
    assert "load  new     new" in place.says("diff", code=1)
    place.says("up", "--once")
    assert place.says("logs", "etl", "load") == "[load[a]] it is a\n[load[b]] it is b\n"
    assert place.says("logs", "etl", "load[b]") == "it is b\n"
    assert place.says("logs", "etl", "load[?]") == place.says("logs", "etl", "load")
    assert "StepExpanded          2 children: a, b" in place.says("events", "etl", "load")
    assert "load[a]" not in place.says("events", "etl", "load[b]")
    row = place.says("get", "etl").splitlines()[1]
    assert " 3/3 " in row
