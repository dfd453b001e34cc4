"""Every index that goes wrong is found, whoever broke it."""

from collections.abc import Callable

import pytest
from msgspec import structs
from story import Story, a_step

from controller.model.invariants import check
from controller.model.phases import AttemptPhase, Phase
from controller.model.state import Cancel, Timer, Workflow
from controller.model.timers import TimerKind
from controller.planner.permission import Limits

Break = Callable[[Story, Workflow], object]


def busy() -> Story:
    """One step of each kind: done, running, waiting for a slot, in backoff, pending."""
    steps = [
        a_step("done"),
        a_step("runs", "done", timeoutSeconds=60),
        a_step("waits"),
        a_step("backs-off", retry={"limit": 2}),
        a_step("later", "runs", "waits"),
    ]
    story = Story().accept(steps, activeDeadlineSeconds=600)
    story.exit("done").start("runs").exit("backs-off", 1)
    story.limits = Limits(max_parallel=1)
    return story.end("waits")


def test_a_sound_state_passes() -> None:
    story = busy()
    assert set(story.phases().values()) == {"Succeeded", "Running", "Ready", "Pending"}
    assert story.why("backs-off") == ("Pending", "BackOff")
    check(story.state)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda s, w: setattr(w.steps["later"], "open", 1), id="open"),
        pytest.param(lambda s, w: w.steps["later"].broken.update(done="x"), id="broken"),
        pytest.param(lambda s, w: w.steps["done"].dependents.clear(), id="dependents"),
        pytest.param(lambda s, w: setattr(w, "unsettled", 9), id="unsettled"),
        pytest.param(lambda s, w: setattr(w, "failed", 1), id="failed"),
        pytest.param(lambda s, w: setattr(w, "cancelled", 1), id="cancelled"),
        pytest.param(lambda s, w: setattr(w, "occupied", 0), id="occupied"),
        pytest.param(lambda s, w: w.ready.clear(), id="ready"),
        pytest.param(lambda s, w: s.state.live.clear(), id="live"),
        pytest.param(lambda s, w: s.state.timers.pop(), id="timers"),
        pytest.param(lambda s, w: s.state.timer_of.clear(), id="timer_of"),
        pytest.param(
            lambda s, w: s.state.timers.insert(0, Timer(1, w.uid, "", TimerKind.DEADLINE)),
            id="no timer",
        ),
        pytest.param(lambda s, w: s.state.awaited.clear(), id="awaited"),
        pytest.param(lambda s, w: s.state.queue.clear(), id="queue"),
        pytest.param(lambda s, w: s.state.runs["w"].clear(), id="runs"),
        pytest.param(lambda s, w: s.state.runs.clear(), id="no runs"),
        pytest.param(lambda s, w: setattr(s.state.runs["w"][0], "completed", 1), id="run over"),
        pytest.param(lambda s, w: setattr(s.state.runs["w"][0], "kept", 1), id="run counts"),
        pytest.param(lambda s, w: s.state.gone.update(w=None), id="gone"),
        pytest.param(lambda s, w: setattr(w, "rank", None), id="rank"),
        pytest.param(lambda s, w: s.state.seats.clear(), id="seats"),
        pytest.param(lambda s, w: s.state.workflows.update(other=w), id="names"),
        pytest.param(lambda s, w: s.state.markers_of.update(w={}), id="markers_of"),
        pytest.param(
            lambda s, w: setattr(w.steps["runs"], "phase", Phase.SUCCEEDED), id="terminal"
        ),
        pytest.param(lambda s, w: setattr(w.steps["done"], "standing", None), id="no result"),
        pytest.param(lambda s, w: setattr(w.steps["done"], "numbered", 5), id="numbers"),
        pytest.param(
            lambda s, w: setattr(w.steps["runs"].attempts[-1], "phase", AttemptPhase.SCHEDULED),
            id="running what is queued",
        ),
        pytest.param(lambda s, w: setattr(w.steps["waits"], "retry_at", 1), id="ready in backoff"),
        pytest.param(lambda s, w: setattr(w.steps["later"], "unjudged", True), id="unjudged"),
        pytest.param(
            lambda s, w: w.steps["runs"].attempts.insert(0, w.steps["runs"].attempts[0]),
            id="two attempts live",
        ),
        pytest.param(lambda s, w: w.steps["runs"].attempts.clear(), id="nothing runs"),
        pytest.param(
            lambda s, w: setattr(w.steps["runs"].attempts[-1], "log", "runs/other/runs.1.log"),
            id="prints to a file of another life",
        ),
        pytest.param(
            lambda s, w: setattr(w.steps["runs"].attempts[-1], "log", f"runs/{w.uid}/../x/a.1.log"),
            id="prints to a file outside",
        ),
        pytest.param(
            lambda s, w: setattr(w.steps["runs"].attempts[-1], "values_file", "lock"),
            id="is given the lock",
        ),
        pytest.param(
            lambda s, w: setattr(w.steps["done"], "cancel", Cancel("r", "m")), id="wanted"
        ),
        pytest.param(lambda s, w: w.left.update(done=1), id="left"),
        pytest.param(
            lambda s, w: s.state.live.update(
                {(w.uid, "runs"): structs.replace(w.steps["runs"].attempts[0])}
            ),
            id="another attempt",
        ),
        pytest.param(lambda s, w: setattr(w, "phase", Phase.SUCCEEDED), id="over too early"),
        pytest.param(lambda s, w: setattr(w, "phase", Phase.SUSPENDED), id="suspended"),
        pytest.param(lambda s, w: s.state.workflows.clear(), id="life ended too early"),
    ],
)
def test_damage_is_found(damage: Break) -> None:
    story = busy()
    damage(story, story.life())
    with pytest.raises(AssertionError, match=r"should be|: |believes|leads|the last"):
        check(story.state)


