"""Clients that take their time, against the same server in this process, with short limits."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from server.served import Served, all_of
from server.stories import a_story, output_of

from controller.log.state_folder import prepare_state
from controller.log.writer import LogWriter
from controller.server import door, listening
from controller.server.access import Access
from controller.server.app import make_app
from controller.server.beside.worker import Folders, Worker
from controller.server.context import Context
from controller.server.listening import Address, listen, reached, server_of
from controller.server.mirror import Mirror
from controller.server.routes import streams

SHORT = 0.3
ENOUGH = 15.0


class Here:
    """A server in a thread of this process."""

    process = None

    def __init__(self, state_dir: str) -> None:
        self._ready = threading.Event()
        self._state_dir = state_dir
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        folders = Folders(self._state_dir, self._state_dir, None, 1)
        mirror, worker = Mirror(self._state_dir), Worker("questions", folders)
        mirror.open()
        self.mirror = mirror
        access = Access(self._state_dir)
        access.prepare()
        with listen(Address("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            known = reached(Address("127.0.0.1", self.port), "", insecure=False)
            context = Context(mirror, worker, worker, access, drafts=False, git=False)
            self.server = server_of(make_app(context, known.hosts, known.origins), mirror.feed)
            self._loop = asyncio.get_running_loop()
            asyncio.get_running_loop().call_soon(self._ready.set)
            await self.server.serve(sockets=[listener])
            await worker.stop()

    @contextmanager
    def running(self) -> Iterator[Served]:
        self._thread.start()
        assert self._ready.wait(ENOUGH)
        link = f"http://127.0.0.1:{self.port}/#none"
        served = Served(None, None, link)  # type: ignore[arg-type]
        served.token = Path(self._state_dir, "web", "operate").read_text().strip()
        try:
            yield served
        finally:
            self._loop.call_soon_threadsafe(self.server.stop)
            self._thread.join(ENOUGH)
            assert not self._thread.is_alive()


@pytest.fixture(scope="module")
def short() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(door, "BODY_SECONDS", SHORT)
    patch.setattr(listening, "HEADER_SECONDS", SHORT)
    patch.setattr(listening, "STALLED_SECONDS", SHORT)
    patch.setattr(listening, "IDLE_SECONDS", 1)
    patch.setattr(streams, "HEARTBEAT_SECONDS", SHORT / 3)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def here(short: None, tmp_path_factory: pytest.TempPathFactory) -> Here:
    state_dir = str(tmp_path_factory.mktemp("state"))
    prepare_state(state_dir)
    log = LogWriter(state_dir)
    story = a_story()
    for record in story.records:
        log.append([record])
    log.close()
    output_of(Path(state_dir), story).write_bytes(b"x" * (1 << 20))
    return Here(state_dir)


@pytest.fixture(scope="module")
def served(here: Here) -> Iterator[Served]:
    with here.running() as served:
        yield served


def seconds(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


@pytest.mark.parametrize("part", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_head_that_does_not_come_is_not_waited_for(served: Served, part: bytes) -> None:
    with served.connected() as client:
        client.sendall(part)
        assert SHORT / 2 < seconds(lambda: all_of(client)) < ENOUGH


def test_a_head_that_comes_byte_by_byte_is_not_waited_for(served: Served) -> None:
    with served.connected() as client:
        ends = time.monotonic() + ENOUGH
        with pytest.raises(OSError):
            while time.monotonic() < ends:
                client.sendall(b"G")
                time.sleep(SHORT / 10)
        assert time.monotonic() < ends


def test_the_second_head_of_a_connection_is_not_waited_for_either(served: Served) -> None:
    with served.connected() as client:
        client.sendall(served.head("/healthz") + b"GET / HT")
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        ends = time.monotonic() + ENOUGH
        with pytest.raises(OSError):
            while time.monotonic() < ends:
                client.sendall(b"P")
                time.sleep(SHORT / 10)
        assert time.monotonic() < ends


def test_a_body_that_comes_byte_by_byte_is_not_waited_for(served: Served) -> None:
    head = served.head(
        "/api/v1/session", "POST", "Content-Type: application/json", "Content-Length: 1000"
    )
    with served.connected() as client:
        client.sendall(head)
        ends = time.monotonic() + ENOUGH
        try:
            while time.monotonic() < ends:
                client.sendall(b" ")
                time.sleep(SHORT / 10)
        except OSError:
            pass
        assert time.monotonic() < ends


def test_a_body_that_stops_is_answered(served: Served) -> None:
    head = served.head(
        "/api/v1/session", "POST", "Content-Type: application/json", "Content-Length: 1000"
    )
    said = served.says_to(head + b"{")
    assert said.startswith(b"HTTP/1.1 408 ")


def test_a_stream_gives_signs_of_life_and_has_no_limit(served: Served) -> None:
    with served.connected() as client:
        client.sendall(served.head("/api/v1/events"))
        said = b""
        while said.count(b"\n: \n") + said.count(b": \n\n") < 5:
            said += client.recv(1 << 16)


def test_who_never_reads_an_answer_is_let_go(served: Served, here: Here) -> None:
    """Each would hold a connection and what waits for it, for good."""
    with served.connected() as client:
        client.sendall(
            served.head("/api/v1/workflows/etl/log?step=extract&attempt=1&limit=9999999") * 40
        )

        def mine() -> list[object]:
            """Its connection, while the server has it."""
            port = client.getsockname()[1]
            known = here.server.server_state.connections
            return [one for one in known if one.client is not None and one.client[1] == port]

        until = time.monotonic() + ENOUGH
        while not mine():
            assert time.monotonic() < until
            time.sleep(0.01)
        ends = time.monotonic() + ENOUGH
        while mine() and time.monotonic() < ends:
            time.sleep(0.02)
        assert not mine()
