"""What the log promises of attempts, as the executor is told it: who is alive, to start, to end.

A turn tells of the attempts that its records touched, a new controller of all that live; both read
the same state, and every call is safe to repeat.
"""

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from controller.errors import StorageError
from controller.loop.hook_env import hook_env
from controller.loop.ports import (
    AsFile,
    AttemptId,
    End,
    EnvFile,
    EnvRefs,
    FromEnv,
    FromFile,
    Launch,
    Running,
    Sites,
)
from controller.model.phases import AttemptPhase, Reason
from controller.model.places import is_log, output_file, work_folder
from controller.model.state import SECOND, Attempt, State, Step, Workflow, timeout_seconds
from controller.planner.permission import home_of
from controller.spec.expression import Values, fill, fill_words
from controller.spec.models import Reference
from controller.spec.placement import InContainer, Placement

Key = tuple[str, str]  # uid, step


class Effects(NamedTuple):
    launches: list[Launch]
    releases: list[Launch]  # of those that an engine has, and holds
    orders: list[End]


class LogFiles(Protocol):
    """What a log has beside its records; see `ports.Log`."""

    def attached(self, path: str) -> bytes: ...

    def last_line(self, log: str) -> str: ...


class RootFolders(NamedTuple):
    """The folders of the state and of the specs, absolute."""

    state: str
    specs: str


def effects(
    state: State, keys: Iterable[Key], now: int, places: RootFolders, files: LogFiles
) -> Effects:
    """What is still to be done of these steps' live attempts, in the order of their promises.

    `files`: those that a record names, and what attempts printed.
    """
    told = Effects([], [], [])
    live = [(state.live[key], key) for key in keys if key in state.live]
    for attempt, (uid, name) in sorted(live, key=lambda entry: entry[0].seq):
        workflow = state.lives[uid]
        step = workflow.step(name)
        if not is_log(attempt.log, uid):
            raise StorageError(
                f"{attempt.log}: the log names this file for the output of {workflow.name}/{name}, "
                "and treadle never does; put the log back from a copy"
            )
        if attempt.ending is not None:
            told.orders.append(_order(workflow, step, attempt, now))
        elif attempt.phase is AttemptPhase.SCHEDULED:
            file = attempt.values_file
            values = _values(files, file) if file else attempt.values
            launch = _launch(state, workflow, step, attempt, places, values)
            if step.is_hook:
                seen = hook_env(state, workflow, step, attempt, files.last_line)
                launch = replace(launch, env={**launch.env, **seen, "TREADLE_STATE": places.state})
            (told.releases if attempt.handle else told.launches).append(launch)
    return told


