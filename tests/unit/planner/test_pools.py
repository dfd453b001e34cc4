"""Who gets the slots of pools and locks, in which order, and who has to wait for them."""

from typing import Any

import pytest
from story import Story, a_step

from controller.model import events as e
from controller.model.image import freeze, thaw
from controller.model.invariants import check
from controller.model.phases import Obstacle
from controller.planner.permission import Limits, why_not
from controller.spec.uses import Holding


def with_pools(limits: Limits | None = None, **slots: int) -> Story:
    story = Story(limits)
    for name, count in slots.items():
        resize(story, name, count)
    return story


def resize(story: Story, name: str, slots: int) -> Story:
    return story.see(e.PoolAccepted(name=name, slots=slots, path="pools.yaml")).settle()


def alike(count: int, *uses: Any, **fields: Any) -> list[dict[str, Any]]:
    return [a_step(f"s{number:02}", uses=[*uses], **fields) for number in range(count)]


def obstacle(story: Story, step: str, workflow: str = "w") -> Obstacle | None:
    life = story.life(workflow)
    return why_not(story.state, life, life.steps[step], story.limits)


def test_no_more_run_than_there_are_slots() -> None:
    story = with_pools(gpu=2).accept(alike(5, "gpu"))
    assert story.live() == {"s00", "s01"}
    assert obstacle(story, "s02") is Obstacle.POOL
    story.exit("s01")
    assert story.live() == {"s00", "s02"}
    story.exit("s00").exit("s02").exit("s03").exit("s04")
    assert story.why() == ("Succeeded", "Completed")
    assert not story.state.held


def test_a_lock_needs_no_document_and_is_shared_by_all() -> None:
    story = Story().accept(alike(2, {"lock": "db"}), "v").accept(alike(2, {"lock": "db"}))
    assert (story.live("v"), story.live()) == ({"s00"}, set())
    story.exit("s00", workflow="v")
    assert (story.live("v"), story.live()) == (set(), {"s00"}), "it has fewer attempts"


def test_a_pool_and_a_lock_of_one_name_have_nothing_in_common() -> None:
    story = with_pools(db=1).accept([a_step("a", uses=["db"]), a_step("b", uses=[{"lock": "db"}])])
    assert story.live() == {"a", "b"}


def test_what_is_held_is_in_the_record() -> None:
    story = with_pools(api=5).accept(
        [a_step("a", uses=[{"lock": "x"}, {"pool": "api", "slots": 3}])]
    )
    uses = [Holding(pool="api", slots=3), Holding(lock="x")]
    told = [record.event for record in story.records]
    assert [one.uses for one in told if isinstance(one, e.StepReady)] == [uses]
    assert [one.uses for one in told if isinstance(one, e.AttemptScheduled)] == [uses]
    key = (story.life().uid, "a")
    assert story.state.held == {"pool api": {key: 3}, "lock x": {key: 1}}


def test_all_or_nothing() -> None:
    story = with_pools(gpu=1).accept(
        [
            a_step("a", uses=["gpu"]),
            a_step("b", uses=["gpu", {"lock": "x"}]),
            a_step("c", uses=[{"lock": "x"}]),
        ]
    )
    assert story.live() == {"a", "c"}, "b holds up nobody while it waits"
    story.exit("c")
    assert story.live() == {"a"}
    story.exit("a")
    assert story.live() == {"b"}


def test_who_needs_more_is_overtaken_by_who_needs_less() -> None:
    story = with_pools(api=3).accept(
        [
            a_step("a", uses=[{"pool": "api", "slots": 2}]),
            a_step("b", uses=[{"pool": "api", "slots": 2}]),
            a_step("c", uses=["api"]),
        ]
    )
    assert story.live() == {"a", "c"}


def test_higher_priority_first_and_it_stops_nobody() -> None:
    story = (
        with_pools(gpu=1).accept(alike(2, "gpu"), "low").accept(alike(2, "gpu"), "top", priority=1)
    )
    assert story.live("low") == {"s00"}
    story.exit("s00", workflow="low")
    assert (story.live("low"), story.live("top")) == (set(), {"s00"})
    story.exit("s00", workflow="top")
    assert story.live("top") == {"s01"}


def test_of_equal_priority_who_has_the_fewest_attempts_is_next() -> None:
    plain = [a_step("p0"), a_step("p1")]
    story = with_pools(gpu=1)
    story.accept(alike(1, "gpu"), "u").accept([*plain, *alike(1, "gpu")], "v")
    story.accept([plain[0], *alike(1, "gpu")], "w")
    story.exit("s00", workflow="u")
    assert "s00" in story.live("w"), "v has two, w has one"


