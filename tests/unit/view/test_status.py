"""The shape that scripts rely on: every field there, whatever the state."""

import json
from typing import Any

import msgspec
import pytest
from definitions import EVERY, definition, fire, newest, run, starter
from story import Story, a_step

from controller.errors import Fault
from controller.model import events as e
from controller.model.state import SECOND, Consumed
from controller.view.firings import last_words
from controller.view.lists.listing import listed, shape_of
from controller.view.shape import ControllerShape, WorkflowShape
from controller.view.status import list_shape, never_valid, workflow_shape

CONTRACT = json.loads("""
{"apiVersion": "treadle.dev/v1", "kind": "Workflow",
 "metadata": {"name": "etl", "uid": "…", "definition": null, "generation": 2, "labels": {}, "annotations": {}, "creationTimestamp": "…"},
 "spec": {},
 "status": {"phase": "Running", "reason": "…", "message": "…", "observedGeneration": 2,
  "startTime": "…", "completionTime": null, "conditions": [], "params": {}, "hooks": [],
  "trigger": null, "triggers": null, "instances": null, "firings": null,
  "runs": [{"number": 1, "phase": "Running", "reason": "Started", "startTime": "…", "completionTime": null, "startedBy": "…"}],
  "steps": [{"name": "load[eu]", "parent": "load", "key": "eu", "item": "eu", "index": 0, "params": null, "phase": "Running", "reason": "…", "message": "…",
    "dependsOn": ["extract"], "fingerprint": "…", "outputs": {}, "approval": null,
    "attempts": [{"number": 1, "generation": 2, "phase": "Running", "reason": null, "message": "…", "notes": [], "run": 1, "exitCode": null, "signal": null,
      "engine": "local", "handle": "4711", "engineReason": null, "pid": 4711, "startTime": "…", "finishTime": null, "log": "runs/…", "outputs": {},
      "usage": {"wallSeconds": 1.2, "cpuSeconds": 0.8, "maxRssBytes": 12345678}}]}]}}
""")  # noqa: E501
CONDITION = {"type", "status", "reason", "message", "lastTransitionTime", "observedGeneration"}


def shape(story: Story, name: str = "w") -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(
        msgspec.json.encode(workflow_shape(story.state, story.life(name)))
    )
    return shown


def rejected(path: str, *names: str) -> e.FileRejected:
    fault = Fault(file=f"specs/{path}", line=3, column=1, problem="is wrong")
    return e.FileRejected(path=path, digest="d", faults=[fault], names=list(names))


def test_no_field_is_missing_and_none_is_new() -> None:
    story = Story().accept([a_step("a"), a_step("b", "a")], name="w").start("a")
    shown = shape(story)
    step, attempt = shown["status"]["steps"][0], shown["status"]["steps"][0]["attempts"][0]
    known = CONTRACT["status"]["steps"][0]
    assert shown.keys() == CONTRACT.keys()
    assert shown["metadata"].keys() == CONTRACT["metadata"].keys()
    assert shown["status"].keys() == CONTRACT["status"].keys()
    assert shown["status"]["runs"][0].keys() == CONTRACT["status"]["runs"][0].keys()
    assert step.keys() == known.keys()
    assert attempt.keys() == known["attempts"][0].keys()
    assert attempt["usage"].keys() == known["attempts"][0]["usage"].keys()
    assert {frozenset(one) for one in shown["status"]["conditions"]} == {frozenset(CONDITION)}


def test_runs_are_counted_over_the_lives_of_a_name() -> None:
    story = Story().accept([a_step("a")]).exit("a", 3)
    story.accept([a_step("a", run="another")]).exit("a").delete()
    story.accept([a_step("a")], ttlSecondsAfterFinished=60).start("a")
    shown = shape(story)["status"]
    assert shown["steps"][0]["attempts"][0]["run"] == 3
    assert [
        (run["number"], run["phase"], run["reason"], run["startedBy"]) for run in shown["runs"]
    ] == [
        (1, "Failed", "StepFailed", "new spec by somebody"),
        (2, "Succeeded", "Completed", "edit of a by somebody"),
        (3, "Running", "Started", "new spec by somebody"),
    ]
    assert shown["runs"][0]["completionTime"] is not None
    assert shown["runs"][2]["startTime"] == shown["startTime"]


