"""Hooks in the whole loop: each cause of an end, with a crash before each effect."""

from collections import Counter
from collections.abc import Callable

import pytest
from simulation.trial import judge
from simulation.world import Fate, World
from story import a_step, document

from controller.model import events as e
from controller.model.observations import Request, SeenMarker

KINDS = ("onStart", "onSuccess", "onFailure", "onCancel", "onExit")


def fate(workflow: str, step: str, nth: int) -> Fate:
    """Of each kind, the first hook fails once and is tried again; the last step fails."""
    fails = step.endswith("/one") and nth == 1
    return Fate(seconds=1, exit_code=3 if fails or step == "bad" else 0)


def write(world: World, *steps: str, without: tuple[str, ...] = (), **spec: object) -> None:
    hooks = [{"name": "one", "run": "1", "retry": {"limit": 1, "backoff": {"initialSeconds": 0.5,
              "jitter": 0}}}, {"name": "two", "command": ["2"]}]  # fmt: skip
    listed = {kind: hooks for kind in KINDS if kind not in without}
    found = document([*map(a_step, steps)], hooks=listed, **spec)
    world.files["w.yaml"] = (found,)


def mark(world: World, **marker: object) -> None:
    world.markers["w.cancel"] = SeenMarker(
        path="w.cancel", workflow="w", digest=str(marker), **marker
    )


def ask(world: World, kind: str, *steps: str) -> None:
    name = f"{len(world.records()):06}"
    asked = Request(name=name, kind=kind, workflow="w", by="ada", steps=[*steps])  # type: ignore[arg-type]
    world.requests[name] = asked


def success(world: World) -> None:
    write(world, "a", "b")
    world.run()


def failure(world: World) -> None:
    write(world, "a", "bad")
    world.run()


def fail_fast(world: World) -> None:
    write(world, "bad", failFast=True)
    world.run(0.5)
    write(world, "bad", "a", failFast=True)
    world.run()


def deadline(world: World) -> None:
    write(world, "a", activeDeadlineSeconds=0.7)
    world.run()


def marker(world: World) -> None:
    write(world, "a", "b")
    world.run(0.5)
    mark(world)
    world.run()


def deletion(world: World) -> None:
    write(world, "a", "b")
    world.run(0.5)
    world.files.clear()
    world.run()


def marker_while_suspended(world: World) -> None:
    write(world, "a", "b", "c")
    world.run(0.5)
    ask(world, "suspend")
    world.run(5)
    mark(world)
    world.run()


CAUSES: dict[str, tuple[Callable[[World], None], str, str]] = {
    "success": (success, "Succeeded", "onSuccess"),
    "failure": (failure, "Failed", "onFailure"),
    "failFast": (fail_fast, "Failed", "onFailure"),
    "deadline": (deadline, "Failed", "onFailure"),
    "marker": (marker, "Cancelled", "onCancel"),
    "deletion": (deletion, "Cancelled", "onCancel"),
    "marker while suspended": (marker_while_suspended, "Cancelled", "onCancel"),
}


def told(tale: Callable[[World], None], crash_before: int | None = None) -> World:
    world = World(fate=fate, max_parallel=2, crash_before=crash_before)
    world.boot_controller()
    tale(world)
    world.run()
    return world


def hooks_of(world: World) -> list[tuple[str, int, str]]:
    """Each end of an attempt of a hook, in order."""
    return [
        (one.event.step, one.event.attempt, str(one.event.phase))
        for one in world.records()
        if isinstance(one.event, e.AttemptFinished) and "/" in one.event.step
    ]


def last_end(world: World) -> tuple[str, str, str]:
    ends = [one.event for one in world.records() if isinstance(one.event, e.WorkflowFinished)]
    return str(ends[-1].phase), ends[-1].reason, ends[-1].message


@pytest.mark.parametrize("cause", CAUSES)
def test_each_cause_runs_its_hooks_once_whenever_the_controller_is_killed(cause: str) -> None:
    tale, phase, kind = CAUSES[cause]
    quiet = told(tale)
    ends = [one for one in hooks_of(quiet) if not one[0].startswith("onStart")]
    each = [("one", 1, "Failed"), ("one", 2, "Succeeded"), ("two", 1, "Succeeded")]
    assert ends == [(f"{of}/{name}", *end) for of in (kind, "onExit") for name, *end in each]
    assert last_end(quiet)[0] == phase
    for effect in range(1, quiet.effects + 1):
        stormy = told(tale, effect)
        judge(stormy, f"told({cause}, {effect})")
        assert hooks_of(stormy) == hooks_of(quiet), effect
        assert stormy.begun == quiet.begun, effect
        assert last_end(stormy) == last_end(quiet), effect


