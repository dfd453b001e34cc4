"""A folder that cannot be believed is held: nothing in it is deleted, whatever it shows."""

import pytest
from specs_folder import SpecsFolder, workflow

from controller.intake.desired import identity
from controller.model.state import State


@pytest.mark.parametrize(
    ("root", "says"),
    [
        ("missing", "the specs folder specs is missing"),
        ("unreadable", "the specs folder specs is unreadable"),
        ("file", "specs is no folder"),
    ],
)
def test_a_folder_that_is_not_there_is_held(etl: SpecsFolder, root: str, says: str) -> None:
    etl.sight.root = root  # type: ignore[assignment]
    etl.remove("etl.yaml").write("new.yaml", workflow("new"))
    assert [etl.look(), etl.look(100)] == [[], []]
    assert etl.condition()["FolderHeld"].startswith(says)
    assert etl.memory.held
    assert etl.verdict.due is None, "a held folder counts as settled"


def test_another_and_empty_folder_is_held_also_after_a_restart(etl: SpecsFolder) -> None:
    etl.sight.inode = 2
    assert etl.remove("etl.yaml").look() == []
    assert "has become another one" in etl.condition()["FolderHeld"]
    assert identity(etl.state, etl.sight) == (1, 1), "a start records what is known"
    assert [etl.restart().look(), etl.look(100)] == [[], []]


def test_a_marker_in_a_held_folder_cancels_what_it_names_and_ends_no_hold(etl: SpecsFolder) -> None:
    etl.write("b.yaml", workflow("b")).look()
    etl.sight.inode = 2
    etl.remove("etl.yaml").remove("b.yaml").look()
    assert etl.mark("etl.cancel").look() == ["MarkerPlaced etl.cancel"]
    assert etl.look(60) == []
    assert "has become another one" in etl.condition()["FolderHeld"]
    assert etl.mark("b.cancel").look() == ["MarkerPlaced b.cancel"]


def test_the_first_start_records_the_folder_as_it_is(etl: SpecsFolder) -> None:
    assert identity(State(), etl.sight) == (1, 1)


def test_the_same_folder_emptied_is_no_hold(etl: SpecsFolder) -> None:
    etl.remove("etl.yaml").look()
    assert etl.condition() == {}


def test_a_folder_that_is_back_is_believed_after_stillness(etl: SpecsFolder) -> None:
    etl.write("b.yaml", workflow("b")).look()
    etl.sight.root = "missing"
    etl.remove("etl.yaml").look()
    etl.sight.root = "ok"
    assert etl.look(60) == []
    assert [etl.memory.held, etl.condition()] == ["", {}]
    assert etl.look(9.9) == []
    assert etl.look(0.1) == ["DeletionAccepted etl"]
    assert etl.remove("b.yaml").look(30) == []
    assert etl.look(1) == ["DeletionAccepted b"], "the caution is over"


def test_a_folder_that_is_back_goes_on(etl: SpecsFolder) -> None:
    etl.sight.root = "missing"
    etl.look()
    etl.sight.root = "ok"
    etl.write("etl.yaml", workflow("etl", "one", "two", run="date"))
    assert etl.look(60) == ["edit etl"]


def test_another_folder_with_specs_is_adopted_with_care(etl: SpecsFolder) -> None:
    etl.sight.inode = 2
    etl.remove("etl.yaml").write("b.yaml", workflow("b"))
    assert etl.look() == ["FolderAdopted", "new b"]
    assert etl.look(9.9) == []
    assert etl.look(0.1) == ["DeletionAccepted etl"]


def test_delete_all_confirms_that_a_held_folder_is_gone(etl: SpecsFolder) -> None:
    etl.sight.root = "missing"
    etl.look()
    etl.memory.confirm()
    assert etl.look() == ["DeletionAccepted etl"]
    assert etl.look() == []
