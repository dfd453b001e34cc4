"""What `explain NAME STEP` says to people: the causes, what the edit did, the attempts.

The causes themselves are found by `explain`.
"""

from collections.abc import Iterator, Sequence
from shlex import quote

from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.state import Attempt, State, Step, Workflow
from controller.planner.resolve import Answer
from controller.spec.fingerprint import input_in_words
from controller.spec.hooks import kind_of
from controller.view import words
from controller.view.changes import edits
from controller.view.changes.expansion import sentence
from controller.view.changes.policy import of_step
from controller.view.failure import Printed, kept_from
from controller.view.look import Look
from controller.view.status import ended
from controller.view.table import Cell, Column, Table, phase_cell, render
from controller.view.values import in_short
from controller.view.why.explain import NO_CONTROLLER, Around, Cause
from controller.view.why.inputs import input_line, input_text
from controller.view.why.roots import of_children

_DEPTH_SHOWN = 8  # a deeper cause is indented no further


def explanation(
    state: State,
    workflow: Workflow,
    step: Step,
    causes: Sequence[Cause],
    around: Around,
    look: Look,
    printed: Printed,
) -> Iterator[str]:
    """Its causes, its children, what the edit did, each attempt, and what may be next.

    `causes`: as `ways` has them. `printed`: what those of them that failed printed last.
    """
    for cause in causes[:1] if step.expanded else causes:
        yield from _cause_lines(workflow, cause, look, printed)
    if workflow.is_ending and not step.is_hook:
        for waits_on in edits.to_come(workflow, around.asked):
            yield from look.wrapped(waits_on, hang=2)
    if step.is_parent and (said := sentence(state, workflow, step)):
        yield from look.wrapped(said, hang=2)
    if step.params:
        yield from look.wrapped(f"params of its template: {in_short(step.params)}", hang=2)
    if said := of_step(workflow, step):
        yield from look.wrapped(f"from Defaults: {said}", hang=2)
    if step.expanded:
        yield from of_children(state, workflow, step, around, look, printed)
    if past := list(_past(workflow, step)):
        yield ""
        yield from (line for said in past for line in look.wrapped(said, hang=2))
    if step.attempts:
        yield ""
        yield from render(attempts_table(step, look), look.width, look.colour)
    commands = "" if ended(state, workflow) else " · ".join(_next(workflow, step, causes))
    if commands:
        yield ""
        yield from look.wrapped(f"next: {commands}", hang=2)


def _past(workflow: Workflow, step: Step) -> Iterator[str]:
    if step.answer is not None and step.phase not in (Phase.PENDING, Phase.SKIPPED):
        yield Answer(True, step.answer).sentence
    if step.is_hook:
        yield words.hooks_run(kind_of(step.name))
    elif not edits.is_first(workflow):
        yield edits.of_step(workflow, step)
        yield from (f"  {line}" for line in _changed_inputs(workflow, step))
    if (run := kept_from(workflow, step)) is not None:
        yield f"its result is kept from run {run}"


def _changed_inputs(workflow: Workflow, step: Step) -> Iterator[str]:
    """`env.REGION: eu → us`: what the generation in force changed, once it has an attempt.

    Of a long value only a hash is known, so it is left out.
    """
    last = step.attempt
    if last is None or last.generation != workflow.generation:
        return
    older = (attempt for attempt in reversed(step.attempts) if attempt.generation < last.generation)
    before = next(older, last)
    for name in sorted(last.inputs.keys() | before.inputs.keys()):
        was, becomes = (attempt.inputs.get(name) for attempt in (before, last))
        hashed = any(text is not None and text.startswith("sha256:") for text in (was, becomes))
        if was != becomes and not hashed and not name.startswith("dependsOn."):
            yield f"{input_in_words(name)}: {input_text(name, was)} → {input_text(name, becomes)}"


def _cause_lines(workflow: Workflow, cause: Cause, look: Look, printed: Printed) -> Iterator[str]:
    indent = "  " * min(cause.depth, _DEPTH_SHOWN)
    who = f"{workflow.name}/{cause.step}" if cause.depth == 0 else cause.step
    step = workflow.find(cause.step)
    also = "" if step is None else words.tolerated(workflow, step)
    phase = f"{who} is {cause.phase} ({cause.reason}): " if cause.step else ""
    yield from look.wrapped(f"{indent}{phase}{cause.message}{also}", hang=len(indent) + 4)
    for line in printed.get(cause.step, ()):
        yield look.fit(f"{indent}  │ {line}")


def _next(workflow: Workflow, step: Step, causes: Sequence[Cause]) -> Iterator[str]:
    """Commands that make sense now: those of the failure at the root, if there is one."""
    if any(cause.reason == NO_CONTROLLER for cause in causes):
        yield "treadle up"
    if workflow.suspension:
        yield f"treadle resume {workflow.name}"
    failed = [cause.step for cause in causes if cause.phase == Phase.FAILED]
    names = [name for name in failed if not workflow.step(name).expanded]
    if step.expanded:
        names = [leaf.name for leaf in workflow.leaves(step) if leaf.fails_its_workflow]
    for name in names[:1]:
        attempt = workflow.step(name).attempt
        if attempt is not None and attempt.started is not None:
            yield f"treadle logs {workflow.name} {quote(name)}"
    for asker in words.asking(workflow):
        if asker is step or any(cause.step == asker.name for cause in causes):
            yield from words.answers(workflow.name, asker.name)
    if step.reason == Reason.WHEN_FALSE:
        return  # a retry asks the same question, and gets the same answer
    if step.is_hook and step.phase in TERMINAL:
        return  # it runs again when a later run comes to it
    if step.phase in (Phase.FAILED, Phase.SKIPPED, Phase.CANCELLED):
        whom = names[0] if names and not step.expanded else step.name
        yield f"treadle retry {workflow.name} {quote(whom)}"
    elif step.phase is Phase.RUNNING:
        yield f"treadle logs -f {workflow.name} {quote(step.name)}"


def attempts_table(step: Step, look: Look) -> Table:
    """A row for each attempt: when it ran, how it ended, and why it was made.

    What is the same for all attempts, or is not there, has no column.
    """
    columns = (
        Column("ATTEMPT", right=True),
        Column("RUN", right=True, rank=2),
        Column("GEN", right=True, rank=3),
        Column("PHASE"),
        Column(look.headed("AT"), rank=1),
        Column("WHY", rank=4, shrinks=True),
        Column("MESSAGE"),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            Cell(str(attempt.number)),
            Cell(str(attempt.run)),
            Cell(str(attempt.generation)),
            phase_cell(attempt.phase),
            Cell(look.moment(attempt.started or attempt.scheduled)),
            Cell(attempt.why or "dependencies met"),
            Cell(words.of_attempt(attempt)),
        )
        for attempt in step.attempts
    ]
    return Table(columns, rows).only(
        lambda column, texts: column.title not in _LEFT_OUT or len({*texts}) > 1
    )


_LEFT_OUT = frozenset({"RUN", "GEN", "WHY"})  # where they are the same for all attempts


def inputs_lines(attempt: Attempt, now: dict[str, str]) -> Iterator[str]:
    """The inputs of its fingerprint, and where those of the spec in force differ."""
    yield f"attempt {attempt.number}, generation {attempt.generation}: {attempt.fingerprint}"
    for name in sorted(attempt.inputs.keys() | now.keys()):
        was, becomes = (inputs.get(name) for inputs in (attempt.inputs, now))
        if was == becomes:
            yield f"    {input_line(name, was)}"
        else:
            yield f"  - {input_line(name, was)}"
            yield f"  + {input_line(name, becomes)}"