def test_hooks_of_the_start_run_beside_the_first_steps_and_are_waited_for() -> None:
    world = told(success)
    order = [one.event.step for one in world.records() if isinstance(one.event, e.AttemptStarted)]
    assert order[:3] == ["a", "b", "onStart/one"]
    finished = [type(one.event).__name__ for one in world.records()].index("EndDecided")
    assert {step for step in order if step.startswith("onStart/")} == {"onStart/one", "onStart/two"}
    assert finished < len(world.records())


def test_a_run_in_which_nothing_starts_has_no_hooks_of_the_start() -> None:
    world = World(fate=lambda w, step, nth: Fate(problem="" if "/" in step else "no such file"))
    write(world, "a")
    world.boot_controller()
    world.run()
    begun = [step for _, step in world.begun if "/" in step]
    assert begun == ["onFailure/one", "onFailure/two", "onExit/one", "onExit/two"]


def test_a_workflow_that_never_began_a_run_has_no_hooks() -> None:
    world = World(fate=fate)
    mark(world)
    write(world, "a")
    world.boot_controller()
    world.run()
    assert last_end(world)[0] == "Cancelled"
    assert not world.begun


def an_edit_while_hooks_run(world: World) -> None:
    write(world, "a", "bad")
    world.run(5.5)
    write(world, "a", "good")
    world.run()


def a_retry_while_hooks_run(world: World) -> None:
    write(world, "a", "bad")
    world.run(5.5)
    ask(world, "retry", "bad")
    world.run()


def a_restart_while_hooks_run(world: World) -> None:
    write(world, "a", "bad")
    world.run(5.5)
    ask(world, "restart")
    world.run()


@pytest.mark.parametrize(
    ("tale", "phase"),
    [(an_edit_while_hooks_run, "Succeeded"), (a_retry_while_hooks_run, "Failed"),
     (a_restart_while_hooks_run, "Failed")],
)  # fmt: skip
def test_what_comes_while_hooks_run_begins_a_new_run_after_them(
    tale: Callable[[World], None], phase: str
) -> None:
    quiet = told(tale)
    ends = [one.event for one in quiet.records() if isinstance(one.event, e.WorkflowFinished)]
    assert [str(one.phase) for one in ends] == ["Failed", phase]
    begun = Counter(step for _, step in quiet.begun.elements())
    assert (begun["onStart/two"], begun["onExit/two"]) == (2, 2)
    for effect in range(1, quiet.effects + 1):
        stormy = told(tale, effect)
        judge(stormy, f"told({tale.__name__}, {effect})")
        assert hooks_of(stormy) == hooks_of(quiet), effect
        assert stormy.begun == quiet.begun, effect


def test_a_marker_or_a_deletion_while_hooks_run_changes_nothing_of_them() -> None:
    def meanwhile(world: World) -> None:
        write(world, "a", "bad")
        world.run(5.5)
        mark(world)
        world.run(0.5)
        world.files.clear()
        world.run()

    world = told(meanwhile)
    assert hooks_of(world) == hooks_of(told(failure))
    assert last_end(world)[:2] == ("Failed", "StepFailed")
    assert not world.controller.state.workflows


def test_a_marker_without_hooks_ends_those_that_run_and_all_after_them() -> None:
    def stopped(world: World) -> None:
        write(world, "a", "bad")
        world.run(5.2)
        mark(world, hooks=False)
        world.run()

    quiet = told(stopped)
    (hook,) = [one for one in hooks_of(quiet) if not one[0].startswith("onStart/")]
    assert hook == ("onFailure/one", 1, "Cancelled")
    phases = quiet.phases()["w"]
    assert phases["onExit/two"] == phases["onFailure/one"] == "Cancelled"
    assert last_end(quiet)[0] == "Failed"
    for effect in range(1, quiet.effects + 1):
        stormy = told(stopped, effect)
        judge(stormy, f"told(stopped, {effect})")
        assert stormy.phases() == quiet.phases(), effect
        assert stormy.begun == quiet.begun, effect


def test_hooks_of_a_suspended_workflow_wait_for_resume() -> None:
    world = World(fate=fate)
    write(world, "a")
    world.boot_controller()
    world.run(0.5)
    ask(world, "suspend")
    world.run(60)
    assert (world.phases()["w"][""], world.begun["w", "onSuccess/one"]) == ("Suspended", 0)
    ask(world, "resume")
    world.run()
    assert (world.phases()["w"][""], world.begun["w", "onExit/two"]) == ("Succeeded", 1)


