"""The page: how long an answer takes, how late news come, and what 200 slow readers do.

Server time is that of the answer to one client at a time, over a connection that is open. News are
late by the time from the clock of a record to its arrival at a client. The turns of a controller
are those that it notes itself. Slow readers are 200 streams that nobody reads.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

from benchmarks.measure import summary
from benchmarks.ours import TREADLE, Treadle, write_json
from benchmarks.past import write_long
from benchmarks.shapes import Shape, chain, fan, layers
from controller.log.reader import Tail, read
from controller.log.status_file import read_status
from controller.model.events import WorkflowFinished
from controller.model.metrics import QUICK_BOUNDS, QuickHistogram

MANY = 10_000
ASKED = 40  # times for each route
SLOW = 200  # readers
BURST = 3_000  # steps of the workflow that runs beside them


def serving(folder: Path, rounds: int) -> Iterator[str]:
    """All of that, a line each."""
    yield from _answers(folder)
    yield from _late(folder)
    yield from _slow(folder, rounds)


# ---------------------------------------- answers


def _answers(folder: Path) -> Iterator[str]:
    """Goal: each under 0.2 s at the 95th percentile."""
    treadle = Treadle(folder)
    pattern = str(treadle.run(layers(2, 1, 1), "command", 2).state)
    each = sum(1 for _ in read(pattern)) - 2
    many = str(folder / "page-many")
    write_long(many, pattern, MANY * each)
    grid = _instances(folder)
    large = treadle.run(layers(50, 100, 3), "command", 2)
    dag = json.loads(_command("get", "-o", "json", "--state", str(large.state)))
    name = dag["items"][0]["metadata"]["name"]
    for what, state, path in (
        (f"the list of {MANY:,} workflows", many, "/api/v1/overview?limit=200"),
        ("the same, by a text", many, "/api/v1/overview?q=w99"),
        (f"one of {MANY:,} workflows", many, "/api/v1/workflows/w77"),
        (f"the grid of {MANY:,} instances", grid, "/api/v1/workflows/tick/instances?limit=200"),
        ("the DAG of 5,000 steps", str(large.state), f"/api/v1/workflows/{name}/graph"),
        ("the table of 5,000 steps", str(large.state), f"/api/v1/workflows/{name}"),
    ):
        with _served(state) as client:
            client.get(path)  # the process that works out such answers is there from now on
            spent = [client.get(path) for _ in range(ASKED)]
        p50, p95 = quantiles(spent, n=20)[9], quantiles(spent, n=20)[18]
        yield f"  {what:<32} p50 {p50 * 1e3:6.1f} ms   p95 {p95 * 1e3:6.1f} ms (goal: 200 ms)"


def _instances(folder: Path) -> str:
    """A state with so many of one definition."""
    root = folder / "page-grid"
    (root / "specs").mkdir(parents=True)
    spec = {
        "keepInstances": MANY,
        "triggers": [{"schedule": "* * * * *", "startingDeadlineSeconds": 1}],
        "concurrency": {"policy": "Allow", "limit": 100},
        "suspend": True,
        "steps": [{"name": name, "command": ["/bin/true"]} for name in ("a", "b")],
    }
    head = {"apiVersion": "treadle.dev/v1", "kind": "Workflow", "metadata": {"name": "tick"}}
    (root / "specs" / "tick.yaml").write_text(json.dumps({**head, "spec": spec}))
    where = ("--specs", str(root / "specs"), "--state", str(root / "state"))
    _command("up", "--once", *where)
    span = ("--from", "2026-01-01T00:00", "--to", "2026-01-07T22:39")  # 10,000 minutes
    _command("backfill", "tick", "--parallel", "16", *span, *where)
    _command("up", "--once", *where)
    return str(root / "state")


# ---------------------------------------- news


def _late(folder: Path) -> Iterator[str]:
    """From a record to its arrival, while 300 steps run one after the other."""
    root = folder / "page-late"
    late: list[float] = []
    with _up(root, chain(300)) as (state, begin), _served(state) as client:
        stream = client.stream("/api/v1/events")
        begin()
        for told in stream:
            late.append(time.time() - _moment(told[0]["time"]))
            if any(event["type"] == "WorkflowFinished" for event in told):
                break
    p50, p95 = quantiles(late, n=20)[9], quantiles(late, n=20)[18]
    shown = f"p50 {p50 * 1e3:.0f} ms, p95 {p95 * 1e3:.0f} ms (goal, with the browser: 300 ms)"
    yield f"  from a record to a client        {shown}"


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


# ---------------------------------------- slow readers


def _slow(folder: Path, rounds: int) -> Iterator[str]:
    """The same workflow beside a server that nobody asks, and beside one with slow readers."""
    means: list[float] = []
    tails: list[float] = []
    for number in range(rounds):
        mean, tail = zip(*(_turns(folder, number, readers) for readers in (0, SLOW)), strict=True)
        means.append(mean[1] / mean[0])
        tails.append(tail[1] / tail[0])
    yield f"  turns with {SLOW} slow readers: mean {summary(means)}, p99 {summary(tails)} x without"


def _turns(folder: Path, number: int, readers: int) -> tuple[float, float]:
    """Of the turns of a controller, in microseconds: the mean, and the 99th percentile."""
    root = folder / f"page-slow-{number}-{readers}"
    with _up(root, fan(BURST), "--serve", "127.0.0.1:0") as (state, begin):
        client = _client(state, _line_of(root / "said", "the page: "))
        deaf = [client.never_read("/api/v1/events?rows=true") for _ in range(readers)]
        before = _pace(state)
        begin()
        _until_finished(state)
        turns = _pace(state)
        for each in deaf:
            each.close()
    counts = [new - old for new, old in zip(turns.counts, before.counts, strict=True)]
    return (turns.total - before.total) / sum(counts), _percentile(counts, 0.99)


def _pace(state: str) -> QuickHistogram:
    time.sleep(1.5)  # it is written once a second
    pace = read_status(state).pace
    assert pace is not None
    return pace.turns


def _percentile(counts: list[int], part: float) -> float:
    """Between the bounds of its bucket, as if those in it were spread evenly."""
    left = part * sum(counts)
    low = 0.0
    for count, high in zip(counts, (*QUICK_BOUNDS, 2 * QUICK_BOUNDS[-1]), strict=True):
        if count >= left:
            return low + (high - low) * left / count
        left -= count
        low = high
    return low


# ---------------------------------------- processes


class Client:
    """Of a server, with its token for viewing."""

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._head = {"Authorization": f"Bearer {token}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", port)

    def get(self, path: str) -> float:
        """Seconds to the end of the answer."""
        begun = time.perf_counter()
        self._connection.request("GET", path, headers=self._head)
        answer = self._connection.getresponse()
        body = answer.read()
        assert answer.status == 200, (path, answer.status, body)
        return time.perf_counter() - begun

    def stream(self, path: str) -> Iterator[list[dict[str, Any]]]:
        """The events of each record that comes."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection.request("GET", path, headers=self._head)
        answer = connection.getresponse()
        return self._records(answer)

    def _records(self, answer: http.client.HTTPResponse) -> Iterator[list[dict[str, Any]]]:
        kind = b""
        while line := answer.readline():
            name, _, value = line.strip().partition(b": ")
            if name == b"event":
                kind = value
            elif name == b"data" and kind == b"record":
                yield json.loads(value)

    def never_read(self, path: str) -> socket.socket:
        """A stream that is asked for, and that nobody reads."""
        reader = socket.create_connection(("127.0.0.1", self._port))
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        head = "".join(f"{name}: {value}\r\n" for name, value in self._head.items())
        reader.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n{head}\r\n".encode()
        )
        return reader


