"""What podman and docker were seen to say, and what can be known from it."""

import json
from typing import Any

import pytest

from controller.executor.calls import Answer
from controller.executor.container import reading
from controller.executor.container.reading import Unreadable
from controller.executor.names import Labels
from controller.loop.ports import AttemptId

LABELS = {
    "treadle.folder": "folder",
    "treadle.attempt": "uid/load/2",
    "treadle.mark": "000000000000abc",
}
NEVER = "0001-01-01T00:00:00Z"


def said(**changes: Any) -> Answer:
    """Of podman 4.3, about one container that has ended."""
    state = {
        "OciVersion": "1.0.2-dev",
        "Status": "exited",
        "Running": False,
        "OOMKilled": False,
        "Pid": 0,
        "ExitCode": 7,
        "Error": "",
        "StartedAt": "2026-11-29T15:48:21.508865079Z",
        "FinishedAt": "2026-11-29T15:48:23.008865079Z",
    }
    config = {"Labels": LABELS, "StopSignal": 15}
    config |= {name: changes.pop(name) for name in list(changes) if name in config}
    name = changes.pop("Name", "treadle-load-abc")
    container = {"Id": "f00", "Name": name, "State": state | changes, "Config": config}
    return Answer(0, json.dumps([container]), "")


def read(**changes: Any) -> reading.Container:
    (container,) = reading.containers(said(**changes))
    return container


def test_one_that_has_ended() -> None:
    seen = read()
    assert (seen.id, seen.name, seen.stage, seen.exit_code) == (
        "f00",
        "treadle-load-abc",
        "over",
        7,
    )
    assert seen.labels == Labels("folder", AttemptId("uid", "load", 2), 0xABC)
    assert seen.started
    assert seen.seconds == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("status", "stage"),
    [
        ("configured", "held"),
        ("created", "held"),
        ("initialized", "held"),
        ("running", "alive"),
        ("paused", "alive"),
        ("stopping", "alive"),
        ("removing", "alive"),
        ("restarting", "alive"),
        ("stopped", "over"),
        ("exited", "over"),
        ("dead", "over"),
    ],
)
def test_the_words_for_where_it_is(status: str, stage: str) -> None:
    assert read(Status=status).stage == stage


@pytest.mark.parametrize("status", ["running", "stopping", "created"])
def test_an_exit_code_counts_only_at_the_end(status: str) -> None:
    """While podman stops what it has lost sight of, it shows 0."""
    assert read(Status=status, ExitCode=0).exit_code is None


def test_podman_does_not_always_know_the_exit_code() -> None:
    assert read(Status="stopped", ExitCode=-1).exit_code is None


def test_one_that_never_ran() -> None:
    seen = read(Status="created", StartedAt=NEVER, FinishedAt=NEVER, Error="no such file")
    assert not seen.started
    assert seen.seconds == 0.0
    assert seen.problem == "no such file"


def test_processes_and_memory() -> None:
    seen = read(Status="running", Pid=7, ConmonPid=8, OOMKilled=True, FinishedAt=NEVER)
    assert (seen.pid, seen.monitor, seen.out_of_memory) == (7, 8, True)


@pytest.mark.parametrize(
    ("written", "signal"), [(15, "15"), ("SIGQUIT", "SIGQUIT"), ("", "TERM"), (None, "TERM")]
)
def test_the_stop_signal_of_the_image(written: object, signal: str) -> None:
    assert read(StopSignal=written).stop_signal == signal


def test_docker_puts_a_slash_before_a_name() -> None:
    assert read(Name="/treadle-load-abc").name == "treadle-load-abc"


@pytest.mark.parametrize("labels", [None, {}, {"treadle.folder": "folder"}])
def test_who_lacks_a_label_is_a_stranger(labels: object) -> None:
    assert read(Labels=labels).labels is None


@pytest.mark.parametrize(
    "problem",
    [
        'podman: Error: inspecting object: no such object: "treadle-load-abc"',
        "podman: Error: inspecting object: no such container treadle-load-abc",
        "docker: Error response from daemon: No such container: treadle-load-abc",
    ],
)
def test_one_that_is_not_there(problem: str) -> None:
    assert reading.containers(Answer(125, "[]\n", problem)) == []
    assert reading.containers(Answer(1, "", problem)) == []


def test_others_are_told_of_although_one_is_not_there() -> None:
    answer = said()._replace(code=125, problem="no such container x")
    assert list(reading.by_name(reading.containers(answer))) == ["treadle-load-abc"]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(None, "", "podman did not answer within 30 s"), id="hangs"),
        pytest.param(Answer(None, "", "killed: no such container"), id="killed"),
        pytest.param(Answer(125, "", "podman: Error: database is locked"), id="fails"),
        pytest.param(Answer(0, "nonsense", ""), id="no JSON"),
        pytest.param(Answer(0, "{}", ""), id="another shape"),
        pytest.param(Answer(0, '[{"Id": "x"}]', ""), id="too little"),
        pytest.param(said(Status="flying"), id="an unknown word"),
        pytest.param(said(StartedAt="yesterday"), id="no time"),
        pytest.param(said(ExitCode="7"), id="no number"),
    ],
)
def test_what_proves_nothing(answer: Answer) -> None:
    with pytest.raises(Unreadable):
        reading.containers(answer)


def test_images() -> None:
    assert reading.image_id(Answer(0, "sha256:1\n", "")) == "sha256:1"
    for problem in ("podman: Error: inspecting object: x: image not known", "No such image: x"):
        assert reading.image_id(Answer(125, "", problem)) == ""
    for answer in (Answer(125, "", "daemon?"), Answer(0, "", ""), Answer(0, "a b", "")):
        with pytest.raises(Unreadable):
            reading.image_id(answer)


@pytest.mark.parametrize(
    ("problem", "never"),
    [
        ("podman: Error: invalid reference format", True),
        ("podman: Error: repository name must be lowercase", True),
        ('podman: Error: short-name "x" did not resolve to an alias and no …', True),
        ("podman: Error: initializing source docker://x: no such host", False),
        ("podman: Error: reading manifest latest: manifest unknown", False),
    ],
)
def test_what_no_waiting_mends(problem: str, never: bool) -> None:
    assert reading.is_no_image_name(Answer(125, "", problem)) == never