def _values(files: LogFiles, path: str) -> Values:
    """Raises StorageError."""
    try:
        return msgspec.json.decode(files.attached(path), type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise StorageError(f"{path}: damaged: {error}; put it back from a copy") from error


def alive(state: State) -> list[Running]:
    """Every attempt that the log knows as alive, for adoption."""
    return [
        _running(state.lives[uid], state.lives[uid].step(name), attempt)
        for (uid, name), attempt in state.live.items()
    ]


def sites(state: State) -> Sites:
    """Where engines may have attempts of this state folder, live or not."""
    return Sites(state.folder_id, state.sites)


def _launch(
    state: State,
    workflow: Workflow,
    step: Step,
    attempt: Attempt,
    places: RootFolders,
    values: Values,
) -> Launch:
    definition, home = step.definition, home_of(workflow, places.specs)
    layers: list[EnvFile | EnvRefs] = []
    for layer in definition.env_from:
        if layer.file:
            layers.append(EnvFile(path=_within(home, layer.file), optional=layer.optional))
        else:
            layers.append(EnvRefs(refs=_variables(layer.env, values, home)))
    own = _variables(definition.env, values, home)
    env = {name: value for name, value in own.items() if isinstance(value, str)}
    if len(env) < len(own):
        layers.append(EnvRefs(refs=own))
    return Launch(
        id=AttemptId(workflow.uid, step.name, attempt.number),
        mark=attempt.mark,
        argv=fill_words(definition.argv, values),
        before=definition.before,
        after=definition.after,
        env={
            **env,
            "TREADLE_WORKFLOW": workflow.document,
            "TREADLE_UID": workflow.uid,
            "TREADLE_RUN": str(attempt.run),
            "TREADLE_STEP": step.name,
            "TREADLE_ATTEMPT": str(attempt.number),
            "TREADLE_GENERATION": str(attempt.generation),
            "TREADLE_OUTPUT": f"{places.state}/{output_file(attempt.log)}",
            "TREADLE_WORK_DIR": f"{places.state}/{work_folder(workflow.uid)}",
            **_of_trigger(workflow),
        },
        env_from=tuple(layers),
        inherit=definition.inherit_env,
        working_dir=_within(_within(home, definition.home), fill(definition.working_dir, values)),
        home=home,
        log=attempt.log,
        leave_processes=definition.leave_processes,
        grace_seconds=definition.grace_seconds,
        priority=workflow.priority,
        engine=attempt.engine,
        placement=_placement(definition.placement, values, home),
        needs=definition.needs,
        timeout_seconds=timeout_seconds(step, attempt),
        folder_id=state.folder_id,
        handle=attempt.handle,
        place=attempt.place,
    )


def _placement(placement: Placement | None, values: Values, home: str) -> Placement | None:
    """With the values of its expressions, and absolute paths."""
    if not isinstance(placement, InContainer):
        return placement
    mounts = tuple(replace(mount, source=_within(home, mount.source)) for mount in placement.mounts)
    return replace(placement, image=fill(placement.image, values), mounts=mounts)


def _of_trigger(workflow: Workflow) -> dict[str, str]:
    """What began the instance; empty texts where nothing did."""
    birth = workflow.birth
    if birth is None:
        return _OF_NO_TRIGGER
    facts, timed = birth.facts, birth.due is not None
    return {
        "TREADLE_TRIGGER": facts.name,
        "TREADLE_INSTANCE": workflow.name,
        "TREADLE_DUE": facts.due,
        "TREADLE_INTERVAL_START": facts.previous,
        "TREADLE_INTERVAL_END": facts.due if timed else "",
    }


_OF_NO_TRIGGER = dict.fromkeys(
    (
        "TREADLE_TRIGGER",
        "TREADLE_INSTANCE",
        "TREADLE_DUE",
        "TREADLE_INTERVAL_START",
        "TREADLE_INTERVAL_END",
    ),
    "",
)


def _variables(
    env: Mapping[str, str | Reference], values: Values, home: str
) -> dict[str, str | FromEnv | FromFile | AsFile]:
    return {name: _variable(value, values, home) for name, value in env.items()}


def _variable(
    value: str | Reference, values: Values, home: str
) -> str | FromEnv | FromFile | AsFile:
    if isinstance(value, str):
        return fill(value, values)
    if isinstance(value.as_file, str):
        return AsFile(text=fill(value.as_file, values))
    if isinstance(value.from_env, str):
        return FromEnv(name=value.from_env)
    return FromFile(path=_within(home, str(value.from_file)))


def _within(home: str, path: str) -> str:
    """The absolute path of what is given relative to the folder of the spec's file."""
    return posixpath.normpath(posixpath.join(home, path))


def _running(workflow: Workflow, step: Step, attempt: Attempt) -> Running:
    return Running(
        id=AttemptId(workflow.uid, step.name, attempt.number),
        mark=attempt.mark,
        pid=attempt.pid,
        start_ticks=attempt.start_ticks,
        boot_id=attempt.boot_id,
        found=attempt.found,
        log=attempt.log,
        engine=attempt.engine,
        handle=attempt.handle,
        place=attempt.place,
        started=attempt.started,
        leave_processes=step.definition.leave_processes,
        grace_seconds=step.definition.grace_seconds,
    )


def _order(workflow: Workflow, step: Step, attempt: Attempt, now: int) -> End:
    """What is left to do of an ending; after a restart less of its grace is left."""
    ending = attempt.ending
    assert ending is not None
    past = max(0, now - ending.since) / SECOND
    return End(
        id=AttemptId(workflow.uid, step.name, attempt.number),
        mark=attempt.mark,
        grace_seconds=max(0.0, ending.grace - past),
        withdraw_only=ending.withdraw,
        in_parts=attempt.in_parts,
        timed_out=ending.reason == Reason.TIMEOUT,
        engine=attempt.engine,
        handle=attempt.handle,
        place=attempt.place,
    )
