"""`onChanged` and `onRemoved`: what the table says otherwise, in every combination that matters."""

from typing import Any

import pytest
from story import Story, a_step

from controller.model.events import AttemptEnding, GenerationAccepted
from controller.model.invariants import check
from controller.planner.permission import Limits
from controller.spec.fingerprint import fingerprints

Steps = list[dict[str, Any]]


def chain(run: str = "old", **b: Any) -> Steps:
    return [a_step("a"), a_step("b", "a", run=run, **b), a_step("c", "b")]


def ended(story: Story) -> list[str]:
    return [one.event.step for one in story.records if isinstance(one.event, AttemptEnding)]


def effects(story: Story) -> dict[str, tuple[str, str, bool]]:
    event = [one.event for one in story.records if isinstance(one.event, GenerationAccepted)][-1]
    return {name: (one.action, one.reason, one.finish) for name, one in event.effects.items()}


# ---------------------------------------- FinishFirst

FIRST = {"onChanged": "FinishFirst"}


@pytest.mark.parametrize("code", [0, 3])
def test_what_runs_may_end_first_and_then_the_new_definition_runs(code: int) -> None:
    story = Story().accept(chain(**FIRST)).exit("a").start("b")
    story.accept(chain("new", **FIRST))
    assert effects(story) == {
        "b": ("restart", "SpecChanged", True),
        "c": ("keep", "SpecChanged", False),
    }
    assert ended(story) == [] and story.phases()["b"] == "Running"
    story.exit("b", code)
    assert story.step("b").attempts[0].exit_code == code, "its outcome is recorded"
    assert story.attempt("b").number == 2
    assert story.attempt("b").inputs["run"] == "new"
    assert story.attempt("b").why == "run changed"
    story.exit("b").exit("c")
    assert story.life().phase == "Succeeded"
    check(story.state)


def test_one_that_was_only_queued_is_withdrawn() -> None:
    story = Story().accept(chain(**FIRST)).exit("a")
    story.accept(chain("new", **FIRST))
    assert ended(story) == ["b"]


def test_taken_back_before_it_ended_it_goes_on_as_if_nothing_had_been() -> None:
    story = Story().accept(chain(**FIRST)).exit("a").start("b")
    story.accept(chain("new", **FIRST)).accept(chain(**FIRST))
    story.exit("b")
    assert story.phases()["b"] == "Succeeded"
    assert story.step("b").numbered == 1 and ended(story) == []


def test_taken_back_after_it_ended_its_result_stands() -> None:
    story = Story(Limits(max_parallel=1)).accept(chain(**FIRST)).exit("a").start("b")
    story.limits = Limits(max_parallel=0)
    story.accept(chain("new", **FIRST)).exit("b")
    assert story.phases()["b"] == "Ready", "it waits to run anew"
    story.accept(chain(**FIRST))
    assert story.phases()["b"] == "Succeeded"
    assert story.step("b").numbered == 1


def test_edited_twice_only_the_last_definition_runs() -> None:
    story = Story().accept(chain(**FIRST)).exit("a").start("b")
    story.accept(chain("between", **FIRST)).accept(chain("last", **FIRST)).exit("b")
    assert story.attempt("b").inputs["run"] == "last"
    assert story.step("b").numbered == 2


def test_a_cancel_and_a_timeout_do_not_wait_for_it() -> None:
    story = Story().accept(chain(**FIRST)).exit("a").start("b")
    story.accept(chain("new", **FIRST)).mark()
    assert ended(story) == ["b"]
    story = Story().accept(chain(timeoutSeconds=5, **FIRST)).exit("a").start("b")
    story.accept(chain("new", timeoutSeconds=5, **FIRST)).wait(6)
    assert ended(story) == ["b"]


def test_if_a_dependency_runs_again_it_is_ended_all_the_same() -> None:
    story = Story().accept(chain(**FIRST)).exit("a").start("b")
    story.accept([a_step("a", run="other"), *chain("new", **FIRST)[1:]])
    assert effects(story)["b"] == ("restart", "DependencyReran", False)
    assert ended(story) == ["b"]


def test_what_has_ended_is_reset_as_ever() -> None:
    story = Story().accept(chain(**FIRST)).exit("a").exit("b")
    story.accept(chain("new", **FIRST))
    assert effects(story)["b"] == ("run", "SpecChanged", False)


# ---------------------------------------- KeepResult

KEEP = {"onChanged": "KeepResult"}


def test_a_kept_dependency_is_not_named_as_what_changed() -> None:
    def steps(run: str, other: str = "old") -> Steps:
        return [a_step("a", run=run, **KEEP), a_step("b", run=other), a_step("c", "a", "b")]

    story = Story().accept(steps("old")).exit("a").exit("b").exit("c")
    story.accept(steps("new")).accept(steps("new", "new"))
    assert story.life().effects["c"].message == 'depends on "b", which changed'


def test_a_result_is_kept_and_so_are_those_that_depend_on_it() -> None:
    story = Story().accept(chain(**KEEP)).exit("a").exit("b").exit("c")
    story.accept(chain("new", **KEEP))
    assert effects(story) == {"b": ("keep", "KeepResult", False)}
    assert {name: step.numbered for name, step in story.life().steps.items()} == {
        "a": 1,
        "b": 1,
        "c": 1,
    }
    assert story.life().phase == "Succeeded"
    story.accept(chain("newer", **KEEP))
    assert effects(story) == {"b": ("keep", "KeepResult", False)}
    check(story.state)


