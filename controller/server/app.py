"""The routes of the server."""

import os
from collections.abc import Collection
from functools import cache
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from controller.errors import TreadleError
from controller.server.answers import answer, status_of, told
from controller.server.context import Context
from controller.server.door import API, HOOKS, SESSION, Door, Refused
from controller.server.openapi import document
from controller.server.routes import acting, output, reading, streams

_KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_WORKFLOW = f"{API}/workflows/{{name}}"


async def openapi(_request: Request) -> Response:
    """This document."""
    return answer(document(ROUTES))


ROUTES = (
    Route("/", lambda request: _static("index.html")),
    Route("/page/{file}", lambda request: _static(request.path_params["file"])),
    Route("/healthz", lambda request: PlainTextResponse("ok\n")),
    Route(SESSION, acting.begin_session, methods=["POST"]),
    Route(SESSION, acting.end_session, methods=["DELETE"]),
    Route(f"{API}/overview", reading.overview),
    Route(f"{API}/workflows", reading.workflows),
    Route(_WORKFLOW, reading.workflow),
    Route(f"{_WORKFLOW}/insight", reading.insight),
    Route(f"{_WORKFLOW}/graph", reading.graph),
    Route(f"{_WORKFLOW}/instances", reading.instances),
    Route(f"{_WORKFLOW}/changes", reading.changes),
    Route(f"{_WORKFLOW}/schedule", reading.schedule),
    Route(f"{_WORKFLOW}/log", output.log),
    Route(f"{_WORKFLOW}/search", output.search),
    Route(f"{_WORKFLOW}/start", acting.start, methods=["POST"]),
    Route(f"{_WORKFLOW}/{{verb}}", acting.act, methods=["POST"]),
    Route(f"{HOOKS}{{name}}/{{trigger}}", acting.deliver, methods=["POST"]),
    Route(f"{API}/explain", reading.explain),
    Route(f"{API}/diff", reading.diff),
    Route(f"{API}/pools", reading.pools),
    Route(f"{API}/controller", reading.controller),
    Route(f"{API}/events", streams.events),
    Route(f"{API}/openapi.json", openapi),
    Route("/metrics", reading.metrics),
)


def make_app(context: Context, hosts: Collection[str], origins: Collection[str]) -> ASGIApp:
    handlers = {
        TreadleError: _failed,
        HTTPException: _unknown,
        Refused: _refused,
        Exception: _crashed,
    }
    app = Starlette(routes=ROUTES, exception_handlers=handlers)
    app.router.redirect_slashes = False  # behind a proxy, it would lead to http
    app.state.context = context
    return Door(app, context.access, hosts, origins)


async def _failed(_request: Request, error: Exception) -> Response:
    assert isinstance(error, TreadleError)
    code = status_of(error)
    return answer(told(code, str(error)), code)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return answer(told(error.code, error.message), error.code, error.headers)


async def _crashed(_request: Request, _error: Exception) -> Response:
    """A fault of ours; the door says more on stderr."""
    return answer(told(500, "the server failed; its stderr says more"), 500)


async def _unknown(request: Request, error: Exception) -> Response:
    """No such route, or none for this method."""
    assert isinstance(error, HTTPException)
    said = f"{request.method} {request.url.path}: there is no such route; see {API}/openapi.json"
    return answer(told(error.status_code, said), error.status_code, error.headers)


def _static(name: str) -> Response:
    """A file of the page. It holds no data, so everybody may read it."""
    found = _page().get(name)
    if found is None:
        raise Refused(404, "there is no such file")
    kind = _KINDS[os.path.splitext(name)[1]]
    return Response(found, media_type=kind, headers={"cache-control": "no-cache"})


@cache
def _page() -> dict[str, bytes]:
    """All files of the page, by name."""
    folder = files("controller.server") / "page"
    return {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if os.path.splitext(file.name)[1] in _KINDS
    }
