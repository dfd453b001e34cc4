"""Which ready steps get the free slots: priority, fairness, limits, what may not start."""

from typing import Any

import pytest
from story import Story, a_step, orders

from controller.model.events import PoolAccepted
from controller.model.image import freeze, thaw
from controller.planner.actions import Schedule
from controller.planner.permission import Limits, why_not
from controller.planner.slots import fill
from controller.spec.placement import SLOTS_OF_ENGINES


def wide(count: int) -> list[dict[str, object]]:
    return [a_step(f"s{number:02}") for number in range(count)]


def waiting(**limits: object) -> Story:
    """A story in which nothing starts until its limits are set again."""
    return Story(Limits(max_parallel=0))


def started(story: Story, limits: Limits) -> list[str]:
    names = {life.uid: name for name, life in story.state.workflows.items()}
    return [f"{names[one.uid]}/{one.step}" for one in fill(story.state, limits)]


def test_no_more_than_max_parallel() -> None:
    story = Story(Limits(max_parallel=3)).accept(wide(5))
    assert story.live() == {"s00", "s01", "s02"}
    story.exit("s01")
    assert story.live() == {"s00", "s02", "s03"}


def test_starts_ahead_of_a_free_slot_count_against_parallelism() -> None:
    story = Story(Limits(max_parallel=2, ahead=2)).accept(wide(9))
    assert len(story.live()) == 4
    story = Story(Limits(max_parallel=2, ahead=2)).accept(wide(9), parallelism=3)
    assert len(story.live()) == 3


def test_parallelism_holds_for_one_workflow_only() -> None:
    story = Story(Limits(max_parallel=5))
    story.accept(wide(5), "v", parallelism=2).accept(wide(5), "w")
    assert (len(story.live("v")), len(story.live("w"))) == (2, 3)


def test_parallelism_that_is_raised_takes_effect_at_once() -> None:
    story = Story().accept(wide(5), parallelism=1)
    story.accept(wide(5), parallelism=3)
    assert len(story.live()) == 3


def test_higher_priority_first() -> None:
    story = waiting()
    story.accept(wide(2), "low", priority=-1).accept(wide(2), "mid").accept(
        wide(2), "top", priority=9
    )
    assert started(story, Limits(max_parallel=5)) == [
        "top/s00",
        "top/s01",
        "mid/s00",
        "mid/s01",
        "low/s00",
    ]


def test_a_queued_start_gives_way_to_a_higher_priority() -> None:
    story = (
        Story(Limits(max_parallel=1, ahead=2)).accept(wide(5), "low").start("s00", workflow="low")
    )
    assert story.live("low") == {"s00", "s01", "s02"}
    story.accept(wide(1), "top", priority=1)
    assert story.attempt("s02", "low").ending is not None, "the latest to be queued goes first"
    assert story.attempt("s01", "low").ending is None, "one is enough for the one that waits"
    story.end("s02", workflow="low")
    assert story.live("top") == {"s00"}
    assert story.live("low") == {"s00", "s01"}, "what runs or needn't go stays"
    assert story.phases("low")["s02"] == "Ready"


def test_a_start_that_came_first_is_not_withdrawn_after_all() -> None:
    story = (
        Story(Limits(max_parallel=1, ahead=1)).accept(wide(3), "low").start("s00", workflow="low")
    )
    story.accept(wide(1), "top", priority=1).start("s01", workflow="low")
    assert story.attempt("s01", "low").ending is None


def test_no_place_is_made_for_a_workflow_at_its_own_limit() -> None:
    story = (
        Story(Limits(max_parallel=1, ahead=3)).accept(wide(9), "low").start("s00", workflow="low")
    )
    story.accept(wide(9), "top", priority=1, parallelism=1)
    for name in ("s03", "s02", "s01"):
        if story.attempt(name, "low").ending is not None:
            story.end(name, workflow="low")
    assert len(story.live("top")) == 1
    assert len(story.live("low")) == 3
    assert all(story.attempt(name, "low").ending is None for name in story.live("low"))


