"""The requests of `treadle run FILE…`: one for each document, all of them or none."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from controller.client.files.defaults import with_defaults
from controller.client.files.given import given_params
from controller.client.files.pools import pools_for
from controller.errors import Fault, InvalidSpec, UsageError
from controller.model.observations import Request
from controller.requests import os_user
from controller.spec.reading.load import Document, Loaded


def ask_to_run(
    state_dir: str,
    files: Sequence[str],
    *,
    specs: Callable[[], str],
    max_bytes: int,
    resume: bool,
    values: Sequence[str] = (),
    params_files: Sequence[str] = (),
    warn: Callable[[Sequence[Fault]], None],
) -> frozenset[str]:
    """Write the requests for these files. Returns the names of all requests, old and new.

    `specs` gives the specs folder, which is asked for templates, Defaults and pools that the files
    do not have.
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
    documents = list(_documents(files, specs, max_bytes, warnings))
    params: list[dict[str, Any]] = [{}] * len(documents)
    if not resume:
        params = given_params(values, params_files, documents, warnings)
    warn(warnings)
    used = [document.workflow.spec for _, document in documents]
    pools = pools_for(files, specs, max_bytes, used)
    wanted = [
        Request(
            kind="run",
            workflow=document.name,
            by=os_user(),
            document=document,
            path=os.path.abspath(file),
            resume=resume,
            params=of_document,
            pools=pools,
        )
        for (file, document), of_document in zip(documents, params, strict=True)
    ]
    if not resume:
        _refuse_unfinished(state_dir, wanted)
    resumed = _begun_before(state_dir, wanted) if resume else {}
    rest = [request for request in wanted if request.workflow not in resumed]
    return frozenset(resumed.values()) | _drop(state_dir, rest)


def _documents(
    files: Sequence[str], specs: Callable[[], str], max_bytes: int, warnings: list[Fault]
) -> Iterator[tuple[str, Document]]:
    """Each with its file, templates and Defaults. Raises InvalidSpec if any file has a fault."""
    loaded = [(file, _load(file, max_bytes)) for file in files]
    _refuse_twice(loaded)
    if any(document.calls for _, content in loaded for document in content.documents):
        from controller.client.files.templates import with_templates

        found = with_templates(loaded, specs, max_bytes)
        loaded = list(zip(files, found, strict=True))
    found = with_defaults(loaded, specs, max_bytes, warnings)
    loaded = list(zip(files, found, strict=True))
    for _, content in loaded:
        warnings += content.warnings
    if faults := [fault for _, content in loaded for fault in content.faults]:
        raise InvalidSpec(faults)
    if not any(content.documents for _, content in loaded):
        raise UsageError(
            f"run: {', '.join(files)}: there is no workflow in it; templates, pools and Defaults "
            "do not run by themselves: name the file of a workflow"
        )
    for file, content in loaded:
        for document in content.documents:
            yield file, document


def _load(file: str, max_bytes: int) -> Loaded:
    from controller.client.files.programs import programs_near
    from controller.client.files.source import read_source
    from controller.spec.reading.load import load

    data, also = read_source(file, max_bytes).data, programs_near(file)
    return load(data, file, max_bytes=max_bytes, also=also)


def _refuse_twice(loaded: Iterable[tuple[str, Loaded]]) -> None:
    """Refuse two workflows, or two templates, of one name."""
    seen: dict[tuple[str, str], str] = {}
    for file, content in loaded:
        names = [("", document.name) for document in content.documents]
        names += [("the template ", document.name) for document in content.templates]
        for kind, name in names:
            if (first := seen.setdefault((kind, name), file)) is not file:
                raise UsageError(f"{file}: {kind}{name} is already in {first}; give it only once")


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
