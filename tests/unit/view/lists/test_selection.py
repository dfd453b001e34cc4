"""Which workflows `get` shows, and in which order."""

from typing import Any

import pytest
from definitions import EVERY, definition, fire, run
from story import Story, a_step

from controller.cli.arguments import Arg
from controller.cli.commands import COMMANDS
from controller.errors import Fault
from controller.model import events as e
from controller.model.phases import WORKFLOW_MOVES, Phase
from controller.view.lists.selection import ORDERS, PHASES, Selection, select
from controller.view.lists.selector import parse_selector


def told() -> Story:
    """In the order of their birth: `wf-c` ran longest, `wf-a` last, `wf-b` never; `etl` runs."""
    story = Story().accept([a_step("s")], "wf-c").start("s", workflow="wf-c").wait(60)
    story.exit("s", workflow="wf-c").wait(1).accept([a_step("s")], "wf-a").wait(1)
    story.exit("s", 1, workflow="wf-a").wait(1)
    story.accept([a_step("s")], "wf-b", suspend=True).wait(1)
    story.accept([a_step("s")], "etl").start("s", workflow="etl").wait(1)
    fault = Fault(file="bad.yaml", problem="is wrong")
    return story.see(e.FileRejected(path="bad.yaml", digest="d", faults=[fault], names=["bad"]))


def label(story: Story, name: str, **labels: str) -> None:
    uid = story.life(name).uid
    story.see(e.SourceChanged(uid=uid, path=f"{name}.yaml", labels=labels))


def names(story: Story, **wanted: Any) -> list[str]:
    found, missing = select(story.state, Selection(**wanted), story.now)
    return [entry.name for entry in found] + [str(error) for error in missing]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param({}, ["bad", "etl", "wf-a", "wf-b", "wf-c"], id="all by name"),
        pytest.param({"names": ("wf-b", "etl")}, ["wf-b", "etl"], id="as they were asked for"),
        pytest.param({"names": ("wf-*",)}, ["wf-a", "wf-b", "wf-c"], id="a pattern"),
        pytest.param({"names": ("?tl", "b*")}, ["etl", "bad"], id="patterns"),
        pytest.param({"names": ("wf-b", "wf-*")}, ["wf-b", "wf-a", "wf-c"], id="each once"),
        pytest.param(
            {"names": ("x*", "etl")}, ["etl", 'no workflow matches "x*"'], id="no match is an error"
        ),
        pytest.param({"phases": {Phase.FAILED}}, ["wf-a"], id="what failed"),
        pytest.param({"phases": {Phase.RUNNING}}, ["etl"], id="what runs"),
        pytest.param({"phases": {Phase.RUNNING, Phase.FAILED}}, ["etl", "wf-a"], id="either"),
        pytest.param({"names": ("wf-*",), "phases": {Phase.RUNNING}}, [], id="not an error"),
    ],
)
def test_what_is_chosen(wanted: dict[str, Any], found: list[str]) -> None:
    assert names(told(), **wanted) == found


@pytest.mark.parametrize("chosen", [(), ("etl", "wf-a", "bad")])
def test_labels_count_for_names_too(chosen: tuple[str, ...]) -> None:
    story = told()
    label(story, "etl", team="data")
    assert names(story, names=chosen, labels=parse_selector("team=data")) == ["etl"]


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("name", ["bad", "etl", "wf-a", "wf-b", "wf-c"]),
        ("last-run", ["etl", "wf-a", "wf-c", "bad", "wf-b"]),
        ("duration", ["wf-c", "etl", "wf-a", "bad", "wf-b"]),
        ("phase", ["wf-a", "etl", "wf-b", "bad", "wf-c"]),
        ("age", ["etl", "wf-b", "wf-a", "wf-c", "bad"]),
    ],
)
def test_the_order(order: str, found: list[str]) -> None:
    assert names(told(), order=order) == found


def test_each_phase_of_a_workflow_has_a_place() -> None:
    assert sorted(PHASES) == sorted(WORKFLOW_MOVES)


def test_the_command_line_offers_these_orders() -> None:
    (get,) = (command for command in COMMANDS if command.name == "get")
    (option,) = (one for one in get.arguments if isinstance(one, Arg) and "--sort-by" in one.flags)
    assert option.options["choices"] == tuple(ORDERS)


# ---------------------------------------- definitions and instances


def of_triggers() -> Story:
    """A definition with an instance that failed, one that has ended well, and one that has begun;
    and a workflow whose name would be between them.
    """
    story = definition(EVERY, concurrency="Allow")
    for code in (3, 0):
        run(fire(story), code)
    return fire(story).accept([a_step("s")], "etl-2")


FAILED, WELL, BEGUN = (f"etl@20231114T22{time}Z" for time in ("1500", "1640", "1820"))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param({}, ["etl", BEGUN, "etl-2"], id="unfinished instances below theirs"),
        pytest.param({"instances": "all"}, ["etl", FAILED, WELL, BEGUN, "etl-2"], id="all of them"),
        pytest.param({"names": ("etl",)}, ["etl", BEGUN], id="a definition by its name"),
        pytest.param({"names": ("etl",), "instances": "none"}, ["etl"], id="alone"),
        pytest.param(
            {"names": ("etl",), "instances": "all"}, ["etl", FAILED, WELL, BEGUN], id="with all"
        ),
        pytest.param({"names": (WELL,)}, [WELL], id="an instance by its name"),
        pytest.param({"names": ("etl*",)}, ["etl", BEGUN, "etl-2"], id="a pattern of names"),
        pytest.param({"names": ("etl@*",)}, [FAILED, WELL, BEGUN], id="a pattern of instances"),
        pytest.param({"phases": {Phase.FAILED}}, [FAILED], id="what failed"),
        pytest.param({"phases": {Phase.RUNNING}}, ["etl"], id="what runs"),
        pytest.param(
            {"names": ("etl",), "phases": {Phase.FAILED}}, [FAILED], id="what failed of one"
        ),
    ],
)
def test_which_instances_are_chosen(wanted: dict[str, Any], found: list[str]) -> None:
    assert names(of_triggers(), **wanted) == found


def test_a_definition_is_sorted_by_the_run_of_its_newest_instance() -> None:
    story = of_triggers().wait(1)
    story.exit("s", workflow="etl-2").wait(1)
    run(story)
    assert names(story, order="last-run")[0] == "etl"