def test_of_one_workflow_the_longest_ready_is_next() -> None:
    steps = [a_step("a", uses=["gpu"]), a_step("b", "p", uses=["gpu"]), a_step("p"),
             a_step("c", uses=["gpu"])]  # fmt: skip
    story = with_pools(gpu=1).accept(steps).wait(1).exit("p").exit("a")
    assert story.live() == {"c"}


def test_a_step_with_uses_and_one_without_take_turns() -> None:
    story = with_pools(Limits(max_parallel=1), gpu=1)
    story.accept([a_step("a"), a_step("b", uses=["gpu"]), a_step("c")])
    assert story.live() == {"a"}
    story.exit("a")
    assert story.live() == {"b"}
    story.exit("b")
    assert story.live() == {"c"}


# ---------------------------------------- what there is


def test_a_pool_that_nobody_has_defined() -> None:
    story = Story().accept(alike(2, "gpu"))
    assert (story.live(), obstacle(story, "s00")) == (set(), Obstacle.POOL_MISSING)
    resize(story, "gpu", 1)
    assert story.live() == {"s00"}


def test_a_pool_that_is_too_small() -> None:
    story = with_pools(api=2).accept(alike(1, {"pool": "api", "slots": 3}))
    assert (story.live(), obstacle(story, "s00")) == (set(), Obstacle.POOL_TOO_SMALL)
    resize(story, "api", 3)
    assert story.live() == {"s00"}


def test_fewer_slots_stop_nobody_and_more_start_at_once() -> None:
    story = with_pools(gpu=3).accept(alike(9, "gpu")).start("s00", "s01", "s02")
    resize(story, "gpu", 1)
    assert story.live() == {"s00", "s01", "s02"}
    story.exit("s00").exit("s01")
    assert story.live() == {"s02"}
    resize(story, "gpu", 4)
    assert len(story.live()) == 4


def test_a_pool_that_is_removed_while_it_is_held() -> None:
    story = with_pools(gpu=1).accept(alike(3, "gpu")).start("s00")
    story.see(e.PoolRemoved(name="gpu")).settle()
    assert (story.live(), obstacle(story, "s01")) == ({"s00"}, Obstacle.POOL_MISSING)
    story.exit("s00")
    assert story.live() == set()
    resize(story, "gpu", 2)
    assert story.live() == {"s01", "s02"}


# ---------------------------------------- held from when to when


def test_not_in_backoff_nor_while_suspended() -> None:
    lock = {"lock": "db"}
    story = Story().accept([a_step("a", uses=[lock], retry={"limit": 1})], "v")
    story.accept(alike(2, lock)).exit("a", 1, workflow="v")
    assert (story.why("a", "v"), story.live()) == (("Pending", "BackOff"), {"s00"})
    story.accept(alike(2, lock), suspend=True).start("s00").wait(9)
    assert obstacle(story, "a", "v") is Obstacle.POOL, "what runs while it is suspended holds it"
    story.exit("s00")
    assert (story.live("v"), story.live()) == ({"a"}, set())


def test_till_the_end_is_proven() -> None:
    story = Story().accept(alike(2, {"lock": "db"})).start("s00")
    story.mark(steps=["s00"])
    assert story.attempt("s00").ending is not None
    assert obstacle(story, "s01") is Obstacle.POOL
    story.end("s00")
    assert story.live() == {"s01"}


def test_after_a_crash_it_is_still_held() -> None:
    story = with_pools(gpu=1).accept(alike(3, "gpu")).start("s00")
    story.controller_starts(boot_id="boot")
    story.settle()
    assert story.live() == {"s00"}
    story.end("s00", how="lost", problem="gone")
    assert story.live() == {"s01"}, "s00 is tried again after a while"


def test_each_child_uses_it() -> None:
    story = with_pools(gpu=2).accept([a_step("a", forEach=[1, 2, 3], uses=["gpu"])])
    assert story.live() == {"a[1]", "a[2]"}


def test_each_child_has_the_lock_of_its_item() -> None:
    uses = [{"lock": "host-${{ item.host }}"}]
    items = [{"host": "x"}, {"host": "x"}, {"host": "y"}]
    story = Story().accept([a_step("a", forEach=items, key="${{ index }}", uses=uses)])
    assert story.live() == {"a[0]", "a[2]"}
    story.exit("a[0]")
    assert story.live() == {"a[1]", "a[2]"}


def test_parallelism_of_children_counts_those_that_wait_for_a_pool() -> None:
    story = with_pools(gpu=1)
    story.accept([a_step("a", forEach=[1, 2, 3, 4], uses=["gpu"], parallelism=2)])
    assert story.live() == {"a[1]"}
    assert [obstacle(story, f"a[{key}]") for key in (2, 3)] == [Obstacle.POOL, Obstacle.CHILDREN]
    story.accept([a_step("a", forEach=[1, 2, 3, 4], uses=["gpu"], parallelism=1)])
    assert obstacle(story, "a[2]") is Obstacle.CHILDREN
    story.accept([a_step("a", forEach=[1, 2, 3, 4], uses=["gpu"])])
    assert obstacle(story, "a[4]") is Obstacle.POOL
    story.exit("a[1]").exit("a[2]").exit("a[3]").exit("a[4]")
    assert story.why() == ("Succeeded", "Completed")


