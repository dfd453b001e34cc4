"""No cost of accepting, editing, explaining or showing a DAG grows faster than the DAG.

Calls are counted at 300 steps and at 3,000. `make torture` does it at 1,000 and at 10,000, and
`make bench` shows the seconds that 100,000 steps take.
"""

from typing import Any

import msgspec
import pytest
from msgspec import convert
from properties.costs import (
    LIMITS,
    RATIO_MAX,
    a_chain,
    a_fan,
    a_life,
    accept,
    calls_of,
    diff,
    too_dear,
)
from story import Story, a_step, document

from controller.model.events import DefaultsAccepted, PoolAccepted, SourceChanged
from controller.planner.permission import Limits
from controller.spec.models import DefaultsSpec, TemplateSpec
from controller.spec.reading.link import Found, link
from controller.spec.reading.load import load

SIZE = 300  # steps, and ten times as many


def test_ten_times_the_steps_take_no_more_than_twelve_times_the_calls() -> None:
    assert not too_dear(a_life, SIZE)


def test_nor_where_each_step_waits_for_the_one_before() -> None:
    assert not too_dear(a_chain, SIZE)


@pytest.mark.parametrize(
    ("fields", "code"), [({}, 1), ({"parallelism": 2}, 0), ({"when": "${{ item != 50 }}"}, 0)]
)
def test_what_happens_to_a_child_costs_the_same_beside_many(
    fields: dict[str, Any], code: int
) -> None:
    few, many = (calls_of_a_child(count, code, **fields) for count in (100, 10_000))
    assert many <= few * 1.1


def calls_of_a_child(count: int, code: int, **fields: Any) -> int:
    """From the exit of one to the start of the next; all are queued already, and the run begun."""
    step = a_step("s", forEach=list(range(count)), retry={"limit": 1}, **fields)
    story = Story(LIMITS, checked=False).accept([step, a_step("last", "s")])
    story.exit("s[0]")
    calls = calls_of(lambda: story.exit("s[1]", code))
    assert "s[2]" in story.live()
    return calls


@pytest.mark.parametrize("fields", [{}, {"env": {"N": "${{ run.number }}"}}, {"forEach": [1]}])
def test_an_attempt_costs_the_same_beside_other_workflows(fields: dict[str, Any]) -> None:
    few, many = (calls_of_attempts(count, **fields) for count in (100, 1_000))
    assert many <= few * 1.1


def calls_of_attempts(count: int, **fields: Any) -> int:
    """From the exit of one to the start of the next, in each of three workflows by turns."""
    names = ("a", "b", "c")
    story = Story(Limits(max_parallel=len(names)), checked=False)
    for name in names:
        story.accept([a_step(f"s{n}", **fields) for n in range(count)], name, parallelism=1)

    def turns() -> None:
        for name in names:
            (step,) = story.live(name)
            story.exit(step, workflow=name)

    turns()
    calls = calls_of(turns)
    assert all(len(story.live(name)) == 1 for name in names)
    return calls


USES: list[Any] = [
    pytest.param([{"lock": "x"}], id="a lock"),
    pytest.param(["gpu"], id="a pool"),
    pytest.param(["gpu", {"lock": "x"}], id="both"),
    pytest.param([{"pool": "gpu", "slots": 2}], id="several slots"),
    pytest.param([{"lock": "x-${{ item }}"}], id="a lock each"),
    pytest.param(["gpu", "none"], id="a pool that is missing"),
]


@pytest.mark.parametrize("uses", USES)
@pytest.mark.parametrize("wait", [0, 301])
def test_a_turn_costs_the_same_however_many_wait_for_a_pool(uses: list[Any], wait: float) -> None:
    few, many = (calls_with_waiting(count, uses, wait) for count in (100, 2_000))
    assert many <= few * 1.1


def calls_with_waiting(count: int, uses: list[Any], wait: float) -> int:
    """From the exit of one to the start of the next, and of one that uses nothing."""
    story = Story(Limits(max_parallel=8), checked=False)
    story.see(PoolAccepted(name="gpu", slots=2, path="p.yaml"))
    story.accept([a_step("s", forEach=list(range(count)), uses=uses)], "many")
    story.accept([a_step("a"), a_step("b", "a")], "none").wait(wait)
    story.exit("a", workflow="none")

    def turns() -> None:
        for step in sorted(story.live("many"))[:1]:
            story.exit(step, workflow="many")
        story.exit("b", workflow="none")

    return calls_of(turns)


@pytest.mark.parametrize("uses", [[], ["gpu"], [{"pool": "gpu", "slots": 2}]])
@pytest.mark.parametrize("parents", [1, 3])
def test_a_turn_costs_the_same_however_many_wait_for_an_engine(
    uses: list[Any], parents: int
) -> None:
    few, many = (calls_with_jobs(count, uses, parents) for count in (100, 2_000))
    assert many <= few * 1.1


def calls_with_jobs(count: int, uses: list[Any], parents: int) -> int:
    """From the exit of one to the start of the next, of a job and of a process beside it."""
    story = Story(Limits(max_parallel=8, engines={"slurm": 3}), checked=False)
    story.see(PoolAccepted(name="gpu", slots=50, path="p.yaml"))
    job: dict[str, Any] = {"executor": {"slurm": {}}}
    wide = [
        a_step(f"s{n}", forEach=list(range(count)), uses=uses and [*uses, {"lock": f"l{n}"}], **job)
        if n
        else a_step("s0", forEach=list(range(count)), uses=uses, **job)
        for n in range(parents)
    ]
    story.accept(wide, "many")
    story.accept([a_step("a"), a_step("b", "a", uses=uses)], "none")
    story.exit("a", workflow="none")

    def turns() -> None:
        for step in sorted(story.live("many"))[:1]:
            story.exit(step, workflow="many")
        story.exit("b", workflow="none")

    calls = calls_of(turns)
    assert len(story.live("many")) == 3
    return calls