def test_equal_priority_takes_turns_and_who_has_fewest_is_next() -> None:
    story = waiting()
    story.accept(wide(5), "u").accept(wide(2), "v").accept(wide(5), "w")
    turns = ["u/s00", "v/s00", "w/s00", "u/s01", "v/s01", "w/s01", "u/s02", "w/s02"]
    assert started(story, Limits(max_parallel=8)) == turns
    story.limits = Limits(max_parallel=3)
    story.settle().exit("v/s00".partition("/")[2], workflow="v")
    assert story.live("v") == {"s01"}, "it had none, the others one each"


def test_what_instances_of_one_priority_get_counts_for_those_of_another() -> None:
    """An edit that waits for the end of a run leaves an instance its priority."""
    spec: dict[str, Any] = {"triggers": [], "concurrency": "Allow", "editPolicy": "AfterRun"}
    story = Story(Limits(max_parallel=1)).convert(wide(3), "etl", **spec)
    story.ask("start", workflow="etl", key="old")
    story.limits = Limits(max_parallel=0)
    story.exit("s00", workflow="etl@old").convert(wide(3), "etl", **spec, priority=1)
    for key in ("new", "newer"):
        story.ask("start", workflow="etl", key=key)
    story.accept(wide(2), "w")
    turns = [f"etl@{key}/s0{step}" for step in range(3) for key in ("new", "newer")]
    turns += ["w/s00", "w/s01", "etl@old/s01", "etl@old/s02"]
    assert started(story, Limits(max_parallel=10)) == turns


def test_the_longest_waiting_step_of_a_workflow_is_first() -> None:
    story = Story(Limits(max_parallel=1)).accept([a_step("a"), a_step("b", "a"), a_step("c")])
    assert story.live() == {"a"}
    story.exit("a")
    assert story.live() == {"c"}, "c waited for a slot while b waited for a"


def test_only_the_lives_that_these_requests_began() -> None:
    story = waiting().accept(wide(1), "v").accept(wide(1), "w")
    story.life("w").request = "r1"
    assert started(story, Limits(max_parallel=9, only=frozenset({"r1"}))) == ["w/s00"]
    assert started(story, Limits(max_parallel=9, only=frozenset())) == []


def test_nothing_starts_in_a_held_folder() -> None:
    story = waiting().accept([a_step("in"), a_step("out", workingDir="/elsewhere")])
    held = Limits(max_parallel=9, held="/specs")
    assert started(story, held) == ["w/out"]
    assert started(story, Limits(max_parallel=9)) == ["w/in", "w/out"]


def test_a_folder_beside_a_held_one_is_not_held() -> None:
    story = waiting().accept([a_step("a", workingDir="../specs-two")])
    assert started(story, Limits(max_parallel=9, held="/specs")) == ["w/a"]


def test_a_step_takes_one_slot_however_often_it_is_asked_for() -> None:
    story = waiting().accept(wide(1))
    assert fill(story.state, Limits(max_parallel=9)) == [Schedule(story.life().uid, "s00")]


# ---------------------------------------- queued starts that are overtaken


def queued(story: Story, workflow: str) -> list[str]:
    """Those of this workflow that wait in the executor and are not to be withdrawn."""
    steps = story.live(workflow)
    return sorted(name for name in steps if story.attempt(name, workflow).ending is None)


def test_a_step_of_higher_priority_takes_the_place_of_a_queued_start() -> None:
    story = (
        Story(Limits(max_parallel=1, ahead=2)).accept(wide(3), "low").start("s00", workflow="low")
    )
    story.accept(wide(1), "top", priority=1)
    assert queued(story, "low") == ["s00", "s01"], "what runs goes on, the last in the queue leaves"
    story.end("s02", "low")
    assert queued(story, "top") == ["s00"]


def test_no_more_are_withdrawn_than_may_take_their_places() -> None:
    story = (
        Story(Limits(max_parallel=1, ahead=4)).accept(wide(5), "low").start("s00", workflow="low")
    )
    story.accept(wide(9), "top", priority=1, parallelism=2)
    assert len(queued(story, "low")) == 3


