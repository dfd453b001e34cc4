"""What people do in the browser: the same as the commands do, and nothing that they did not see."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cli.place import HELD, Place, document
from server.served import Answer, Served, serving

from controller.requests import os_user

FAILS = "exit 1"


@pytest.fixture(scope="module")
def served(place: Place) -> Iterator[Served]:
    """Beside a controller."""
    (place.specs / "timed.yaml").write_text(
        json.dumps(
            {
                "apiVersion": "treadle.dev/v1",
                "kind": "Workflow",
                "metadata": {"name": "timed"},
                "spec": {
                    "params": {"size": 3},
                    "triggers": [{"name": "night", "schedule": "0 3 * * *"}],
                    "steps": [{"name": "a", "run": "true"}],
                },
            }
        )
    )
    with place.up(), serving(place) as served:
        yield served


def a_workflow(place: Place, name: str, phase: str, **steps: str) -> None:
    place.spec(name, **steps)
    place.until(lambda: place.phase(name) == phase)


def body_for(served: Served, name: str, **more: Any) -> dict[str, Any]:
    """What a page sends that shows this workflow now."""
    served.place.until(lambda: served.get(f"workflows/{name}").code == 200)
    row = next(row for row in served.get("overview").json["items"] if row["name"] == name)
    return {"uid": row["uid"], "run": row["run"], **more}


def shown(served: Served, name: str, phase: str) -> dict[str, Any]:
    """What to send, as soon as the page shows this phase."""
    served.place.until(
        lambda: any(
            (row["name"], row["phase"]) == (name, phase)
            for row in served.get("overview").json["items"]
        )
    )
    return body_for(served, name)


def refused(answer: Answer, code: int, why: str) -> None:
    assert (answer.code, why in answer.json["message"]) == (code, True), answer


def who_asked(place: Place, name: str) -> list[tuple[str, str]]:
    lines = place.says("events", name, "-o", "json").splitlines()
    events = [json.loads(line) for line in lines]
    return [(each["kind"], each["by"]) for each in events if each["type"] == "RequestApplied"]


def test_retry_does_what_its_command_does(served: Served, place: Place) -> None:
    a_workflow(place, "fails", "Failed", a=FAILS, b="true")
    body = shown(served, "fails", "Failed")
    dry = served.post("workflows/fails/retry", {**body, "steps": ["a"], "dryRun": True})
    assert (dry.code, dry.json["command"]) == (200, "treadle retry fails a")
    assert dry.json["message"] == place.says("retry", "fails", "a", "--dry-run").strip()
    assert len(place.shape("fails")["status"]["steps"][0]["attempts"]) == 1, "it did nothing"
    answer = served.post("workflows/fails/retry", {**body, "reason": 'it\'s "me"'})
    assert answer.code == 202, answer
    assert answer.json["command"] == "treadle retry fails --reason 'it'\"'\"'s \"me\"'"
    assert "retrying a" in answer.json["message"]
    place.until(lambda: len(place.shape("fails")["status"]["steps"][0]["attempts"]) == 2)
    assert who_asked(place, "fails") == [("retry", f"{os_user()} (as web)")]
    refused(served.post("workflows/fails/retry", body), 409, "and run 1 is named")


def test_two_clicks_at_once_are_one_retry(served: Served, place: Place) -> None:
    a_workflow(place, "twice", "Failed", a=FAILS)
    body = shown(served, "twice", "Failed")
    with ThreadPoolExecutor(4) as pool:
        ask = [pool.submit(served.post, "workflows/twice/retry", body) for _ in range(4)]
        codes = sorted(each.result().code for each in ask)
    assert codes[0] == 202
    assert {*codes[1:]} <= {202, 400, 409}
    place.until(lambda: place.phase("twice") == "Failed")
    attempts = place.shape("twice")["status"]["steps"][0]["attempts"]
    assert [attempt["run"] for attempt in attempts] == [1, 2]


def test_cancel_writes_the_marker(served: Served, place: Place) -> None:
    a_workflow(place, "held", "Running", a=HELD, b="true")
    body = shown(served, "held", "Running")
    marker = place.specs / "held.cancel"
    dry = served.post("workflows/held/cancel", {**body, "dryRun": True, "reason": "stop"})
    assert (dry.code, marker.exists()) == (200, False)
    would = "held: would cancel; would stop a (1 running); 1 step would not start"
    assert dry.json["message"].startswith(would)
    drained = served.post("workflows/held/cancel", {**body, "dryRun": True, "drain": True})
    assert "would let a finish (1 running)" in drained.json["message"]
    refused(served.post("workflows/held/cancel", {**body, "steps": ["nope"]}), 404, "nope")
    answer = served.post("workflows/held/cancel", {**body, "reason": "line\nreason: x"})
    assert (answer.code, marker.exists()) == (202, True)
    place.until(lambda: place.phase("held") == "Cancelled")
    refused(served.post("workflows/held/resume", {**body, "run": 7}), 409, "and run 7 is named")
    again = served.post("workflows/held/cancel", body)
    assert "nothing to cancel" in again.json["message"]


def test_suspend_and_resume(served: Served, place: Place) -> None:
    a_workflow(place, "idle", "Succeeded", a="true")
    body = shown(served, "idle", "Succeeded")
    assert served.post("workflows/idle/suspend", {**body, "dryRun": True}).code == 200
    assert served.post("workflows/idle/suspend", body).code == 202
    assert served.post("workflows/idle/resume", body).code == 202
    assert [kind for kind, _ in who_asked(place, "idle")] == ["suspend", "resume"]


def test_a_question_is_answered_once_and_only_the_one_that_was_seen(
    served: Served, place: Place
) -> None:
    written = json.loads(document("asks", a="true"))
    written["spec"]["steps"].append(
        {"name": "ok", "approve": {"message": "go?"}, "dependsOn": ["a"]}
    )
    (place.specs / "asks.yaml").write_text(json.dumps(written))

    def question() -> dict[str, Any] | None:
        if not place.phase("asks"):
            return None
        asked: dict[str, Any] | None = place.shape("asks")["status"]["steps"][1]["approval"]
        return asked

    place.until(lambda: question() is not None)
    asked = question()
    assert asked is not None
    body = {**shown(served, "asks", "Running"), "steps": ["ok"]}
    assert served.post("workflows/asks/approve", body).code == 400, "it must name the question"
    answer = served.post("workflows/asks/approve", {**body, "question": asked["number"] + 1})
    refused(answer, 409, f"asks question {asked['number']} now")
    body["question"] = asked["number"]
    dry = served.post("workflows/asks/approve", {**body, "approved": False, "dryRun": True})
    assert dry.json["command"] == "treadle approve asks ok --reject"
    assert question() == asked
    assert served.post("workflows/asks/approve", body).code == 202
    place.until(lambda: place.phase("asks") == "Succeeded")
    found = question()
    assert found is not None
    assert found["by"] == f"{os_user()} (as web)"
    refused(served.post("workflows/asks/approve", body), 409, "asks nothing now")


def test_start_begins_an_instance_with_its_params(served: Served, place: Place) -> None:
    place.until(lambda: bool(place.phase("timed")))
    body = body_for(served, "timed")
    del body["run"]
    dry = served.post("workflows/timed/start", {**body, "dryRun": True, "params": {"size": 4}})
    assert (dry.code, dry.json["command"]) == (200, "treadle start timed -p size=4")
    refused(served.post("workflows/timed/start", {**body, "params": {"size": "x"}}), 400, "size")
    refused(served.post("workflows/timed/start", {**body, "params": {"sise": 1}}), 400, "sise")
    refused(served.post("workflows/timed/start", {**body, "uid": "another"}), 409, "another")
    answer = served.post("workflows/timed/start", {**body, "params": {"size": 4}, "key": "k"})
    assert answer.code == 202, answer
    name = answer.json["instance"]
    assert place.shape(name)["status"]["params"] == {"size": 4}
    again = served.post("workflows/timed/start", {**body, "key": "k"})
    assert (again.code, again.json["instance"]) == (202, name)
    rows = served.get("workflows/timed/instances").json
    assert [row["name"] for row in rows["items"]] == [name]


@pytest.mark.parametrize(
    ("verb", "more", "code", "why"),
    [
        ("retry", {"uid": "another"}, 409, "that uid is wrong, or plain was deleted"),
        ("cancel", {"run": 5}, 409, "run 5 is named"),
        ("suspend", {"run": 0}, 409, "run 0 is named"),
        ("retry", {"steps": ["nope"]}, 404, "nope"),
        ("approve", {"steps": ["a"]}, 400, "a"),
        ("approve", {"question": 1}, 400, "STEP"),
        ("start", {}, 400, "run"),
        ("destroy", {}, 404, "no such thing to do"),
        ("mark", {}, 404, "no such thing to do"),
    ],
)
def test_what_the_controller_would_refuse_is_refused(
    served: Served, place: Place, verb: str, more: dict[str, Any], code: int, why: str
) -> None:
    if not place.phase("plain"):
        a_workflow(place, "plain", "Failed", a=FAILS)
    body = {**shown(served, "plain", "Failed"), **more}
    for dry_run in (True, False):
        refused(served.post(f"workflows/plain/{verb}", {**body, "dryRun": dry_run}), code, why)


def test_it_acts_without_a_controller_too(own: Place) -> None:
    a_spec = own.spec("w", a=FAILS)
    own.treadle("up", "--once", code=1)
    with serving(own) as served:
        body = body_for(served, "w")
        answer = served.post("workflows/w/retry", body)
        assert answer.code == 202
        assert "no controller is running" in answer.json["message"]
        a_spec.write_text(document("w", a="true", b="true"))
        own.treadle("up", "--once")
        assert served.post("workflows/w/retry", body).code == 409
