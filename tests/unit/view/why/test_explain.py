"""Why something is as it is, down to the root."""

import msgspec
from story import Story, a_step

from controller.model.state import Condition
from controller.planner.permission import Limits
from controller.view.why.explain import Around, causes

CHAIN = [a_step("a"), a_step("b", "a"), a_step("c", "b"), a_step("d", "c")]
UP = Around(runs=True, limits=Limits(max_parallel=1))


def told(story: Story, step: str, around: Around = UP, workflow: str = "w") -> list[str]:
    life = story.life(workflow)
    found = causes(story.state, life, life.steps[step], around)
    return [f"{'  ' * one.depth}{one.step} {one.phase}: {one.message}" for one in found]


def test_what_waits_is_followed_to_what_runs() -> None:
    story = Story().accept(CHAIN).start("a")
    pid = story.attempt("a").pid
    assert told(story, "d") == [
        "d Pending: waiting for c",
        "  c Pending: waiting for b",
        "    b Pending: waiting for a",
        f"      a Running: running (pid {pid})",
    ]


def test_a_skip_is_followed_to_the_failure() -> None:
    story = Story().accept(CHAIN).exit("a", 3)
    assert told(story, "d") == [
        'd Skipped: depends on "c", which was skipped',
        '  c Skipped: depends on "b", which was skipped',
        '    b Skipped: depends on "a", which failed',
        "      a Failed: exit code 3",
    ]


def test_each_step_is_told_once_where_the_way_to_it_is_shortest() -> None:
    steps = [a_step("a"), a_step("b", "a"), a_step("c", "b"), a_step("d", "c", "b", "a")]
    assert told(Story().accept(steps).exit("a", 3), "d") == [
        'd Skipped: depends on "a", which failed',
        '  c Skipped: depends on "b", which was skipped',
        '  b Skipped: depends on "a", which failed',
        "  a Failed: exit code 3",
    ]


def test_many_ways_to_one_failure_make_no_more_lines_than_there_are_steps() -> None:
    """Four rows of eight, each step behind all of the row above: 4,096 ways."""
    rows = [[f"r{row}-{column}" for column in range(8)] for row in range(4)]
    above = [["a"], *rows]
    steps = [a_step(name, *above[row]) for row in range(4) for name in rows[row]]
    lines = told(Story().accept([a_step("a"), *steps]).exit("a", 3), "r3-0")
    assert len(lines) == 1 + 3 * 8 + 1
    assert sum("Failed: exit code 3" in line for line in lines) == 1


def test_a_ready_step_names_who_has_its_slot() -> None:
    story = Story(Limits(max_parallel=1)).accept([a_step("a"), a_step("b")]).start("a")
    assert told(story, "b") == ["b Ready: waiting for a slot (1 of 1 busy: w/a)"]
    limited = Story().accept([a_step("a"), a_step("b")], parallelism=1).start("a")
    assert told(limited, "b") == [
        "b Ready: waiting for a slot of this workflow (parallelism: 1; busy: a)"
    ]


def test_a_ready_step_names_the_marker_the_suspension_the_disk_or_the_want_of_a_controller() -> (
    None
):
    story = Story(Limits(max_parallel=0)).accept([a_step("a")])
    assert told(story, "a", Around(runs=False)) == [
        "a Ready: ready to start, but no controller is running"
    ]
    condition = Condition("DiskPressure", "True", "DiskNearlyFull", "too little room", 0, 0)
    short = Limits(max_parallel=4, short=True)
    full = Around(runs=True, limits=short, conditions=[condition])
    assert told(story, "a", full) == ["a Ready: too little room"]
    folder = msgspec.structs.replace(condition, type="FolderHeld")
    held = Around(runs=True, limits=Limits(max_parallel=4, held="/specs"), conditions=[folder])
    (cause,) = causes(story.state, story.life(), story.step("a"), held)
    assert cause.reason == "FolderHeld"
    story.accept([a_step("a")], suspend=True)
    assert told(story, "a", full) == ["a Ready: nothing starts: suspended by its spec"]
    story.accept([a_step("a", workingDir="/elsewhere")])
    (cause,) = causes(story.state, story.life(), story.step("a"), held)
    assert cause.reason == "WaitingForSlot", "it does not run in the folder that is held"


def test_a_step_that_this_controller_never_starts_does_not_wait_for_a_slot() -> None:
    """A `treadle run` holds the state folder, and slots are free."""
    story = Story(Limits(max_parallel=0)).accept([a_step("a")])
    others_only = Around(runs=True, limits=Limits(max_parallel=4, only=frozenset({"other"})))
    (cause,) = causes(story.state, story.life(), story.step("a"), others_only)
    assert cause.reason == "NotDriven" and "`treadle run`" in cause.message


def test_a_step_whose_spec_is_absent_does_not_wait_for_a_slot() -> None:
    """Many specs vanished at once, and that is not believed yet."""
    story = Story(Limits(max_parallel=1)).accept([a_step("b")], "x").accept([a_step("a")])
    said = Condition("MassDeletion", "True", "ManyVanished", "14 of 16 specs are gone", 0, 0)
    limits = Limits(max_parallel=1, gone=frozenset({"w"}))
    around = Around(runs=True, limits=limits, conditions=[said])
    (cause,) = causes(story.state, story.life(), story.step("a"), around)
    assert (cause.reason, cause.message) == ("SpecAbsent", "14 of 16 specs are gone")
