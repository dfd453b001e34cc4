"""What attempts have printed, as bytes: a part of it, its last lines, or all that is to come.

Files are read here. What is in the archive has to be unpacked first, which is done beside.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial

import msgspec
from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from controller.client.replica import FOLLOW_SECONDS
from controller.errors import NotFound, UsageError
from controller.model.state import Attempt, State
from controller.server.answers import number_in, streamed
from controller.server.attempts import (
    BYTES,
    BYTES_MAX,
    Part,
    Printed,
    attempt_of,
    opened,
    printed,
)
from controller.server.context import Context, of
from controller.view.find import find_workflow

_KIND = "text/plain; charset=utf-8"


async def log(request: Request) -> Response:
    """`offset` and `limit`: bytes; `tail`: lines from the end; `follow`: until the attempt ends."""
    context, asked = of(request), request.query_params
    name, step = request.path_params["name"], asked.get("step", "")
    number, part = asked.get("attempt") or None, _part(asked)
    try:
        life = find_workflow(context.mirror.state, name)
        attempt = attempt_of(life, step, number)
        file = await asyncio.to_thread(opened, context.mirror.state_dir, step, attempt)
    except NotFound:
        ask = partial(_archived, context, name, step, number)
        first = await ask(part)
        news = _pieces(first, ask)
    else:
        with file:
            first = printed(file, part, attempt)
        news = _followed(context, life.uid, step, attempt, first.offset)
    headers = {
        "treadle-log-size": str(first.size),
        "treadle-log-offset": str(first.offset),
        "treadle-log-ended": str(first.ended).lower(),
        "treadle-event-id": str(context.mirror.at),
    }
    if asked.get("follow", "").lower() in ("1", "true"):
        return streamed(request, news, _KIND, headers)
    return Response(first.data, headers=headers, media_type=_KIND)


def _part(asked: Mapping[str, str]) -> Part:
    """Raises UsageError."""
    tail = number_in(asked, "tail") if "tail" in asked else None
    if tail is not None and "offset" in asked:
        raise UsageError("use only one of offset and tail")
    limit = min(number_in(asked, "limit", BYTES) or BYTES, BYTES_MAX)
    return Part(number_in(asked, "offset"), tail, limit)


async def _archived(
    context: Context, name: str, step: str, number: str | None, part: Part
) -> Printed:
    """If it is in the archive. Raises Refused."""
    words = {"name": name, "step": step, "attempt": number, "part": structs.asdict(part)}
    data = await context.questions.ask("output", **words)
    return msgspec.json.decode(data, type=Printed)


async def _pieces(
    piece: Printed, ask: Callable[[Part], Awaitable[Printed]]
) -> AsyncIterator[bytes]:
    """From this piece on to the end of what has ended."""
    while piece.data:
        yield piece.data
        piece = await ask(Part(piece.offset + len(piece.data), limit=BYTES_MAX))


async def _followed(
    context: Context, uid: str, step: str, attempt: Attempt, offset: int
) -> AsyncIterator[bytes]:
    """What there is and what comes, until the attempt has ended, or the server stops."""
    with opened(context.mirror.state_dir, step, attempt) as file:
        file.seek(offset)
        while True:
            state, number = context.mirror.state, attempt.number
            over = context.mirror.feed.closed or not _lives(state, uid, step, number)
            while block := file.read(BYTES):
                yield block
            if over:
                return
            await asyncio.sleep(FOLLOW_SECONDS)


def _lives(state: State, uid: str, step: str, number: int) -> bool:
    life = state.lives.get(uid)
    found = life.find(step) if life is not None else None
    return found is not None and any(
        attempt.number == number and attempt.live for attempt in found.attempts
    )


async def search(request: Request) -> Response:
    """The lines that have a text."""
    context, asked = of(request), request.query_params
    data = await context.questions.ask(
        "search",
        name=request.path_params["name"],
        step=asked.get("step", ""),
        attempt=asked.get("attempt") or None,
        text=asked.get("text", ""),
        offset=number_in(asked, "offset"),
    )
    return Response(data, media_type="application/json")
