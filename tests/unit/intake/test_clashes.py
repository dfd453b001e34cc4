"""Two documents with one name, and names that move from file to file."""

from typing import Any

import pytest
from specs_folder import SpecsFolder, documents, workflow

from controller.intake import clashes
from controller.model import events as e
from controller.model.observations import FolderSight
from controller.model.phases import Phase
from controller.model.state import Workflow
from controller.spec.models import Spec


def test_the_document_in_force_stays_and_the_other_is_rejected(etl: SpecsFolder) -> None:
    assert etl.write("a.yaml", workflow("etl", "x")).look() == ["FileRejected a.yaml"]
    assert etl.faults("a.yaml") == [
        'specs/a.yaml:1:1: the workflow "etl" is already defined in specs/etl.yaml:1; '
        "rename or remove one of the two"
    ]
    assert etl.state.workflows["etl"].path == "etl.yaml"


def test_a_broken_file_keeps_the_names_that_it_still_shows(etl: SpecsFolder) -> None:
    etl.write("etl.yaml", workflow("etl", "one", "one")).write("a.yaml", workflow("etl"))
    assert etl.look() == ["FileRejected a.yaml", "FileRejected etl.yaml"]
    assert 'the workflow "etl" is already defined in specs/etl.yaml;' in etl.faults("a.yaml")[0]


def test_a_broken_file_keeps_what_it_no_longer_names(etl: SpecsFolder) -> None:
    etl.write("etl.yaml", workflow("load", "one", "one"))
    assert etl.look() == ["FileRejected etl.yaml"]
    assert etl.look(30) == []
    assert not etl.state.workflows["etl"].deleting


def test_with_none_in_force_the_first_by_path_wins(folder: SpecsFolder) -> None:
    folder.write("b.yaml", workflow("etl", "b")).write("a.yaml", workflow("etl", "a"))
    assert folder.look() == ["new etl", "FileRejected b.yaml"]
    assert folder.state.workflows["etl"].path == "a.yaml"


def test_the_duplicate_takes_over_when_the_other_goes(etl: SpecsFolder) -> None:
    etl.write("z.yaml", workflow("etl", "one", "two")).look()
    assert etl.remove("etl.yaml").look() == ["FileCleared z.yaml", "SourceChanged etl z.yaml"]
    assert etl.look(1) == []


def test_a_duplicate_that_goes_leaves_nothing(etl: SpecsFolder) -> None:
    etl.write("z.yaml", workflow("etl")).look()
    etl.remove("z.yaml").look()
    assert etl.look(1) == ["FileCleared z.yaml"]
    assert not etl.state.rejected


def test_a_rejected_file_has_a_new_fault_when_a_settled_edit_takes_its_name() -> None:
    folder = SpecsFolder()
    folder.write("a.yaml", workflow("u", "one", "two")).look()
    folder.write("a.yaml", documents(workflow("u", "one"), workflow("v"))).look()
    folder.write("b.yaml", documents(workflow("u"), workflow("v"))).look()
    assert len(folder.faults("b.yaml")) == 1, "the edit that takes v waits"
    assert folder.look(1) == ["edit u", "new v", "FileRejected b.yaml"]
    assert len(folder.faults("b.yaml")) == 2
    folder.look(30)
    assert folder.restart().look() == [], "the same folder gives the same verdict"


def test_the_faults_of_a_file_do_not_depend_on_which_file_was_judged_first() -> None:
    folder = SpecsFolder()
    folder.write("b.yaml", workflow("u")).look()
    both = documents(workflow("u"), workflow("v"))
    assert folder.write("a.yaml", both).write("b.yaml", both).look() == [
        "new v",
        "FileRejected a.yaml",
    ]
    assert len(folder.faults("a.yaml")) == 2
    assert folder.restart().look() == []


def test_a_rejected_file_names_no_workflow_that_another_file_has_taken() -> None:
    folder = SpecsFolder()
    folder.write("a.yaml", documents(workflow("u"), workflow("v"))).look()
    folder.write("b.yaml", workflow("u")).look()
    folder.write("a.yaml", "a: b")
    assert folder.look() == ["FileCleared b.yaml", "SourceChanged u b.yaml", "FileRejected a.yaml"]
    assert folder.state.rejected["a.yaml"].names == ["v"]
    assert folder.restart().look() == []


def test_a_duplicate_rejects_its_whole_file(etl: SpecsFolder) -> None:
    assert etl.write("z.yaml", documents(workflow("etl"), workflow("b"))).look() == [
        "FileRejected z.yaml"
    ]
    etl.write("z.yaml", workflow("b"))
    assert etl.look() == ["FileCleared z.yaml", "new b"]


def test_one_file_becomes_two(folder: SpecsFolder) -> None:
    folder.write("f.yaml", documents(workflow("a"), workflow("b"))).look()
    folder.write("f.yaml", workflow("a")).write("g.yaml", workflow("b"))
    assert folder.look() == ["SourceChanged b g.yaml"]
    assert folder.look(5) == []


def test_one_file_becomes_two_the_new_one_first(folder: SpecsFolder) -> None:
    folder.write("f.yaml", documents(workflow("a"), workflow("b"))).look()
    assert folder.write("g.yaml", workflow("b")).look() == ["FileRejected g.yaml"]
    folder.write("f.yaml", workflow("a"))
    assert folder.look() == ["FileCleared g.yaml", "SourceChanged b g.yaml"]


