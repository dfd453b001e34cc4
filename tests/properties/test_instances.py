"""Instances of definitions: overlap by group, the queue, edits, chains of `after`, conversions.

The rules are said again in the simplest way, by counting the instances that are there. After every
record all invariants are checked, after every deed that an image and a replay give the same state.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from story import Story, a_step

from controller.model import events as e
from controller.model.apply.fold import replay
from controller.model.image import freeze, thaw
from controller.model.state import State, Workflow
from controller.planner.permission import Limits
from controller.spec.triggers.trigger import keep_instances, overlap

KEYS = ("one", "two", "three", "four", "five")


def a_definition(story: Story | None = None, name: str = "w", **fields: Any) -> Story:
    spec = {"triggers": [], "concurrency": "Queue", **fields}
    return (story or Story()).convert([a_step("a")], name, **spec)


def begin(story: Story, *keys: str, name: str = "w") -> Story:
    for key in keys:
        story.ask("start", workflow=name, key=key)
    return story


def same_everywhere(story: Story) -> None:
    """An image, and a replay of the log, give the same bytes; so does the one after the other."""
    image = freeze(story.state)
    assert freeze(thaw(image)) == image
    assert freeze(replay(story.records)) == image
    middle = len(story.records) // 2
    half = thaw(freeze(replay(story.records[:middle])))
    assert freeze(replay(story.records[middle:], half)) == image


# ---------------------------------------- what was at fault once


def test_what_is_queued_gets_its_turn_before_a_definition_is_one_no_longer() -> None:
    story = begin(a_definition(), "one", "two", "three").convert([a_step("a")])
    for key in ("one", "two", "three"):
        assert story.life().starter is not None
        story.exit("a", workflow=f"w@{key}")
    assert story.life().starter is None
    assert story.live() == {"a"}
    same_everywhere(story)


def test_a_plain_workflow_whose_start_is_promised_becomes_a_definition_after_it() -> None:
    story = Story().convert([a_step("a")])
    story.convert([a_step("a")], triggers=[])
    assert story.life().starter is None
    story.exit("a")
    assert story.life().starter is not None
    same_everywhere(story)


def test_a_plain_workflow_that_waits_for_a_slot_never_gets_it_once_it_is_a_definition() -> None:
    story = Story(Limits(max_parallel=1)).convert([a_step("b")], "other").convert([a_step("a")])
    story.convert([a_step("a")], triggers=[])
    assert story.life().starter is not None
    story.exit("b", workflow="other")
    assert not story.state.live


def test_an_edit_of_a_trigger_and_of_the_limit_lets_the_queue_go_on_as_well() -> None:
    story = begin(a_definition(), "one", "two")
    times = [{"name": "t", "everySeconds": 60}]
    a_definition(story, triggers=times, concurrency={"policy": "Queue", "limit": 2})
    assert story.live("w@two") == {"a"}


def test_a_marker_that_is_another_one_now_holds_its_definition_no_longer() -> None:
    story = begin(a_definition(), "one").mark("m.cancel", "w")
    assert story.why() == ("Suspended", "CancelMarker")
    assert story.mark("m.cancel", "w@one").why()[0] != "Suspended"


@pytest.mark.parametrize("how", ["marker", "full queue"])
def test_a_retry_of_one_that_was_cancelled_in_the_queue_starts_whatever_runs(how: str) -> None:
    story = a_definition(concurrency={"policy": "Queue", "maxQueued": 1})
    begin(story, "one", "two")
    if how == "marker":
        story.mark("m.cancel", "w@two").unmark("m.cancel", "w@two")
    else:
        begin(story, "three")
    assert story.why(workflow="w@two")[0] == "Cancelled"
    story.ask("retry", workflow="w@two")
    assert story.live("w@two") == {"a"}
    assert len(story.life().starter.groups[""].running) == 2  # type: ignore[union-attr]


def test_an_edit_that_did_not_fit_an_instance_and_is_taken_back_is_rejected_no_longer() -> None:
    story = a_definition(params={"x": "q"})
    story.ask("start", key="one", params={"x": "z"})
    a_definition(story, params={"x": 1})
    assert story.life("w@one").conditions["EditRejected"].status == "True"
    a_definition(story, params={"x": "q"})
    assert story.life("w@one").conditions["EditRejected"].status == "False"


def test_one_that_is_suspended_in_the_queue_waits_for_both() -> None:
    story = begin(a_definition(), "one", "two").ask("suspend", workflow="w@two")
    assert story.why(workflow="w@two") == ("Pending", "Queued")
    story.exit("a", workflow="w@one")
    assert story.why(workflow="w@two") == ("Suspended", "Suspended")
    story.ask("resume", workflow="w@two")
    assert story.live("w@two") == {"a"}


# ---------------------------------------- chains


def test_each_run_of_a_chain_of_three_fires_the_next() -> None:
    story = Story().convert([a_step("a")], "a")
    for name, other in (("b", "a"), ("c", "b")):
        after = {"workflow": other, "phase": ["Succeeded", "Failed"]}
        a_definition(story, name, triggers=[{"name": "f", "after": after}])
    story.exit("a", 1, workflow="a")
    key = f"{story.life('a').uid[:8]}-1"
    story.exit("a", 1, workflow=f"b@{key}")
    assert story.live(f"c@{key}") == {"a"}
    story.ask("retry", workflow=f"b@{key}").exit("a", workflow=f"b@{key}")
    assert story.life(f"c@{key}.2").is_queued
    story.ask("cancel", workflow=f"c@{key}").end("a", workflow=f"c@{key}")
    assert story.live(f"c@{key}.2") == {"a"}
    same_everywhere(story)


# ---------------------------------------- whatever happens


def of_definition(state: State, definition: Workflow) -> list[Workflow]:
    return [
        life
        for life in state.workflows.values()
        if life.birth is not None and life.birth.definition == definition.uid and not life.finished
    ]


def check_decision(state: State, event: e.FiringDecided) -> None:
    """`state`: as it was after the decision, of which nothing has started yet."""
    definition = state.lives[event.uid]
    said = overlap(definition.spec)
    others = [
        life
        for life in of_definition(state, definition)
        if life.uid != event.life and life.birth and life.birth.group == event.group
    ]
    kind = "time" if event.due is not None else "hand"
    policy = said.policy or ("Forbid" if kind == "time" else "Queue")
    room = policy == "Allow" or len(others) < said.limit
    if event.outcome == "Skipped":
        held = event.reason in ("Suspended", "CancelMarker", "CatchUp")
        assert held or (event.reason == "Overlap" and policy == "Forbid"), event
        return
    assert event.outcome == ("Started" if room else "Queued"), (event, said, len(others))
    assert room or policy == "Queue", event


def check_rest(story: Story) -> None:
    """Nobody waits who could start; and no more wait, or are kept, than may."""
    for definition in story.state.workflows.values():
        if definition.starter is None:
            continue
        said = overlap(definition.spec)
        open_ones = of_definition(story.state, definition)
        lines: dict[str, list[Workflow]] = {}
        for life in open_ones:
            assert life.birth is not None
            lines.setdefault(life.birth.group, []).append(life)
        for group in lines.values():
            running = [life for life in group if not life.is_queued]
            waits = [life for life in group if life.is_queued]
            assert not waits or len(running) >= said.limit, f"{waits[0].name} could start"
            assert all(story.phases(life.name)["a"] == "Pending" for life in waits)
        queued = [life for life in open_ones if life.is_queued]
        assert len(queued) <= said.max_queued
        ended = [story.state.lives[uid] for uid in definition.starter.ended]
        old = [life for life in ended if life.since + 10_000_000 <= story.now]
        assert len(old) <= max(keep_instances(definition.spec), 0) or len(ended) <= keep_instances(
            definition.spec
        )


class Machine:
    def __init__(self) -> None:
        self.story = Story()
        self.spec: dict[str, Any] = {}
        self.seen = 0

    def do(self, kind: str, what: Any) -> None:
        story = self.story
        there = "w" in story.state.workflows and not story.life().deleting
        instances = sorted(name for name in story.state.workflows if name.startswith("w@"))
        chosen = instances[what % len(instances)] if instances and isinstance(what, int) else ""
        if kind == "spec" and ("w" not in story.state.workflows or there):
            story.convert([a_step("a", run=what[0])], **what[1])
        elif kind == "start":
            story.ask("start", key=what[0], params={"r": what[1]})
        elif kind == "wait":
            story.wait(what)
        elif kind == "exit" and story.state.live:
            uid, step = sorted(story.state.live)[what // 4 % len(story.state.live)]
            name = story.state.lives[uid].name
            if story.attempt(step, name).ending is not None:
                story.end(step, name)
            else:
                story.exit(step, int(what % 4 == 0), name)
        elif kind in ("retry", "cancel", "suspend", "resume") and chosen:
            story.ask(kind, workflow=chosen if what % 3 else "w")
        elif kind == "mark":
            name = chosen if what % 2 and chosen else "w"
            story.mark("m.cancel", name)
        elif kind == "unmark" and "m.cancel" in story.state.markers:
            story.unmark("m.cancel", story.state.markers["m.cancel"].workflow)
        elif kind == "delete" and there:
            story.delete()
        elif kind == "thaw":
            story.state = thaw(freeze(story.state))
            story.controller_starts()
            story.settle()
        self.check()

    def check(self) -> None:
        story = self.story
        check_rest(story)
        state = replay(story.records[: self.seen])
        for record in story.records[self.seen :]:
            state = replay([record], state)
            if isinstance(record.event, e.FiringDecided):
                check_decision(state, record.event)
        self.seen = len(story.records)
        assert freeze(state) == freeze(story.state), "a replay goes another way"
        assert freeze(thaw(freeze(state))) == freeze(state)


@st.composite
def specs(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    concurrency = {
        "policy": draw(st.sampled_from(["Queue", "Queue", "Forbid", "Allow"])),
        "limit": draw(st.integers(1, 3)),
        "group": draw(st.sampled_from(["", "${{ params.r }}"])),
        "maxQueued": draw(st.integers(1, 3)),
    }
    spec: dict[str, Any] = {
        "params": {"r": draw(st.sampled_from(["x", "x", 5]))},
        "keepInstances": draw(st.integers(1, 3)),
        "concurrency": concurrency,
    }
    kind = draw(st.sampled_from(["by hand", "times", "times", "plain"]))
    if kind == "plain":
        del spec["concurrency"], spec["keepInstances"]
    else:
        times = [{"name": "t", "everySeconds": draw(st.sampled_from([60, 90]))}]
        spec["triggers"] = times if kind == "times" else []
        spec["editPolicy"] = draw(st.sampled_from(["Reconcile", "Reconcile", "AfterRun"]))
    return draw(st.sampled_from(["old", "new"])), spec


DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("spec"), specs()),
        *[st.tuples(st.just("start"), st.tuples(st.sampled_from(KEYS), st.sampled_from("xy")))] * 2,
        st.tuples(st.just("wait"), st.sampled_from([1, 30, 60])),
        *[st.tuples(st.just("exit"), st.integers(0, 99))] * 3,
        st.tuples(
            st.sampled_from(["retry", "cancel", "suspend", "resume", "mark", "unmark", "delete"]),
            st.integers(0, 99),
        ),
        st.tuples(st.just("thaw"), st.none()),
    ),
    min_size=5,
    max_size=30,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(specs(), DEEDS)
def test_who_may_start_does_and_nobody_else(
    first: tuple[str, dict[str, Any]], deeds: list[tuple[str, Any]]
) -> None:
    machine = Machine()
    machine.do("spec", first)
    for kind, what in deeds:
        machine.do(kind, what)
