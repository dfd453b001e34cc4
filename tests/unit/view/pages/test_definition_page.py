"""What `status` and `explain` say of a definition and of its instances."""

from typing import Any

import pytest
from definitions import EVERY, definition, fire, newest, run
from rich.cells import cell_len
from story import Story, a_step

from controller.model.state import SECOND
from controller.planner.permission import Limits
from controller.view.lists.listing import listed, matters
from controller.view.look import Look
from controller.view.pages import definition_page, explain_definition, page
from controller.view.why.explain import Around

NIGHT = {
    "name": "night",
    "schedule": "30 2 * * *",
    "timeZone": "Europe/Berlin",
    "params": {"date": "${{ trigger.date }}"},
}


def shown(story: Story, name: str = "etl", files: Any = None, **look: Any) -> list[str]:
    view = Look(**{"now": story.now, "width": 100, **look})
    found = definition_page.page(story.state, story.life(name), view, files)
    return [line.rstrip() for line in found]


def explained(story: Story, files: Any = None, runs: bool = True, **look: Any) -> list[str]:
    view = Look(**{"now": story.now, "width": 150, **look})
    around = Around(runs=runs, limits=Limits(max_parallel=4))
    life = story.life("etl")
    return [*explain_definition.explanation(story.state, life, around, view, files)]


def test_the_page_of_a_definition() -> None:
    story = fire(run(fire(definition(EVERY)), 3))
    assert shown(story, now=story.now + 60 * SECOND) == [
        "● etl  Running  next due 22:18:20 UTC, in 40s",
        "  1 running; last one failed",
        "",
        "  TRIGGER  WAITS FOR    NEXT DUE (UTC)  LAST FIRING",
        "  often    every 100 s  22:18:20        60s ago started etl@20231114T221640Z",
        "",
        "  INSTANCE                PHASE    STEPS  TIME  LAST RUN  MESSAGE",
        "  ◌ etl@20231114T221640Z  Pending    0/1     -         -  waiting for a slot: load",
        "  ✗ etl@20231114T221500Z  Failed     0/1  0.0s    2m ago  1 failed (load)",
        "",
        "  firings       2 started",
        "  file          etl.yaml, generation 1",
        "  next          treadle status etl@20231114T221500Z · treadle retry etl@20231114T221500Z",
        "                treadle start etl · treadle schedule etl",
    ]


def test_a_due_time_is_also_told_as_clocks_show_it_in_its_zone() -> None:
    story = definition(NIGHT, params={"date": {"type": "string"}})
    assert "  night    30 2 * * *  Nov 15 01:30    02:30 Europe/Berlin" in shown(story)
    said = "○ trigger night (30 2 * * *) is next due Nov 15 01:30 (02:30 Europe/Berlin), in 3h16m; "
    assert f"{said}it has not fired yet" in explained(story)


def test_without_a_controller_it_was_due() -> None:
    story = definition(EVERY)
    head, _, _, _, row, *_ = shown(story, now=story.now + 200 * SECOND, stood=story.now)
    assert head == "○ etl  Waiting  was due 22:15, no controller"
    assert row == "  often    every 100 s  was due 22:15"


def test_files_that_wait_are_counted() -> None:
    drop = {"name": "drop", "files": {"path": "in/*"}}
    files = {"etl": {"drop": 3}}
    assert "  drop     in/*       3 files wait" in shown(definition(drop), files=files)
    said = "○ trigger drop (in/*); 3 files wait; it has not fired yet"
    assert said in explained(definition(drop), files)


def test_a_webhook() -> None:
    story = definition({"name": "push", "webhook": {"secret": {"fromFile": "s"}}})
    assert "○ trigger push (deliveries); it has not fired yet" in explained(story)
    story.ask("deliver", workflow="etl", trigger="push", key="k", body={"a": 1})
    assert "  TRIGGER  WAITS FOR   LAST FIRING" in shown(story)
    assert "  push     deliveries  0s ago started etl@k" in shown(story)


def test_what_is_wrong_is_on_the_page() -> None:
    story = definition({"name": "feed", "after": {"workflow": "orders"}})
    said = 'WorkflowMissing trigger feed waits for "orders", and no workflow has that name'
    assert f"  {said}" in shown(story)
    assert said.replace(" ", ": ", 1) in explained(story)


