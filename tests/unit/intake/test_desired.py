"""What an edit asks for, at once and once: acceptance, rejection, and the cost of a call."""

from collections.abc import Callable, Iterable

import pytest
from specs_folder import SpecsFolder, documents, many, workflow

from controller.model.observations import SeenFile


def test_a_new_document_begins_a_life(folder: SpecsFolder) -> None:
    assert folder.write("etl.yaml", workflow("etl")).look() == ["new etl"]
    assert folder.look(30) == []


Edit = Callable[[SpecsFolder], object]


@pytest.mark.parametrize(
    ("edit", "follows"),
    [
        pytest.param(
            lambda f: f.write("etl.yaml", workflow("etl", "one", "two", run="date")),
            ["edit etl"],
            id="a changed script is an edit, at once",
        ),
        pytest.param(
            lambda f: f.write("etl.yaml", workflow("etl", "one", "two", "three")),
            ["edit etl"],
            id="an added step is an edit, at once",
        ),
        pytest.param(
            lambda f: f.write("etl.yaml", "# why\n" + workflow("etl", "two", "one")),
            [],
            id="a comment and another order are no change",
        ),
        pytest.param(
            lambda f: f.write("etl.yaml", workflow("etl", "one", "two", labels="a: b")),
            ["SourceChanged etl etl.yaml"],
            id="a label changes without a generation",
        ),
        pytest.param(
            lambda f: f.write("a/b.yml", workflow("etl", "one", "two")).remove("etl.yaml"),
            ["SourceChanged etl a/b.yml"],
            id="a moved file whose names stay is no change",
        ),
        pytest.param(
            lambda f: f.write("b.yml", workflow("etl", "one", "two", run="x")).remove("etl.yaml"),
            ["edit etl"],
            id="moved and edited is an edit",
        ),
        pytest.param(
            lambda f: f.write("etl.yaml", documents(workflow("etl", "one", "two"), workflow("b"))),
            ["new b"],
            id="a second document in the file is a new workflow",
        ),
        pytest.param(
            lambda f: f.write("etl.yaml", "apiVersion: treadle.dev/v1\nkind: ["),
            ["FileRejected etl.yaml"],
            id="a broken file is rejected",
        ),
        pytest.param(
            lambda f: f.write("etl.yaml", documents(workflow("etl", "x"), workflow("b", "y", "y"))),
            ["FileRejected etl.yaml"],
            id="one bad document rejects its whole file",
        ),
        pytest.param(
            lambda f: f.write("etl.yaml", ""),
            ["FileRejected etl.yaml"],
            id="an empty file is an invalid edit",
        ),
        pytest.param(
            lambda f: f.write("etl.yaml", "kind: Service\napiVersion: v1\n"),
            ["FileRejected etl.yaml"],
            id="a file that no longer holds a treadle document is an invalid edit",
        ),
        pytest.param(
            lambda f: f.unreadable("etl.yaml"),
            ["FileRejected etl.yaml"],
            id="a file that can't be read is an invalid edit",
        ),
        pytest.param(
            lambda f: f.write("etl.yaml", workflow("etl", "one", run="x"), steady=False),
            [],
            id="a file whose writer is at work is left alone",
        ),
        pytest.param(
            lambda f: f.write("note.yaml", "a: b"),
            [],
            id="somebody else's file is passed over",
        ),
    ],
)
def test_what_follows_at_once_and_for_good(
    etl: SpecsFolder, edit: Edit, follows: list[str]
) -> None:
    edit(etl)
    assert etl.look() == follows
    assert [etl.look(1), etl.look(10), etl.look(30)] == [[], [], []]
    assert not etl.state.workflows["etl"].deleting


def test_a_rejected_file_is_cleared_by_its_mending(etl: SpecsFolder) -> None:
    etl.write("etl.yaml", "apiVersion: treadle.dev/v1\nkind: [").look()
    etl.write("etl.yaml", workflow("etl", "one", "two", run="date"))
    assert etl.look() == ["FileCleared etl.yaml", "edit etl"]


def test_a_rejected_file_that_goes_is_cleared_after_the_settle_time(folder: SpecsFolder) -> None:
    folder.write("bad.yaml", "apiVersion: treadle.dev/v1\nkind: [").look()
    assert folder.remove("bad.yaml").look() == []
    assert folder.look(1) == ["FileCleared bad.yaml"]


def test_an_empty_file_says_how_to_delete(etl: SpecsFolder) -> None:
    etl.write("etl.yaml", "").look()
    expected = ["specs/etl.yaml: the file is empty; remove the file to delete etl"]
    assert etl.faults("etl.yaml") == expected
    assert etl.state.rejected["etl.yaml"].names == ["etl"]


def test_another_file_gets_one_note(folder: SpecsFolder) -> None:
    folder.write("values.yaml", "a: b").look()
    assert len(folder.verdict.notes) == 1
    assert folder.verdict.notes[0].startswith("specs/values.yaml: ignored: ")
    folder.write("values.yaml", "a: c").look()
    assert folder.verdict.notes == []


def test_a_call_looks_at_what_changed_and_no_more(
    folder: SpecsFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(folder, 300)
    looked: list[str] = []

    class Files(dict[str, SeenFile]):
        def get(self, key: str, default: object = None) -> SeenFile | None:  # type: ignore[override]
            looked.append(key)
            return super().get(key)

        def __iter__(self) -> Iterable[str]:  # type: ignore[override]
            raise AssertionError("all files were walked")

    folder.sight.files = Files(folder.sight.files)
    folder.write("w7.yaml", workflow("w7", run="date"))
    assert folder.look() == ["edit w7"]
    assert set(looked) == {"w7.yaml"}