@pytest.mark.parametrize("uses", USES)
@pytest.mark.parametrize("becomes", [[], [{"lock": "y"}], [{"lock": "y"}, {"lock": "z"}]])
def test_an_edit_of_what_they_wait_for_costs_no_more_for_each(
    uses: list[Any], becomes: list[Any]
) -> None:
    few, many = (calls_of_an_edit_of(uses, becomes, count) for count in (50, 500))
    assert many <= few * RATIO_MAX


def calls_of_an_edit_of(uses: list[Any], becomes: list[Any], count: int) -> int:
    story = Story(LIMITS, checked=False)
    story.see(PoolAccepted(name="gpu", slots=2, path="p.yaml"))
    each = list(range(count))
    story.accept([a_step("s", forEach=each, uses=uses)])
    return calls_of(lambda: story.accept([a_step("s", forEach=each, uses=becomes)]))


@pytest.mark.parametrize("uses", USES[:4])
@pytest.mark.parametrize("big", [False, True])
def test_nor_however_many_workflows_wait_for_it(uses: list[Any], big: bool) -> None:
    few, many = (calls_with_waiting_workflows(count, uses, big) for count in (50, 500))
    assert many <= few * 1.1


def calls_with_waiting_workflows(count: int, uses: list[Any], big: bool) -> int:
    """From an exit to the next start. `big`: one that needs all slots may not be overtaken."""
    story = Story(Limits(max_parallel=8), checked=False)
    story.see(PoolAccepted(name="gpu", slots=3, path="p.yaml"))
    story.accept([a_step("s", uses=["gpu"])], "first")
    if big:
        story.accept([a_step("s", uses=[{"pool": "gpu", "slots": 3}])], "big")
    story.wait(301 if big else 0)
    for number in range(count):
        story.accept([a_step("s", uses=uses)], f"w{number}")
    story.accept([a_step("a"), a_step("b", "a"), a_step("c", "b")], "none")

    def turn() -> None:
        (step,) = story.live("none")
        story.exit(step, workflow="none")
        for uid, other in sorted(story.state.live)[:1]:
            story.exit(other, workflow=story.state.lives[uid].name)

    turn()
    return calls_of(turn)


def test_ten_times_the_children_take_no_more_than_twelve_times_the_calls() -> None:
    assert not too_dear(a_fan, SIZE)


def test_a_template_is_read_once_for_all_its_callers() -> None:
    small, large = (calls_of_callers(callers=1_000, steps=steps) for steps in (10, 100))
    assert large <= small * 1.5


def calls_of_callers(callers: int, steps: int) -> int:
    """Those of judging a workflow with its template, whose outputs another step reads."""
    outputs = {"n": "${{ steps.s0.outputs.n }}"}
    inner = [a_step(f"s{n}", outputs={"n": "integer"}) for n in range(steps)]
    template = {"steps": inner, "outputs": outputs}
    found = Found(path="a.json", spec=convert(template, TemplateSpec))
    outer = [{"name": f"c{n}", "template": {"name": "t"}} for n in range(callers)]
    last = a_step("last", "c0", env={"N": "${{ steps.c0.outputs.n }}"})
    (caller,) = load(msgspec.json.encode(document([*outer, last])), "w.json").documents
    return calls_of(lambda: link(caller, "w.json", {"t": found}))


def test_an_edit_of_defaults_costs_what_is_below_them() -> None:
    small, large = (calls_of_defaults(steps=count, others=10) for count in (100, 1_000))
    assert large <= small * RATIO_MAX
    assert calls_of_defaults(steps=100, others=1_000) <= small * 1.1


def calls_of_defaults(steps: int, others: int) -> int:
    """`others`: workflows that are in other folders."""
    spec = convert({"defaults": {"timeoutSeconds": 5, "retry": {"limit": 1}}}, DefaultsSpec)
    story = Story(LIMITS, checked=False)
    for number in range(others):
        story.accept([a_step("s")], f"w{number}")
    story.accept([a_step(f"s{n}") for n in range(steps)], "below")
    story.see(SourceChanged(uid=story.life("below").uid, path="team/w.yaml"))
    told = DefaultsAccepted(folder="team", path="team/d.yaml", spec=spec)
    return calls_of(lambda: story.see(told).settle())


def test_diff_of_a_definition_costs_nothing_for_instances_that_have_ended() -> None:
    few, many = (calls_of_diff(ended=count, queued=1) for count in (2, 200))
    assert many <= few * 1.1


def test_and_no_more_for_each_that_has_not() -> None:
    few, many = (calls_of_diff(ended=0, queued=count) for count in (10, 100))
    assert many <= few * RATIO_MAX


def calls_of_diff(ended: int, queued: int) -> int:
    """Of an edit of a step, where so many instances have ended, one runs and others wait for it."""
    about = {
        "triggers": [{"name": "t", "everySeconds": 3600}],
        "concurrency": {"policy": "Queue", "maxQueued": 1000},
        "keepInstances": 1000,
    }
    story = Story(checked=False)
    accept(story, msgspec.json.encode(document([a_step("a"), a_step("b", "a")], **about)))
    for number in range(ended + 1 + queued):
        story.ask("start", key=f"k{number}")
        if number < ended:
            story.exit("a", workflow=f"w@k{number}").exit("b", workflow=f"w@k{number}")
    story.start("a", workflow=f"w@k{ended}")
    edited = msgspec.json.encode(document([a_step("a", run="new"), a_step("b", "a")], **about))
    return calls_of(lambda: diff(story, edited))
