"""The page of `status NAME`: how it stands, what failed and why, the steps, and what to do next.

It has what a person looks for first; `wide` adds the last edit, labels, uid, conditions and recent
changes.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from shlex import quote

from controller.model.observations import Request
from controller.model.phases import Phase, Reason
from controller.model.state import Condition, Move, State, Step, Workflow
from controller.planner.resolve import shortened
from controller.view import figures, words
from controller.view.changes.edits import in_force_words, is_first, to_come
from controller.view.children import meant, of, opened, shown
from controller.view.failure import Printed, failures, of_present_run
from controller.view.find import NeverValid
from controller.view.ink import visible
from controller.view.lists.listing import life_cell, running_cell, standing
from controller.view.lists.runs import usual_of, why_of_present
from controller.view.look import Look
from controller.view.pages.dag import Branch, tree, with_children
from controller.view.pages.layout import labelled, paragraph, section
from controller.view.shape import InUse
from controller.view.status import ARCHIVED, ended
from controller.view.table import Cell, Column, Table, mark_cell, middle, phase_cell, shorten
from controller.view.times import age, span
from controller.view.values import in_short
from controller.view.why.explain_step import attempts_table

_QUESTIONS_MAX = 10
# What these conditions say, the verdict says too, or the lines below it.
_SAID_BY_VERDICT = frozenset(
    {
        "Accepted",
        "Progressing",
        "Complete",
        "Suspended",
        "Terminating",
        "EditPending",
        "SpecInvalid",
        "HookFailed",
    }
)


def page(
    state: State,
    workflow: Workflow,
    look: Look,
    in_use: InUse = {},
    printed: Printed = {},
    wide: bool = False,
    past: bool = False,
    asked: Iterable[Request] = (),
) -> Iterator[str]:
    """The lines of the page.

    `printed`: what the steps that failed printed last. `past`: it is so no longer, so there is
    nothing to do about it. `asked`: the requests that no controller has applied.
    """
    yield _title(state, workflow, look)
    for sentence in _verdict(state, workflow, look):
        yield from paragraph(sentence, look)
    yield from labelled(_beside(state, workflow), look)
    for line in failures(workflow, printed, past):
        yield look.fit(line)
    yield from section("", all_steps(state, workflow, look, printed, in_use), look)
    hooks = [Branch("", hook) for hook in workflow.present_hooks]
    table = steps_table(state, workflow, hooks, look, in_use, printed, what="HOOK")
    yield from section("", table, look)
    yield ""
    yield from labelled(_footer(state, workflow, asked), look)
    if not past:
        yield from labelled(_next(workflow), look)
    if wide:
        yield from labelled(_details(workflow), look)
        conditions = workflow.conditions.values()
        yield from section("Conditions", conditions_table(conditions, look), look)
        yield from section("Recently", _recent_table(workflow.recent, look), look)


# ---------------------------------------- the head


def _title(state: State, workflow: Workflow, look: Look) -> str:
    mark, phase = mark_cell(workflow.phase), life_cell(workflow, look)
    name = visible(workflow.name)
    run = ""
    if workflow.started is not None:
        took = span((workflow.completed or look.clock) - workflow.started)
        verb = "took" if workflow.completed is not None else "has taken"
        usual = usual_of(state, workflow)
        usually = "" if usual is None else f" (usually {span(usual)})"
        started = look.moment(workflow.started)
        zone = "" if look.width is None else f" {look.zone_name(workflow.started)}"
        run = f"run {workflow.run}, {started}{zone}, {verb} {took}{usually}"
    if ARCHIVED in workflow.conditions:
        run = f"{run}  (archived)"
    elif ended(state, workflow):
        run = f"{run}  (no longer in force)"
    if look.width is not None:
        name = middle(name, max(8, look.width - len(phase.text) - 6))
        run = shorten(run, max(0, look.width - len(name) - len(phase.text) - 6))
    shown = [
        look.paint(mark.text, mark.style),
        look.paint(name, "bold"),
        "",
        look.paint(phase.text, phase.style),
        "",
        run,
    ]
    return " ".join(shown).rstrip()


def _verdict(state: State, workflow: Workflow, look: Look) -> Iterator[str]:
    """What did not succeed, in words, and how much did."""
    yield standing(workflow)
    reason, message = words.at_present(state, workflow)
    if look.stood is not None and workflow.phase is Phase.RUNNING and not words.only_asks(workflow):
        stood = look.moment(look.stood)
        yield f"was running when the controller stopped, {stood}; treadle up continues it"
    elif workflow.end is not None:
        yield words.ending(workflow)
    elif reason not in _COUNTS_SAY_IT:
        yield message
    if workflow.finished and workflow.suspended is not None:
        yield f"suspended: nothing starts ({workflow.suspension or 'suspend: true in its spec'})"


_COUNTS_SAY_IT = frozenset({Reason.STEP_FAILED, Reason.STEP_CANCELLED, Reason.COMPLETED})


def _beside(state: State, workflow: Workflow) -> Iterator[tuple[str, str]]:
    """What in the folder affects the workflow: markers, and faults in its file."""
    for path, marker in state.markers_of.get(workflow.name, {}).items():
        what = words.listed(marker.steps) if marker.steps else "this workflow"
        verb = "do" if len(marker.steps) > 1 else "does"
        yield "marker", f"{path}: while this file exists, {what} {verb} not start"
    for bad in state.bad_markers.values():
        if bad.workflow == workflow.name:
            yield "marker", f"{bad.path} is rejected and cancels nothing: {bad.problem}"
    for path, twin in state.rejected.items():
        if path != workflow.path and workflow.name in twin.names:
            yield from (("rejected", str(fault)) for fault in twin.faults)
    yield from (("fault", said) for said in words.faults_in_file(state, workflow))
    for warning in workflow.warnings:
        yield "warning", warning
    for step in words.asking(workflow)[:_QUESTIONS_MAX]:
        if step.asking is not None:
            yield "question", f"{step.name}: {step.asking.message}"
    for hook in words.failed_hooks(workflow):
        command = f"treadle logs {workflow.name} {quote(hook.name)}"
        yield "HookFailed", f"{hook.name}: {hook.message} ({command})"
    for condition in workflow.conditions.values():
        if condition.status == "True" and condition.type not in (*_SAID_BY_VERDICT, ARCHIVED):
            yield condition.type, condition.message


# ---------------------------------------- the foot


def _footer(
    state: State, workflow: Workflow, asked: Iterable[Request]
) -> Iterator[tuple[str, str]]:
    if begun := why_of_present(state, workflow):
        yield "started by", begun
    if workflow.finished and (path := critical_path(workflow)):
        names, took = " → ".join(step.name for step in path), _length(workflow, path)
        yield "critical path", f"{took}: {names}"
    by = f" by {workflow.by}" if workflow.by else ""
    file = f"{workflow.path}, generation {workflow.generation}"
    if workflow.birth is not None:
        yield "instance of", f"{workflow.document} ({file})"
    else:
        yield "file" if workflow.origin == "folder" else "run of", f"{file}{by}"
    if workflow.params:
        yield "params", in_short(workflow.params)
    for waits in to_come(workflow, asked):
        yield "waiting", waits


def _details(workflow: Workflow) -> Iterator[tuple[str, str]]:
    if not is_first(workflow):
        yield "edit", in_force_words(workflow)
    if workflow.labels:
        labels = ", ".join(f"{key}={value}" for key, value in sorted(workflow.labels.items()))
        yield "labels", labels
    yield "uid", workflow.uid


def _next(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """What to do about it."""
    if workflow.phase in (Phase.FAILED, Phase.CANCELLED):
        # An edit alone does not run an instance again that has finished.
        how = "or" if workflow.birth is None else "then"
        yield "next", f"fix the spec and save it, {how} treadle retry {workflow.name}"
    elif workflow.phase is Phase.SUSPENDED and workflow.suspension:
        yield "next", f"treadle resume {workflow.name}"
    elif workflow.phase is Phase.SUSPENDED:
        yield "next", f"remove `suspend: true` from {workflow.path}"
    for step in words.asking(workflow)[:_QUESTIONS_MAX]:
        yield "answer", " · ".join(words.answers(workflow.name, step.name))


# ---------------------------------------- one step


def step_page(
    state: State,
    workflow: Workflow,
    step: Step,
    look: Look,
    in_use: InUse = {},
    printed: Printed = {},
    past: bool = False,
) -> Iterator[str]:
    """The lines about one step: its row, what it printed last if it failed, all its attempts.

    Of one with children: their rows, and what those printed that failed.
    """
    name = look.fit(f"{workflow.name}/{step.name}")
    rows = list(with_children([Branch("", step)], partial(of, workflow), opened))
    what = "HOOK" if step.is_hook else "STEP"
    yield look.paint(name, "bold")
    yield from section("", steps_table(state, workflow, rows, look, in_use, printed, what), look)
    yield from map(look.fit, failures(workflow, printed, past))
    yield from section("", attempts_table(step, look), look)
    if handed_on := [*_handed_on(step)]:
        yield ""
        yield from labelled(handed_on, look)
    if not past:
        yield ""
        who = f"{workflow.name} {quote(step.name)}"
        verbs = ("explain", "logs") if step.definition.has_attempts else ("explain",)
        commands = [f"treadle {verb} {who}" for verb in verbs]
        if step.asking is not None:
            commands += words.answers(workflow.name, step.name)
        yield from labelled([("next", " · ".join(commands))], look)


def _handed_on(step: Step) -> Iterator[tuple[str, str]]:
    if step.is_of_list:
        yield "item", f"{shortened(step.item)} (index {step.nth} of {step.parent})"
    if step.params:
        yield "params", in_short(step.params)
    if step.outputs:
        yield "outputs", in_short(step.outputs)
    if step.question is not None and step.definition.approve is not None:
        yield "question", f"{step.question.number}: {step.question.message}"
    for attempt in step.attempts:
        yield from (("note", f"attempt {attempt.number}: {note}") for note in attempt.notes)


def critical_path(workflow: Workflow) -> list[Step]:
    """The steps that decided how long the run took: from the last one to finish, back through the
    dependencies that finished last. Empty if fewer than two steps ran in this run."""
    ran = {
        name: finished
        for name, step in workflow.steps.items()
        if (attempt := of_present_run(workflow, step)) is not None
        and (finished := attempt.finished) is not None
    }
    path: list[Step] = []
    near: Iterable[str] = ran
    while latest := max(near, key=lambda name: (ran[name], name), default=""):
        path.append(workflow.steps[latest])
        near = [name for name in meant(workflow, _waited_for(workflow, path[-1])) if name in ran]
    return path[::-1] if len(path) > 1 else []


def _waited_for(workflow: Workflow, step: Step) -> list[str]:
    """Its dependencies; if it has none, those of the step that it is below."""
    for owner in (step, *workflow.above(step)):
        needs = [owner.sibling(need.step) for need in owner.definition.requires]
        if needs:
            return [name for name in needs if name in workflow.steps]
    return []


def _length(workflow: Workflow, path: list[Step]) -> str:
    """How long the steps of the path ran together."""
    attempts = (of_present_run(workflow, step) for step in path)
    return span(
        sum(
            attempt.finished - attempt.started
            for attempt in attempts
            if attempt is not None and attempt.finished and attempt.started
        )
    )


def never_valid_page(workflow: NeverValid, look: Look) -> Iterator[str]:
    """The page of a workflow that never had a valid spec: its faults."""
    rejected = workflow.rejected
    yield from paragraph(f"{workflow.name}  {Phase.PENDING}  SpecInvalid", look, margin="")
    yield from paragraph(f"no version is in force; {rejected.path} was rejected:", look)
    for fault in rejected.faults:
        yield from paragraph(str(fault), look)


# ---------------------------------------- steps


def all_steps(
    state: State, workflow: Workflow, look: Look, printed: Printed = {}, in_use: InUse = {}
) -> Table:
    """A row for each step; of many children, for the first few that failed or run."""
    branches = list(with_children(tree(workflow.steps), partial(shown, workflow), opened))
    return steps_table(state, workflow, branches, look, in_use, printed)


def steps_table(
    state: State,
    workflow: Workflow,
    branches: Sequence[Branch],
    look: Look,
    in_use: InUse = {},
    printed: Printed = {},
    what: str = "STEP",
) -> Table:
    """A row for each of these steps, drawn as a tree. A column without a value is left out.

    `what` they are: the head of the first column.
    """
    columns = (
        Column(what, shrinks=True),
        Column("PHASE"),
        Column("TRY", right=True, rank=1),
        Column("TIME", right=True, rank=1),
        Column("EXIT", right=True, rank=3),
        Column("CPU", right=True, rank=4),
        Column("MEM", right=True, rank=4),
        Column("AFTER", rank=5, shrinks=True),
        Column("NOTE"),
    )
    rows = [_step_row(state, workflow, branch, look, in_use, printed) for branch in branches]
    return Table(columns, rows).only(
        lambda column, texts: column is columns[-1] or any(text != figures.NONE for text in texts)
    )


def _step_row(
    state: State, workflow: Workflow, branch: Branch, look: Look, in_use: InUse, printed: Printed
) -> tuple[Cell, ...]:
    step = branch.step
    cpu, peak = figures.used(workflow, step, in_use.get((workflow.uid, step.name)))
    after = ", ".join(need.step for need in step.definition.requires)
    mark = mark_cell(step.phase)
    return (
        Cell(f"{branch.lead}{mark.text} {branch.name}", mark.style),
        running_cell(step.phase, look),
        Cell(figures.tries(workflow, step)),
        Cell(figures.took(workflow, step, look)),
        Cell(figures.exit_of(workflow, step)),
        Cell(cpu),
        Cell(peak),
        Cell(after or figures.NONE),
        Cell(figures.note(state, workflow, step, look, printed)),
    )


# ---------------------------------------- wide


def conditions_table(conditions: Iterable[Condition], look: Look) -> Table:
    return Table(
        (Column("CONDITION"), Column("STATUS"), Column("SINCE", right=True), Column("MESSAGE")),
        [
            (
                Cell(condition.type),
                Cell(condition.status),
                Cell(age(look.now - condition.last_transition_time)),
                Cell(f"{condition.reason}: {condition.message}"),
            )
            for condition in conditions
        ],
    )


def _recent_table(moves: Sequence[Move], look: Look) -> Table:
    """The last changes of phase. What only waits for its turn is left out: the next change shows
    enough.
    """
    return Table(
        (Column("AT"), Column("WHAT", shrinks=True), Column("PHASE"), Column("MESSAGE")),
        [
            (
                Cell(look.moment(move.time)),
                Cell(move.step or "(workflow)"),
                phase_cell(move.phase),
                Cell(move.message),
            )
            for move in moves
            if move.phase is not Phase.READY and move.reason != Reason.WAITING_FOR_TURN
        ],
    )