def test_its_place_is_free_at_once() -> None:
    """The executor hears of the withdrawal first, so nobody has to wait for its answer."""
    story = Story(Limits(max_parallel=1, ahead=2)).accept(wide(5), "low")
    story.start("s00", workflow="low").accept(wide(1), "top", priority=1)
    assert queued(story, "top") == ["s00"]
    assert story.attempt("s02", "low").ending is not None


def test_equals_take_turns_among_the_queued() -> None:
    story = Story(Limits(max_parallel=1, ahead=4)).accept(wide(9), "u").start("s00", workflow="u")
    story.accept(wide(9), "v")
    assert queued(story, "u") == ["s00", "s01", "s02"], "of five places the newcomer gets two"
    assert queued(story, "v") == ["s00", "s01"]
    before = story.state.seq
    assert story.settle().state.seq == before, "and nothing is swapped back"


def test_who_has_only_one_slot_more_keeps_it() -> None:
    story = Story(Limits(max_parallel=1, ahead=1)).accept(wide(2), "u").start("s00", workflow="u")
    story.accept(wide(1), "v")
    assert queued(story, "v") == ["s00"], "two against none"
    story.end("s01", workflow="u")
    assert queued(story, "u") == ["s00"], "one against one"


@pytest.mark.parametrize("told", [["s02", "s03"], ["s03", "s02"]])
def test_what_was_withdrawn_waits_in_front_of_what_had_no_place_yet(told: list[str]) -> None:
    story = Story(Limits(max_parallel=1, ahead=3)).accept(wide(6), "low")
    story.start("s00", workflow="low").accept(wide(2), "top", priority=1)
    for name in told:
        story.end(name, workflow="low")
    assert list(story.life("low").ready) == ["s02", "s03", "s04", "s05"]
    thawed = thaw(freeze(story.state)).workflows["low"]
    assert list(thawed.ready) == ["s02", "s03", "s04", "s05"], "and after a restart"


# ---------------------------------------- queued starts that may no longer start


def to_start(story: Story) -> set[str]:
    """The steps whose start is promised, not made, and not withdrawn."""
    return {
        name
        for (_, name), attempt in story.state.live.items()
        if attempt.phase == "Scheduled" and attempt.ending is None
    }


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        pytest.param({"held": "/specs"}, "FolderHeld", id="the folder can't be trusted"),
        pytest.param({"gone": frozenset({"w"})}, "SpecAbsent", id="the spec is absent"),
        pytest.param({"short": True}, "DiskPressure", id="the disk is nearly full"),
        pytest.param({"only": frozenset({"other"})}, "NotDriven", id="a run drives others only"),
    ],
)
def test_what_keeps_a_ready_step_from_starting_withdraws_a_queued_start(
    limits: dict[str, Any], reason: str
) -> None:
    story = Story(Limits(max_parallel=1, ahead=2)).accept([a_step(name) for name in "abc"])
    story.start("a")
    assert to_start(story) == {"b", "c"}
    story.limits = Limits(max_parallel=1, ahead=2, **limits)
    story.settle()
    assert to_start(story) == set()
    ending = story.attempt("b").ending
    assert ending is not None and (ending.reason, ending.withdraw) == (reason, True)
    story.end("b").end("c")
    assert story.phases() == {"a": "Running", "b": "Ready", "c": "Ready"}
    assert story.step("b").retries == 0, "no retry is spent"
    story.limits = Limits(max_parallel=1, ahead=2)
    assert to_start(story.settle()) == {"b", "c"}


def test_a_lowered_limit_withdraws_the_latest_of_the_queued_starts() -> None:
    steps = [a_step(name) for name in "abcd"]
    story = Story(Limits(max_parallel=2, ahead=2)).accept(steps, parallelism=4).start("a", "b")
    assert to_start(story) == {"c", "d"}
    story.accept(steps, parallelism=3)
    assert to_start(story) == {"c"}
    story.accept(steps, parallelism=1)
    assert to_start(story) == set(), "what runs goes on, nothing more starts before it has ended"
    story.end("c").end("d").exit("a")
    assert to_start(story) == set()
    story.exit("b")
    assert len(to_start(story)) == 1


