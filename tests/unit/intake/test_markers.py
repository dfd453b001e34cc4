"""Cancel markers: they count at once, and are gone after the settle time."""

from specs_folder import SpecsFolder, workflow


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