def test_two_files_become_one(folder: SpecsFolder) -> None:
    folder.write("a.yaml", workflow("a")).write("b.yaml", workflow("b")).look()
    folder.write("a.yaml", documents(workflow("a"), workflow("b"))).remove("b.yaml")
    assert folder.look() == ["SourceChanged b a.yaml"]
    assert folder.look(5) == []


def test_two_files_swap_their_names(folder: SpecsFolder) -> None:
    folder.write("a.yaml", workflow("a", run="a")).write("b.yaml", workflow("b", run="b")).look()
    folder.write("a.yaml", workflow("b", run="b")).write("b.yaml", workflow("a", run="a"))
    assert folder.look() == ["SourceChanged b a.yaml", "SourceChanged a b.yaml"]
    assert folder.look(5) == []


def test_a_file_that_is_replaced_by_another_kind_lets_its_name_go(etl: SpecsFolder) -> None:
    etl.write("etl.yaml", "a: b").write("z.yaml", workflow("etl", "one", "two"))
    assert etl.look() == ["SourceChanged etl z.yaml"]


def test_a_run_is_not_taken_over_while_it_is_alive(folder: SpecsFolder) -> None:
    folder.run("etl").write("etl.yaml", workflow("etl"))
    assert folder.look() == ["FileRejected etl.yaml"]
    assert "running under `treadle run` (uid life-1)" in folder.faults("etl.yaml")[0]
    assert folder.look(5) == []
    uid = folder.state.workflows["etl"].uid
    folder.fold(e.WorkflowFinished(uid=uid, phase="Succeeded", reason="x", message="x"))
    assert folder.look() == ["FileCleared etl.yaml", "LifeEnded etl", "new etl"]


# ---------------------------------------- what the fault says


@pytest.fixture
def two() -> FolderSight:
    """a.yaml has etl as its second document, b.yaml as its first, from line 2 on."""
    folder = SpecsFolder()
    folder.write("a.yaml", documents(workflow("load"), workflow("etl")))
    folder.write("b.yaml", "# mine\n" + workflow("etl"))
    return folder.sight


def test_a_duplicate_names_both_places(two: FolderSight) -> None:
    file = two.files["b.yaml"]
    fault = clashes.duplicate(two, file, file.documents[0], "a.yaml")
    assert str(fault) == (
        'specs/b.yaml:2:1: the workflow "etl" is already defined in specs/a.yaml:8; '
        "rename or remove one of the two"
    )


@pytest.mark.parametrize(
    ("deed", "place"),
    [
        pytest.param(
            lambda folder: folder.write("a.yaml", workflow("etl", "x", "x")),
            "specs/a.yaml;",
            id="whose document can't be read, so that its line isn't known",
        ),
        pytest.param(
            lambda folder: folder.remove("a.yaml"), "specs/a.yaml;", id="which isn't there"
        ),
    ],
)
def test_a_duplicate_of_a_file(deed: Any, place: str) -> None:
    folder = SpecsFolder()
    folder.write("a.yaml", workflow("etl")).write("b.yaml", workflow("etl"))
    deed(folder)
    file = folder.sight.files["b.yaml"]
    fault = clashes.duplicate(folder.sight, file, file.documents[0], "a.yaml")
    assert f'"etl" is already defined in {place}' in str(fault)


@pytest.mark.parametrize(
    ("empty", "problem"),
    [
        pytest.param(True, "the file is empty", id="an empty file"),
        pytest.param(False, "no treadle document is left in it", id="a file of another kind"),
    ],
)
def test_a_file_that_lets_go_says_what_and_how_to_delete(
    folder: SpecsFolder, empty: bool, problem: str
) -> None:
    folder.write("f.yaml", "" if empty else "a: b")
    fault = clashes.emptied(folder.sight, folder.sight.files["f.yaml"], ["a", "b"])
    assert str(fault) == f"specs/f.yaml: {problem}; remove the file to delete a, b"


@pytest.mark.parametrize(
    ("shown", "path"),
    [
        pytest.param("specs", "specs/sub/a.yaml", id="as a folder"),
        pytest.param("specs/", "specs/sub/a.yaml", id="as a folder with a slash"),
        pytest.param("../specs", "../specs/sub/a.yaml", id="as a folder elsewhere"),
        pytest.param("/", "/sub/a.yaml", id="as the root"),
        pytest.param("", "sub/a.yaml", id="not at all"),
    ],
)
def test_a_file_is_named_as_its_user_names_the_folder(shown: str, path: str) -> None:
    assert clashes.shown(FolderSight(path="/x", shown=shown), "sub/a.yaml") == path


@pytest.mark.parametrize(
    ("origin", "phase", "driven"),
    [
        pytest.param("run", Phase.PENDING, True, id="a run that has not begun"),
        pytest.param("run", Phase.RUNNING, True, id="a run that runs"),
        pytest.param("run", Phase.SUSPENDED, True, id="a run that is suspended"),
        pytest.param("run", Phase.SUCCEEDED, False, id="a run that has succeeded"),
        pytest.param("run", Phase.FAILED, False, id="a run that has failed"),
        pytest.param("run", Phase.CANCELLED, False, id="a run that was cancelled"),
        pytest.param("folder", Phase.RUNNING, False, id="what the folder asked for"),
    ],
)
def test_a_run_has_its_name_for_as_long_as_it_is_alive(
    origin: Any, phase: Phase, driven: bool
) -> None:
    life = Workflow(
        uid="u", name="etl", order=1, origin=origin, path="/x", created=1, generation=1,
        spec=Spec(steps=[]), labels={}, annotations={}, phase=phase,
    )  # fmt: skip
    assert clashes.is_driven(life) is driven
