"""The lists of the API: filters, orders, and parts of them."""

from typing import Any
from urllib.parse import parse_qsl

import pytest
from definitions import EVERY, definition, fire, newest, run
from story import Story, a_step

from controller.errors import Fault, UsageError
from controller.model.events import FileRejected
from controller.server import lists
from controller.server.lists import LIMIT_MAX, TooWide, overview_of
from controller.server.openapi import OPERATIONS
from controller.server.shapes import Overview
from controller.view.look import Look
from controller.view.shape import ControllerShape

CONTROLLER = ControllerShape(phase="Stopped", pid=None, epoch=0, conditions=[])


def asked(story: Story, query: str = "") -> Overview:
    words = dict(parse_qsl(query, keep_blank_values=True))
    return overview_of(story.state, words, Look(now=story.now), CONTROLLER, "1.1")


def names(story: Story, query: str = "") -> list[str]:
    return [row.name for row in asked(story, query).items]


@pytest.fixture
def story() -> Story:
    """`a` has failed, `b` has succeeded, `c` runs; `etl` has an instance that runs and one that
    has ended.
    """
    story = Story()
    for name, code in (("a", 1), ("b", 0)):
        story.accept([a_step("one")], name=name).exit("one", code, workflow=name)
    story.accept([a_step("one")], name="c").start("one", workflow="c")
    definition(EVERY, name="etl", story=story)
    run(fire(story))
    fire(story)
    return story


def test_which_are_in_the_list(story: Story) -> None:
    open_one = newest(story).name
    assert names(story) == ["a", "b", "c", "etl", open_one]
    assert names(story, "instances=none") == ["a", "b", "c", "etl"]
    assert len(names(story, "instances=all")) == 6
    assert names(story, "q=ET&instances=none") == ["etl"]
    assert names(story, "q=nothing") == []
    assert names(story, "phase=Failed") == ["a"]
    assert names(story, "phase=Failed,Succeeded&instances=none") == ["a", "b"]
    assert names(story, "selector=team%3Dx") == []


def test_the_last_instance_stays_in_the_list_while_it_has_failed() -> None:
    story = run(fire(definition(EVERY)), code=1)
    failed = newest(story).name
    assert names(story) == ["etl", failed]
    assert names(story, "instances=unfinished") == ["etl"]
    assert [*asked(story).counts] == ["Failed", "Waiting"], "what to look at comes first"
    run(fire(story))
    assert names(story) == ["etl"]


def test_a_row_says_first_what_is_wrong_in_a_file(story: Story) -> None:
    fault = Fault(file="a.yaml", line=7, column=3, path="spec.steps[0].run", problem="is wrong")
    for path, name in (("a.yaml", "a"), ("new.yaml", "new")):
        story.see(FileRejected(path=path, digest="d", faults=[fault, fault], names=[name]))
    said = {row.name: row.message for row in asked(story).items}
    assert said["new"] == "run: is wrong (a.yaml:7:3; and 1 more)"
    assert said[story.life("a").name] == f"its file is invalid: {said['new']}"


def test_counts_are_those_before_phases_and_parts(story: Story) -> None:
    seen = asked(story, "phase=Failed&limit=1&instances=none")
    assert (seen.counts["Failed"], seen.counts["Succeeded"], seen.total) == (1, 1, 1)


@pytest.mark.parametrize("sort", ["name", "last-run", "phase", "duration"])
@pytest.mark.parametrize("limit", [1, 2, 5, LIMIT_MAX])
def test_part_by_part_it_is_the_whole_list(story: Story, sort: str, limit: int) -> None:
    whole = names(story, f"sort={sort}&limit={LIMIT_MAX}")
    assert sorted(whole) == sorted(names(story))
    seen: list[str] = []
    query = f"sort={sort}&limit={limit}"
    while True:
        part = asked(story, query)
        seen += [row.name for row in part.items]
        assert len(part.items) <= limit
        if part.next is None:
            break
        query = f"sort={sort}&limit={limit}&continue={part.next}"
    assert seen == whole


def test_what_comes_and_goes_between_two_parts_shows_nothing_twice(story: Story) -> None:
    first = asked(story, "limit=2")
    story.accept([a_step("one")], name="aa")
    assert names(story, f"limit=9&continue={first.next}") == ["c", "etl", newest(story).name]
    story.delete("b")
    with pytest.raises(UsageError, match="begin again"):
        asked(story, f"limit=9&continue={first.next}")


@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", f"limit={LIMIT_MAX + 1}", "limit=-1", "limit=x", "limit=", "continue=x"),
        *("sort=colour", "sort=", "instances=some", "instances=", "selector=a%3D%3D%3Db"),
    ],
)
def test_what_nobody_can_mean_is_refused(story: Story, query: str) -> None:
    with pytest.raises(UsageError):
        asked(story, query)


def test_the_description_of_the_api_names_what_can_be_chosen(story: Story) -> None:
    described = {name: schema for name, schema, _ in OPERATIONS["overview"].query}
    for choice in ("instances", "sort"):
        with pytest.raises(
            UsageError, match=f"write one of {', '.join(described[choice]['enum'])}$"
        ):
            names(story, f"{choice}=other")


def test_a_row_tells_how_it_stands(story: Story) -> None:
    rows: dict[str, Any] = {row.name: row for row in asked(story).items}
    failed, running, starter = rows["a"], rows["c"], rows["etl"]
    assert (failed.kind, failed.phase, failed.run) == ("workflow", "Failed", 1)
    assert failed.steps == {"total": 1, "Failed": 1}
    assert [(bar.number, bar.phase) for bar in failed.bars] == [(1, "Failed")]
    assert (running.phase, running.completion_time) == ("Running", None)
    assert running.bars[-1].completion_time is None
    assert starter.kind == "definition"
    assert starter.next_due is not None
    assert starter.bars[0].phase == "Succeeded"
    instance = rows[newest(story).name]
    assert (instance.kind, instance.definition) == ("instance", "etl")


def test_a_row_is_the_same_whenever_it_is_asked_for(story: Story) -> None:
    """Nothing in it hangs on the clock, so a stream sends it once."""
    before = asked(story).items
    story.now += 10**9
    assert asked(story).items == before


def test_twenty_bars_and_no_more() -> None:
    story = Story().accept([a_step("one")], name="w")
    for _ in range(25):
        story.exit("one", 1)
        story.retry("one")
    (row,) = asked(story).items
    assert [bar.number for bar in row.bars] == [*range(row.run - 19, row.run + 1)]


def test_what_is_wide_is_not_made_on_the_event_loop(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Look(now=story.now)
    wide = lists.overview_of(story.state, {}, look, CONTROLLER, "1.1")
    assert lists.overview_of(story.state, {}, look, CONTROLLER, "1.1", on_loop=True) == wide
    grid = lists.grid_of(story.state, "etl", {})
    assert lists.grid_of(story.state, "etl", {}, on_loop=True) == grid
    for limit in ("STEPS_MAX", "ENTRIES_MAX"):
        with monkeypatch.context() as patch:
            patch.setattr(lists, limit, 1)
            with pytest.raises(TooWide):
                lists.overview_of(story.state, {}, look, CONTROLLER, "1.1", on_loop=True)
            with pytest.raises(TooWide):
                lists.grid_of(story.state, "etl", {}, on_loop=True)
            assert lists.grid_of(story.state, "etl", {}) == grid
