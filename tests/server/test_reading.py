"""What the API tells of specs that are not in force yet, and of the past; and its description."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from cli.place import Place, document
from server.served import Served, Stream, serving

STEPS = {"extract": "echo rows=3", "load": "true"}


@pytest.fixture(scope="module")
def served(place: Place) -> Iterator[Served]:
    """Without a controller: two runs of `etl`, in a repository; and drafts of somebody."""
    path = place.spec("etl", **STEPS)
    place.says("up", "--once")
    for words in (("init", "--quiet", "-b", "main"), ("add", "specs"), commit("first")):
        subprocess.run(["git", *words], cwd=place.root, check=True)
    path.write_text(document("etl", **{**STEPS, "load": "echo more"}))
    place.says("up", "--once")
    drafts = place.root / "drafts"
    drafts.mkdir()
    (drafts / "etl.yaml").write_text(document("etl", **{**STEPS, "extract": "echo rows=4"}))
    bad = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: bad}\nspec: {steps: 1}\n"
    (drafts / "bad.yaml").write_text(bad)
    with serving(place, "--drafts", str(drafts)) as served:
        yield served


def commit(message: str) -> tuple[str, ...]:
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
    return (*who, "commit", "--quiet", "-m", message)


def actions(told: dict[str, Any]) -> dict[str, str]:
    (change,) = (each for each in told["items"] if each["workflow"] == "etl")
    return {step["name"]: step["action"] for step in change["steps"]}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", {"extract": "keep", "load": "keep"}, id="as it is"),
        pytest.param("?rev=main", {"extract": "keep", "load": "run"}, id="a revision"),
        pytest.param("?staged=true", {"extract": "keep", "load": "run"}, id="the next commit"),
        pytest.param("?drafts=true", {"extract": "run", "load": "run"}, id="drafts"),
    ],
)
def test_what_other_specs_would_do(served: Served, query: str, expected: dict[str, str]) -> None:
    told = served.get(f"diff{query}").json
    assert actions(told) == expected
    assert ("etl" in told["graphs"]) == ("run" in expected.values())
    assert bool(told["faults"]) == (query == "?drafts=true")


@pytest.mark.parametrize("query", ["?rev=nonsense", "?rev=-h", "?rev=main&staged=true", "?rev="])
def test_a_revision_that_there_is_not(served: Served, query: str) -> None:
    answer = served.get(f"diff{query}")
    assert answer.code == 400
    assert answer.json["message"]


def test_a_run_is_told_from_its_beginning_to_its_end(served: Served) -> None:
    first, second = (served.get(f"workflows/etl/changes?run={run}").json for run in (1, 2))
    assert first["steps"] == ["extract", "load"]
    assert second["began"]["extract"] == "Succeeded", "an earlier run gave it"
    for told in (first, second):
        assert told["complete"]
        assert told["moves"][-1][1:3] == ["", "Succeeded"]
    assert {move[1] for move in second["moves"]} == {"", "load"}
    assert served.get("workflows/etl/changes?run=3").code == 404


def test_how_it_was(served: Served) -> None:
    assert served.get("workflows/etl?run=1").json["metadata"]["generation"] == 1
    assert served.get("workflows/etl").json["metadata"]["generation"] == 2
    before = served.get("overview?at=1").json
    assert before["items"] == []
    after = served.get("overview?at=5").json
    assert [row["name"] for row in after["items"]] == ["etl"]
    assert after["controller"]["phase"] == "Unknown"
    assert served.get("workflows?at=5&limit=1").json["items"][0]["metadata"]["name"] == "etl"
    then = served.get("workflows/etl?at=5").json
    assert (then["kind"], then["metadata"]["generation"]) == ("Workflow", 1)
    assert served.get("overview?at=nonsense").code == 400


def test_a_stream_goes_on_behind_any_record_of_the_log(served: Served) -> None:
    """The server began after all of them, so it has them from the log."""
    last = served.get("overview").headers["treadle-event-id"]
    seq = int(last.partition(".")[2])
    stream = Stream(served, "since=1.1")
    try:
        assert stream.next()[0] == "hello"
        told = [stream.next() for _ in range(2, seq + 1)]
    finally:
        stream.close()
    assert {kind for kind, _ in told} == {"record"}
    assert [data[0]["seq"] for _, data in told] == [*range(2, seq + 1)]
    assert stream.last == last


def test_what_is_told_besides(served: Served) -> None:
    insight = served.get("workflows/etl/insight").json
    assert insight["standing"] == "2 of 2 steps succeeded"
    told = served.get("explain?workflow=etl&step=load").json
    assert any("load" in line for line in told["lines"])
    assert [step["step"] for step in told["steps"]] == ["load"]
    assert served.get("explain").code == 400
    graph = served.get("workflows/etl/graph").json
    assert {node["id"] for node in graph["layout"]["nodes"]} == {"extract", "load"}
    assert graph["standings"]["load"]["phase"] == "Succeeded"
    found = served.get("workflows/etl/search?step=extract&attempt=1&text=rows").json
    assert [match["line"] for match in found["matches"]] == ["rows=3"]
    seen = served.get("controller").json
    assert (seen["phase"], seen["git"], seen["drafts"]) == ("Stopped", True, True)
    assert b"treadle_workflows" in served.get("/metrics").body


def test_every_route_is_described(served: Served) -> None:
    from controller.server.app import ROUTES

    told = served.get("openapi.json").json
    paths = {route.path for route in ROUTES if route.path.startswith("/api/v1/")}
    assert set(told["paths"]) == paths
    text = json.dumps(told)
    for name in ("Overview", "WorkflowShape", "Status", "Done"):
        assert f"#/components/schemas/{name}" in text
    stated = told["paths"]["/api/v1/workflows/{name}/log"]["get"]["parameters"]
    assert {one["name"] for one in stated} >= {"name", "step", "attempt", "offset", "tail"}
