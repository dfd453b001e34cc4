"""A state as bytes and back: which images are read, and that nothing of a story is lost in one."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from story import Story, a_step, dump, orders

from controller import __version__
from controller.model import events as e
from controller.model.apply.fold import apply, replay
from controller.model.image import SCHEMA, NoImage, freeze, is_own, thaw
from controller.model.indexes import want_no_slot, want_slot
from controller.model.invariants import check
from controller.model.state import State
from controller.planner.permission import Limits


def told() -> Story:
    """Something of everything: live and ended, retried, marked, rejected, suspended, over."""
    story = Story()
    story.accept([a_step("a", retry={"limit": 1}), a_step("b", "a")], "busy", priority=3)
    story.exit("a", 1, workflow="busy")
    story.accept([a_step("a"), a_step("b")], "going", parallelism=1).start("a", workflow="going")
    story.accept([a_step("a")], "done", ttlSecondsAfterFinished=60).exit("a", workflow="done")
    story.accept([a_step("a")], "old").exit("a", workflow="old").delete("old")
    story.mark("busy.cancel", "busy", steps=["b"]).mark("later.cancel", "later")
    story.see(e.FileRejected(path="bad.yaml", digest="d", faults=[], names=["bad"]))
    story.see(e.MarkerRejected(workflow="x", path="x.cancel", digest="d", problem="no"))
    story.see(e.PoolAccepted(name="gpu", slots=2, path="gpu.yaml"))
    story.see(e.RequestApplied(name="r1", kind="retry", workflow="w", by="ada", refused="no"))
    return story


def test_a_start_that_was_withdrawn_keeps_its_turn_in_an_image() -> None:
    story = Story()
    story.see(e.PoolAccepted(name="gpu", slots=1, path="gpu.yaml"))
    story.accept([a_step(f"s{n}", uses=["gpu"]) for n in range(3)])
    story.limits = Limits(max_parallel=1, stopping=True)
    story.settle().end("s0")
    story.see(e.PoolAccepted(name="gpu", slots=0, path="gpu.yaml")).settle()
    assert orders(thaw(freeze(story.state))) == orders(story.state)


def field_of(data: bytes, **changed: Any) -> bytes:
    return msgspec.json.encode({**msgspec.json.decode(data), **changed})


def test_nothing_of_a_state_is_lost() -> None:
    state = told().state
    again = thaw(freeze(state))
    check(again)
    assert dump(again) == dump(state)


def test_an_empty_state_has_an_image_too() -> None:
    assert dump(thaw(freeze(State()))) == dump(State())


def test_what_is_yet_to_be_looked_at_is_nobodys_after_a_restart() -> None:
    state = told().state
    state.touched["uid-1"] = {"a": None}
    again = thaw(freeze(state))
    assert (again.touched, again.moves) == ({}, [])


def test_a_state_read_back_shares_nothing_with_the_first() -> None:
    story = told()
    before = freeze(story.state)
    other = Story()
    other.state = thaw(before)
    other.now = story.now
    other.exit("a", workflow="going")
    assert freeze(other.state) != before, "it went on"
    assert freeze(story.state) == before


def test_what_refers_to_one_thing_refers_to_one_thing_again() -> None:
    again = thaw(freeze(told().state))
    for (uid, step), attempt in again.live.items():
        assert again.lives[uid].steps[step].attempts[-1] is attempt
    for life in again.workflows.values():
        assert again.lives[life.uid] is life
    for name, paths in again.markers_of.items():
        for path, marker in paths.items():
            assert again.markers[path] is marker
            assert marker.workflow == name


RECORDS = told().records


@settings(max_examples=40)
@given(st.integers(0, len(RECORDS)))
def test_from_an_image_the_fold_goes_on_as_if_there_had_been_none(cut: int) -> None:
    state = thaw(freeze(replay(RECORDS[:cut])))
    for record in RECORDS[cut:]:
        apply(state, record)
    assert freeze(state) == freeze(replay(RECORDS))


def test_the_order_in_which_steps_wait_is_kept() -> None:
    story = Story()
    story.accept([a_step(name) for name in "zyx"], parallelism=1).start("z")
    life = story.life()
    assert list(life.ready) == ["y", "x"]
    want_no_slot(story.state, life, life.steps["y"])
    want_slot(story.state, life, life.steps["y"])
    again = thaw(freeze(story.state)).workflows["w"].ready
    assert list(again) == ["x", "y"]
    assert type(again) is type(life.ready)


# ---------------------------------------- which images are read

IMAGE = freeze(told().state)


@pytest.mark.parametrize(
    ("data", "own", "by_any", "read"),
    [
        pytest.param(IMAGE, True, False, True, id="one of this version"),
        pytest.param(field_of(IMAGE, by="0.0.1"), False, False, False, id="not one of another"),
        pytest.param(
            field_of(IMAGE, by="0.0.1"), False, True, True, id="but where any version will do"
        ),
        pytest.param(
            field_of(IMAGE, schema=SCHEMA + 1), False, False, False, id="not one of another schema"
        ),
        pytest.param(
            field_of(IMAGE, schema=SCHEMA + 1),
            False,
            True,
            False,
            id="not even where any version will do",
        ),
        pytest.param(
            field_of(IMAGE, more="x"), True, False, True, id="a field that nobody knows is no harm"
        ),
        pytest.param(field_of(IMAGE, seq="x"), True, False, False, id="not one of another type"),
        pytest.param(b"", False, True, False, id="nothing is none"),
        pytest.param(IMAGE[:-1], False, True, False, id="one cut short is none"),
        pytest.param(b"\xff", False, True, False, id="bytes are none"),
        pytest.param(b"[]", False, True, False, id="a list is none"),
    ],
)
def test_which_images_are_read(data: bytes, own: bool, by_any: bool, read: bool) -> None:
    assert is_own(data) is own
    if not read:
        with pytest.raises(NoImage):
            thaw(data, by_any)
        return
    assert thaw(data, by_any).seq == told().state.seq


def test_what_is_refused_says_by_whom_it_is() -> None:
    with pytest.raises(NoImage, match=f"schema {SCHEMA} of treadle 0.0.1"):
        thaw(field_of(IMAGE, by="0.0.1"))
    assert __version__ != "0.0.1"
