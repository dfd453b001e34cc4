"""What an edit takes away waits: for the settle time, for a full scan, and for its writer."""

from specs_folder import SECOND, SpecsFolder, documents, workflow


def test_a_removed_step_is_believed_after_the_settle_time(etl: SpecsFolder) -> None:
    assert etl.write("etl.yaml", workflow("etl", "one")).look() == []
    assert etl.verdict.due == etl.now + SECOND
    assert etl.look(0.9) == []
    assert etl.look(0.1) == ["edit etl"]
    assert etl.verdict.due is None


def test_a_removed_hook_waits_as_a_removed_step_does(etl: SpecsFolder) -> None:
    hooks = "{onExit: [{name: tidy, run: x}, {name: page, run: x}]}"
    text = workflow("etl", "one", "two")
    etl.write("etl.yaml", f"{text}  hooks: {hooks}\n")
    assert etl.look() == ["edit etl"]
    etl.write("etl.yaml", f"{text}  hooks: {hooks.replace('{name: tidy, run: x}, ', '')}\n")
    assert etl.look() == []
    assert etl.look(0.9) == []
    assert etl.look(0.1) == ["edit etl"]


def test_a_removal_needs_a_full_scan_that_began_after_the_wait(etl: SpecsFolder) -> None:
    etl.remove("etl.yaml").look(full=False)
    assert etl.look(1, full=False) == []
    assert etl.memory.scan_due(etl.now)
    assert etl.look(0, full=True) == ["DeletionAccepted etl"]


def test_an_edit_that_changes_again_waits_anew(etl: SpecsFolder) -> None:
    etl.write("etl.yaml", workflow("etl", "one")).look()
    etl.write("etl.yaml", workflow("etl", "two"))
    assert etl.look(0.9) == []
    assert etl.look(0.9) == []
    assert etl.look(0.1) == ["edit etl"]
    assert [step.name for step in etl.state.workflows["etl"].spec.steps] == ["two"]


def test_an_edit_that_is_taken_back_leaves_nothing(etl: SpecsFolder) -> None:
    etl.write("etl.yaml", workflow("etl", "one")).look()
    etl.write("etl.yaml", workflow("etl", "one", "two"))
    assert etl.look(0.5) == []
    assert etl.verdict.due is None


def test_an_edit_of_which_a_part_settles_waits_as_a_whole(folder: SpecsFolder) -> None:
    folder.write("f.yaml", documents(workflow("a"), workflow("b"))).look()
    folder.write("f.yaml", documents(workflow("a", run="date"), workflow("c")))
    assert folder.look() == []
    assert folder.look(1) == ["DeletionAccepted b", "edit a", "new c"]


def test_the_writer_at_work_keeps_an_edit_from_settling(etl: SpecsFolder) -> None:
    etl.write("etl.yaml", workflow("etl", "one")).look()
    etl.write("etl.yaml", "", steady=False)
    assert etl.look(1) == []
    assert etl.look(1) == []
    assert not etl.memory.scan_due(etl.now), "no full scan after the other meanwhile"
    assert etl.verdict.due is not None


def test_a_restart_finds_nothing_to_do(etl: SpecsFolder) -> None:
    etl.write("bad.yaml", "apiVersion: treadle.dev/v1\nkind: [").mark("etl.cancel").look()
    assert etl.restart().look() == []
    assert etl.look(1) == []
