"""The requests of `treadle run FILE…`: one for each document, all of them or none."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from controller.client.given import given_params
from controller.errors import Fault, InvalidSpec, UsageError
from controller.model.observations import Request
from controller.requests import os_user
from controller.spec.load import Document


def ask_to_run(
    state_dir: str,
    files: Sequence[str],
    *,
    max_bytes: int,
    resume: bool,
    values: Sequence[str] = (),
    params_files: Sequence[str] = (),
    warn: Callable[[Sequence[Fault]], None],
) -> frozenset[str]:
    """Write the requests for these files. Returns the names of all requests, old and new.

    `resume`: each one continues the last life that a `treadle run` began, with its params. `values`
    (`date=today`) and `params_files` give params to a new one. `warn` is told what is allowed, but
    perhaps not meant. Raises InvalidSpec with all faults of the files, else of the params.
    """
    if resume and (values or params_files):
        raise UsageError(
            "run: --resume continues with the params that the run was given when it began; "
            "leave out --resume to run with others"
        )
    warnings: list[Fault] = []
    documents = list(_documents(files, max_bytes, warnings))
    params: list[dict[str, Any]] = [{}] * len(documents)
    if not resume:
        params = given_params(values, params_files, documents, warnings)
    warn(warnings)
    wanted = [
        Request(
            kind="run",
            workflow=document.name,
            by=os_user(),
            document=document,
            path=os.path.abspath(file),
            resume=resume,
            params=of_document,
        )
        for (file, document), of_document in zip(documents, params, strict=True)
    ]
    if not resume:
        _refuse_unfinished(state_dir, wanted)
    resumed = _begun_before(state_dir, wanted) if resume else {}
    rest = [request for request in wanted if request.workflow not in resumed]
    return frozenset(resumed.values()) | _drop(state_dir, rest)


def _documents(
    files: Sequence[str], max_bytes: int, warnings: list[Fault]
) -> Iterator[tuple[str, Document]]:
    """Each with its file. Raises InvalidSpec if any file has a fault."""
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
            yield file, document
    if faults:
        raise InvalidSpec(faults)


def _refuse_unfinished(state_dir: str, wanted: Sequence[Request]) -> None:
    """Refuse a workflow whose last run has not finished. The controller would refuse it as well.

    But it knows neither the zone of the caller nor whether a controller still runs it.
    """
    from controller.client.replica import Replica, is_live, now
    from controller.view.look import Look

    look = Look(now=now(), zone=None, width=80)
    lives = Replica(state_dir).catch_up().workflows
    for request in wanted:
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


def _begun_before(state_dir: str, wanted: Sequence[Request]) -> dict[str, str]:
    """The workflows to resume that have not finished, each with the request that began it.

    They are left over from an earlier `run` that was killed: no controller runs them now.
    """
    from controller.client.replica import Replica

    state = Replica(state_dir).catch_up()
    begun: dict[str, str] = {}
    for request in wanted:
        life, document = state.workflows.get(request.workflow), request.document
        same = life is not None and document is not None and life.spec == document.workflow.spec
        if life is not None and not life.finished and life.request and same:
            begun[life.name] = life.request
    return begun


def _drop(state_dir: str, wanted: Sequence[Request]) -> frozenset[str]:
    from controller.log.state_folder import prepare_state
    from controller.requests import drop

    prepare_state(state_dir)
    return frozenset(drop(state_dir, request) for request in wanted)
