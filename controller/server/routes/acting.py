"""What the page and scripts can ask for. No route takes a spec, so none can bring a command in."""

import asyncio
from collections.abc import Iterator
from shlex import quote

from starlette.requests import Request
from starlette.responses import Response

from controller.client.acting import deliver as delivery
from controller.errors import NotFound, StorageError, UsageError
from controller.printing import complain
from controller.server.answers import answer, encoded, word_of
from controller.server.asked import VERBS, Act, Code, Start, read
from controller.server.context import of
from controller.server.door import Refused
from controller.server.shapes import Delivered, SessionBegun


async def act(request: Request) -> Response:
    """Do to a workflow what the command of this name does; with `dryRun`, tell what it would do."""
    name, verb = request.path_params["name"], request.path_params["verb"]
    if verb not in VERBS:
        raise NotFound(f"{verb}: there is no such thing to do; there are {', '.join(VERBS)}")
    asked = read(await request.body(), Act)
    if verb == "approve" and asked.question is None:
        raise UsageError("question: the number of the question that you have seen is missing")
    words = {"verb": verb, "name": name, "asked": asked, "command": command_for(verb, name, asked)}
    return encoded(await of(request).deeds.ask("act", **words), 200 if asked.dry_run else 202)


async def start(request: Request) -> Response:
    """Begin an instance of a definition, as `treadle start` does."""
    name = request.path_params["name"]
    asked = read(await request.body(), Start)
    words = {"name": name, "asked": asked, "command": command_for("start", name, asked)}
    return encoded(await of(request).deeds.ask("start", **words), 200 if asked.dry_run else 202)


def command_for(verb: str, name: str, asked: Act | Start) -> str:
    """The command that does the same."""
    return " ".join(map(quote, ("treadle", verb, name, *_words(verb, asked))))


def _words(verb: str, asked: Act | Start) -> Iterator[str]:
    if isinstance(asked, Act):
        yield from asked.steps
        if asked.downstream:
            yield "--downstream"
        if asked.drain:
            yield "--drain"
        if verb == "approve" and not asked.approved:
            yield "--reject"
    else:
        for param, value in asked.params.items():
            yield from ("-p", f"{param}={word_of(value)}")
        if asked.key:
            yield from ("--key", asked.key)
    if asked.reason:
        yield from ("--reason", asked.reason)


async def deliver(request: Request) -> Response:
    """A delivery to a webhook. It brings the secret of its hook; 202 says that it is durable."""
    context = of(request)
    name, trigger = request.path_params["name"], request.path_params["trigger"]
    body, headers = await request.body(), request.headers
    try:
        delivered = await asyncio.to_thread(
            delivery.deliver,
            context.mirror.state_dir,
            context.mirror.state,
            name,
            trigger,
            headers,
            body,
        )
    except delivery.NotDelivered as problem:
        if problem.note:
            complain(problem.note)
        raise Refused(problem.status, str(problem)) from None
    return answer(Delivered(key=delivered.key, instance=delivered.instance or None), 202)


async def begin_session(request: Request) -> Response:
    """Trade the code of a link for a session. A code is good once."""
    code = read(await request.body(), Code).code
    try:
        session = of(request).access.trade(code)
    except OSError as error:
        raise StorageError(
            f"a session can't be written to the state folder: {error.strerror}; the link is not "
            "used up: open it again when that is mended"
        ) from error
    if session is None:
        raise Refused(
            401,
            "this link was used already, or is older than 10 minutes; for another: "
            "treadle serve --link",
        )
    return answer(SessionBegun(token=session.token, role=session.role, until=session.until))


async def end_session(request: Request) -> Response:
    """Log out."""
    of(request).access.end(request.headers["authorization"].partition(" ")[2].strip())
    return answer({})
