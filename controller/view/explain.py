"""Why a workflow or a step is as it is: what `explain` says, from the state alone.

For a step that waits, the chain goes to what it waits for, then to what that waits for, and so on.
For a step that was skipped or cancelled, it goes to the failure, the marker or the edit at the
root. Each line says one thing, and its cause is indented below it.
"""

from collections.abc import Collection, Iterator

from msgspec import Struct

from controller.model.indexes import standstill
from controller.model.movement import MET, OPEN
from controller.model.phases import AttemptPhase, Obstacle, Phase, Reason
from controller.model.state import Attempt, Condition, State, Step, Workflow
from controller.planner.permission import Limits, why_not
from controller.view import words
from controller.view.table import Cell, Column, Table, phase_cell
from controller.view.times import clock_time

DEPTH_MAX = 50  # of a chain of causes
NO_CONTROLLER = "NoController"


class Around(Struct, frozen=True, kw_only=True):
    """What the log does not know: the state of the controller and its machine now."""

    runs: bool
    limits: Limits | None = None  # None while the controller is starting
    conditions: list[Condition] = []


class Cause(Struct, frozen=True):
    """One line. `depth` 0 is the step itself; a deeper line explains the line above it."""

    depth: int
    step: str
    phase: str
    reason: str
    message: str


def causes(
    state: State,
    workflow: Workflow,
    step: Step,
    around: Around,
    depth_max: int = DEPTH_MAX,
    told: Collection[str] = (),
) -> list[Cause]:
    """The step's phase, then its causes, down to the root; each step once.

    A step is shown at its shortest distance from the first one. `told`: steps that are left out,
    with what is behind them. Cost: the steps behind it and their dependencies.
    """
    below = _tree(workflow, step, depth_max, told)
    chain: list[Cause] = []
    waiting = [(step, 0)]
    while waiting:
        at, depth = waiting.pop()
        said = words.of_step(state, workflow, at)
        if at.phase is Phase.READY:
            said = _waits(state, workflow, at, around, said)
        chain.append(Cause(depth, at.name, at.phase, *said))
        if at.phase is Phase.PENDING and not around.runs and at.retry_at is not None:
            chain.append(Cause(depth + 1, "", "", NO_CONTROLLER, "no controller is running"))
        waiting += [(behind, depth + 1) for behind in reversed(below.get(at.name, []))]
    return chain


def causes_of_all(state: State, workflow: Workflow, around: Around) -> Iterator[list[Cause]]:
    """Of every step that has not succeeded; what was told of one is not told again.

    So that the lines are no more than the steps, however many of them wait for the same.
    """
    told: set[str] = set()
    for step in workflow.steps.values():
        if step.phase is not Phase.SUCCEEDED and step.name not in told:
            chain = causes(state, workflow, step, around, told=told)
            told |= {cause.step for cause in chain}
            yield chain


def _tree(
    workflow: Workflow, root: Step, depth_max: int, told: Collection[str]
) -> dict[str, list[Step]]:
    """For each step, the causes that are first reached through it, breadth first."""
    met, level = {root.name}, [root]
    below: dict[str, list[Step]] = {}
    for _ in range(depth_max):
        for step in level:
            behind = [
                other
                for other in _behind(workflow, step)
                if other.name not in met and other.name not in told
            ]
            met |= {other.name for other in behind}
            below[step.name] = behind
        level = [other for step in level for other in below[step.name]]
    return below


def _behind(workflow: Workflow, step: Step) -> list[Step]:
    """The dependencies that it waits for, or that kept it from running."""
    if step.phase not in (Phase.PENDING, Phase.SKIPPED):
        return []
    verdicts = words.verdicts(workflow, step)
    unmet = [name for name, verdict in verdicts.items() if verdict not in (MET, OPEN)]
    wanted = unmet or [name for name, verdict in verdicts.items() if verdict == OPEN]
    return [workflow.steps[name] for name in wanted]


