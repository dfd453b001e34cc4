"""What happens, as messages to every stream that is open.

A message is one record of the log, encoded once for all. The last ones are kept, so that a stream
which was cut can go on behind the one that it had. A reader who is more than BEHIND_MAX behind
loses what waits for it and is told `reset`: it then asks for the present state. So a slow reader
costs that much memory and delays nobody.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from controller.view.story import PHASE_CHANGED

KEPT_BYTES_MAX = 8 << 20
BEHIND_MAX = 1 << 20  # bytes that wait for one reader
EVENT_BYTES_MAX = 64 << 10  # of one that is sent; of a larger one, only what it is about
_HEAD = ("seq", "time", "type", "workflow", "uid", "cause", "step")


class EventId(NamedTuple):
    """The number of a record, and the epoch of the controller that wrote it."""

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.seq}"


def parse_id(text: str) -> EventId | None:
    """Of `EPOCH.SEQ`; None if it is something else."""
    epoch, dot, seq = text.partition(".")
    if dot and all(part.isascii() and part.isdecimal() and len(part) < 19 for part in (epoch, seq)):
        return EventId(int(epoch), int(seq))
    return None


class Message(NamedTuple):
    """`data` is as it is sent. `uids`: the lives that it is about; none: about the controller.

    `is_row`: of the list, for those who show one.
    """

    data: bytes
    uids: frozenset[str] = frozenset()
    id: EventId | None = None
    is_row: bool = False


def event(kind: str, data: bytes, at: EventId | None = None) -> bytes:
    """One event as the stream has it; `data` is JSON without a line end."""
    place = b"" if at is None else f"id: {at}\n".encode()
    return b"event: %b\n%bdata: %b\n\n" % (kind.encode(), place, data)


def recorded(at: EventId, told: Sequence[Mapping[str, Any]]) -> Message:
    """A record of the log: its own event, then the phases that it changed, as `events` has them."""
    data = msgspec.json.encode(shortened(told))
    uids = {str(each["uid"]) for each in told if each["uid"]}
    uids |= {str(each["life"]) for each in told if each.get("life")}  # of an instance that begins
    return Message(event("record", data, at), frozenset(uids), at)


def shortened(told: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The events of a record, with less about each if they are more than EVENT_BYTES_MAX."""
    if len(msgspec.json.encode(told)) <= EVENT_BYTES_MAX:
        return told
    return [_short(each) for each in told]


def _short(told: Mapping[str, Any]) -> dict[str, Any]:
    """A spec can be large: then only what the event is about is sent."""
    if told["type"] == PHASE_CHANGED:
        return dict(told)
    return {name: told[name] for name in _HEAD if name in told} | {"shortened": True}


class Batch:
    """Messages that go out together: joined once for all who want the same of them."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self.messages = messages
        self._joined: dict[bool, bytes] = {}

    def joined(self, rows: bool) -> bytes:
        """All of them, or all but rows."""
        if rows not in self._joined:
            wanted = (each.data for each in self.messages if rows or not each.is_row)
            self._joined[rows] = b"".join(wanted)
        return self._joined[rows]


class Subscriber:
    """One reader. `uid`: of the life that it follows; "": of all. `rows`: it shows a list."""

    def __init__(self, uid: str, rows: bool) -> None:
        self._uid = uid
        self.rows = rows
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._news = asyncio.Event()

    def wants(self, message: Message) -> bool:
        if message.is_row and not self.rows:
            return False
        return not (self._uid and message.uids and self._uid not in message.uids)

    def put(self, batch: Batch) -> None:
        if not self._uid:
            self._add(batch.joined(self.rows))
        else:
            self._add(b"".join(each.data for each in batch.messages if self.wants(each)))

    def reset(self, at: EventId) -> None:
        """What it knows is not so any more, or it is too far behind."""
        self._waiting.clear()
        self._bytes = 0
        self._add(event("reset", b'{"id":"%b"}' % str(at).encode(), at))

    def _add(self, data: bytes) -> None:
        if not data:
            return
        self._waiting.append(data)
        self._bytes += len(data)
        self._news.set()

    @property
    def waits(self) -> bool:
        """Whether something waits for it that it has not taken."""
        return bool(self._waiting)

    @property
    def is_behind(self) -> bool:
        return self._bytes > BEHIND_MAX

    def close(self) -> None:
        """Wake it up: there will be no more."""
        self._news.set()

    async def wait(self, seconds: float) -> bytes:
        """All that waits for it now; empty if nothing has come within this time."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return b""
        self._news.clear()
        data = b"".join(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return data


class Feed:
    """The streams that are open, and the last messages. `at` is the last record that it knows."""

    def __init__(self) -> None:
        self.at = EventId(0, 0)
        self.closed = False
        self._subscribers: set[Subscriber] = set()
        self._kept: deque[Message] = deque()
        self._kept_bytes = 0
        self._before = self.at  # the record in front of those that are kept

    @property
    def wants_rows(self) -> bool:
        return any(subscriber.rows for subscriber in self._subscribers)

    def begin(self, at: EventId) -> None:
        """From here on; what was before is not known, or was something else."""
        self.at = self._before = at
        self._kept.clear()
        self._kept_bytes = 0
        for subscriber in self._subscribers:
            subscriber.reset(at)

    def publish(self, messages: Sequence[Message]) -> None:
        """Cost: O(messages + readers), and O(messages) for each that follows one workflow."""
        for message in messages:
            if message.id is not None:
                self.at = message.id
                self._keep(message)
        batch = Batch(messages)
        for subscriber in self._subscribers:
            was_behind = subscriber.waits
            subscriber.put(batch)
            if was_behind and subscriber.is_behind:
                subscriber.reset(self.at)

    def _keep(self, message: Message) -> None:
        self._kept.append(message)
        self._kept_bytes += len(message.data)
        while self._kept_bytes > KEPT_BYTES_MAX and len(self._kept) > 1:
            first = self._kept.popleft()
            self._kept_bytes -= len(first.data)
            assert first.id is not None
            self._before = first.id

    def since(self, place: EventId) -> list[Message] | None:
        """The messages behind this record; None if that is not known here."""
        if place == self.at:
            return []
        if place == self._before:
            return [*self._kept]
        for index, message in enumerate(self._kept):
            if message.id == place:
                return [*self._kept][index + 1 :]
        return None

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.add(subscriber)

    def leave(self, subscriber: Subscriber) -> None:
        self._subscribers.discard(subscriber)

    def close(self) -> None:
        """The server stops: end all streams."""
        self.closed = True
        for subscriber in self._subscribers:
            subscriber.close()
