"""Prometheus itself scrapes what treadle says, by the configuration of the example."""

import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cli.place import DEADLINE_SECONDS, Place

from controller.client.reading.metrics import CONTENT_TYPE, exposition
from controller.client.replica import Replica
from controller.log.status_file import read_status

EXAMPLE = Path(__file__).parents[2] / "examples" / "prometheus"
TOKEN = "a-token"


def needs(program: str) -> pytest.MarkDecorator:
    missing = shutil.which(program) is None
    return pytest.mark.skipif(missing, reason=f"{program} is not installed")


@contextmanager
def served(state_dir: str) -> Iterator[int]:
    """The metrics of this state folder, for who has the token; gives the port."""

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.end_headers()
            if allowed:
                state = Replica(state_dir).catch_up()
                self.wfile.write(exposition(state, read_status(state_dir)))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def a_free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def configured(folder: Path, port: int) -> Path:
    """The example with this port and a token of its own, in a hurry."""
    shutil.copytree(EXAMPLE, folder)
    (folder / "token").write_text(TOKEN + "\n")
    path = folder / "prometheus.yml"
    text = path.read_text()
    for was, now in (
        ("127.0.0.1:8321", f"127.0.0.1:{port}"),
        ("/home/ada/etl/.treadle/web/view", "token"),
        ("interval: 30s", "interval: 1s"),
    ):
        assert was in text
        text = text.replace(was, now)
    path.write_text(text)
    return path


class Prometheus:
    def __init__(self, config: Path) -> None:
        self.url = f"127.0.0.1:{a_free_port()}"
        self._said = (config.parent / "said.txt").open("wb")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={config.parent / 'data'}",
                f"--web.listen-address={self.url}",
            ],
            stdout=self._said,
            stderr=subprocess.STDOUT,
        )

    def ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"http://{self.url}/api/v1/{what}", timeout=5) as answer:
            return json.load(answer)["data"]

    def values(self, query: str) -> dict[str, float]:
        """By the values of all labels but those of the scrape."""
        found = {}
        for series in self.ask(f"query?query={quote(query)}")["result"]:
            labels = series["metric"].items()
            own = [label for name, label in sorted(labels) if name not in SCRAPE]
            found[" ".join(own)] = float(series["value"][1])
        return found

    def until(self, query: str, expected: dict[str, float]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        last: object = None
        while last != expected:
            assert time.monotonic() < deadline, f"{query}: {last}"
            time.sleep(0.1)
            try:
                last = self.values(query)
            except OSError as error:  # it is not there yet
                last = error

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE_SECONDS)
        self._said.close()


SCRAPE = ("__name__", "instance", "job", "project", "version")


@needs("prometheus")
def test_prometheus_scrapes_and_its_rules_see_that_the_controller_is_gone(
    place: Place, tmp_path: Path
) -> None:
    place.spec("w", a="true", b="exit 3")
    with served(str(place.state)) as port, place.up():
        prometheus = Prometheus(configured(tmp_path / "prometheus", port))
        try:
            prometheus.until('up{job="treadle"}', {"": 1})
            prometheus.until("treadle_attempts_total", {"Succeeded w": 1, "Failed w": 1})
            prometheus.until(
                "treadle_run_duration_seconds_count", {"Failed w": 1, "Succeeded w": 0}
            )
            assert prometheus.values("treadle_workflows > 0") == {"Failed": 1}
            gone = "treadle_log_seq unless on (job, instance) treadle_build_info"
            assert prometheus.values(gone) == {}
            types = {name: known[0]["type"] for name, known in prometheus.ask("metadata").items()}
            assert types["treadle_attempts_total"] == "counter"
            assert types["treadle_run_duration_seconds"] == "histogram"
            (group,) = prometheus.ask("rules")["groups"]
            assert {rule["lastError"] for rule in group["rules"] if "lastError" in rule} <= {""}
            place.clear()
            prometheus.until(f"count({gone})", {"": 1})
        finally:
            prometheus.close()


@needs("promtool")
@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "--lint=all", "--lint-fatal", "treadle.rules.yml"),
        ("test", "rules", "treadle.rules.test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_accepts_the_example(tmp_path: Path, words: tuple[str, ...]) -> None:
    folder = configured(tmp_path / "example", 8321).parent
    done = subprocess.run(
        ["promtool", *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs("promtool")
@pytest.mark.parametrize("alert", range(8))
def test_each_alert_is_tested(tmp_path: Path, alert: int) -> None:
    """If one of them never fires, the tests of the rules say so."""
    rules = configured(tmp_path / "example", 8321).with_name("treadle.rules.yml")
    parts = rules.read_text().split("        expr: ")
    assert len(parts) == 9
    parts[alert + 1] = "vector(0) > 1 and on () " + parts[alert + 1]
    rules.write_text("        expr: ".join(parts))
    words = ["promtool", "test", "rules", "treadle.rules.test.yml"]
    done = subprocess.run(words, cwd=rules.parent, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "FAILED" in done.stdout + done.stderr