@pytest.mark.parametrize("by", ["request", "marker", "spec"])
def test_how_to_go_on_with_one_that_is_suspended(by: str) -> None:
    story = definition(EVERY, **({"suspend": True} if by == "spec" else {}))
    if by == "request":
        story.ask("suspend", workflow="etl", by="ada")
    if by == "marker":
        story.mark("etl.cancel", "etl")
    how = {
        "request": "treadle resume etl",
        "marker": "remove etl.cancel",
        "spec": "remove `suspend: true` from etl.yaml",
    }[by]
    assert f"  next          {how}" in shown(story)
    assert how in explained(story)[-1]
    assert (
        "○ trigger often (every 100 s) starts nothing while the workflow is suspended"
        in explained(story)[1]
    )


def test_many_instances_that_wait_are_counted() -> None:
    story = definition(concurrency={"policy": "Queue", "maxQueued": 200})
    for number in range(30):
        story.ask("start", workflow="etl", key=f"k{number}")
    told = shown(story)
    assert sum("etl@k" in line and line.startswith("  ◌") for line in told) == 20
    assert any("treadle get etl shows 10 more that have not ended" in line for line in told)
    assert "◌ 25 more instances have not ended" in explained(story)


def test_why_a_definition_waits_and_why_its_last_firing_was_skipped() -> None:
    story = fire(fire(definition(EVERY)))
    first = newest(story).name
    story.wait(60)
    assert explained(story) == [
        "● etl is Running: 1 instance has not ended",
        "○ trigger often (every 100 s) is next due 22:18:20, in 40s; its last firing, 60s ago, "
        "was skipped: an earlier instance had not finished",
        f"◌ {first}: waiting for a slot: load",
        f"next: treadle explain {first} · treadle start etl",
    ]


def test_without_a_controller_nothing_starts() -> None:
    told = explained(run(fire(definition(EVERY))), runs=False)
    assert told[1] == "no controller is running, so nothing starts"
    assert told[-2] == "✓ etl@20231114T221500Z: all steps are done"
    assert told[-1].startswith("next: treadle up · ")


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    name = "a-very-long-name-of-a-workflow-that-nobody-can-read"
    story = definition({**NIGHT, "params": {}}, EVERY, name=name).wait(100)
    for line in shown(story, name, width=width):
        assert cell_len(line) <= width, line


def test_the_page_of_an_instance_names_its_definition_and_what_began_it() -> None:
    story = definition(EVERY, concurrency="Queue").wait(100)
    story.ask("start", workflow="etl", by="ada", key="mine")
    told = [*page.page(story.state, story.life("etl@mine"), Look(now=story.now, width=100))]
    holder = "etl@20231114T221500Z"
    assert f"  waits for its turn: {holder} has not ended" in told
    assert "  started by    start by hand by ada" in told
    assert "  instance of   etl (etl.yaml, generation 1)" in told
    story.start("load", workflow=holder)
    told = [*page.page(story.state, story.life(holder), Look(now=story.now, width=100))]
    assert "  started by    trigger often: due 2023-11-14T22:15:00+00:00" in told


def test_of_instances_only_the_last_failure_matters() -> None:
    story = definition(EVERY, concurrency="Allow")
    ended = []
    for code in (3, 0, 3, 4):
        run(fire(story), code)
        ended.append(newest(story).name)
    story.accept([a_step("a")], "plain").exit("a", workflow="plain")
    fire(story)

    def who() -> list[str]:
        return [one.name for one in listed(story.state) if matters(story.state, one)]

    assert who() == [ended[-1], newest(story).name]
    run(story)
    assert who() == []
    story.ask("suspend", workflow="etl")
    assert who() == ["etl"]


def test_one_that_is_suspended_while_it_waits_for_its_turn() -> None:
    story = definition(concurrency="Queue")
    for key in ("a", "b"):
        story.ask("start", workflow="etl", key=key)
    story.ask("suspend", workflow="etl@b", by="ada")
    assert story.why(workflow="etl@b") == ("Pending", "Queued")
    told = [*page.page(story.state, story.life("etl@b"), Look(now=story.now, width=100))]
    assert "  suspended by ada" in told
    story.exit("load", workflow="etl@a")
    assert story.why(workflow="etl@b") == ("Suspended", "Suspended")
    story.ask("resume", workflow="etl@b").exit("load", workflow="etl@b")
    assert story.why(workflow="etl@b") == ("Succeeded", "Completed")


def test_an_instance_that_failed_is_not_mended_by_an_edit_alone() -> None:
    story = run(fire(definition(EVERY)), 3)
    life = newest(story)
    told = [*page.page(story.state, life, Look(now=story.now, width=100))]
    assert told[-1] == f"  next          fix the spec and save it, then treadle retry {life.name}"