def test_a_running_attempt() -> None:
    story = Story().accept([a_step("a")]).start("a")
    attempt = shape(story)["status"]["steps"][0]["attempts"][0]
    pid = story.attempt("a").pid
    assert attempt["phase"] == "Running"
    assert (attempt["reason"], attempt["message"]) == (None, f"running (pid {pid})")
    assert attempt["startTime"] == "2023-11-14T22:13:20.000000Z"
    assert (attempt["finishTime"], attempt["exitCode"]) == (None, None)
    assert attempt["log"] == f"runs/{story.life().uid}/a.1.log"


def test_a_finished_workflow_with_a_retried_step() -> None:
    story = Story().accept([a_step("a", retry={"limit": 1})]).exit("a", 3)
    story.wait(1).exit("a")
    status = shape(story)["status"]
    first, second = status["steps"][0]["attempts"]
    assert status["phase"] == "Succeeded"
    assert status["completionTime"] is not None
    assert (first["phase"], first["exitCode"], first["reason"]) == ("Failed", 3, "NonZeroExit")
    assert (second["phase"], second["exitCode"], second["number"]) == ("Succeeded", 0, 2)
    complete = next(one for one in status["conditions"] if one["type"] == "Complete")
    assert complete["status"] == "True"
    assert complete["lastTransitionTime"].endswith("Z")


def test_the_spec_is_as_written() -> None:
    long = {"name": "b", "run": "true", "dependsOn": [{"step": "a", "condition": "Finished"}]}
    story = Story().accept([{"name": "a", "command": ["true"]}, long], parallelism=3)
    assert shape(story)["spec"] == {
        "steps": [{"name": "a", "command": ["true"]}, long],
        "parallelism": 3,
    }
    assert shape(story)["status"]["steps"][1]["dependsOn"] == ["a"]


def test_a_running_attempt_has_what_it_uses_now() -> None:
    story = Story().accept([a_step("a", retry={"limit": 1})]).start("a").exit("a", 1)
    story.wait(3600).start("a")
    used = e.Usage(wall_seconds=1.5, cpu_seconds=0.5, max_rss_bytes=1 << 20)
    life = story.life()
    shown = workflow_shape(story.state, life, {(life.uid, "a"): used}).status.steps[0]
    assert [attempt.usage for attempt in shown.attempts] == [e.Usage(), used]


def test_the_same_log_gives_the_same_bytes() -> None:
    first, second = (Story().accept([a_step("a")]).exit("a") for _ in range(2))
    assert shape(first) == shape(second)


def test_an_ended_life_is_marked() -> None:
    story = Story().accept([a_step("a")]).exit("a")
    life = story.life()
    story.delete()
    shown = json.loads(msgspec.json.encode(workflow_shape(story.state, life)))
    ended = shown["status"]["conditions"][-1]
    assert (ended["type"], ended["status"], ended["reason"]) == ("Ended", "True", "SpecDeleted")


@pytest.mark.parametrize(
    ("path", "names", "known"),
    [
        pytest.param("a.yaml", ["one", "two"], ["one", "two"], id="each name of the file"),
        pytest.param("sub/My Job_2.yaml", [], ["my-job-2"], id="else the file's own"),
        pytest.param("---.yml", [], ["unnamed"], id="else none at all"),
        pytest.param("a.yaml", ["w"], [], id="not one that is in force"),
        pytest.param("sub/w.yaml", [], ["sub/w.yaml"], id="by its path if a workflow has the name"),
    ],
)
def test_workflows_that_were_never_valid(path: str, names: list[str], known: list[str]) -> None:
    story = Story().accept([a_step("a")]).see(rejected(path, *names))
    assert list(never_valid(story.state)) == known


def test_two_files_without_a_name() -> None:
    """As of two Defaults that are rejected: they are often called the same."""
    story = Story().see(rejected("a/defaults.yaml")).see(rejected("b/defaults.yaml"))
    assert list(never_valid(story.state)) == ["defaults", "b/defaults.yaml"]


def shapes(story: Story) -> list[WorkflowShape]:
    return [shape_of(story.state, one) for one in listed(story.state, lambda labels: True)]