def test_steps_of_a_template_use_what_they_say_or_what_their_caller_says() -> None:
    from story import template

    inside = template(a_step("one"), a_step("two", uses=[{"lock": "own-${{ params.x }}"}]),
                      params={"x": {"type": "string"}})  # fmt: skip
    story = Story().accept(
        [a_step("site", template={"name": "t", "params": {"x": "${{ params.y }}"}})],
        params={"y": "why"},
        defaults={"uses": [{"lock": "of-${{ params.y }}"}]},
        templates={"t": inside},
    )
    assert sorted(story.state.held) == ["lock of-why", "lock own-why"]


# ---------------------------------------- what expressions give


@pytest.mark.parametrize(
    ("lock", "problem"),
    [
        ("${{ params.list[7] }}", "uses: ${{ params.list[7] }} failed: "),
        ("${{ params.empty }}", "uses: the name of the lock is empty"),
        ("a${{ params.long }}", "uses: the name of the lock has 201 characters, 200 is the most"),
        ("${{ params.control }}", "uses: the name of the lock has a control character"),
    ],
)
def test_a_name_that_can_t_be_one_fails_the_step(lock: str, problem: str) -> None:
    params = {"list": [1], "empty": "", "long": "x" * 200, "control": "a\x1b[0m"}
    story = Story().accept([a_step("a", uses=[{"lock": lock}])], params=params)
    assert story.why("a") == ("Failed", "ExpressionFailed")
    assert story.step("a").message.startswith(problem)


def test_two_expressions_may_give_one_lock() -> None:
    uses = [{"lock": "${{ params.a }}"}, {"lock": "${{ params.b }}"}]
    story = Story().accept([a_step("a", uses=uses)], params={"a": "x", "b": "x"})
    assert story.live() == {"a"}


def test_the_outputs_of_a_dependency() -> None:
    first = a_step("a", outputs={"host": "string"})
    second = a_step("b", "a", uses=[{"lock": "${{ steps.a.outputs.host }}"}])
    story = Story().accept([first, second]).exit("a", outputs=b"host=h7")
    assert list(story.state.held) == ["lock h7"]


# ---------------------------------------- edits of `uses`


def edited(story: Story, *uses: Any) -> Story:
    return story.accept([a_step("a", uses=[*uses], retry={"limit": 3})])


def test_an_edit_counts_for_a_step_that_waits() -> None:
    story = edited(with_pools(gpu=1, api=1).accept(alike(1, "gpu"), "v"), "gpu")
    before = story.step("a").since
    assert story.live() == set()
    edited(story.wait(5), "api")
    assert (story.live(), story.step("a").since) == ({"a"}, before), "it keeps its turn"


def test_an_edit_does_not_touch_what_runs_and_counts_from_the_next_attempt() -> None:
    story = edited(with_pools(gpu=1), "gpu").start("a")
    edited(story, {"lock": "x"})
    assert list(story.state.held) == ["pool gpu"]
    story.exit("a", 1)
    assert not story.state.held
    story.wait(60)
    assert list(story.state.held) == ["lock x"]
    assert story.step("a").retries == 1
    edited(story.exit("a"), "gpu")
    assert story.phases() == {"a": "Succeeded"}, "nothing runs again"


def test_an_edit_that_takes_it_all_away() -> None:
    story = edited(Story(), "gpu")
    assert obstacle(story, "a") is Obstacle.POOL_MISSING
    assert edited(story).live() == {"a"}


def test_an_edit_of_a_param_that_names_the_lock() -> None:
    steps = [a_step("a", uses=[{"lock": "${{ params.x }}"}])]
    story = Story().accept(alike(1, {"lock": "one"}), "v").accept(steps, params={"x": "one"})
    assert story.live() == set()
    story.accept(steps, params={"x": "two"})
    assert list(story.state.held) == ["lock one", "lock two"]


def test_an_edit_that_fails() -> None:
    story = edited(Story().accept(alike(1, {"lock": "x"}), "v"), {"lock": "x"})
    story.accept([a_step("a", uses=[{"lock": "${{ params.l[1] }}"}])], params={"l": [1]})
    assert story.why("a") == ("Failed", "ExpressionFailed")


# ---------------------------------------- starts ahead of a free slot


