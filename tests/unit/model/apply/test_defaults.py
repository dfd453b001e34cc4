"""What the Defaults of a folder change for the workflows of it and below, and what they leave."""

from typing import Any

import msgspec
import pytest
from story import BEGIN, Story, a_step, document, dump, template

from controller.model import events as e
from controller.model.apply.fold import replay
from controller.model.image import freeze, thaw
from controller.model.state import SECOND
from controller.model.timers import TimerKind
from controller.planner.actions import Accept
from controller.spec.models import DefaultsSpec
from controller.spec.placement import OnSlurm
from controller.spec.uses import Holding


def say(story: Story, folder: str = "", **steps: Any) -> Story:
    """The folder has Defaults for steps. `ttl`: when what has finished may go."""
    spec: dict[str, Any] = {"defaults": {n: v for n, v in steps.items() if n != "ttl"}}
    if "ttl" in steps:
        spec["ttlSecondsAfterFinished"] = steps["ttl"]
    path = f"{folder}/d.yaml" if folder else "d.yaml"
    found = msgspec.convert(spec, DefaultsSpec)
    return story.see(e.DefaultsAccepted(folder=folder, path=path, spec=found)).settle()


def unsay(story: Story, folder: str = "") -> Story:
    return story.see(e.DefaultsRemoved(folder=folder)).settle()


def move(story: Story, path: str) -> Story:
    return story.see(e.SourceChanged(uid=story.life().uid, path=path)).settle()


def timeout_at(story: Story, step: str) -> float | None:
    """When the attempt times out, in seconds since the story began."""
    due = story.state.timer_of.get((story.life().uid, step, TimerKind.TIMEOUT))
    return None if due is None else (due - BEGIN) / SECOND


def expiry(story: Story) -> float | None:
    due = story.state.timer_of.get((story.life().uid, "", TimerKind.EXPIRY))
    return None if due is None else (due - story.life().since) / SECOND


@pytest.fixture
def running() -> Story:
    """Two steps run; one of them has a timeout of its own."""
    return Story().accept([a_step("a"), a_step("own", timeoutSeconds=700)]).start("a", "own")


def test_the_timeout_of_what_runs_moves_at_once(running: Story) -> None:
    assert timeout_at(running, "a") is None
    assert timeout_at(say(running.wait(10), timeoutSeconds=60), "a") == 60
    assert timeout_at(say(running, timeoutSeconds=30), "a") == 30
    assert timeout_at(unsay(running), "a") is None
    assert timeout_at(running, "own") == 700


def test_one_that_is_over_already_ends_it_now(running: Story) -> None:
    say(running.wait(5), timeoutSeconds=2)
    (ending,) = [event for event in running.decided if isinstance(event, e.AttemptEnding)]
    assert (ending.step, ending.message) == ("a", "timed out after 2 s")


def test_the_grace_period_is_that_of_the_moment(running: Story) -> None:
    say(running, terminationGracePeriodSeconds=9).delete()
    endings = [event for event in running.decided if isinstance(event, e.AttemptEnding)]
    assert [ending.grace for ending in endings] == [9, 9]


def test_retries_go_by_the_new_limit(running: Story) -> None:
    say(running, retry={"limit": 1, "backoff": {"initialSeconds": 4}}).exit("a", 1)
    assert running.why("a") == ("Pending", "BackOff")
    say(running, retry={"limit": 1, "backoff": {"initialSeconds": 90}}).wait(4).exit("a", 1)
    assert running.why("a") == ("Failed", "NonZeroExit"), "a delay that was drawn stays"


def engines(story: Story, **said: Any) -> Story:
    found = msgspec.convert({"engines": said}, DefaultsSpec)
    return story.see(e.DefaultsAccepted(folder="", path="d.yaml", spec=found)).settle()


def test_settings_of_an_engine_count_for_what_it_gets_next() -> None:
    steps = [a_step("a", executor={"slurm": {}}), a_step("b", "a", executor={"slurm": {}})]
    story = Story().accept([*steps, a_step("c")])
    assert story.attempt("a").place == {"sharedDir": ""}
    engines(story, slurm={"partition": "gpu", "sharedDir": "/s"})
    assert story.decided == [] and story.life().generation == 1
    assert story.step("b").definition.placement == OnSlurm("gpu", "/s")
    assert story.step("c").definition.placement is None
    assert story.attempt("a").place == {"sharedDir": ""}, "it is looked for where it is"
    story.exit("a")
    assert story.attempt("b").place == {"sharedDir": "/s"}


def test_an_edit_of_them_runs_nothing_again() -> None:
    story = Story().accept([a_step("a", executor={"container": {"image": "i"}})]).exit("a")
    engines(story, container={"program": "docker", "pull": "never"})
    assert story.decided == []
    assert story.phases() == {"a": "Succeeded"}


def test_a_failed_step_stays_failed(running: Story) -> None:
    running.exit("a", 1).exit("own")
    say(running, retry={"limit": 5})
    assert running.decided == []
    assert running.phases() == {"a": "Failed", "own": "Succeeded"}
    assert running.life().generation == 1