def test_a_workflow_that_was_never_valid_has_the_same_shape() -> None:
    story = Story().see(rejected("new.yaml", "new"))
    (shown,) = json.loads(msgspec.json.encode(shapes(story)))
    assert shown["metadata"].keys() == CONTRACT["metadata"].keys()
    assert shown["status"].keys() == CONTRACT["status"].keys()
    assert (shown["metadata"]["uid"], shown["metadata"]["generation"]) == (None, 0)
    assert (shown["status"]["phase"], shown["status"]["reason"]) == ("Pending", "SpecInvalid")
    assert shown["status"]["message"] == "specs/new.yaml:3:1: is wrong"
    assert {one["type"]: one["status"] for one in shown["status"]["conditions"]} == {
        "Accepted": "False",
        "SpecInvalid": "True",
    }


def test_a_list_is_sorted_and_names_its_controller() -> None:
    story = Story().accept([a_step("a")], name="zeta").accept([a_step("a")], name="alpha")
    story.see(rejected("m.yaml"))
    controller = ControllerShape(phase="Running", pid=7, epoch=1, conditions=[])
    shown = json.loads(msgspec.json.encode(list_shape(shapes(story), controller)))
    assert shown.keys() == {"apiVersion", "kind", "items", "controller"}
    assert shown["kind"] == "WorkflowList"
    assert [one["metadata"]["name"] for one in shown["items"]] == ["alpha", "m", "zeta"]
    assert shown["controller"] == {"phase": "Running", "pid": 7, "epoch": 1, "conditions": []}


def test_params_and_outputs_have_their_types() -> None:
    step = {**a_step("a"), "outputs": {"rows": "integer", "share": "number"}}
    story = Story().accept(
        [step], name="w", params={"n": {"type": "number", "default": 5}, "l": [1]}
    )
    story.start("a").end("a", exit_code=0, outputs=b"rows=5\nshare=1\n")
    status = shape(story)["status"]
    assert json.dumps(status["params"]) == '{"n": 5.0, "l": [1]}'
    (shown,) = status["steps"]
    assert json.dumps(shown["outputs"]) == '{"rows": 5, "share": 1.0}'
    assert shown["attempts"][0]["outputs"] == shown["outputs"]


def test_a_step_that_runs_again_has_no_outputs_but_its_attempts_have() -> None:
    declared = {"outputs": {"rows": "integer"}}
    story = Story().accept([{**a_step("a"), **declared}, a_step("b", "a")], name="w")
    story.start("a").end("a", exit_code=0, outputs=b"rows=5")
    story.accept([{**a_step("a", run="another"), **declared}, a_step("b", "a")], name="w")
    (shown, _) = shape(story)["status"]["steps"]
    assert shown["outputs"] == {}
    assert shown["attempts"][0]["outputs"] == {"rows": 5}


# ---------------------------------------- definitions and instances

TRIGGER = {"name", "kind", "nextDue", "filesWaiting", "lastFiring"}
FIRING = {"key", "due", "time", "outcome", "reason", "instance", "message"}
INSTANCE = {
    *("name", "uid", "trigger", "key", "due"),
    *("phase", "reason", "startTime", "completionTime"),
}
DROP = {"name": "drop", "files": {"path": "inbox/*"}}


def test_a_definition_has_the_same_fields_as_any_workflow() -> None:
    story = fire(definition(EVERY))
    for name in ("etl", newest(story).name):
        shown = shape(story, name)
        assert shown["metadata"].keys() == CONTRACT["metadata"].keys()
        assert shown["status"].keys() == CONTRACT["status"].keys()


def test_a_definition_names_its_triggers_and_instances() -> None:
    story = run(fire(definition(EVERY)))
    (trigger,) = shape(story, "etl")["status"]["triggers"]
    (instance,) = shape(story, "etl")["status"]["instances"]
    assert (trigger.keys(), trigger["lastFiring"].keys()) == (TRIGGER, FIRING)
    assert instance.keys() == INSTANCE
    name, due = "etl@20231114T221500Z", "2023-11-14T22:15:00.000000Z"
    assert trigger["lastFiring"] == {
        "key": "20231114T221500Z",
        "due": due,
        "time": due,
        "outcome": "Started",
        "reason": None,
        "instance": name,
        "message": "",
    }
    assert trigger["nextDue"] == "2023-11-14T22:16:40.000000Z"
    assert (instance["name"], instance["due"], instance["phase"]) == (name, due, "Succeeded")
    assert shape(story, "etl")["status"]["firings"] == {"Started": 1}
    assert shape(story, "etl")["status"]["steps"] == []