def test_a_step_with_uses_is_not_queued_ahead() -> None:
    story = with_pools(Limits(max_parallel=1, ahead=4), gpu=9).accept(alike(5, "gpu"))
    assert story.live() == {"s00"}
    story.start("s00").exit("s00")
    assert story.live() == {"s01"}


def test_it_is_not_starved_by_those_that_are() -> None:
    story = with_pools(Limits(max_parallel=1, ahead=2), gpu=1)
    story.accept([a_step(f"p{number}") for number in range(9)], "plain")
    story.start("p0", workflow="plain").accept(alike(1, "gpu"))
    for name in ("p1", "p2"):  # it is the turn of the other workflow: it has no attempt
        assert story.attempt(name, "plain").ending is not None
        story.end(name, workflow="plain")
    assert story.live("plain") == {"p0"}, "nothing is queued that it would have to wait for"
    story.exit("p0", workflow="plain")
    assert story.live() == {"s00"}


# ---------------------------------------- those that have waited long


def several(story: Story, name: str = "big", **spec: Any) -> Story:
    return story.accept([a_step("a", uses=[{"pool": "api", "slots": 2}])], name, **spec)


def test_after_300_s_nobody_takes_slots_before_it() -> None:
    story = several(with_pools(api=2).accept(alike(9, "api")))
    story.wait(299).exit("s00")
    assert story.live() == {"s01", "s02"}
    story.wait(1).exit("s01")
    assert story.live() == {"s02"}, "one slot is kept"
    assert obstacle(story, "s03") is Obstacle.POOL
    story.exit("s02")
    assert (story.live("big"), story.live()) == ({"a"}, set())


def test_a_higher_priority_still_goes_first() -> None:
    story = several(with_pools(api=2).accept(alike(2, "api"))).wait(300)
    story.accept(alike(1, "api"), "top", priority=1).exit("s00")
    assert story.live("top") == {"s00"}


def test_of_two_that_have_waited_long_the_first_is_first() -> None:
    story = several(with_pools(api=2).accept(alike(2, "api"))).wait(10)
    several(story, "other").wait(400).exit("s00").exit("s01")
    assert (story.live("big"), story.live("other")) == ({"a"}, set())


@pytest.mark.parametrize("why", ["too small", "missing", "suspended", "cancelled", "parallelism"])
def test_who_could_not_start_anyway_keeps_nothing(why: str) -> None:
    story = with_pools(api=2, gpu=1).accept(alike(9, "api"))
    big: list[Any] = [{"pool": "api", "slots": 3 if why == "too small" else 2}]
    big += ["none"] if why == "missing" else []
    more = [a_step("long")] if why == "parallelism" else []
    spec = {"parallelism": 1} if why == "parallelism" else {}
    story.accept([*more, a_step("a", uses=big)], "big", **spec).wait(301)
    if why == "suspended":
        story.accept([a_step("a", uses=big)], "big", suspend=True)
    if why == "cancelled":
        story.mark("big.cancel", "big", drain=True)
    story.exit("s00")
    assert story.live() == {"s01", "s02"}


def test_slots_of_the_controller_are_not_kept_for_it() -> None:
    story = several(with_pools(Limits(max_parallel=2), api=2).accept(alike(2, "api")))
    story.accept([a_step("plain")], "none").wait(400).exit("s00")
    assert story.live("none") == {"plain"}


# ---------------------------------------- the indexes


def test_a_state_read_back_knows_who_waits_for_what() -> None:
    story = several(with_pools(Limits(max_parallel=3), api=2, gpu=9).accept(alike(4, "api"), "v"))
    story.accept(alike(4, "gpu"), "x").accept(alike(2, {"lock": "a"}, "api"), "y")
    again = thaw(freeze(story.state))
    check(again)
    assert (again.held, again.lines, again.takers, again.several) == (
        story.state.held, story.state.lines, story.state.takers, story.state.several,
    )  # fmt: skip


def test_a_step_that_uses_nothing_after_an_edit_keeps_its_turn() -> None:
    story = Story(limits=Limits(max_parallel=1)).accept([a_step("x")], "other")
    story.accept([a_step("first", uses=["none"]), a_step("second")])
    story.accept([a_step("first", uses=[]), a_step("second")])
    assert story.exit("x", workflow="other").live() == {"first"}


def test_a_start_that_is_withdrawn_waits_where_it_was() -> None:
    story = with_pools(gpu=1).accept(alike(3, "gpu"))
    story.accept(alike(3, "gpu"), suspend=True).end("s00")
    assert story.live() == set()
    assert story.accept(alike(3, "gpu")).live() == {"s00"}
    story = Story().accept(alike(3, {"lock": "x"}, {"lock": "y"}))
    story.accept(alike(3, {"lock": "x"}, {"lock": "y"}), suspend=True).end("s00")
    assert story.accept(alike(3, {"lock": "x"}, {"lock": "y"})).live() == {"s00"}
