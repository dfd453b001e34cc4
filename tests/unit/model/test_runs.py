"""The last runs of a name in short, over its lives."""

import pytest
from story import Story, a_step

from controller.model import indexes
from controller.model.events import StepReset
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


def test_who_asked_for_a_run_is_remembered() -> None:
    story = Story().accept([a_step("a")]).exit("a", 1)
    asked = "retry asked for by ada"
    story.see(StepReset(uid=story.life().uid, step="a", reason="RetryRequested", message=asked))
    story.settle().start("a")
    assert story.state.runs["w"][-1].why == asked
