"""Messages in pieces, in heaps, and to ends that are gone."""

import json
import socket
from collections.abc import Iterator

import pytest

from controller.executor.shim import wire as wire_module
from controller.executor.shim.wire import Message, Wire


@pytest.fixture
def ends() -> Iterator[tuple[Wire, socket.socket]]:
    near, far = socket.socketpair()
    wire = Wire(near)
    yield wire, far
    wire.close()
    far.close()


def test_messages_of_one_flush_go_as_one_line(ends: tuple[Wire, socket.socket]) -> None:
    wire, far = ends
    wire.say(["a", 1])
    wire.say(["b", "ü\n"])
    wire.flush()
    line, _, rest = far.recv(1000).partition(b"\n")
    assert (json.loads(line), rest) == ([["a", 1], ["b", "ü\n"]], b"")
    wire.flush()
    far.setblocking(False)
    with pytest.raises(BlockingIOError):
        far.recv(1)


def test_a_heap_goes_in_lines_that_the_other_end_takes(
    ends: tuple[Wire, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "LINE_BYTES", 300_000)
    monkeypatch.setattr(wire_module, "LINE_BYTES_MAX", 1_000_000)
    wire, far = ends
    other = Wire(far)
    said = [[str(number), "x" * size] for number, size in enumerate([900_000, 1, *[90_000] * 40])]
    for message in said:
        wire.say(message)
    received: list[Message] = []
    while len(received) < len(said) and not other.closed:
        wire.flush()  # the other end reads slowly, so this sends a part of a line
        received += other.receive()
    assert received == said
    assert not wire.unsent


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_lines_that_come_in_pieces(ends: tuple[Wire, socket.socket], size: int) -> None:
    wire, far = ends
    data = b'[["a", 1], ["b"]]\n[["c"]]\n[["d"'
    received: list[Message] = []
    for at in range(0, len(data), size):
        far.sendall(data[at : at + size])
        received += wire.receive()
    assert received == [["a", 1], ["b"], ["c"]]
    assert not wire.closed
    assert wire.receive() == []


@pytest.mark.parametrize(
    "nonsense", [b"nonsense\n", b"7\n", b"null\n", b"\xff\n", b"[" * 9999 + b"\n"]
)
def test_nonsense_closes_the_wire(ends: tuple[Wire, socket.socket], nonsense: bytes) -> None:
    wire, far = ends
    far.sendall(nonsense)
    assert wire.receive() == []
    assert wire.closed


def test_a_line_without_end_closes_the_wire(
    ends: tuple[Wire, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire_module, "LINE_BYTES_MAX", 100)
    wire, far = ends
    for _ in range(3):
        far.sendall(b"x" * 60)
        wire.receive()
    assert wire.closed


def test_what_a_slow_reader_leaves_goes_out_later(ends: tuple[Wire, socket.socket]) -> None:
    wire, far = ends
    messages: list[Message] = [["m", number, "x" * 1000] for number in range(2000)]
    for message in messages:
        wire.say(message)
        wire.flush()
    assert wire.unsent
    reader = Wire(far)
    received: list[Message] = []
    while len(received) < len(messages):
        received += reader.receive()
        wire.flush()
    assert received == messages
    assert not wire.unsent


def test_an_end_that_is_gone_raises_nothing(ends: tuple[Wire, socket.socket]) -> None:
    wire, far = ends
    far.close()
    wire.say(["a"])
    wire.flush()
    assert wire.closed
    assert wire.receive() == []


def test_what_was_said_before_the_end_is_still_heard(ends: tuple[Wire, socket.socket]) -> None:
    wire, far = ends
    wire.waiting = []
    far.sendall(b'[["last"]]\n')
    far.close()
    assert wire.receive() == [["last"]]
    assert not wire.closed
    assert wire.receive() == []
    assert wire.closed