def test_what_has_finished_goes_by_the_new_time_to_live(running: Story) -> None:
    say(running, retry={"limit": 1, "backoff": {"initialSeconds": 0}}).exit("a", 1).wait(0)
    running.exit("a").exit("own")
    assert expiry(running) is None
    assert expiry(say(running, ttl=500)) == 500
    assert expiry(say(running, ttl=50)) == 50
    assert expiry(unsay(running)) is None


def test_the_steps_of_templates_and_of_lists_have_them_too() -> None:
    story = say(Story(), timeoutSeconds=60)
    steps = [
        a_step("each", forEach=["x", "y"]),
        a_step("piece", template={"name": "t"}),
        a_step("pieces", template={"name": "t"}, forEach=[1]),
    ]
    inner = template(a_step("in"), a_step("own", timeoutSeconds=5))
    story.accept(steps, templates={"t": inner})
    names = ["each[x]", "each[y]", "piece/in", "pieces[1]/in"]
    story.start(*names, "piece/own")
    assert [timeout_at(story, name) for name in names] == [60] * 4
    say(story, timeoutSeconds=70)
    assert [timeout_at(story, name) for name in names] == [70] * 4
    assert timeout_at(story, "piece/own") == 5


def test_the_defaults_of_its_spec_win_for_the_steps_of_its_templates() -> None:
    story = say(Story(), timeoutSeconds=60, terminationGracePeriodSeconds=9)
    step = a_step("piece", template={"name": "t"})
    policy = {"timeoutSeconds": "${{ params.n }}"}
    story.accept(
        [step], templates={"t": template(a_step("in"))}, params={"n": 8}, defaults=policy
    ).start("piece/in")
    assert timeout_at(story, "piece/in") == 8
    assert story.step("piece/in").definition.grace_seconds == 9


def test_an_expression_of_the_spec_keeps_its_timeout(running: Story) -> None:
    story = Story().accept([a_step("a", timeoutSeconds="${{ params.n }}")], params={"n": 8})
    assert timeout_at(say(story.start("a"), timeoutSeconds=3), "a") == 8


def test_only_the_folder_and_what_is_below_it() -> None:
    story = Story().accept([a_step("a")]).start("a")
    assert (
        timeout_at(say(say(story, "team", timeoutSeconds=5), "te", timeoutSeconds=6), "a") is None
    )
    assert timeout_at(move(story, "team/sub/w.yaml"), "a") == 5
    assert timeout_at(say(story, "team/sub", timeoutSeconds=4), "a") == 4
    assert timeout_at(move(story, "te/w.yaml"), "a") == 6
    assert timeout_at(move(story, "w.yaml"), "a") is None


def test_an_edit_is_judged_by_what_holds_where_it_lies() -> None:
    """A step in backoff is tried at once where its retries change, and else waits on."""
    retry = {"limit": 3, "backoff": {"initialSeconds": 50}}
    story = say(Story(), retry=retry).accept([a_step("a")]).exit("a", 1)
    assert story.accept([a_step("a")], priority=1).why("a") == ("Pending", "BackOff")
    assert story.accept([a_step("a", retry={"limit": 4})]).why("a")[0] == "Ready"


def test_no_generation_and_nothing_of_the_spec_says_so(running: Story) -> None:
    say(running, timeoutSeconds=60).accept([a_step("a"), a_step("own", timeoutSeconds=6)])
    accepted = [
        record.event for record in running.records if isinstance(record.event, e.GenerationAccepted)
    ]
    assert [event.spec.above for event in accepted] == [(), ()]
    assert timeout_at(running, "a") == 60


def test_what_run_began_has_none() -> None:
    story = say(Story(), timeoutSeconds=60)
    story.promise(Accept(document=document([a_step("a")]), path="/w.yaml", uid=None, origin="run"))
    assert timeout_at(story.settle().start("a"), "a") is None


def test_a_step_that_waits_asks_again_for_what_it_uses(running: Story) -> None:
    story = say(Story(), uses=["gpu"]).accept([a_step("a")])
    assert story.why("a")[0] == "Ready" and not story.live()
    say(story, uses=[{"lock": "x"}])
    assert story.attempt("a").uses == [Holding(lock="x")]


def test_an_edit_of_what_run_began_is_judged_without_them() -> None:
    """It stays in backoff: the retries of its file are what they were."""
    story = say(Story(), retry={"limit": 1, "maxElapsedSeconds": 9})
    first, edited = (document([a_step("a", retry={"limit": 1})], priority=n) for n in (0, 1))
    story.promise(Accept(document=first, path="/w.yaml", uid=None, origin="run"))
    story.settle().exit("a", 1)
    story.promise(Accept(document=edited, path="/w.yaml", uid=story.life().uid))
    assert story.settle().why("a") == ("Pending", "BackOff")


def test_what_is_being_deleted_keeps_what_it_had(running: Story) -> None:
    say(running, timeoutSeconds=60, ttl=20).delete()
    unsay(running)
    assert running.life().spec.above[0].spec.ttl_seconds_after_finished == 20


def test_images_and_replays_have_them(running: Story) -> None:
    say(say(running, timeoutSeconds=60, ttl=9), "team", timeoutSeconds=5)
    move(running, "team/w.yaml")
    assert dump(thaw(freeze(running.state))) == dump(running.state)
    assert dump(replay(running.records)) == dump(running.state)
