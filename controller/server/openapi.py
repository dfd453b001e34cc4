"""`openapi.json`: made of the routes, their docstrings, and the types of their answers."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from starlette.routing import Route

from controller import __version__
from controller.server import shapes
from controller.server.asked import VERBS, Act, Code, Start
from controller.server.lists import INSTANCES
from controller.view.graph.standing import Graph
from controller.view.lists.selection import ORDERS
from controller.view.shape import WorkflowShape

_TEXT, _NUMBER, _FLAG = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}


class Operation(NamedTuple):
    """`query`: each with its schema and what it means. `gives`: a type, or a kind of content."""

    gives: Any
    query: Sequence[tuple[str, dict[str, Any], str]] = ()
    takes: Any = None
    code: int = 200


_CHOICE = (
    ("selector", _TEXT, "labels, as for `get -l`"),
    ("instances", {"enum": [*INSTANCES]}, "which of the instances"),
    ("limit", _NUMBER, "at most so many, 1 to 500; 100 unless given"),
    ("continue", _TEXT, "what the answer before this one has given"),
)
_OUTPUT = (("step", _TEXT, "its full name"), ("attempt", _NUMBER, "its number; else the last"))

# By the names of their functions.
OPERATIONS: dict[str, Operation] = {
    "overview": Operation(
        shapes.Overview,
        (
            ("q", _TEXT, "a text in the name or a label"),
            ("phase", _TEXT, "one or more phases, with commas between them; or `Invalid`"),
            ("at", _TEXT, "as it was: the number of a record, or a time"),
            ("sort", {"enum": [*ORDERS]}, "the order"),
            *_CHOICE,
        ),
    ),
    "workflows": Operation(
        shapes.WorkflowList,
        (*_CHOICE, ("at", _TEXT, "as it was: the number of a record, or a time")),
    ),
    "workflow": Operation(
        WorkflowShape,
        (
            ("run", _NUMBER, "as it was at the end of this run"),
            ("at", _TEXT, "as it was: the number of a record, or a time"),
        ),
    ),
    "insight": Operation(shapes.Insight),
    "graph": Operation(Graph, (("direction", {"enum": ["right", "down"]}, "in which edges go"),)),
    "instances": Operation(shapes.InstanceGrid, _CHOICE[2:]),
    "changes": Operation(shapes.RunPlay, (("run", _NUMBER, "its number; else the last"),)),
    "schedule": Operation(
        shapes.DueList,
        (
            ("next", _NUMBER, "how many due times of each trigger"),
            ("audit", _TEXT, "FROM..TO: what became of the due times of this span"),
        ),
    ),
    "log": Operation(
        "text/plain",
        (
            *_OUTPUT,
            ("offset", _NUMBER, "bytes from the start"),
            ("limit", _NUMBER, "bytes, at most 1 MiB"),
            ("tail", _NUMBER, "lines from the end"),
            ("follow", _FLAG, "go on until the attempt has ended"),
        ),
    ),
    "search": Operation(
        shapes.Matches,
        (*_OUTPUT, ("text", _TEXT, "what to search for"), ("offset", _NUMBER, "where to begin")),
    ),
    "explain": Operation(
        shapes.Explained,
        (("workflow", _TEXT, "its name or uid"), ("step", _TEXT, "one step; else all")),
    ),
    "diff": Operation(
        shapes.Differences,
        (
            ("rev", _TEXT, "a revision of the repository of the specs"),
            ("staged", _FLAG, "the next commit"),
            ("drafts", _FLAG, "the folder of drafts"),
        ),
    ),
    "pools": Operation(shapes.PoolList),
    "controller": Operation(shapes.ControllerSeen),
    "events": Operation(
        "text/event-stream",
        (
            ("since", _TEXT, "EPOCH.SEQ: go on behind this record"),
            ("workflow", _TEXT, "only what is about this one"),
            ("rows", _FLAG, "also the rows of an overview that change"),
        ),
    ),
    "act": Operation(shapes.Done, takes=Act, code=202),
    "start": Operation(shapes.Done, takes=Start, code=202),
    "deliver": Operation(shapes.Delivered, takes=dict[str, Any], code=202),
    "begin_session": Operation(shapes.SessionBegun, takes=Code),
    "end_session": Operation(dict[str, str]),
    "openapi": Operation(dict[str, Any]),
}
_IN_PATH = {"verb": {"enum": [*VERBS]}}
_REF = "#/components/schemas/{name}"


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Of those routes that OPERATIONS has."""
    told = [route for route in routes if route.endpoint.__name__ in OPERATIONS]
    types = [*_types(told)]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    of_type = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in told:
        for method in sorted((route.methods or set()) - {"HEAD"}):
            paths.setdefault(route.path, {})[method.lower()] = _operation(route, of_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "treadle", "version": __version__},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _types(routes: Sequence[Route]) -> Iterator[Any]:
    yield shapes.Status
    for route in routes:
        operation = OPERATIONS[route.endpoint.__name__]
        yield from (
            kind
            for kind in (operation.gives, operation.takes)
            if kind is not None and not isinstance(kind, str)
        )


def _operation(route: Route, of_type: dict[str, Any]) -> dict[str, Any]:
    operation = OPERATIONS[route.endpoint.__name__]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": _IN_PATH.get(name, _TEXT)}
        for name in route.param_convertors
    ]
    parameters += [
        {"name": name, "in": "query", "schema": schema, "description": meaning}
        for name, schema, meaning in operation.query
    ]
    content = (
        {operation.gives: {"schema": _TEXT}}
        if isinstance(operation.gives, str)
        else {"application/json": {"schema": of_type[repr(operation.gives)]}}
    )
    problem = {"application/json": {"schema": of_type[repr(shapes.Status)]}}
    told: dict[str, Any] = {
        "operationId": route.endpoint.__name__,
        "summary": inspect.getdoc(route.endpoint),
        "parameters": parameters,
        "responses": {
            str(operation.code): {"description": "the answer", "content": content},
            "default": {"description": "why there is none", "content": problem},
        },
    }
    if operation.takes is not None:
        body = {"application/json": {"schema": of_type[repr(operation.takes)]}}
        told["requestBody"] = {"required": True, "content": body}
    return told
