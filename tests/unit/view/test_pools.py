"""Pools and locks as people and scripts see them: who holds, who waits, in which place."""

from typing import Any

import pytest
from story import Story, a_step

from controller.model.events import PoolAccepted
from controller.planner.permission import Limits
from controller.view import pools, words
from controller.view.look import Look
from controller.view.pools import details, lines, shape, table
from controller.view.table import render
from controller.view.why.explain import Around, causes, ways
from controller.view.why.roots import explanation

LIMITS = Limits(max_parallel=9)
UP = Around(runs=True, limits=LIMITS)


def shared() -> Story:
    """`low` holds the lock and the pool; `top` and others wait, each for something else."""
    story = Story(LIMITS)
    for name, slots in (("api", 3), ("gpu", 1)):
        story.see(PoolAccepted(name=name, slots=slots, path="pools.yaml"))
    story.accept(
        [
            a_step("load", uses=["gpu", {"lock": "db-acme"}]),
            a_step("ask", uses=[{"pool": "api", "slots": 2}]),
        ],
        "low",
    )
    story.start("load", "ask", workflow="low").wait(60)
    story.accept([a_step("a", uses=["gpu"])], "second").wait(10)
    story.accept(
        [a_step("b", uses=[{"lock": "db-acme"}]), a_step("c", uses=["gpu"])], "top", priority=1
    ).wait(100)
    story.accept(
        [a_step("d", uses=["none"]), a_step("e", uses=[{"pool": "api", "slots": 4}])], "stuck"
    )
    return story


def look(story: Story, width: int | None = 100) -> Look:
    return Look(now=story.now, width=width)


def shown(story: Story, width: int | None = 100) -> list[str]:
    found = render(table(lines(story.state), look(story, width)), width, False)
    return [" ".join(line.split()) for line in found]


def test_the_list_has_all_pools_and_the_locks_that_are_in_use() -> None:
    assert shown(shared()) == [
        "NAME KIND SLOTS HELD WAITING HELD BY",
        "api pool 3 2 1 low/ask 2 slots 2m50s",
        "gpu pool 1 1 2 low/load 2m50s",
        "none pool not defined 0 1 -",
        "db-acme lock 1 1 1 low/load 2m50s",
    ]


def test_one_of_them_shows_the_order_of_those_that_wait() -> None:
    story = shared()
    (gpu,) = [line for line in lines(story.state) if line.name == "gpu"]
    assert [" ".join(line.split()) for line in details(gpu, look(story))] == [
        "pool gpu: 1 of 1 slots held, from pools.yaml",
        "PLACE STEP SLOTS SINCE (UTC) FOR",
        "holds low/load 1 22:13:20 2m50s",
        "1 top/c 1 22:14:30 1m40s",
        "2 second/a 1 22:14:20 1m50s",
    ]


def test_who_can_t_get_it_is_behind_all_others() -> None:
    story = shared()
    story.accept([a_step("f", uses=[{"pool": "api", "slots": 2}])], "late")
    (api,) = [line for line in lines(story.state) if line.name == "api"]
    assert [(one.workflow, one.step) for one in api.waiters] == [("late", "f"), ("stuck", "e")]


def test_for_scripts() -> None:
    gpu = shape(lines(shared().state)[1])
    assert gpu["holders"] == [
        {
            "workflow": "low",
            "step": "load",
            "attempt": 1,
            "slots": 1,
            "since": "2023-11-14T22:13:20.000000Z",
        }
    ]
    assert [one["step"] for one in gpu.pop("waiting")] == ["c", "a"]
    del gpu["holders"]
    assert gpu == {"kind": "Pool", "name": "gpu", "slots": 1, "path": "pools.yaml", "held": 1}
    none = shape(lines(shared().state)[2])
    assert (none["slots"], none["path"]) == (None, None)


@pytest.mark.parametrize("width", [1, 8, 20, 40, 80, None])
def test_no_width_is_too_narrow(width: int | None) -> None:
    story = shared()
    assert shown(story, width)
    for line in lines(story.state):
        assert [*details(line, look(story, width))]


