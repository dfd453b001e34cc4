"""A workflow that no file defines any more: when it is deleted, one by one or in masses."""

import pytest
from specs_folder import SpecsFolder, documents, many, workflow


def test_a_removed_file_deletes_after_the_settle_time(etl: SpecsFolder) -> None:
    assert etl.remove("etl.yaml").look() == []
    assert etl.look(0.5) == []
    assert etl.look(0.5) == ["DeletionAccepted etl"]
    assert etl.look(5) == []


def test_deleted_and_made_anew_is_no_deletion(etl: SpecsFolder) -> None:
    etl.remove("etl.yaml").look()
    etl.write("etl.yaml", workflow("etl", "one", "two"))
    assert etl.look(0.5) == []
    assert etl.look(5) == []


def test_files_that_vanish_one_by_one_settle_together(folder: SpecsFolder) -> None:
    paths = many(folder, 4)
    for path in paths[:3]:
        assert folder.remove(path).look(0.6) == []
    assert len(folder.look(1)) == 3


def test_a_document_that_comes_back_is_a_new_life_after_the_old_one(etl: SpecsFolder) -> None:
    etl.remove("etl.yaml").look()
    etl.look(1)
    etl.write("etl.yaml", workflow("etl", "one", "two"))
    assert etl.look() == []
    assert etl.look(5) == []
    assert etl.end_life("etl").look() == ["new etl"]


def test_a_life_that_ends_does_not_hold_up_the_rest_of_the_file(etl: SpecsFolder) -> None:
    etl.remove("etl.yaml").look()
    etl.look(1)
    etl.write("etl.yaml", documents(workflow("etl"), workflow("b")))
    assert etl.look() == ["new b"]
    assert etl.end_life("etl").look() == ["new etl"]


def test_what_vanished_while_no_controller_ran_settles_too(etl: SpecsFolder) -> None:
    etl.remove("etl.yaml").restart()
    assert etl.look() == []
    assert etl.look(1) == ["DeletionAccepted etl"]


def test_a_renamed_workflow_is_a_deletion_and_a_new_one(etl: SpecsFolder) -> None:
    etl.write("etl.yaml", workflow("load", "one", "two"))
    assert etl.look() == []
    assert etl.look(1) == ["DeletionAccepted etl", "new load"]


def test_a_mass_deletion_waits_until_nothing_moves(folder: SpecsFolder) -> None:
    paths = many(folder, 20)
    folder.remove(*paths[:11]).look()
    assert folder.look(1) == []
    assert (
        "11 of 20 specs are gone (w0, w1, w10, w2, w3 and 6 more)"
        in (folder.condition()["MassDeletion"])
    )
    folder.write("w15.yaml", workflow("w15", run="date")).look(8)
    assert folder.look(9.9) == []
    assert len(folder.look(0.1)) == 11
    assert folder.condition() == {}


@pytest.mark.parametrize(("all_of_them", "gone"), [(20, 10), (22, 11), (10, 10)])
def test_ten_or_half_of_the_specs_are_no_mass(
    folder: SpecsFolder, all_of_them: int, gone: int
) -> None:
    folder.remove(*many(folder, all_of_them)[:gone]).look()
    assert len(folder.look(1)) == gone


def test_a_mass_deletion_that_comes_back_was_none(folder: SpecsFolder) -> None:
    paths = many(folder, 20)
    folder.remove(*paths).look()
    folder.look(5)
    for n, path in enumerate(paths):
        folder.write(path, workflow(f"w{n}"))
    assert folder.look() == []
    assert [folder.look(10), folder.condition(), folder.verdict.due] == [[], {}, None]


def test_delete_all_confirms_a_mass_deletion(folder: SpecsFolder) -> None:
    folder.remove(*many(folder, 20)).look()
    folder.memory.confirm()
    assert len(folder.look()) == 20


def test_a_confirmation_counts_once(etl: SpecsFolder) -> None:
    etl.memory.confirm()
    assert etl.look() == []
    assert etl.remove("etl.yaml").look() == []


def test_an_edit_that_removes_one_of_a_mass_waits_with_it(folder: SpecsFolder) -> None:
    folder.write("f.yaml", documents(workflow("a"), workflow("b"))).look()
    paths = many(folder, 12)
    folder.remove(*paths).write("f.yaml", workflow("a", run="date")).look()
    assert folder.look(1) == []
    assert folder.look(9)[-1] == "edit a"


def test_what_lies_in_a_folder_that_cant_be_listed_is_still_there(folder: SpecsFolder) -> None:
    folder.write("sub/a.yaml", workflow("a")).look()
    folder.remove("sub/a.yaml").unreadable("sub")
    assert folder.look() == ["FileRejected sub"]
    assert [folder.look(30), folder.restart().look(), folder.look(30)] == [[], [], []]
    assert folder.remove("sub").look() == []
    assert folder.look(1) == ["DeletionAccepted a", "FileCleared sub"]