# ---------------------------------------- engines

JOB: dict[str, Any] = {"executor": {"slurm": {}}}
BOX: dict[str, Any] = {"executor": {"container": {"image": "i"}}}


def jobs(*names: str) -> list[dict[str, Any]]:
    return [a_step(name, **JOB) for name in names]


def test_an_engine_has_a_limit_of_its_own() -> None:
    story = Story(Limits(max_parallel=1, engines={"slurm": 2}))
    story.accept([*jobs("a", "b", "c"), a_step("x"), a_step("y")])
    assert story.live() == {"a", "b", "x"}
    assert story.exit("x").live() == {"a", "b", "y"}
    assert story.start("a").live() == {"a", "b", "y"}, "from submission to proof"
    assert story.exit("a").live() == {"b", "c", "y"}


def test_the_default_limit_of_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SLOTS_OF_ENGINES == {"slurm": 1_000}
    monkeypatch.setitem(SLOTS_OF_ENGINES, "slurm", 10)  # a story of a thousand takes a minute
    story = Story(Limits(max_parallel=1)).accept([a_step("s", forEach=list(range(13)), **JOB)])
    assert len(story.live()) == 10


def test_containers_share_the_slots_of_this_machine() -> None:
    story = Story(Limits(max_parallel=2)).accept([a_step("a", **BOX), a_step("b"), a_step("c")])
    assert story.live() == {"a", "b"}


def test_parallelism_counts_all_wherever_they_run() -> None:
    story = Story().accept([*jobs("a", "b"), a_step("c"), a_step("d")], parallelism=3)
    assert len(story.live()) == 3
    story = Story().accept([a_step("s", forEach=[1, 2, 3], parallelism=2, **JOB)])
    assert len(story.live()) == 2


def test_priority_and_fairness_hold_for_the_slots_of_an_engine() -> None:
    story = waiting()
    story.limits = Limits(max_parallel=0, engines={"slurm": 0})
    story.accept(jobs("a", "b"), "low").accept(jobs("a", "b"), "also").accept(
        jobs("a", "b"), "top", priority=1
    )
    wanted = Limits(max_parallel=0, engines={"slurm": 5})
    assert started(story, wanted) == ["top/a", "top/b", "low/a", "also/a", "low/b"]


def test_starts_ahead_are_those_of_this_machine() -> None:
    story = Story(Limits(max_parallel=1, ahead=2, engines={"slurm": 1}))
    story.accept([*jobs("a", "b"), a_step("x"), a_step("y"), a_step("z"), a_step("w")])
    assert story.live() == {"a", "x", "y", "z"}


def test_what_one_engine_takes_of_a_pool_another_can_t_have() -> None:
    story = Story().accept(
        [a_step("a", uses=[{"lock": "x"}]), a_step("b", uses=[{"lock": "x"}], **JOB)]
    )
    assert story.live() == {"a"}
    assert story.exit("a").live() == {"b"}


def test_of_two_engines_the_step_whose_turn_it_is_gets_what_both_use() -> None:
    uses: dict[str, Any] = {"uses": [{"lock": "x"}]}
    story = Story().accept([a_step("now", **uses)], "first").start("now", workflow="first")
    story.accept([a_step("here", **uses)], "low").accept(
        [a_step("job", **uses, **JOB)], "top", priority=1
    )
    assert story.exit("now", workflow="first").live("top") == {"job"}
    assert story.exit("job", workflow="top").live("low") == {"here"}


def test_of_two_engines_the_one_that_waits_longer_gets_what_its_workflow_may_start() -> None:
    story = Story().accept([a_step("a"), *jobs("b"), a_step("c", "a"), *jobs("d")], parallelism=1)
    assert story.live() == {"a"}
    assert story.exit("a").live() == {"b"}, "c is ready since now"
    assert story.exit("b").live() == {"d"}
    assert story.exit("d").live() == {"c"}


