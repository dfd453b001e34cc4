"""What attempts have printed, as bytes: a part of it, its last lines, or all that is to come."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import IO

from starlette.requests import Request
from starlette.responses import Response

from controller.client.replica import FOLLOW_SECONDS
from controller.errors import UsageError
from controller.log.output import LOOK_BACK_BYTES, start_of_last_lines
from controller.model.state import State, Workflow
from controller.server.answers import int_of, streamed
from controller.server.attempts import attempt_of, opened
from controller.server.context import Context, of
from controller.view.find import find_workflow

BYTES, BYTES_MAX = 64 << 10, 1 << 20
_KIND = "text/plain; charset=utf-8"


async def log(request: Request) -> Response:
    """`offset` and `limit`: bytes; `tail`: lines from the end; `follow`: until the attempt ends."""
    context, asked = of(request), request.query_params
    life = _life(context, request.path_params["name"])
    step, number = asked.get("step", ""), int_of(asked.get("attempt", ""))
    attempt = attempt_of(life, step, number)
    # The archive is compressed: then to open it means to unpack it.
    file = await asyncio.to_thread(opened, context.mirror.state_dir, step, attempt)
    size = file.seek(0, os.SEEK_END)
    offset = _offset(file, size, asked.get("offset"), asked.get("tail"))
    headers = {
        "treadle-log-size": str(size),
        "treadle-log-offset": str(offset),
        "treadle-log-ended": str(not attempt.live).lower(),
        "treadle-event-id": str(context.mirror.at),
    }
    file.seek(offset)
    if asked.get("follow", "").lower() in ("1", "true"):
        news = _followed(context, life.uid, step, attempt.number, file)
        return streamed(request, news, _KIND, headers)
    limit = min(int_of(asked.get("limit", str(BYTES))) or BYTES, BYTES_MAX)
    with file:
        return Response(file.read(limit), headers=headers, media_type=_KIND)


def _offset(file: IO[bytes], size: int, offset: str | None, tail: str | None) -> int:
    if offset is not None and tail is not None:
        raise UsageError("use only one of offset and tail")
    if tail is not None:
        return start_of_last_lines(file, int_of(tail), min(LOOK_BACK_BYTES, BYTES_MAX))[0]
    return min(int_of(offset or "0"), size)


async def _followed(
    context: Context, uid: str, step: str, number: int, file: IO[bytes]
) -> AsyncIterator[bytes]:
    """What there is and what comes, until the attempt has ended, or the server stops."""
    with file:
        while True:
            over = context.mirror.feed.closed or not _lives(context.mirror.state, uid, step, number)
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
        attempt=int_of(asked.get("attempt", "")),
        text=asked.get("text", ""),
        offset=int_of(asked.get("offset", "0")),
    )
    return Response(data, media_type="application/json")


def _life(context: Context, name: str) -> Workflow:
    return find_workflow(context.mirror.state, name)