def test_a_hook_that_waits_behind_a_step_is_found() -> None:
    hooks = {"onStart": [{"name": "greet", "run": "x"}]}
    story = Story()
    story.limits = Limits(max_parallel=1)
    story.accept([a_step("runs"), a_step("waits")], hooks=hooks).start("runs")
    check(story.state)
    ready = story.life().ready
    assert list(ready) == ["onStart/greet", "waits"]
    ready.move_to_end("onStart/greet")
    with pytest.raises(AssertionError, match="onStart/greet is a hook, and waits behind others"):
        check(story.state)


def test_what_is_wrong_comes_with_its_story() -> None:
    story = busy()
    story.step("later").open = 1
    with pytest.raises(AssertionError, match="w/later: counts 1 open dependencies of 2, 0 are met"):
        check(story.state)


# ---------------------------------------- definitions and their instances


def a_house_of_instances() -> Story:
    """One that has ended, one that runs, one that is queued, and a definition that waits for it."""
    story = Story().accept(
        [a_step("a")],
        triggers=[{"name": "t", "everySeconds": 60}],
        concurrency="Queue",
    )
    story.accept([a_step("b")], "v", triggers=[{"name": "f", "after": {"workflow": "w"}}])
    for key in ("one", "two", "three"):
        story.ask("start", key=key)
    return story.exit("a", workflow="w@one").start("a", workflow="w@two")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda s, w: w.starter.unfinished.popitem(), id="unfinished"),
        pytest.param(lambda s, w: w.starter.ended.clear(), id="ended"),
        pytest.param(lambda s, w: w.starter.ended.update(x=None), id="ended too many"),
        pytest.param(lambda s, w: w.starter.groups.clear(), id="groups"),
        pytest.param(lambda s, w: w.starter.groups[""].queued.clear(), id="queued"),
        pytest.param(lambda s, w: w.starter.groups[""].running.clear(), id="running"),
        pytest.param(lambda s, w: s.state.surplus.update({w.uid: None}), id="surplus"),
        pytest.param(lambda s, w: s.state.surplus.update(x=None), id="surplus of nothing"),
        pytest.param(lambda s, w: s.state.followers.clear(), id="followers"),
        pytest.param(lambda s, w: s.state.inboxes.update({(w.uid, "t"): None}), id="inboxes"),
        pytest.param(lambda s, w: setattr(w.starter, "hold", "Suspended"), id="hold"),
        pytest.param(lambda s, w: setattr(w, "phase", Phase.WAITING), id="phase"),
        pytest.param(lambda s, w: w.starter.triggers.clear(), id="triggers"),
        pytest.param(lambda s, w: setattr(w.starter.triggers["t"], "due", 0), id="due is decided"),
        pytest.param(
            lambda s, w: setattr(w.starter.triggers["t"], "due", w.starter.triggers["t"].due + 60),
            id="timer of a due time",
        ),
        pytest.param(
            lambda s, w: setattr(w.starter.triggers["t"], "is_armed", False), id="not armed"
        ),
        pytest.param(
            lambda s, w: w.starter.triggers["t"].beyond.extend([(9, 12), (5, 7)]), id="beyond"
        ),
        pytest.param(lambda s, w: setattr(w.starter.triggers["t"], "catching", 1), id="catching"),
        pytest.param(lambda s, w: setattr(w, "starter", None), id="no starter"),
        pytest.param(
            lambda s, w: setattr(s.life("w@three").birth, "queued", False), id="not queued"
        ),
        pytest.param(lambda s, w: setattr(s.life("w@two").birth, "queued", True), id="starts"),
        pytest.param(lambda s, w: setattr(s.life("w@two").birth, "behind", True), id="behind"),
        pytest.param(
            lambda s, w: setattr(s.life("w@two"), "spec", structs.replace(w.spec)), id="own spec"
        ),
        pytest.param(lambda s, w: setattr(s.life("w@two"), "path", "x.yaml"), id="path"),
        pytest.param(lambda s, w: setattr(w, "deleting", True), id="deleted"),
        pytest.param(lambda s, w: s.state.workflows.pop("w"), id="ended before its instances"),
        pytest.param(lambda s, w: s.state.lives.pop(w.uid), id="no definition"),
    ],
)
def test_damage_of_a_definition_is_found(damage: Break) -> None:
    story = a_house_of_instances()
    check(story.state)
    damage(story, story.life())
    with pytest.raises(AssertionError):
        check(story.state)