@contextmanager
def _served(state: str) -> Iterator[Client]:
    words = [TREADLE, "serve", "--listen", "127.0.0.1:0", "--state", state]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield _client(state, server.stdout.readline())
        finally:
            server.terminate()


def _client(state: str, link: str) -> Client:
    port = int(link.partition("127.0.0.1:")[2].partition("/")[0])
    return Client(port, Path(state, "web", "view").read_text().strip())


def _line_of(file: Path, text: str) -> str:
    """The line with this text, as soon as it is there."""
    while True:
        for line in file.read_text().splitlines(keepends=True):
            if text in line and line.endswith("\n"):
                return line
        time.sleep(0.1)


@contextmanager
def _up(root: Path, shape: Shape, *options: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """A controller that waits for a spec, and what gives it the spec."""
    specs, state = root / "specs", root / "state"
    specs.mkdir(parents=True)
    write_json(root / "bench.json", shape)
    words = [TREADLE, "up", "--specs", specs, "--state", state, "--max-parallel", "2", *options]
    with (root / "said").open("wb") as said:
        controller = subprocess.Popen(words, stdout=said, stderr=said)
    while read_status(str(state)).phase != "Running":
        time.sleep(0.1)
    try:
        yield str(state), lambda: os.rename(root / "bench.json", specs / "bench.json")
    finally:
        controller.send_signal(signal.SIGTERM)
        controller.wait()


def _until_finished(state: str) -> None:
    tail = Tail(state)
    while not any(isinstance(record.event, WorkflowFinished) for record in tail.poll()):
        time.sleep(0.1)


def _command(*words: str) -> str:
    return subprocess.run([TREADLE, *words], check=True, capture_output=True, text=True).stdout
