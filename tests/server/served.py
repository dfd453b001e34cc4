"""A real server on a state folder, and clients of it: well-behaved ones, and bare sockets."""

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import psutil
from cli.place import DEADLINE_SECONDS, Place
from server.asgi import Answer

ANY_PORT = "127.0.0.1:0"


def runs(pid: int) -> bool:
    """A process that nobody has waited for yet has ended, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Served:
    """A server that runs. `token`: of a session that may operate, unless it is taken away."""

    def __init__(self, place: Place, process: subprocess.Popen[bytes], link: str) -> None:
        self.place = place
        self.process = process
        self.url, self.code = link.split("/#")
        self.host = self.url.partition("//")[2]
        self.port = int(self.host.rpartition(":")[2])
        self.token: str | None = None

    # ------------------------------------ well-behaved clients

    def log_in(self) -> "Served":
        self.token = self.trade(self.code).json["token"]
        return self

    def trade(self, code: str) -> Answer:
        return self.post("session", {"code": code})

    def get(self, path: str, **how: Any) -> Answer:
        return self.ask("GET", path, **how)

    def post(self, path: str, body: Any, **how: Any) -> Answer:
        return self.ask("POST", path, body=json.dumps(body).encode(), **how)

    def ask(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        """`path`: below the API, unless it begins with a slash."""
        with self.begun(method, path, body=body, headers=headers, token=token) as answer:
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, named, answer.read())

    @contextmanager
    def begun(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Iterator[HTTPResponse]:
        """An answer of which only the head was read."""
        token = token or self.token
        given = {} if token is None else {"Authorization": f"Bearer {token}"}
        given |= {} if body is None else {"Content-Type": "application/json"}
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        try:
            path = path if path.startswith("/") else f"/api/v1/{path}"
            connection.request(method, path, body, {**given, **(headers or {})})
            yield connection.getresponse()
        finally:
            connection.close()

    # ------------------------------------ bare sockets

    def head(self, path: str = "/api/v1/overview", method: str = "GET", *more: str) -> bytes:
        """The head of a request with the token."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"Authorization: Bearer {self.token}"] if self.token else []
        return "\r\n".join([*lines, *more, "", ""]).encode()

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE_SECONDS) as client:
            yield client

    def says_to(self, data: bytes, *, shut: bool = False) -> bytes:
        """All that comes back for these bytes, until the server ends the connection.

        `shut`: it is told that no more will come, and need not answer then.
        """
        with self.connected() as client:
            try:
                client.sendall(data)
                if shut:
                    client.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has ended the connection; what it said can still be read
            return all_of(client)

    # ------------------------------------ its process

    def rss(self) -> int:
        """Bytes of memory that it has."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) << 10

    def cpu(self) -> float:
        """Seconds of CPU that it has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def is_fine(self) -> bool:
        """It runs, and answers at once, as far as the machine lets it."""
        began = time.monotonic()
        code, took = self.get("/healthz").code, time.monotonic() - began
        return self.process.poll() is None and code == 200 and took < DEADLINE_SECONDS / 3

    def stop(self) -> tuple[int, str]:
        """Its exit code, and what it printed to stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=DEADLINE_SECONDS)
        return self.process.returncode, err.decode()


def all_of(client: socket.socket) -> bytes:
    data = b""
    try:
        while part := client.recv(1 << 16):
            data += part
    except ConnectionResetError:
        pass
    return data


def begin(place: Place, *words: str) -> Served:
    """Start a server, and wait for its link."""
    process = (
        place.begin("serve", *words)
        if "--listen" in words
        else place.begin("serve", "--listen", ANY_PORT, *words)
    )
    assert process.stdout is not None
    line = process.stdout.readline().decode().strip()
    assert line.startswith("open http"), (line, process.poll(), process.stderr)
    return Served(place, process, line.removeprefix("open "))


@contextmanager
def serving(place: Place, *words: str) -> Iterator[Served]:
    """A server that runs until the end of the block, and ends well; `log_in` was called."""
    served = begin(place, *words).log_in()
    try:
        yield served
        assert served.process.poll() is None, served.process.communicate()
        code, err = served.stop()
        assert code == 0
        assert "Traceback" not in err, err
    finally:
        if served.process.poll() is None:
            served.process.kill()
            served.process.wait(DEADLINE_SECONDS)
        for pipe in (served.process.stdout, served.process.stderr):
            if pipe is not None:
                pipe.close()


class Stream:
    """The events of one stream, as they come."""

    def __init__(self, served: Served, query: str = "") -> None:
        self._connection = HTTPConnection("127.0.0.1", served.port, timeout=DEADLINE_SECONDS)
        said = {"Authorization": f"Bearer {served.token}"}
        self._connection.request("GET", f"/api/v1/events?{query}", headers=said)
        self._answer = self._connection.getresponse()
        self.code = self._answer.status
        self.last = ""  # the id of the last event that had one

    def next(self) -> tuple[str, Any]:
        """The next event; raises EOFError at the end."""
        fields: dict[str, str] = {}
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            assert time.monotonic() < deadline, "it never came"
            line = self._answer.readline().decode()
            if not line:
                raise EOFError
            if line != "\n":
                name, _, value = line.rstrip("\n").partition(": ")
                fields[name] = value
            elif "event" in fields:
                self.last = fields.get("id", self.last)
                return fields["event"], json.loads(fields["data"])
            else:
                fields = {}  # a sign of life

    def until(self, kind: str) -> Any:
        while True:
            name, data = self.next()
            if name == kind:
                return data

    def close(self) -> None:
        self._connection.close()
