"""Messages between shim and controller: lines of JSON, each a list of messages.

Both ends use the same few calls. Nothing blocks, and nothing raises. If the reader is slow, the
rest waits here; an incomplete line waits for its end. If the other end disappears, or sends
something that makes no sense, the wire is `closed`.
"""

import json
import socket
from collections import deque
from collections.abc import Iterator
from typing import Any

Message = list[Any]  # a verb, and what it is about

READ_BYTES = 1 << 18
LINE_BYTES = 1 << 20  # a longer line has only one message
LINE_BYTES_MAX = 64 << 20


def encode(message: Message) -> bytes:
    return json.dumps(message).encode()


def readable(text: str) -> str:
    """For people. Bytes that are not UTF-8 travel as lone surrogates, which no log can hold."""
    return text.encode(errors="backslashreplace").decode()


def in_lines(messages: list[bytes]) -> Iterator[bytes]:
    line: list[bytes] = []
    size = 0
    for message in messages:
        if line and size + len(message) > LINE_BYTES:
            yield b"[" + b",".join(line) + b"]\n"
            line, size = [], 0
        line.append(message)
        size += len(message)
    if line:
        yield b"[" + b",".join(line) + b"]\n"


class Wire:
    """One end. `waiting` goes out with the next flush(), as one line if it is not too long."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.waiting: list[bytes] = []
        self.unsent: deque[bytes] = deque()  # lines, perhaps without the beginning of the first
        self.room = memoryview(bytearray(READ_BYTES))  # recv() would map it anew each time: 15 µs
        self.received = b""
        self.closed = False
        self.problem = ""  # why it was closed, if what came makes no sense

    def say(self, message: Message) -> None:
        self.waiting.append(encode(message))

    def flush(self) -> None:
        """Send what can be sent now. The other end's requests limit how much waits."""
        self.unsent.extend(in_lines(self.waiting))
        self.waiting = []
        try:
            while self.unsent:
                line = self.unsent[0]
                sent = self.sock.send(line)
                if sent == len(line):
                    self.unsent.popleft()
                else:
                    self.unsent[0] = line[sent:]
        except BlockingIOError:
            pass
        except OSError:  # the other end was killed; it will be asked again for what it didn't read
            self.unsent.clear()
            self.closed = True

    def receive(self) -> list[Message]:
        """The messages that have arrived completely."""
        try:
            data = bytes(self.room[: self.sock.recv_into(self.room)])
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if len(self.received) > LINE_BYTES_MAX:
            self.problem = "a line is too long"
        if not data or self.problem:
            self.closed = True
            return []
        *lines, self.received = (self.received + data).split(b"\n")
        try:
            told = [json.loads(line) for line in lines]
        except (ValueError, RecursionError, MemoryError):
            told = [None]
        if any(type(messages) is not list for messages in told):
            self.closed = True
            self.problem = "a line is no list of messages in JSON"
            return []
        return [message for messages in told for message in messages]

    def close(self) -> None:
        self.closed = True
        self.sock.close()
