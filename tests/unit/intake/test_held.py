"""A folder that cannot be believed is held: nothing in it is deleted, whatever it shows."""

import pytest
from specs_folder import SpecsFolder, workflow

from controller.intake.held import identity, is_another, why_held
from controller.model.observations import FolderSight, SeenFile, SeenMarker
from controller.model.state import LastController, State


@pytest.mark.parametrize(
    ("root", "says"),
    [
        ("missing", "the specs folder specs is missing"),
        ("unreadable", "the specs folder specs is unreadable"),
        ("file", "specs is not a folder"),
    ],
)
def test_a_folder_that_is_not_there_is_held(etl: SpecsFolder, root: str, says: str) -> None:
    etl.sight.root = root  # type: ignore[assignment]
    etl.remove("etl.yaml").write("new.yaml", workflow("new"))
    assert [etl.look(), etl.look(100)] == [[], []]
    assert etl.condition()["FolderHeld"].startswith(says)
    assert etl.memory.held
    assert etl.verdict.due is None, "a held folder counts as settled"


def test_a_folder_that_somebody_else_can_change_is_held_with_its_markers(etl: SpecsFolder) -> None:
    etl.sight.root = "insecure"
    etl.sight.danger, etl.sight.mend = "specs: others can write", "run `chmod o-w specs`"
    etl.write("new.yaml", workflow("new")).mark("etl.cancel")
    assert etl.look(60) == []
    assert etl.condition()["FolderHeld"] == (
        "specs: others can write: the last specs stay in force, and nothing in it is started; "
        "run `chmod o-w specs`, or confirm with `treadle delete --all` that they are deleted"
    )
    etl.sight.root, etl.sight.danger, etl.sight.mend = "ok", "", ""
    assert etl.look(60) == ["new new", "MarkerPlaced etl.cancel"]


def test_what_somebody_else_can_change_is_told_once(etl: SpecsFolder) -> None:
    etl.sight.loose += [f"specs/{n}.yaml (belongs to eve)" for n in range(7)]
    etl.look()
    (note,) = etl.verdict.notes
    assert note.startswith(
        "specs: others can change specs, and so run commands as you: specs/0.yaml (be"
    )
    assert "specs/4.yaml (belongs to eve) and 2 more; `chown`" in note
    etl.look(60)
    assert etl.verdict.notes == []


def test_another_and_empty_folder_is_held_also_after_a_restart(etl: SpecsFolder) -> None:
    etl.sight.inode = 2
    assert etl.remove("etl.yaml").look() == []
    assert "was replaced by another one" in etl.condition()["FolderHeld"]
    assert identity(etl.state, etl.sight) == (1, 1), "a start records what is known"
    assert [etl.restart().look(), etl.look(100)] == [[], []]


def test_a_marker_in_a_held_folder_cancels_what_it_names_and_ends_no_hold(etl: SpecsFolder) -> None:
    etl.write("b.yaml", workflow("b")).look()
    etl.sight.inode = 2
    etl.remove("etl.yaml").remove("b.yaml").look()
    assert etl.mark("etl.cancel").look() == ["MarkerPlaced etl.cancel"]
    assert etl.look(60) == []
    assert "was replaced by another one" in etl.condition()["FolderHeld"]
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


# ---------------------------------------- the question by itself


def sight(*specs: str, device: int = 1, inode: int = 1, root: str = "ok") -> FolderSight:
    return FolderSight(
        path="/home/specs",
        shown="specs",
        device=device,
        inode=inode,
        root=root,  # type: ignore[arg-type]
        files={path: SeenFile(path=path, digest="d") for path in specs},
    )


def known(device: int = 1, inode: int = 1) -> State:
    """The log of a folder that was seen before; inode 0: of none."""
    state = State()
    state.controller = LastController(folder_device=device, folder_inode=inode)
    return state


@pytest.mark.parametrize(
    ("state", "seen", "why"),
    [
        pytest.param(known(), sight("a.yaml"), "", id="the same folder is believed"),
        pytest.param(known(), sight(), "", id="the same folder emptied is believed"),
        pytest.param(known(inode=0), sight(), "", id="the first folder of all is believed"),
        pytest.param(
            known(),
            sight(inode=2),
            "the specs folder specs was replaced by another one, which has no specs",
            id="another inode without specs is not",
        ),
        pytest.param(
            known(),
            sight(device=2),
            "the specs folder specs was replaced by another one, which has no specs",
            id="another device without specs is not, whatever its inode: an unmounted disk",
        ),
        pytest.param(known(), sight("a.yaml", inode=2), "", id="another with specs is believed"),
        pytest.param(
            known(), sight("a.yaml", root="file"), "specs is not a folder", id="a file is no folder"
        ),
        pytest.param(
            known(),
            sight("a.yaml", root="missing"),
            "the specs folder specs is missing",
            id="a missing one is not, whatever was seen before",
        ),
        pytest.param(
            known(inode=0),
            sight(root="unreadable"),
            "the specs folder specs is unreadable",
            id="one that can't be read is not, not even at first",
        ),
    ],
)
def test_why_a_folder_is_not_believed(state: State, seen: FolderSight, why: str) -> None:
    assert why_held(state, seen) == why


def test_a_marker_is_no_spec_that_would_end_a_hold() -> None:
    seen = sight(inode=2)
    seen.markers["etl.cancel"] = SeenMarker(path="etl.cancel", workflow="etl", digest="d")
    assert why_held(known(), seen)


def test_the_folder_is_called_what_the_user_called_it() -> None:
    seen = sight(root="missing")
    seen.shown = ""
    assert why_held(known(), seen) == "the specs folder /home/specs is missing"


@pytest.mark.parametrize(
    ("state", "another", "recorded"),
    [
        pytest.param(known(1, 1), True, (1, 1), id="what the log knows stays until it is adopted"),
        pytest.param(known(2, 7), False, (2, 7), id="the same one is the same"),
        pytest.param(known(0, 0), False, (2, 7), id="the first one is recorded as it is"),
    ],
)
def test_which_folder_a_start_records(
    state: State, another: bool, recorded: tuple[int, int]
) -> None:
    seen = sight(device=2, inode=7)
    assert is_another(state, seen) is another
    assert identity(state, seen) == recorded