def test_what_runs_goes_on_and_its_result_is_kept() -> None:
    story = Story().accept(chain(**KEEP)).exit("a").start("b")
    story.accept(chain("new", **KEEP))
    assert effects(story) == {"b": ("continue", "KeepResult", False)}
    story.exit("b").exit("c")
    assert story.step("b").numbered == 1
    story.accept(chain("newer", **KEEP))
    assert [story.step(name).numbered for name in "abc"] == [1, 1, 1]


def test_without_the_policy_what_differs_runs_again() -> None:
    story = Story().accept(chain(**KEEP)).exit("a").exit("b").exit("c")
    story.accept(chain("new", **KEEP)).accept(chain("new"))
    assert effects(story)["b"][0] == "run"
    story.exit("b").exit("c")
    assert [story.step(name).numbered for name in "abc"] == [1, 2, 2]


def test_one_that_failed_is_tried_anew_as_it_is_now() -> None:
    story = Story().accept(chain(**KEEP)).exit("a").exit("b", 1)
    story.accept(chain("new", **KEEP))
    assert effects(story)["b"][:2] == ("run", "TriedAnew")
    attempt = story.attempt("b")
    assert attempt.inputs["run"] == "new"
    assert attempt.fingerprint == fingerprints(story.life().spec)["b"]


def test_if_a_dependency_runs_again_nothing_is_kept() -> None:
    story = Story().accept(chain(**KEEP)).exit("a").exit("b").exit("c")
    new = [a_step("a", run="other"), *chain("new", **KEEP)[1:]]
    story.accept(new)
    assert effects(story)["b"][:2] == ("run", "SpecChanged")
    assert story.life().kept == {}
    story.exit("a").exit("b").exit("c")
    prints = fingerprints(story.life().spec)
    assert {name: story.step(name).attempt.fingerprint for name in "abc"} == prints  # type: ignore[union-attr]


def test_the_inputs_of_what_depends_on_it_name_what_it_was_made_of() -> None:
    story = Story(Limits(max_parallel=1)).accept(chain(**KEEP)).exit("a").exit("b")
    was = story.step("b").attempts[0].fingerprint
    story.end("c", how="withdrawn")
    story.accept(chain("new", **KEEP))
    assert story.attempt("c").inputs["dependsOn.b"] == f"Succeeded {was}"


def test_once_it_has_run_as_it_is_now_an_edit_of_policy_runs_nothing() -> None:
    story = Story().accept(chain(**KEEP)).exit("a").exit("b").exit("c")
    story.accept(chain("new", **KEEP))
    story.ask("retry", "b", downstream=True).exit("b").exit("c")
    prints = fingerprints(story.life().spec)
    assert {name: story.step(name).fingerprint for name in "abc"} == prints
    story.accept(chain("new", **KEEP), failFast=True)
    assert effects(story) == {}
    assert [story.step(name).numbered for name in "abc"] == [1, 2, 2]


def test_a_kept_attempt_that_fails_is_retried_as_it_is_now() -> None:
    retry = {"limit": 1, "backoff": {"initialSeconds": 0}}
    story = Story().accept(chain(retry=retry, **KEEP)).exit("a").start("b")
    story.accept(chain("new", retry=retry, **KEEP)).exit("b", 1).wait(1)
    assert story.attempt("b").inputs["run"] == "new"
    story.exit("b").exit("c")
    story.accept(chain("newer", retry=retry, **KEEP))
    assert effects(story) == {"b": ("keep", "KeepResult", False)}


# ---------------------------------------- onRemoved


def test_a_removed_step_may_end_first() -> None:
    story = Story().accept([a_step("a", onRemoved="Finish"), a_step("b")]).start("a", "b")
    story.accept([a_step("b")])
    assert effects(story) == {
        "a": ("remove", "StepRemoved", True),
        "b": ("continue", "Unchanged", False),
    }
    assert ended(story) == []
    story.exit("b")
    assert not story.life().finished, "it is still there"
    story.exit("a", 3)
    assert story.life().phase == "Succeeded"
    assert "a" not in story.life().steps
    check(story.state)


def test_a_cancel_ends_it_all_the_same() -> None:
    story = Story().accept([a_step("a", onRemoved="Finish"), a_step("b")]).start("a", "b")
    story.accept([a_step("b")]).mark()
    assert sorted(ended(story)) == ["a", "b"]
    story.end("a").end("b")
    assert story.life().phase == "Cancelled"
    assert "a" not in story.life().steps, "it leaves, whoever ended it"
    check(story.state)


def test_one_that_comes_back_before_it_ended_goes_on() -> None:
    steps = [a_step("a", onRemoved="Finish"), a_step("b")]
    story = Story().accept(steps).start("a", "b")
    story.accept([a_step("b")]).accept(steps).exit("a")
    assert story.step("a").numbered == 1
    assert story.phases()["a"] == "Succeeded"


def test_a_start_that_is_only_queued_has_no_result_to_keep() -> None:
    """It is Ready: the edit meets it as one that waits."""
    steps = [a_step("a"), a_step("b", run="old", onChanged="KeepResult")]
    story = Story(Limits(max_parallel=1, ahead=1)).accept(steps).start("a")
    assert story.attempt("b").phase == "Scheduled"
    story.accept([steps[0], {**steps[1], "run": "new"}])
    ending = story.attempt("b").ending
    assert ending is not None and ending.reason == "SpecChanged"
    assert not story.life().kept
