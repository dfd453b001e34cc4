"""What `treadle run FILE…` asks for: one request a document, all of them or none."""

import argparse
import os
from collections.abc import Iterator, Sequence

from controller.client.replica import Replica
from controller.errors import Fault, UsageError
from controller.model.observations import Request
from controller.requests import os_user
from controller.spec.models import Spec

_Wanted = tuple[Request, Spec]


def ask_to_run(args: argparse.Namespace) -> frozenset[str]:
    """The names of the requests that stand for these files, old and new ones."""
    if not args.files:
        raise UsageError("run: name at least one FILE")
    wanted = list(_requests(args))
    going_on = _begun_before(args.state, wanted) if args.resume else {}
    rest = [request for request, _ in wanted if request.workflow not in going_on]
    return frozenset(going_on.values()) | _drop(args.state, rest)


def _requests(args: argparse.Namespace) -> Iterator[_Wanted]:
    """One for each document; nothing is asked for if any file has a fault."""
    from controller.client.source import read_source
    from controller.spec.load import load

    faults: list[Fault] = []
    seen: dict[str, str] = {}
    for file in args.files:
        loaded = load(read_source(file).data, file)
        faults += loaded.faults
        for document in loaded.documents:
            name = document.workflow.metadata.name
            if seen.setdefault(name, file) is not file:
                raise UsageError(f"{file}: {name} is in {seen[name]} already; name it once")
            request = Request(
                kind="run",
                workflow=name,
                by=os_user(),
                document=document,
                path=os.path.abspath(file),
                resume=args.resume,
            )
            yield request, document.workflow.spec
    if faults:
        raise UsageError("\n".join(str(fault) for fault in faults))


def _begun_before(state_dir: str, wanted: Sequence[_Wanted]) -> dict[str, str]:
    """Of what is to be resumed, what still goes on: the workflow, and the request that began it.

    The controller of an earlier `run` was killed: its lives are alive, and nobody drives them.
    """
    state = Replica(state_dir).catch_up()
    found: dict[str, str] = {}
    for request, spec in wanted:
        life = state.workflows.get(request.workflow)
        if life is not None and not life.finished and life.request and life.spec == spec:
            found[life.name] = life.request
    return found


def _drop(state_dir: str, wanted: Sequence[Request]) -> frozenset[str]:
    from controller.log.state_folder import prepare_state
    from controller.requests import drop

    prepare_state(state_dir)
    return frozenset(drop(state_dir, request) for request in wanted)
