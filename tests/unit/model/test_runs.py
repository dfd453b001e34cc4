"""The last runs of a name in short, over its lives."""

import pytest
from story import Story, a_step

from controller.model import indexes
from controller.model.events import StepReset, WorkflowFinished
from controller.model.image import freeze, thaw
from controller.model.state import RUNS_MAX


def test_only_the_last_are_kept_and_the_numbers_go_on() -> None:
    story = Story()
    for number in range(RUNS_MAX + 3):
        story.accept([a_step("a", run=f"echo {number}")]).exit("a")
    numbers = [run.number for run in story.state.runs["w"]]
    assert numbers == list(range(4, RUNS_MAX + 4))
    assert story.life().run == numbers[-1]


def test_a_name_is_remembered_beyond_its_lives() -> None:
    story = Story().accept([a_step("a")], ttlSecondsAfterFinished=60).exit("a").delete().wait(70)
    assert not story.state.lives
    assert list(thaw(freeze(story.state)).gone) == ["w"]
    story.accept([a_step("a")]).start("a")
    assert (story.life().run, list(story.state.gone)) == (2, [])


def test_of_names_without_a_life_the_oldest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "NAMES_MAX", 2)
    story = Story()
    for name in ("u", "v", "w"):
        story.accept([a_step("a")], name).exit("a", workflow=name).delete(name)
    assert list(story.state.runs) == list(story.state.gone) == ["v", "w"]
    assert story.accept([a_step("a")], "u").start("a", workflow="u").life("u").run == 1


def test_one_that_never_ran_leaves_no_runs() -> None:
    story = Story().accept([a_step("a")], suspend=True).delete()
    assert not story.state.runs
    assert not story.state.gone


def steps_of(**changed: object) -> list[dict[str, object]]:
    """Three steps; `changed` has the commands of some."""
    return [
        a_step(name, *needs, **({"run": changed[name]} if name in changed else {}))
        for name, *needs in ("a", "b", "ca")
    ]


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        pytest.param(steps_of(a="x"), "edit of a by somebody: run changed", id="not a dependent"),
        pytest.param(steps_of(a="x", b="x"), "edit of a and 1 more by somebody", id="several"),
        pytest.param(steps_of(c="x"), "edit of c by somebody", id="one that had not succeeded"),
        pytest.param([*steps_of(), a_step("d")], "edit of d by somebody", id="a new one"),
        pytest.param([*steps_of()[:2], a_step("d")], "edit of d and 1 more by somebody", id="gone"),
    ],
)
def test_an_edit_names_what_it_changed(steps: list[dict[str, object]], why: str) -> None:
    story = Story().accept(steps_of()).exit("a").exit("b").exit("c", 1)
    story.accept(steps).start(*list(story.live())[:1])
    assert [run.why for run in story.state.runs["w"]] == ["new spec by somebody", why]


def test_an_edit_that_only_tries_again_names_no_step() -> None:
    story = Story().accept([a_step("a"), a_step("b")]).exit("a", 1).exit("b")
    story.accept([a_step("a"), a_step("b")], priority=1).start("a")
    assert story.state.runs["w"][-1].why == "edit by somebody"


def test_what_is_remembered_of_its_end() -> None:
    steps = [a_step("a"), a_step("b"), a_step("c", {"step": "b", "condition": "Failed"})]
    story = Story().accept(steps).exit("a").exit("b", 1).exit("c")
    story.accept([*steps[:1], a_step("b", run="x"), steps[2]]).exit("b")
    first, second = story.state.runs["w"]
    assert (first.steps, first.succeeded, first.kept) == (3, 2, 0)
    assert first.message == "failed: b"
    assert (second.steps, second.succeeded, second.kept) == (3, 2, 1)
    assert [run.ended for run in (first, second)] == [
        record.seq for record in story.records if isinstance(record.event, WorkflowFinished)
    ]


def test_who_asked_for_a_run_is_remembered() -> None:
    story = Story().accept([a_step("a")]).exit("a", 1)
    asked = "retry asked for by ada"
    story.see(StepReset(uid=story.life().uid, step="a", reason="RetryRequested", message=asked))
    story.settle().start("a")
    assert story.state.runs["w"][-1].why == asked
