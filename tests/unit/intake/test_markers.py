"""Cancel markers: they count at once, and are gone after the settle time."""

from collections.abc import Callable

import pytest
from specs_folder import SECOND, SpecsFolder, workflow

from controller.intake import markers
from controller.intake.absence import Absences, AbsenceSettings
from controller.model.observations import SeenMarker


def test_a_marker_counts_at_once_and_goes_after_the_settle_time(etl: SpecsFolder) -> None:
    assert etl.mark("etl.cancel").look() == ["MarkerPlaced etl.cancel"]
    assert etl.look(5) == []
    assert etl.remove("etl.cancel").look() == []
    assert etl.look(1) == ["MarkerRemoved etl.cancel"]


def test_a_marker_made_anew_was_never_gone(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel").look()
    etl.remove("etl.cancel").look()
    assert etl.mark("etl.cancel").look(0.5) == []
    assert etl.look(5) == []


def test_a_marker_whose_writer_is_at_work_is_left_alone(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel", steady=False)
    assert [etl.look(), etl.verdict.due is None] == [[], False]
    assert etl.mark("etl.cancel").look(0.1) == ["MarkerPlaced etl.cancel"]
    assert etl.verdict.due is None


def test_a_marker_of_steps_is_placed_once(etl: SpecsFolder) -> None:
    assert etl.mark("etl.cancel", "two").look() == ["MarkerPlaced etl.cancel"]
    etl.write("etl.yaml", workflow("etl", "one", "two", "three"))
    assert etl.look() == ["edit etl"]


def test_a_changed_marker_is_placed_anew(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel").look()
    assert etl.mark("etl.cancel", reason="other").look() == ["MarkerPlaced etl.cancel"]


def test_a_marker_waits_for_its_workflow(folder: SpecsFolder) -> None:
    assert folder.mark("sub/etl.cancel", "two").look() == ["MarkerPlaced sub/etl.cancel"]
    assert folder.write("etl.yaml", workflow("etl")).look() == [
        "new etl",
        "MarkerRejected sub/etl.cancel",
    ]
    assert folder.state.bad_markers["sub/etl.cancel"].problem == 'steps: etl has no step "two"'
    folder.write("etl.yaml", workflow("etl", "one", "two"))
    assert folder.look() == ["edit etl", "MarkerPlaced sub/etl.cancel"]


def test_a_marker_that_cant_be_carried_out_is_rejected_once(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel", problem="hooks: not supported yet")
    assert [etl.look(), etl.look(), etl.restart().look()] == [["MarkerRejected etl.cancel"], [], []]
    assert etl.remove("etl.cancel").look() == []
    assert etl.look(1) == ["MarkerRemoved etl.cancel"]


def test_an_edit_that_comes_with_the_markers_removal_waits_for_it(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel").look()
    etl.remove("etl.cancel").write("etl.yaml", workflow("etl", "one", "two", run="date"))
    assert etl.look() == []
    assert etl.look(1) == ["MarkerRemoved etl.cancel", "edit etl"]


def test_a_marker_that_moves_stays_in_force(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel").look()
    assert etl.remove("etl.cancel").mark("a/etl.cancel").look() == ["MarkerPlaced a/etl.cancel"]
    assert etl.look(1) == ["MarkerRemoved etl.cancel"]


Deed = Callable[[SpecsFolder], object]


@pytest.mark.parametrize(
    ("deed", "follows"),
    [
        pytest.param(
            lambda f: f.mark("etl.cancel", "one", "two"),
            ["MarkerPlaced etl.cancel"],
            id="one that names steps which are there",
        ),
        pytest.param(
            lambda f: f.mark("etl.cancel", "one", "three"),
            ["MarkerRejected etl.cancel"],
            id="one of whose steps one isn't there cancels none of them",
        ),
        pytest.param(
            lambda f: f.mark("a/b/etl.cancel"),
            ["MarkerPlaced a/b/etl.cancel"],
            id="one anywhere in the tree",
        ),
        pytest.param(
            lambda f: f.mark("etl.cancel").mark("a/etl.cancel", reason="mine"),
            ["MarkerPlaced a/etl.cancel", "MarkerPlaced etl.cancel"],
            id="two of one workflow, each for itself",
        ),
        pytest.param(
            lambda f: f.mark("later.cancel", "x"),
            ["MarkerPlaced later.cancel"],
            id="one of steps of a workflow that isn't there yet",
        ),
        pytest.param(
            lambda f: f.mark("new.cancel", "one").write("new.yaml", workflow("new")),
            ["new new", "MarkerPlaced new.cancel"],
            id="one that comes with its workflow is held against its document",
        ),
        pytest.param(
            lambda f: f.mark("new.cancel", "two").write("new.yaml", workflow("new")),
            ["new new", "MarkerRejected new.cancel"],
            id="and rejected where that has no such step",
        ),
        pytest.param(
            lambda f: f.mark("etl.cancel", "three", problem="hooks: not supported"),
            ["MarkerRejected etl.cancel"],
            id="one that can't be carried out, whatever steps it names",
        ),
    ],
)
def test_what_follows_from_a_marker_at_once_and_once(
    etl: SpecsFolder, deed: Deed, follows: list[str]
) -> None:
    deed(etl)
    assert etl.look() == follows
    assert [etl.look(1), etl.look(30), etl.restart().look(), etl.look(30)] == [[], [], [], []]


def test_all_steps_that_are_not_there_are_named(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel", "x", "one", "y").look()
    assert etl.state.bad_markers["etl.cancel"].problem == 'steps: etl has no step "x", "y"'


def test_a_marker_that_was_rejected_and_mended_is_placed(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel", problem="hooks: not supported yet").look()
    assert etl.mark("etl.cancel").look() == ["MarkerPlaced etl.cancel"]
    assert not etl.state.bad_markers


def test_a_marker_that_was_placed_and_broken_cancels_nothing_more(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel").look()
    assert etl.mark("etl.cancel", problem="x: unknown").look() == ["MarkerRejected etl.cancel"]
    assert not etl.state.markers


def test_a_step_that_an_edit_removes_makes_its_marker_a_fault(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel", "two").look()
    etl.write("etl.yaml", workflow("etl", "one")).look()
    assert etl.look(1) == ["edit etl", "MarkerRejected etl.cancel"]


def test_a_marker_that_was_held_against_a_life_waits_again_when_that_has_ended(
    etl: SpecsFolder,
) -> None:
    assert etl.mark("etl.cancel", "three").look() == ["MarkerRejected etl.cancel"]
    etl.remove("etl.yaml").look()
    assert etl.look(1) == ["DeletionAccepted etl"]
    assert etl.end_life("etl").look() == ["MarkerPlaced etl.cancel"]


def test_markers_of_a_whole_workflow_cost_nothing_when_it_changes(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel").mark("a/etl.cancel", "one").look()
    assert etl.memory.marker_targets.keys() == {"a/etl.cancel"}


def test_the_edit_of_another_workflow_does_not_wait_for_the_removal(etl: SpecsFolder) -> None:
    etl.write("b.yaml", workflow("b")).mark("etl.cancel").look()
    etl.remove("etl.cancel").write("b.yaml", workflow("b", run="date"))
    assert etl.look() == ["edit b"]


# ---------------------------------------- the questions by themselves


def test_only_markers_that_the_log_knows_are_removed(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel").mark("b.cancel", problem="no").look()
    absences = Absences()
    for path in ("etl.cancel", "b.cancel", "c.yaml"):
        absences.see("path", path, 0)
    absences.see("edit", "etl.cancel", 0)
    assert not list(markers.removed(etl.state, absences, AbsenceSettings(), SECOND - 1))
    found = list(markers.removed(etl.state, absences, AbsenceSettings(), SECOND))
    assert [(event.workflow, event.path) for event in found] == [
        ("b", "b.cancel"),
        ("etl", "etl.cancel"),
    ], "in the order of paths, whatever came first"
    assert absences.waits.keys() == {("path", "c.yaml"), ("edit", "etl.cancel")}
    assert not list(markers.removed(etl.state, absences, AbsenceSettings(), SECOND)), "told once"


def test_a_marker_is_going_from_its_vanishing_until_that_is_believed(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel").look()
    assert not markers.going(etl.state, etl.memory.absences, "etl")
    etl.remove("etl.cancel").look()
    assert markers.going(etl.state, etl.memory.absences, "etl")
    assert not markers.going(etl.state, etl.memory.absences, "other")
    etl.look(1)
    assert not markers.going(etl.state, etl.memory.absences, "etl")


def test_what_a_marker_says_is_recorded_in_full(etl: SpecsFolder) -> None:
    etl.sight.markers["etl.cancel"] = SeenMarker(
        path="etl.cancel", workflow="etl", digest="d", by="ada", reason="too dear",
        steps=("one",), drain=True,
    )  # fmt: skip
    etl.sight.changed.add("etl.cancel")
    etl.look()
    placed = etl.state.markers["etl.cancel"]
    assert (placed.by, placed.reason, placed.steps, placed.drain) == (
        "ada",
        "too dear",
        ["one"],
        True,
    )


def test_a_marker_may_name_a_child(folder: SpecsFolder) -> None:
    text = workflow("etl", "one", "two").replace("name: one", "name: one, forEach: [eu, us]")
    assert "forEach" in text
    folder.write("etl.yaml", text).look()
    assert folder.mark("etl.cancel", "one[eu]").look() == ["MarkerPlaced etl.cancel"]
    assert folder.mark("etl.cancel", "two[eu]").look() == ["MarkerRejected etl.cancel"]


def test_who_names_a_hook_reads_how_to_stop_hooks(etl: SpecsFolder) -> None:
    etl.mark("etl.cancel", "onExit/tidy").look()
    assert etl.state.bad_markers["etl.cancel"].problem == (
        'steps: etl has no step "onExit/tidy"; to stop hooks, write hooks: false in place of steps'
    )
