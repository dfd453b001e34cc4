"""The generations of a workflow, as the log has them."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.json import encode
from story import Story, a_step

from controller.client.reading.history import read_history
from controller.errors import NotFound
from controller.model import events as e
from controller.rehearsal.foresee import Change
from controller.spec.models import DefaultsSpec, SharedDefaults
from controller.view.changes.generations import between, did

Write = Callable[[Story], str]


def edited() -> Story:
    story = Story().accept([a_step("a")], name="etl").exit("a", workflow="etl")
    story.accept([a_step("a"), a_step("b")], name="etl").exit("b", workflow="etl")
    return story.accept([a_step("b")], name="etl").accept([a_step("x")], name="other")


def test_each_knows_the_one_before_it(write: Write) -> None:
    found = read_history(write(edited()), "etl")
    assert found.life.name == "etl"
    assert [one.number for one in found.generations] == [1, 2, 3]
    assert [one.before.number if one.before else 0 for one in found.generations] == [0, 1, 2]


def test_neighbours(write: Write) -> None:
    found = read_history(write(edited()), "etl")
    assert (found.before(3).number, found.after(1).number, found.pick(2).number) == (2, 2, 2)


def test_what_is_missing_is_said(write: Write) -> None:
    found = read_history(write(edited()), "etl")
    with pytest.raises(NotFound, match="no generation 4; history has 1, 2, 3"):
        found.pick(4)
    with pytest.raises(NotFound, match="no generation before 1"):
        found.before(1)
    with pytest.raises(NotFound, match="no generation after 3"):
        found.after(3)


def test_a_name_that_nobody_had(write: Write) -> None:
    with pytest.raises(NotFound, match='no workflow is named "elt"; did you mean "etl"'):
        read_history(write(edited()), "elt")


def test_children_of_each_generation(write: Write) -> None:
    load = a_step("load", forEach="${{ params.l }}", env={"I": "${{ item }}"})
    steps = [load, a_step("report", "load")]
    story = Story()
    for letters in ("ab", "bc", "bcd"):
        story.accept(steps, name="etl", params={"l": [*letters]})
        while story.live("etl"):
            story.exit(min(story.live("etl")), workflow="etl")
    first, second, third = read_history(write(story), "etl").generations
    assert did(second) == (
        '1 unchanged; added: load[c]; removed: load[a]; to run again: report (depends on "load", '
        "which changed)"
    )
    assert told(between(first, second)) == {
        "load": "SpecChanged",
        "load[b]": "Unchanged",
        "load[c]": "StepAdded",
        "report": "SpecChanged",
        "load[a]": "StepRemoved",
    }
    since = between(first, third)
    assert told(since) == {
        "load": "SpecChanged",
        "load[b]": "Unchanged",
        "load[c]": "StepAdded",
        "load[d]": "StepAdded",
        "report": "SpecChanged",
        "load[a]": "StepRemoved",
    }
    assert since.steps["load[a]"].message == "no longer in the list"


def test_children_of_a_list_that_is_made_again(write: Write) -> None:
    find = a_step("find", outputs={"names": "array"})
    load = a_step("load", "find", forEach="${{ steps.find.outputs.names }}")
    story = Story()
    for run, names in (("1", "ab"), ("2", "bc"), ("3", "bd")):
        story.accept([{**find, "run": run}, load], name="etl")
        story.exit("find", workflow="etl", outputs=encode({"names": [*names]}))
        while story.live("etl"):
            story.exit(min(story.live("etl")), workflow="etl")
    first, second, third = read_history(write(story), "etl").generations
    assert told(between(first, second))["load[a]"] == "NotKnownYet"
    assert told(between(first, third)) == {
        "find": "SpecChanged",
        "load": "SpecChanged",
        "load[b]": "SpecChanged",
        "load[d]": "StepAdded",
        "load[a]": "StepRemoved",
    }


def told(change: Change) -> dict[str, str]:
    return {name: str(effect.reason) for name, effect in change.steps.items()}


def test_edits_of_the_defaults_above_it(write: Write) -> None:
    """Those that held for it when they were made, in words; a file that gets a new name is none."""
    story = Story()

    def say(folder: str, path: str, **policy: float) -> None:
        spec = DefaultsSpec(defaults=SharedDefaults(**policy))
        story.see(e.DefaultsAccepted(folder=folder, path=path, spec=spec, by="ada"))

    say("", "all.yaml", timeout_seconds=60)
    story.accept([a_step("a")], name="etl").accept([a_step("a")], name="run")
    say("", "all.yaml", timeout_seconds=30)
    say("", "new.yaml", timeout_seconds=30)
    say("team", "team/d.yaml", timeout_seconds=5)
    story.see(e.SourceChanged(uid=story.life("etl").uid, path="team/sub/etl.yaml"))
    say("team", "team/d.yaml", timeout_seconds=6, termination_grace_period_seconds=1.5)
    story.see(e.DefaultsRemoved(folder=""))
    story.delete("etl").see(e.DefaultsRemoved(folder="team"))
    found = read_history(write(story), "etl").policies
    assert [(edit.by, edit.path, edit.said) for edit in found] == [
        ("ada", "all.yaml", "timeoutSeconds 60 -> 30 in Defaults"),
        (
            "ada",
            "team/d.yaml",
            "timeoutSeconds 5 -> 6, terminationGracePeriodSeconds 1.5 in Defaults",
        ),
        ("", "new.yaml", "timeoutSeconds removed in Defaults"),
    ]


def a_definition() -> Story:
    times = {"name": "t", "everySeconds": 60}
    given: dict[str, Any] = {"triggers": [times], "params": {"date": {"type": "string"}}}
    steps = [a_step("a"), a_step("b", "a", run="echo ${{ params.date }}")]
    story = Story().accept(steps, "etl", **given)
    story.ask("start", workflow="etl", key="k1", params={"date": "x"})
    story.exit("a", workflow="etl@k1")
    story.accept([a_step("a"), a_step("b", "a", run="new")], "etl", **given)
    steps = [a_step("a"), a_step("c")]
    given["triggers"] = [{"name": "t", "everySeconds": 90}, {"name": "u", "everySeconds": 7}]
    story.accept(steps, "etl", **given)
    return story.accept(steps, "etl", **{**given, "triggers": [], "concurrency": "Allow"})


def test_the_generations_of_a_definition_have_its_triggers(write: Write) -> None:
    found = read_history(write(a_definition()), "etl").generations
    assert [did(one) for one in found] == [
        "first version",
        "edited: b",
        "added: c; removed: b; trigger t: times edited; trigger u: new",
        "trigger t: removed; trigger u: removed; concurrency edited",
    ]
    since = between(found[0], found[3])
    assert told(since) == {"a": "Unchanged", "c": "StepAdded", "b": "StepRemoved"}
    assert since.triggers is not None
    assert [(one.name, one.action, one.after) for one in since.triggers] == [("t", "gone", None)]


def test_the_generations_that_an_instance_followed(write: Write) -> None:
    found = read_history(write(a_definition()), "etl@k1")
    assert [(one.number, did(one)) for one in found.generations] == [
        (1, "the instance started with it"),
        (2, "1 unchanged; was waiting: b (params.date, run changed)"),
        (3, "1 unchanged; added: c; removed: b"),
    ]
    assert told(between(*found.generations[:2])) == {"a": "Unchanged", "b": "SpecChanged"}
    assert found.generations[2].spec.steps[1].name == "c"
