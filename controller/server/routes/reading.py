"""What the page and scripts read. What takes long is asked beside the loop."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from controller import __version__
from controller.client.reading.in_use import used_now
from controller.client.reading.metrics import CONTENT_TYPE
from controller.client.replica import now
from controller.errors import NotFound, UsageError
from controller.model.indexes import instances_of
from controller.model.state import State, Workflow
from controller.server.answers import answer, encoded, number_in
from controller.server.context import Context, of
from controller.server.lists import LIMIT_MAX, TooWide, grid_of, overview_of
from controller.server.shapes import ControllerSeen, PoolList
from controller.view.find import find
from controller.view.lists.listing import Entry, shape_of
from controller.view.pools import lines as pool_lines
from controller.view.pools import shape as shape_of_pool
from controller.view.times import rfc3339

# A workflow that has more of these is shaped beside the loop:
LARGE = 300  # steps, those of its spec, and instances
BUSY = 2  # running attempts, since the processes of each are looked at


# ---------------------------------------- lists


async def overview(request: Request) -> Response:
    """A row for each workflow: what the page's list shows."""
    context, asked = of(request), request.query_params
    if asked.get("at"):
        return await _beside(context, "overview", asked=dict(asked))
    mirror, at = context.mirror, str(context.mirror.at)
    try:
        told = overview_of(
            mirror.state, asked, mirror.look(), mirror.controller(), at, on_loop=True
        )
    except TooWide:
        return await _beside(context, "overview", asked=dict(asked))
    return _told(context, told)


async def workflows(request: Request) -> Response:
    """Workflows in full, as `get -o json` gives them."""
    context, asked = of(request), request.query_params
    return await _beside(context, "workflows", asked=dict(asked))


# ---------------------------------------- one workflow


async def workflow(request: Request) -> Response:
    """One in full: as it is, as it was at the end of a run, or at a moment."""
    context, asked = of(request), request.query_params
    name = request.path_params["name"]
    if asked.get("run"):
        return await _beside(context, "run", name=name, number=number_in(asked, "run"))
    if point := asked.get("at"):
        return await _beside(context, "workflow", name=name, point=point)
    state = context.mirror.state
    try:
        entry = find(state, name)
    except NotFound:
        return await _beside(context, "workflow", name=name)  # it may be in the archive
    if isinstance(entry, Workflow) and (_size(state, entry) > LARGE or entry.occupied > BUSY):
        return await _beside(context, "workflow", name=entry.uid)
    return _told(context, _shape(context, state, entry))


def _size(state: State, life: Workflow) -> int:
    return len(life.steps) + len(life.spec.steps) + len(instances_of(state, life))


def _shape(context: Context, state: State, entry: Entry) -> Any:
    moment = now()
    return shape_of(state, entry, used_now([entry], moment), context.mirror.files, moment)


async def insight(request: Request) -> Response:
    """What `status` and `explain` say of it, beyond its shape."""
    return await _beside(of(request), "insight", name=request.path_params["name"])


async def graph(request: Request) -> Response:
    """Its DAG as a picture: where each step stands. `direction`: `right`, or `down`."""
    direction = request.query_params.get("direction", "right")
    if direction not in ("right", "down"):
        raise UsageError(f"direction: {direction}: write right or down")
    name = request.path_params["name"]
    return await _beside(of(request), "graph", name=name, direction=direction)


async def instances(request: Request) -> Response:
    """Those of a definition with the phases of their steps, the newest first."""
    context, asked = of(request), request.query_params
    name = request.path_params["name"]
    try:
        return _told(context, grid_of(context.mirror.state, name, asked, on_loop=True))
    except TooWide:
        return await _beside(context, "instances", name=name, asked=dict(asked))


async def changes(request: Request) -> Response:
    """All that happened in a run, to be played."""
    asked = request.query_params
    number = number_in(asked, "run") if asked.get("run") else None
    return await _beside(of(request), "changes", name=request.path_params["name"], number=number)


async def schedule(request: Request) -> Response:
    """Due times ahead; or what became of those of a span."""
    context, asked = of(request), request.query_params
    name = request.path_params["name"]
    if span := asked.get("audit"):
        return await _beside(context, "audit", name=name, text=span)
    count = min(number_in(asked, "next", 10), LIMIT_MAX)
    return await _beside(context, "schedule", name=name, count=count)


# ---------------------------------------- all else


async def explain(request: Request) -> Response:
    """Why a workflow, or a step of it, is as it is."""
    asked = request.query_params
    return await _beside(
        of(request), "explain", name=_required(asked, "workflow"), step=asked.get("step")
    )


async def diff(request: Request) -> Response:
    """What the specs of the folder, a revision, the next commit, or the drafts would do."""
    asked = request.query_params
    revision, staged, drafts = asked.get("rev"), _is_set(asked, "staged"), _is_set(asked, "drafts")
    if sum((revision is not None, staged, drafts)) > 1:
        raise UsageError("use only one of rev, staged and drafts")
    if revision is not None and (not revision or revision.startswith("-")):
        raise UsageError(f"rev: {revision}: this names no revision")
    return await _beside(of(request), "diff", revision=revision, staged=staged, drafts=drafts)


async def pools(request: Request) -> Response:
    """Pools and locks, who holds them, and who waits."""
    context = of(request)
    found = pool_lines(context.mirror.state)
    return _told(context, PoolList(items=[shape_of_pool(line) for line in found]))


async def controller(request: Request) -> Response:
    """The controller, and what this server shows."""
    context = of(request)
    mirror = context.mirror
    status, state = mirror.status, mirror.state
    seen = ControllerSeen(
        **structs.asdict(mirror.controller()),
        since=rfc3339(status.since) if status.pid is not None else None,
        as_of=rfc3339(state.time) if state.seq else None,
        time=rfc3339(now()),
        version=__version__,
        specs=state.controller.folder,
        state=mirror.state_dir,
        git=context.git,
        drafts=context.drafts,
        role=request.scope["treadle.role"],
        command=context.command,
    )
    return _told(context, seen)


async def metrics(request: Request) -> Response:
    """Counters, histograms and gauges, for Prometheus."""
    text = msgspec.json.decode(await of(request).questions.ask("metrics"), type=str)
    return Response(text, headers={"content-type": CONTENT_TYPE})


# ---------------------------------------- answers


def _told(context: Context, body: Any) -> Response:
    return answer(body, headers={"treadle-event-id": str(context.mirror.at)})


async def _beside(context: Context, job: str, **words: Any) -> Response:
    at = str(context.mirror.at)  # what it gives knows at least this record
    data = await context.questions.ask(job, **words)
    return encoded(data, headers={"treadle-event-id": at})


def _required(asked: Mapping[str, str], name: str) -> str:
    if not asked.get(name):
        raise UsageError(f"{name} is missing: write ?{name}=…")
    return asked[name]


def _is_set(asked: Mapping[str, str], name: str) -> bool:
    return asked.get(name, "").lower() in ("1", "true", "yes")
