"""The requests of `treadle run FILE…`: one for each document, all of them or none."""

import os
from collections.abc import Callable, Iterator, Sequence

from controller.errors import Fault, InvalidSpec, UsageError
from controller.model.observations import Request
from controller.requests import os_user
from controller.spec.models import Spec

_Wanted = tuple[Request, Spec]


def ask_to_run(
    state_dir: str,
    files: Sequence[str],
    *,
    max_bytes: int,
    resume: bool,
    warn: Callable[[Sequence[Fault]], None],
) -> frozenset[str]:
    """Write the requests for these files. Returns the names of all requests, old and new.

    `resume`: each one continues the last life that a `treadle run` began. `warn` is told what is
    allowed in them, but perhaps not meant.
    """
    warnings: list[Fault] = []
    wanted = list(_requests(files, max_bytes, resume, warnings))
    warn(warnings)
    if not resume:
        _refuse_unfinished(state_dir, wanted)
    resumed = _begun_before(state_dir, wanted) if resume else {}
    rest = [request for request, _ in wanted if request.workflow not in resumed]
    return frozenset(resumed.values()) | _drop(state_dir, rest)


def _requests(
    files: Sequence[str], max_bytes: int, resume: bool, warnings: list[Fault]
) -> Iterator[_Wanted]:
    """One for each document. Raises InvalidSpec if any file has a fault."""
    from controller.client.programs import programs_near
    from controller.client.source import read_source
    from controller.spec.load import load

    faults: list[Fault] = []
    seen: dict[str, str] = {}
    for file in files:
        data, also = read_source(file, max_bytes).data, programs_near(file)
        loaded = load(data, file, max_bytes=max_bytes, also=also)
        faults += loaded.faults
        warnings += loaded.warnings
        for document in loaded.documents:
            name = document.name
            if seen.setdefault(name, file) is not file:
                raise UsageError(f"{file}: {name} is already in {seen[name]}; give it only once")
            request = Request(
                kind="run",
                workflow=name,
                by=os_user(),
                document=document,
                path=os.path.abspath(file),
                resume=resume,
            )
            yield request, document.workflow.spec
    if faults:
        raise InvalidSpec(faults)


def _refuse_unfinished(state_dir: str, wanted: Sequence[_Wanted]) -> None:
    """Refuse a workflow whose last run has not finished. The controller would refuse it as well.

    But it knows neither the zone of the caller nor whether a controller still runs it.
    """
    from controller.client.replica import Replica, is_live, now
    from controller.view.look import Look

    look = Look(now=now(), zone=None, width=80)
    lives = Replica(state_dir).catch_up().workflows
    for request, _ in wanted:
        name, life = request.workflow, lives.get(request.workflow)
        if life is None or life.finished or life.origin == "folder":
            continue
        since = f" (since {look.moment(life.started)})" if life.started is not None else ""
        if is_live(state_dir):
            raise UsageError(
                f"{name} is already running{since}. Follow it: treadle logs -f {name}; "
                f"or cancel it: treadle cancel {name}"
            )
        raise UsageError(
            f"{name} has not finished{since}, and no controller runs it. Continue it: "
            f"treadle run --resume FILE; or cancel it: treadle cancel {name}"
        )


def _begun_before(state_dir: str, wanted: Sequence[_Wanted]) -> dict[str, str]:
    """The workflows to resume that have not finished, each with the request that began it.

    They are left over from an earlier `run` that was killed: no controller runs them now.
    """
    from controller.client.replica import Replica

    state = Replica(state_dir).catch_up()
    begun: dict[str, str] = {}
    for request, spec in wanted:
        life = state.workflows.get(request.workflow)
        if life is not None and not life.finished and life.request and life.spec == spec:
            begun[life.name] = life.request
    return begun


def _drop(state_dir: str, wanted: Sequence[Request]) -> frozenset[str]:
    from controller.log.state_folder import prepare_state
    from controller.requests import drop

    prepare_state(state_dir)
    return frozenset(drop(state_dir, request) for request in wanted)