def test_a_job_that_uses_something_is_held_back_by_no_slot_of_the_machine() -> None:
    story = Story(Limits(max_parallel=1, ahead=4))
    story.accept([a_step("x"), a_step("y"), a_step("b", uses=[{"lock": "x"}], **JOB)])
    assert "b" in story.live()


@pytest.mark.parametrize("uses", [[], [{"lock": "x"}], [{"lock": "x"}, {"lock": "y"}]])
def test_an_edit_moves_a_ready_step_to_another_engine_in_its_turn(uses: list[Any]) -> None:
    """Also one that is parked, since something that it uses is taken."""
    story = Story(Limits(max_parallel=0, engines={"slurm": 0}))
    steps = [a_step("first", uses=uses), a_step("moves", uses=uses), a_step("last", uses=uses)]
    story.accept(steps).wait(1)
    moved = [steps[0], {**steps[1], **JOB}, steps[2]]
    story.accept(moved)
    assert [*story.life().ready_for("slurm")] == ([] if len(uses) > 1 else ["moves"])
    assert started(story, Limits(max_parallel=0, engines={"slurm": 1})) == ["w/moves"]
    story.accept(steps)
    ends = Limits(max_parallel=9, engines={"slurm": 0})
    assert started(story, ends) == (["w/first", "w/moves", "w/last"] if not uses else ["w/first"])
    check_image(story)


def check_image(story: Story) -> None:
    known = thaw(freeze(story.state))
    assert orders(known) == orders(story.state)


def test_an_edit_withdraws_what_the_other_engine_has_not_started() -> None:
    story = Story().accept(jobs("a")).submit("a").accept([a_step("a")])
    assert story.attempt("a").ending is not None
    story.end("a")
    assert story.attempt("a").engine == "local"


def test_a_higher_priority_and_a_lower_limit_withdraw_nothing_of_an_engine() -> None:
    story = Story(Limits(max_parallel=1, engines={"slurm": 1})).accept(jobs("a"), "low")
    story.accept([*jobs("a"), a_step("x")], "top", priority=9)
    story.limits = Limits(max_parallel=1, engines={"slurm": 0})
    story.settle()
    assert story.attempt("a", "low").ending is None
    assert story.live("top") == {"x"}


def test_a_folder_that_is_away_withdraws_no_job_and_a_full_disk_does() -> None:
    story = Story().accept([*jobs("a"), a_step("x")])
    story.limits = Limits(max_parallel=9, held="/")
    story.settle()
    assert story.attempt("a").ending is None and story.attempt("x").ending is not None
    story.limits = Limits(max_parallel=9, short=True)
    story.settle()
    assert story.attempt("a").ending is not None


def test_an_engine_that_can_t_be_reached_gets_nothing_and_keeps_what_it_has() -> None:
    story = Story(Limits(max_parallel=9, away=frozenset({"slurm"})))
    story.accept([*jobs("a", "b"), a_step("x"), a_step("y", **BOX)])
    assert story.live() == {"x", "y"}
    life = story.life()
    assert why_not(story.state, life, life.steps["a"], story.limits) == "EngineUnreachable"
    story.limits = Limits(max_parallel=9)
    assert story.settle().live() == {"a", "b", "x", "y"}
    story.limits = Limits(max_parallel=9, away=frozenset({"slurm"}), gone=frozenset({"v"}))
    story.settle()
    assert not any(story.attempt(name).ending for name in story.live())


def test_who_waits_long_for_an_engine_without_contact_holds_up_no_pool() -> None:
    limits = Limits(max_parallel=9, away=frozenset({"slurm"}))
    story = Story(limits).see(PoolAccepted(name="gpu", slots=2, path="p.yaml"))
    both = [{"pool": "gpu", "slots": 2}]
    story.accept([a_step("big", uses=both, **JOB)], "big").wait(400)
    story.accept([a_step("small", uses=["gpu"])], "small")
    assert story.live("small") == {"small"}