def test_a_skipped_firing_has_a_reason_and_no_instance() -> None:
    story = fire(fire(definition(EVERY)))
    last = shape(story, "etl")["status"]["triggers"][0]["lastFiring"]
    assert (last["outcome"], last["reason"], last["instance"]) == ("Skipped", "Overlap", None)
    assert last["message"].endswith("has not ended")


def test_a_firing_whose_params_do_not_fit_says_which() -> None:
    story = fire(
        definition({**EVERY, "params": {"n": "${{ size(trigger.key) }}"}}, params={"n": ""})
    )
    said = shape(story, "etl")["status"]["triggers"][0]["lastFiring"]["message"]
    assert said.startswith("params.n: ")
    assert f"last firing skipped: {said}" in last_words(story.state, story.life("etl"))


def test_nothing_is_due_of_a_definition_that_is_suspended() -> None:
    story = definition(EVERY).ask("suspend", workflow="etl")
    assert shape(story, "etl")["status"]["triggers"][0]["nextDue"] is None


def test_an_instance_names_its_definition_and_what_began_it() -> None:
    story = fire(definition(EVERY)).ask("start", workflow="etl", key="mine")
    uid, key = story.life("etl").uid, "20231114T221500Z"
    shown = shape(story, f"etl@{key}")
    assert shown["metadata"]["definition"] == {"name": "etl", "uid": uid}
    due = "2023-11-14T22:15:00.000000Z"
    began = {"name": "often", "kind": "everySeconds", "key": key, "due": due}
    assert shown["status"]["trigger"] == began
    by_hand = {"name": None, "kind": "manual", "key": "mine", "due": None}
    assert shape(story, "etl@mine")["status"]["trigger"] == by_hand


def test_instances_are_in_the_order_of_their_births() -> None:
    story = run(fire(definition(EVERY)))
    for key in ("z", "a"):
        story.ask("start", workflow="etl", key=key)
    shown = shape(story, "etl")["status"]["instances"]
    assert [one["key"] for one in shown] == ["20231114T221500Z", "z", "a"]
    assert [one["reason"] for one in shown[1:]] == ["WaitingForSlot", "Queued"]


@pytest.mark.parametrize(("files", "count"), [(None, None), ({}, None), ({"etl": {"drop": 3}}, 3)])
def test_how_many_files_wait_if_that_is_known(files: Any, count: int | None) -> None:
    story = definition(DROP, EVERY)
    shown = workflow_shape(story.state, story.life("etl"), {}, files).status.triggers
    assert shown is not None
    assert [one.files_waiting for one in shown] == [count, None]


def conditions(story: Story, now: int) -> dict[str, str]:
    shown = workflow_shape(story.state, story.life("etl"), now=now).status.conditions
    return {one.type: one.message for one in shown if one.status == "True"}


def test_a_trigger_that_waits_for_no_workflow_is_a_condition() -> None:
    story = definition({"name": "feed", "after": {"workflow": "orders"}})
    said = 'trigger feed waits for "orders", and no workflow has that name'
    assert conditions(story, story.now)["WorkflowMissing"] == said
    story.accept([a_step("a")], "orders")
    assert "WorkflowMissing" not in conditions(story, story.now)


def test_a_file_that_fires_again_and_again_is_a_condition_for_some_time() -> None:
    story = definition(DROP)
    times = [story.now + n for n in range(10)]
    starter(story).triggers["drop"].consumed["/in/a"] = Consumed(1, 1, times)
    said = "trigger drop fired 10 times in 10 minutes for /in/a, so it waits; does a step write it?"
    assert conditions(story, story.now)["TriggerLoops"] == said
    assert "TriggerLoops" not in conditions(story, story.now + 600 * SECOND)