def _waits(
    state: State, workflow: Workflow, step: Step, around: Around, said: words.Words
) -> words.Words:
    """Why a ready step does not start, by the rule that starts it; `said` is what the log says."""
    if standstill(state, workflow) is not None:
        return said
    if not around.runs:
        return NO_CONTROLLER, "it could start, but no controller is running: `treadle up`"
    if around.limits is None:
        return NO_CONTROLLER, "the controller is starting"
    if step.live is None:
        obstacle = why_not(state, workflow, step, around.limits)
        return said if obstacle is None else _in_words(state, workflow, obstacle, around)
    if (trouble := _condition(around, "ExecutorTrouble")) is not None:
        return trouble.type, trouble.message
    if step.live.ending is not None:
        return said
    if len(_with_a_process(state)) >= around.limits.max_parallel:
        return _in_words(state, workflow, Obstacle.NO_FREE_SLOT, around)
    return Reason.WAITING_FOR_SLOT, "about to start"


def _with_a_process(state: State) -> list[str]:
    """The steps that have a slot, without those that are queued for one."""
    return [
        f"{state.lives[uid].name}/{name}"
        for (uid, name), attempt in state.live.items()
        if attempt.phase is AttemptPhase.RUNNING
    ]


def _in_words(state: State, workflow: Workflow, obstacle: Obstacle, around: Around) -> words.Words:
    limits = around.limits
    assert limits is not None
    if obstacle is Obstacle.PARALLELISM:
        inside = [name for uid, name in state.live if uid == workflow.uid]
        limit = workflow.parallelism
        said = f"waiting for a slot of this workflow (parallelism: {limit}{_busy(inside)})"
        return Reason.WAITING_FOR_SLOT, said
    if obstacle is Obstacle.NO_FREE_SLOT:
        running, slots = _with_a_process(state), limits.max_parallel
        said = f"waiting for a slot ({len(running)} of {slots} busy: {words.named(running)})"
        if not running:
            said = f"waiting for a slot (of {slots}); one is about to be free"
        return Reason.WAITING_FOR_SLOT, said
    condition = _condition(around, _TOLD_BY.get(obstacle, ""))
    return (obstacle, _SENTENCES[obstacle] if condition is None else condition.message)


# Obstacles for which a condition of the controller has a better message.
_TOLD_BY = {
    Obstacle.DISK_PRESSURE: "DiskPressure",
    Obstacle.FOLDER_HELD: "FolderHeld",
    Obstacle.SPEC_ABSENT: "MassDeletion",
}
_SENTENCES = {
    Obstacle.STOPPING: "the controller is stopping; the next one starts it",
    Obstacle.DISK_PRESSURE: "the disk is nearly full: nothing new is started",
    Obstacle.FOLDER_HELD: "the specs folder can't be trusted now: nothing in it is started",
    Obstacle.SPEC_ABSENT: "its spec is missing from the folder: no step starts until it is back",
    Obstacle.NOT_DRIVEN: (
        "the controller is a `treadle run`, which starts only its own workflows; "
        "when it has finished, `treadle up` starts this one"
    ),
}


def _condition(around: Around, kind: str) -> Condition | None:
    return next((condition for condition in around.conditions if condition.type == kind), None)


def _busy(names: list[str]) -> str:
    return f"; busy: {words.named(names)}" if names else ""


# ---------------------------------------- attempts


def attempts_table(workflow: Workflow, step: Step) -> Table:
    """A row for each attempt: when it ran, how it ended, and why it was made."""
    return Table(
        (
            Column("TRY", right=True),
            Column("GEN", right=True),
            Column("PHASE"),
            Column("AT (UTC)"),
            Column("WHY"),
            Column("MESSAGE"),
        ),
        [
            (
                Cell(str(attempt.number)),
                Cell(str(attempt.generation)),
                phase_cell(attempt.phase),
                Cell(clock_time(attempt.started or attempt.scheduled)),
                Cell(attempt.why or "dependencies met"),
                Cell(words.of_attempt(attempt)),
            )
            for attempt in step.attempts
        ],
    )


def inputs_lines(attempt: Attempt, now: dict[str, str]) -> Iterator[str]:
    """The inputs of its fingerprint, and where those of the spec in force differ."""
    yield f"attempt {attempt.number}, generation {attempt.generation}: {attempt.fingerprint}"
    for name in sorted(attempt.inputs.keys() | now.keys()):
        was, becomes = attempt.inputs.get(name), now.get(name)
        if was == becomes:
            yield f"    {name}: {was}"
        else:
            yield f"  - {name}: {was if was is not None else '(not set)'}"
            yield f"  + {name}: {becomes if becomes is not None else '(not set)'}"