def test_hooks_that_wait_for_a_spec_and_an_edit_that_waits_for_them() -> None:
    """What the edit says of `suspend` counts at once, in both directions."""

    def edited(world: World) -> None:
        write(world, "a", "bad")
        world.run(0.5)
        write(world, "a", "bad", suspend=True)
        world.run(20)
        stood.append(world.phases()["w"][""])
        write(world, "a", "good")
        world.run(2)
        write(world, "a", "bad", "more", suspend=True)
        world.run(20)
        stood.append(world.phases()["w"][""])
        write(world, "a", "bad", suspend=True)  # as it was, so it is taken back
        world.run(20)
        stood.append(world.phases()["w"][""])
        write(world, "a", "good")
        world.run()

    stood: list[str] = []
    quiet = told(edited)
    assert stood == ["Suspended"] * 3
    ends = [one.event for one in quiet.records() if isinstance(one.event, e.WorkflowFinished)]
    assert [str(one.phase) for one in ends] == ["Failed", "Succeeded"]
    for effect in range(1, quiet.effects + 1):
        stormy = told(edited, effect)
        judge(stormy, f"told(edited, {effect})")
        assert stormy.begun == quiet.begun, effect


def test_an_edit_that_waits_since_before_the_end_lets_its_hooks_go_on() -> None:
    world = World(
        fate=lambda w, step, nth: Fate(
            seconds=1 if step == "bad" else 5, exit_code=int(step == "bad"), deaf_seconds=2
        )
    )
    world.boot_controller()
    write(world, "bad", "deaf", failFast=True)
    world.run(0.5)
    write(world, "bad", "deaf", failFast=True, suspend=True)
    world.run(1)
    write(world, "deaf")
    world.run()
    assert (world.phases()["w"][""], world.begun["w", "onFailure/two"]) == ("Succeeded", 1)


def test_no_hook_while_a_step_is_to_be_retried_or_was_interrupted() -> None:
    world = World(fate=lambda w, step, nth: Fate(exit_code=0 if "/" in step or nth == 3 else 1))
    retry = {"limit": 2, "backoff": {"initialSeconds": 5, "jitter": 0}}
    hooks = {"onFailure": [{"name": "page", "run": "p"}], "onExit": [{"name": "tidy", "run": "t"}]}
    world.files["w.yaml"] = (document([a_step("a", retry=retry)], hooks=hooks),)
    world.boot_controller()
    world.run(1.5)
    assert world.phases()["w"]["a"] == "Pending"  # in backoff
    world.reboot()
    world.run()
    assert world.begun == {("w", "a"): 3, ("w", "onExit/tidy"): 1}


def test_a_failed_hook_is_a_condition_and_changes_no_phase() -> None:
    world = World(fate=lambda w, step, nth: Fate(exit_code=1 if step == "onExit/two" else 0))
    write(world, "a", without=("onStart",))
    world.boot_controller()
    world.run()
    life = world.controller.state.workflows["w"]
    assert (life.phase, life.steps["a"].phase) == ("Succeeded", "Succeeded")
    failed = life.conditions["HookFailed"]
    assert (failed.status, failed.message) == ("True", "onExit/two: exit code 1")
    ask(world, "restart")
    world.run(1)
    assert life.conditions["HookFailed"].status == "False"


def test_an_interrupted_hook_runs_again_and_its_end_is_known() -> None:
    world = World(fate=fate)
    write(world, "bad")
    world.boot_controller()
    world.run(5.2)
    assert world.controller.state.workflows["w"].is_ending
    world.reboot()
    world.run()
    assert last_end(world)[0] == "Failed"
    ends = [one for one in hooks_of(world) if one[0] == "onFailure/one"]
    assert [end for _, _, end in ends][-1] == "Succeeded"


def test_hooks_of_earlier_runs_are_left_in_their_order() -> None:
    """All readers of a log make the same image of it, so no order may be that of a set."""
    names = [f"h{number}" for number in range(9)]
    hooks = {"onFailure": [{"name": name, "run": "1"} for name in names]}
    world = World(fate=fate)
    world.boot_controller()
    world.files["w.yaml"] = (document([a_step("bad")], hooks=hooks),)
    world.run()
    for step in ("good", "better"):
        world.files["w.yaml"] = (document([a_step(step)], hooks=hooks),)
        world.run()
    left = world.controller.state.workflows["w"].left
    assert [name for name in left if "/" in name] == [f"onFailure/{name}" for name in names]
