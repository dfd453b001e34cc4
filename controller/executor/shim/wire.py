"""Messages between shim and controller: lines of JSON, each a list of messages.

Both ends use the same few calls. Nothing blocks, and nothing raises: what a slow reader leaves
waits here, a line that has not come in whole waits for its rest, and an end that vanishes in the
middle of anything, or talks nonsense, leaves a wire that is `closed`.
"""

import json
import socket
from typing import Any

Message = list[Any]  # a verb, and what it is about

READ_BYTES = 1 << 18
LINE_BYTES_MAX = 64 << 20


def encode(message: Message) -> bytes:
    return json.dumps(message).encode()


class Wire:
    """One end. `waiting` goes out as one line with the next flush()."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.waiting: list[bytes] = []
        self.unsent = b""
        self.received = b""
        self.closed = False

    def say(self, message: Message) -> None:
        self.waiting.append(encode(message))

    def flush(self) -> None:
        """Send what can be sent now. What waits is bounded by what the other end asked for."""
        if self.waiting:
            self.unsent += b"[" + b",".join(self.waiting) + b"]\n"
            self.waiting = []
        try:
            while self.unsent:
                self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:  # killed in the middle; what it had not read is asked for again
            self.unsent = b""
            self.closed = True

    def receive(self) -> list[Message]:
        """The messages that have come in whole."""
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data or len(self.received) > LINE_BYTES_MAX:
            self.closed = True
            return []
        *lines, self.received = (self.received + data).split(b"\n")
        try:
            return [message for line in lines for message in json.loads(line)]
        except (ValueError, TypeError, RecursionError):
            self.closed = True
            return []

    def close(self) -> None:
        self.closed = True
        self.sock.close()
