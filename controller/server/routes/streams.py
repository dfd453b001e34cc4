"""The stream of what happens: one for each tab, which it resumes behind the last record it had."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from controller.client.replica import now
from controller.errors import UsageError
from controller.server.answers import streamed
from controller.server.beside.worker import Worker
from controller.server.context import Context, of
from controller.server.door import Refused
from controller.server.feed import EventId, Message, Subscriber, event, parse_id, recorded
from controller.view.find import find_workflow
from controller.view.times import rfc3339

HEARTBEAT_SECONDS = 15.0
_HEARTBEAT = b": \n\n"


async def events(request: Request) -> Response:
    """Server-sent events, from now on or behind `since`."""
    context, asked = of(request), request.query_params
    mirror = context.mirror
    text = asked.get("since") or request.headers.get("last-event-id", "")
    since = parse_id(text) if text else None
    if text and since is None:
        raise UsageError(f"since: {text}: write the id of an event, like 3.1205")
    name = asked.get("workflow", "")
    uid = find_workflow(mirror.state, name).uid if name else ""
    subscriber = Subscriber(uid, rows=asked.get("rows", "").lower() in ("1", "true"))
    news = _told(context, subscriber, since)
    return streamed(request, news, "text/event-stream")


async def _told(
    context: Context, subscriber: Subscriber, since: EventId | None
) -> AsyncIterator[bytes]:
    feed = context.mirror.feed
    joined = feed.at
    yield event("hello", msgspec.json.encode({"id": str(joined), "time": rfc3339(now())}))
    since = since or joined
    while since != feed.at:
        missed = feed.since(since)
        if missed is None:
            missed = await _older(context.questions, since)
        if not missed:  # the log has another record there, or none
            subscriber.reset(feed.at)
            break
        for message in missed:  # one by one: they are not kept for a reader that is slow
            if subscriber.wants(message):
                yield message.data
        since = missed[-1].id or feed.at
    feed.subscribe(subscriber)
    try:
        while not feed.closed:
            yield await subscriber.wait(HEARTBEAT_SECONDS) or _HEARTBEAT
    finally:
        feed.leave(subscriber)


async def _older(questions: Worker, since: EventId) -> list[Message]:
    """What the feed no longer has, from the log; nothing if the log has another record there."""
    try:
        data = await questions.ask("since", epoch=since.epoch, seq=since.seq)
    except Refused:
        return []
    found = msgspec.json.decode(data, type=list[tuple[str, list[dict[str, Any]]]])
    return [recorded(at, told) for text, told in found if (at := parse_id(text)) is not None]
