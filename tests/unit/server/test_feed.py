"""Streams: what one that was cut gets, who is too far behind, and how much is kept."""

import asyncio
import json
from collections.abc import Callable

import pytest

from controller.server import feed as module
from controller.server.feed import (
    BEHIND_MAX,
    KEPT_BYTES_MAX,
    Batch,
    EventId,
    Feed,
    Message,
    Subscriber,
    event,
    parse_id,
)


def record(seq: int, *uids: str, size: int = 0, epoch: int = 1) -> Message:
    at = EventId(epoch, seq)
    return Message(event("record", b"x" * size, at), frozenset(uids), at)


def a_feed(*messages: Message) -> Feed:
    feed = Feed()
    feed.begin(EventId(1, 0))
    for message in messages:
        feed.publish([message])
    return feed


def taken(subscriber: Subscriber) -> bytes:
    return asyncio.run(subscriber.wait(0))


def ids(messages: list[Message] | None) -> list[int] | None:
    return None if messages is None else [message.id.seq for message in messages if message.id]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("3.1205", EventId(3, 1205)),
        ("0.0", EventId(0, 0)),
        *[
            (text, None)
            for text in ("", "3", "3.", ".3", "3.x", "-3.1", "3.1.2", "\u0663.\u0661", "3. 1")
        ],
        ("1." + "9" * 40, None),
        ("1.2\n", None),
    ],
)
def test_an_id(text: str, place: EventId | None) -> None:
    assert parse_id(text) == place


def test_a_stream_goes_on_behind_each_id_that_is_kept() -> None:
    feed = a_feed(*[record(seq) for seq in range(1, 6)])
    for seq in range(6):
        assert ids(feed.since(EventId(1, seq))) == [*range(seq + 1, 6)]


@pytest.mark.parametrize("place", [EventId(1, 6), EventId(2, 5), EventId(0, 0), EventId(2, 3)])
def test_behind_any_other_id_nothing_is_known(place: EventId) -> None:
    assert a_feed(*[record(seq) for seq in range(1, 6)]).since(place) is None


def test_messages_without_an_id_are_not_for_those_who_come_back() -> None:
    feed = a_feed(record(1), Message(event("controller", b"{}")), record(2))
    assert ids(feed.since(EventId(1, 1))) == [2]
    assert feed.at == EventId(1, 2)


def test_so_many_bytes_are_kept_and_no_more() -> None:
    size = KEPT_BYTES_MAX // 10
    feed = a_feed(*[record(seq, size=size) for seq in range(1, 31)])
    kept = feed._kept
    assert sum(len(message.data) for message in kept) <= KEPT_BYTES_MAX
    assert len(kept) == 9
    assert ids(feed.since(EventId(1, 21))) == [*range(22, 31)], "those behind the last one dropped"
    assert feed.since(EventId(1, 20)) is None
    feed.publish([record(31, size=3 * KEPT_BYTES_MAX)])
    assert ids(feed.since(EventId(1, 30))) == [31], "the last one is kept, whatever its size"
    feed.publish([record(32)])
    assert ids(feed.since(EventId(1, 31))) == [32]


def test_a_feed_that_begins_again_knows_nothing_of_before() -> None:
    feed = a_feed(record(1), record(2))
    reader = Subscriber("", rows=False)
    feed.subscribe(reader)
    feed.publish([record(3)])
    feed.begin(EventId(2, 2))
    said = taken(reader).decode()
    assert said == 'event: reset\nid: 2.2\ndata: {"id":"2.2"}\n\n', "and nothing from before"
    assert feed.since(EventId(1, 2)) is None
    assert feed.since(EventId(2, 2)) == []


@pytest.mark.parametrize(
    ("uid", "rows", "message", "gets"),
    [
        pytest.param("", False, record(1, "a"), True, id="all records"),
        pytest.param("a", False, record(1, "a", "b"), True, id="those of its life"),
        pytest.param("a", False, record(1, "b"), False, id="not those of another"),
        pytest.param("a", False, record(1), True, id="those of the controller"),
        pytest.param("", False, Message(b"x", frozenset("a"), is_row=True), False, id="no rows"),
        pytest.param("", True, Message(b"x", frozenset("a"), is_row=True), True, id="rows"),
        pytest.param("b", True, Message(b"x", frozenset("a"), is_row=True), False, id="its rows"),
        pytest.param("a", True, Message(b"x", is_row=True), True, id="that the list is stale"),
    ],
)
def test_who_gets_what(uid: str, rows: bool, message: Message, gets: bool) -> None:
    reader = Subscriber(uid, rows)
    reader.put(Batch([message]))
    assert bool(taken(reader)) == gets


def test_rows_are_worked_out_only_for_those_who_show_them() -> None:
    feed = a_feed()
    assert not feed.wants_rows
    feed.subscribe(Subscriber("", rows=False))
    assert not feed.wants_rows
    shows = Subscriber("", rows=True)
    feed.subscribe(shows)
    assert feed.wants_rows
    feed.leave(shows)
    assert not feed.wants_rows


def test_a_reader_who_is_too_far_behind_begins_anew_and_others_do_not() -> None:
    feed = a_feed()
    slow, other = Subscriber("", rows=False), Subscriber("other", rows=False)
    feed.subscribe(slow)
    feed.subscribe(other)
    size = BEHIND_MAX // 8
    for seq in range(1, 10):
        feed.publish([record(seq, "a", size=size)])
    feed.publish([record(10, "other")])
    said = taken(slow).decode()
    assert said.startswith('event: reset\nid: 1.8\ndata: {"id":"1.8"}\n\n')
    assert said.count("event: record") == 2, "those that came after the reset"
    assert taken(other) == record(10, "other").data
    assert taken(slow) == b""


def test_whoever_waits_is_woken_by_news_and_by_the_end() -> None:
    async def woken(act: Callable[[Feed], None]) -> bytes:
        feed = a_feed()
        reader = Subscriber("", rows=False)
        feed.subscribe(reader)
        waiting = asyncio.create_task(reader.wait(30))
        await asyncio.sleep(0)
        act(feed)
        return await asyncio.wait_for(waiting, 5)

    assert asyncio.run(woken(lambda feed: feed.publish([record(1)]))) == record(1).data
    assert asyncio.run(woken(lambda feed: feed.close())) == b""


def test_an_event_is_one_of_the_stream_whatever_is_in_it() -> None:
    data = json.dumps({"message": "a\n\nevent: reset\n\r data: x\u2028"}).encode()
    said = module.event("row", data, EventId(1, 2))
    assert said.count(b"\n") == 4
    assert b"\r" not in said
