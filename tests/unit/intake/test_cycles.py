"""Definitions that wait for each other: the one that closes the circle is rejected, for as long."""

import time

import pytest
from specs_folder import SpecsFolder, documents, workflow


def after(name: str, *others: str) -> str:
    waits = ", ".join(f"{{name: on-{one}, after: {{workflow: {one}}}}}" for one in others)
    return workflow(name).replace("spec:", f"spec:\n  triggers: [{waits}]")


def circle() -> SpecsFolder:
    folder = SpecsFolder()
    for name, other in {"a": "b", "b": "c", "c": "a"}.items():
        folder.write(f"{name}.yaml", after(name, other))
    folder.look()
    return folder


def test_the_document_that_closes_it_is_rejected_and_the_way_is_named() -> None:
    folder = circle()
    assert "wait for each other: c -> a -> b -> c" in folder.faults("c.yaml")[0]
    assert folder.state.workflows.keys() == {"a", "b"}


@pytest.mark.parametrize("edited", ["a", "b", "c"])
def test_an_edit_of_any_mends_it(edited: str) -> None:
    folder = circle().write(f"{edited}.yaml", after(edited, "other"))
    folder.look()
    folder.look(after=2)  # what an edit removes is believed later
    folder.look(after=2)
    assert not folder.state.rejected
    assert folder.state.workflows.keys() == {"a", "b", "c"}


@pytest.mark.parametrize("removed", ["a", "b"])
def test_the_removal_of_any_mends_it(removed: str) -> None:
    folder = circle().remove(f"{removed}.yaml")
    folder.look()
    folder.look(after=2)
    assert not folder.state.rejected
    assert "c" in folder.state.workflows
    folder.write(f"{removed}.yaml", after(removed, {"a": "b", "b": "c"}[removed]))
    folder.end_life(removed)
    folder.look()
    assert "wait for each other" in folder.faults(f"{removed}.yaml")[0]


def test_one_that_waits_for_itself() -> None:
    folder = SpecsFolder().write("a.yaml", after("a", "a"))
    folder.look()
    assert "a -> a" in folder.faults("a.yaml")[0]


def test_a_circle_in_one_file() -> None:
    folder = SpecsFolder().write("a.yaml", documents(after("a", "b"), after("b", "a")))
    folder.look()
    assert "a -> b -> a" in folder.faults("a.yaml")[0]


def test_the_shortest_way_is_named() -> None:
    folder = SpecsFolder().write("a.yaml", after("a", "b", "c"))
    folder.write("b.yaml", after("b", "c")).write("c.yaml", after("c", "d"))
    folder.look()
    folder.write("d.yaml", after("d", "a")).look()
    assert "d -> a -> c -> d" in folder.faults("d.yaml")[0]


def test_many_that_wait_cost_little_to_judge() -> None:
    folder = SpecsFolder()
    for number in range(2_000):
        folder.write(f"{number}.yaml", after(f"w{number}", "other"))
    began = time.process_time()
    folder.look()
    assert time.process_time() - began < 2