@pytest.mark.parametrize(
    ("workflow", "step", "reason", "said"),
    [
        (
            "top",
            "b",
            "WaitingForPool",
            "waiting for lock db-acme, held by low/load attempt 1 for 2m50s",
        ),
        (
            "second",
            "a",
            "WaitingForPool",
            "waiting for pool gpu (1 of 1 held: low/load); 1 in front",
        ),
        (
            "stuck",
            "d",
            "PoolMissing",
            "waiting for pool none, which is not defined: write a document of the kind Pool for it",
        ),
        (
            "stuck",
            "e",
            "PoolTooSmall",
            "needs 4 slots of pool api, which has 3: it waits until that has more",
        ),
    ],
)
def test_why_a_step_does_not_start(workflow: str, step: str, reason: str, said: str) -> None:
    story = shared()
    life = story.life(workflow)
    (cause,) = ways(story.state, life, life.steps[step], UP, look(story))
    assert (cause.reason, cause.message) == (reason, said)
    (cause,) = causes(story.state, life, life.steps[step], UP)  # for scripts: without durations
    plain = said.removesuffix("; 1 in front").removesuffix(" for 2m50s")
    assert (cause.reason, cause.message) == (reason, plain)
    assert words.of_step(story.state, life, life.steps[step]) == (reason, cause.message)


def test_slots_that_are_kept_for_one_that_has_waited_long() -> None:
    story = Story(LIMITS).see(PoolAccepted(name="api", slots=2, path="p.yaml"))
    story.accept([a_step("a", uses=["api"]), a_step("b", uses=["api"])])
    story.accept([a_step("big", uses=[{"pool": "api", "slots": 2}])], "v").wait(301)
    story.accept([a_step("late", uses=["api"])], "u").exit("a")
    life = story.life("u")
    (cause,) = ways(story.state, life, life.steps["late"], UP, look(story))
    assert cause.message.startswith("waiting for pool api: its slots are kept for v/big, ")


def test_steps_that_wait_for_the_same_are_one_line() -> None:
    story = Story(LIMITS).accept([a_step(f"s{n}", uses=[{"lock": "x"}]) for n in range(9)])
    story.start("s0").wait(5)
    said = [*explanation(story.state, story.life(), UP, look(story), {})]
    assert said[2].startswith("◌ 8 steps waiting for lock x, held by w/s0 attempt 1 for 5.0s: s1,")
    assert words.of_workflow(story.life()) == ("Started", "running: s0")


@pytest.mark.parametrize(
    ("uses", "said"),
    [
        (["gpu"], ("WaitingForPool", "waiting for pool gpu: a")),
        ([{"lock": "x"}], ("WaitingForSlot", "waiting for a slot: a")),
    ],
)
def test_a_workflow_says_what_it_waits_for(uses: list[Any], said: tuple[str, str]) -> None:
    story = Story(LIMITS).accept([a_step("a", uses=uses)])
    assert words.of_workflow(story.life()) == said


def test_only_what_no_end_of_another_step_can_help_is_stuck() -> None:
    story = shared()
    found = {
        life.name: [step.name for step in pools.stuck(story.state, life)]
        for life in story.state.workflows.values()
    }
    assert found == {"low": [], "second": [], "top": [], "stuck": ["d", "e"]}
    story.mark("stuck.cancel", "stuck")
    assert pools.stuck(story.state, story.life("stuck")) == []


def test_a_hook_that_waits_for_a_slot_is_no_step_that_uses_something() -> None:
    hooks = {"onStart": [{"name": "tell", "run": "true"}]}
    story = Story(LIMITS).accept([a_step("a", uses=[{"lock": "x"}])], hooks=hooks)
    story.limits = Limits(max_parallel=1)
    story.start("a")
    assert [*story.life().ready] == ["onStart/tell"]
    (lock,) = lines(story.state)
    assert (lock.held, lock.waiters) == (1, [])
    assert pools.stuck(story.state, story.life()) == []
    late = story.accept([a_step("b", uses=[{"lock": "x"}])], "v").life("v")
    (cause,) = ways(story.state, late, late.steps["b"], UP, look(story))
    assert cause.message == "waiting for lock x, held by w/a attempt 1 for 0.0s"
