"""The indexes against the plainest model of each: what has to be looked at, slots, timers."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from story import BEGIN, Story, a_step, document

from controller.model import indexes
from controller.model.events import MarkerPlaced
from controller.model.indexes import SEEN_SECONDS
from controller.model.phases import Phase
from controller.model.state import SECOND, Attempt, Cancel, State, Step, Workflow
from controller.model.timers import TimerKind
from controller.spec.definition import definitions
from controller.spec.models import Spec

DEFINED = definitions(document([a_step("a")]).spec)["a"]


def a_life(name: str, *ready: str, **fields: Any) -> Workflow:
    """A workflow with these steps, all of which want a slot."""
    known: dict[str, Any] = {"uid": f"uid-{name}", "order": 1, "origin": "folder", "path": name}
    known |= {"created": 1, "generation": 1, "labels": {}, "annotations": {}}
    spec = {key: fields.pop(key) for key in ("priority", "parallelism") if key in fields}
    life = Workflow(name=name, spec=Spec(steps=[], **spec), **{**known, **fields})
    for step in ready:
        life.steps[step] = Step(name=step, index=0, definition=DEFINED, fingerprint="f")
        life.ready[step] = None
    return life


def an_attempt() -> Attempt:
    return Attempt(
        number=1, run=1, generation=1, fingerprint="f", inputs={}, mark=1, log="l"
    )  # fmt: skip


def with_lives(*lives: Workflow) -> State:
    state = State()
    for life in lives:
        state.lives[life.uid] = state.workflows[life.name] = life
    return state


def whole(name: str, path: str = "", drain: bool = False) -> MarkerPlaced:
    return MarkerPlaced(workflow=name, path=path or f"{name}.cancel", digest="d", drain=drain)


# ---------------------------------------- what to look at


def test_what_was_touched_is_looked_at_once_and_in_order() -> None:
    v, w = a_life("v"), a_life("w", "a", "b")
    state = with_lives(v, w)
    a, b = w.steps.values()
    for life, step in ((w, b), (v, None), (w, a), (w, b), (w, None)):
        indexes.touch(state, life, step)
    assert [(uid, list(steps)) for uid, steps in state.touched.items()] == [
        ("uid-w", ["b", "a"]),
        ("uid-v", []),
    ]


def test_after_a_restart_everything_is_looked_at() -> None:
    state = with_lives(a_life("v", "a", "b"), a_life("w"))
    indexes.touch_all(state)
    assert {uid: list(steps) for uid, steps in state.touched.items()} == {
        "uid-v": ["a", "b"],
        "uid-w": [],
    }


# ---------------------------------------- who may use a slot

Deed = Callable[[State, Workflow], object]


def forbid(state: State, life: Workflow) -> None:
    indexes.place_marker(state, whole(life.name))


def forbid_a_step(state: State, life: Workflow) -> None:
    marker = MarkerPlaced(workflow=life.name, path="p", digest="d", steps=["a"])
    indexes.place_marker(state, marker)


@pytest.mark.parametrize(
    ("fields", "deed", "key"),
    [
        pytest.param({}, None, (0, 0), id="one with a ready step may"),
        pytest.param({"priority": 5}, None, (-5, 0), id="a higher priority comes first"),
        pytest.param({"occupied": 3}, None, (0, 3), id="the fewer it has the sooner it comes"),
        pytest.param({"parallelism": 3, "occupied": 2}, None, (0, 2), id="below its limit it may"),
        pytest.param({"parallelism": 3, "occupied": 3}, None, None, id="at its limit it may not"),
        pytest.param({"suspended": 1}, None, None, id="a suspended one may not"),
        pytest.param({"suspended": 0}, None, None, id="not even one since the beginning of time"),
        pytest.param({"deleting": True}, None, None, id="a deleted one may not"),
        pytest.param({"cancel": Cancel("r", "m")}, None, None, id="a cancelled one may not"),
        pytest.param(
            {"cancel": Cancel("r", "m", drain=True)}, None, None, id="nor one that drains"
        ),
        pytest.param({}, forbid, None, id="nor one whose marker is there"),
        pytest.param({}, forbid_a_step, (0, 0), id="a marker of a step forbids not the rest"),
        pytest.param(
            {},
            lambda state, life: indexes.want_no_slot(state, life, life.steps["a"]),
            None,
            id="one of which nothing is ready needs none",
        ),
    ],
)
def test_who_may_use_a_free_slot(
    fields: dict[str, Any], deed: Deed | None, key: tuple[int, int] | None
) -> None:
    life = a_life("w", "a", **fields)
    state = with_lives(life)
    indexes.requeue(state, life)
    if deed is not None:
        deed(state, life)
    assert indexes.rank_for(state, life) == life.rank == (key and key[0])
    assert state.queue == ({key: {life.uid: {life.uid: None}}} if key is not None else {})


def test_a_slot_is_taken_and_given_back() -> None:
    life = a_life("w", "a", "b")
    state, attempt = with_lives(life), an_attempt()
    indexes.requeue(state, life)
    indexes.occupy(state, life, life.steps["a"], attempt)
    assert state.live == {("uid-w", "a"): attempt}
    assert (life.occupied, list(life.ready), list(state.queue)) == (1, ["b"], [(0, 1)])
    indexes.vacate(state, life, life.steps["a"])
    assert (state.live, life.occupied, list(state.queue)) == ({}, 0, [(0, 0)])


def test_who_waited_longer_is_before_who_comes_later() -> None:
    lives = [a_life(name, "a") for name in "uvw"]
    state = with_lives(*lives)
    for life in lives:
        indexes.requeue(state, life)
    indexes.want_slot(state, lives[0], lives[0].steps["a"])
    assert list(state.queue[0, 0]) == ["uid-u", "uid-v", "uid-w"], "asked again it keeps its place"
    indexes.occupy(state, lives[0], lives[0].steps["a"], an_attempt())
    indexes.want_slot(state, lives[0], lives[0].steps["a"])
    indexes.vacate(state, lives[0], lives[0].steps["a"])
    assert list(state.queue[0, 0]) == ["uid-v", "uid-w", "uid-u"]


slot_deeds = st.lists(
    st.tuples(
        st.sampled_from(
            ["want", "unwant", "occupy", "vacate", "suspend", "resume", "mark", "clear"]
        ),
        st.sampled_from("vw"),
        st.sampled_from("ab"),
    ),
    max_size=30,
)


def carry_out(state: State, life: Workflow, deed: str, step: Step) -> None:
    taken = (life.uid, step.name) in state.live
    match deed:
        case "want" if not taken:
            indexes.want_slot(state, life, step)
        case "unwant":
            indexes.want_no_slot(state, life, step)
        case "occupy" if not taken:
            indexes.occupy(state, life, step, an_attempt())
        case "vacate" if taken:
            indexes.vacate(state, life, step)
        case "suspend" | "resume":
            life.suspended = 1 if deed == "suspend" else None
            indexes.requeue(state, life)
        case "mark":
            indexes.place_marker(state, whole(life.name))
        case "clear":
            indexes.displace_marker(state, f"{life.name}.cancel")


def walked(state: State) -> dict[tuple[int, int], set[str]]:
    """The queue as a look at every life gives it."""
    found: dict[tuple[int, int], set[str]] = {}
    for life in state.lives.values():
        occupied = sum(uid == life.uid for uid, _ in state.live)
        full = life.parallelism is not None and occupied >= life.parallelism
        marked = f"{life.name}.cancel" in state.markers
        if life.ready and life.suspended is None and not marked and not full:
            found.setdefault((-life.priority, occupied), set()).add(life.uid)
    return found


@given(slot_deeds, st.integers(1, 2))
def test_the_queue_is_what_a_walk_over_all_lives_would_give(
    past: list[tuple[str, str, str]], parallelism: int
) -> None:
    lives = {
        "v": a_life("v", "a", "b", parallelism=parallelism),
        "w": a_life("w", "a", "b", priority=1),
    }
    state = with_lives(*lives.values())
    for life in lives.values():
        indexes.requeue(state, life)
    for deed, name, step in past:
        carry_out(state, lives[name], deed, lives[name].steps[step])
        assert {key: set(uids) for key, uids in state.queue.items()} == walked(state)


# ---------------------------------------- markers


def test_of_several_markers_the_strictest_forbids() -> None:
    state = with_lives(a_life("w"))
    drain, strict = whole("w", "a.cancel", drain=True), whole("w", "b.cancel")
    indexes.place_marker(state, drain)
    assert indexes.forbidden(state, "w") is drain
    indexes.place_marker(state, strict)
    assert indexes.forbidden(state, "w") is strict
    indexes.displace_marker(state, "b.cancel")
    assert indexes.forbidden(state, "w") is drain
    indexes.displace_marker(state, "a.cancel")
    assert indexes.forbidden(state, "w") is None
    assert (state.markers, state.markers_of) == ({}, {})


def test_a_marker_that_takes_the_place_of_one_of_another_workflow_frees_that() -> None:
    state = with_lives(a_life("v", "a"), a_life("w", "a"))
    indexes.place_marker(state, whole("v", "x.cancel"))
    state.touched.clear()
    indexes.place_marker(state, whole("w", "x.cancel"))
    assert state.markers_of.keys() == {"w"}
    assert state.touched.keys() == {"uid-v", "uid-w"}, "both have to be looked at"


def test_a_marker_waits_for_a_workflow_that_is_not_there() -> None:
    state = State()
    indexes.place_marker(state, whole("later"))
    assert indexes.forbidden(state, "later") is not None
    assert not state.touched


def test_to_displace_what_is_not_there_is_no_fault() -> None:
    indexes.displace_marker(State(), "x.cancel")


# ---------------------------------------- timers

KINDS = tuple(TimerKind)
timer_deeds = st.lists(
    st.tuples(
        st.sampled_from("vw"),
        st.sampled_from(["", "a"]),
        st.sampled_from(KINDS),
        st.none() | st.integers(0, 20),
    ),
    max_size=40,
)


def set_all(deeds: list[tuple[str, str, Any, int | None]]) -> tuple[State, dict[Any, int]]:
    """The state after these, and what a dictionary has after them."""
    state, model = State(), dict[Any, int]()
    lives = {name: a_life(name) for name in "vw"}
    for name, step, kind, due in deeds:
        indexes.set_timer(state, lives[name], step, kind, due)
        model.pop((f"uid-{name}", step, kind), None)
        if due is not None:
            model[f"uid-{name}", step, kind] = due
    return state, model


@given(timer_deeds)
def test_timers_are_a_sorted_dictionary(deeds: list[tuple[str, str, Any, int | None]]) -> None:
    state, model = set_all(deeds)
    assert state.timer_of == model
    assert [tuple(timer) for timer in state.timers] == sorted(
        (due, *key) for key, due in model.items()
    )
    assert indexes.next_due(state) == min(model.values(), default=None)
    for (uid, step, kind), due in model.items():
        assert not indexes.is_due(state, uid, step, kind, due - 1)
        assert indexes.is_due(state, uid, step, kind, due)
    assert not indexes.is_due(state, "uid-x", "", TimerKind.DEADLINE, 10**9)


@given(timer_deeds, st.integers(-10, 10), st.sets(st.sampled_from(KINDS)))
def test_only_the_kinds_that_are_named_move(
    deeds: list[tuple[str, str, Any, int | None]], length: int, moves: set[TimerKind]
) -> None:
    state, model = set_all(deeds)
    indexes.shift_timers(state, length, moves)
    expected = {key: due + length * (key[2] in moves) for key, due in model.items()}
    assert state.timer_of == expected
    assert [tuple(timer) for timer in state.timers] == sorted(
        (due, *key) for key, due in expected.items()
    )


# ---------------------------------------- what may go to the archive


@pytest.mark.parametrize(
    ("phase", "origin", "present", "over"),
    [
        pytest.param(Phase.SUCCEEDED, "folder", True, False, id="its document is in the folder"),
        pytest.param(Phase.SUCCEEDED, "folder", False, True, id="its document is gone"),
        pytest.param(Phase.CANCELLED, "folder", False, True, id="it was cancelled, and is gone"),
        pytest.param(Phase.FAILED, "run", True, True, id="`run` began it"),
        pytest.param(Phase.RUNNING, "run", True, False, id="`run` began it, and it goes on"),
        pytest.param(Phase.SUSPENDED, "run", True, False, id="it only stands still"),
    ],
)
def test_what_is_over_for_good(phase: Phase, origin: Any, present: bool, over: bool) -> None:
    life = a_life("w", origin=origin, phase=phase)
    state = with_lives(life)
    if not present:
        del state.workflows["w"]
    indexes.set_over(state, life)
    assert (life.uid in state.over) is over
    life.phase = Phase.RUNNING
    indexes.set_over(state, life)
    assert not state.over, "one that goes on again is not"


def test_a_life_that_left_the_state_is_not_known_as_over() -> None:
    life = a_life("w", origin="run", phase=Phase.FAILED)
    state = with_lives(life)
    indexes.set_over(state, life)
    del state.lives[life.uid]
    indexes.set_over(state, life)
    assert not state.over


@pytest.mark.parametrize(
    ("ttl", "past", "over", "seconds"),
    [
        pytest.param(60, False, True, 60, id="a life that is over goes when its time is up"),
        pytest.param(60, True, False, 60, id="one that stays has old attempts to give"),
        pytest.param(60, False, False, None, id="one that stays and has none gives nothing"),
        pytest.param(0, False, True, SEEN_SECONDS, id="whoever waits for its end may see it"),
        pytest.param(None, True, True, None, id="without a time to live it stays"),
    ],
)
def test_when_its_time_to_live_is_up(
    ttl: float | None, past: bool, over: bool, seconds: float | None
) -> None:
    story = Story()
    more = {"ttlSecondsAfterFinished": ttl} if ttl is not None else {}
    story.accept([a_step("a", retry={"limit": 1, "backoff": {"initialSeconds": 1}})], **more)
    if past:
        story.exit("a", 1).wait(1)
    story.exit("a")
    life = story.life()
    if over:
        del story.state.workflows["w"]
    expected = None if seconds is None else life.since + round(seconds * SECOND)
    assert indexes.expiry(story.state, life) == expected
    assert life.since >= BEGIN
