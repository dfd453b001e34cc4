"""Why a whole workflow is as it is: what `explain NAME` says, grouped by root cause.

Each step is counted once, under what decides it. A step that was skipped counts to the failure, the
cancellation or the success at the root. A step that waits counts to what it waits for; those that
wait only for steps that wait themselves are one group. So the lines are few, however large the DAG.
Cost: O(steps + dependencies).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import islice
from shlex import quote

from controller.model.phases import Phase, Reason
from controller.model.state import State, Step, Workflow
from controller.spec.hooks import is_hook
from controller.spec.items import key_in, number_of
from controller.view import figures, words
from controller.view.changes.edits import generation_line, is_news, to_come
from controller.view.children import in_order, made_it_so, parents, stands_alone
from controller.view.failure import Printed, kept_from, meaning, of_present_run
from controller.view.lists.listing import standing
from controller.view.lists.runs import why_of_present
from controller.view.look import Look
from controller.view.table import cells
from controller.view.why.explain import Around, waits

_GROUPS_MAX = 5  # of one kind; the others are counted
_NAMES_MAX = 8  # in one line, where no terminal limits it
_INDENT = "    "
_MARK_WIDTH = 2

_Groups = dict[str, list[str]]  # what is said -> the steps that it is said of


def explanation(
    state: State, workflow: Workflow, around: Around, look: Look, printed: Printed
) -> Iterator[str]:
    """Lines for people; the last one names the commands that may be next.

    `printed`: what the steps that failed printed last.
    """
    yield from _headline(state, workflow, look)
    if is_news(state, workflow):
        yield from look.wrapped(generation_line(workflow, look), hang=2)
    elif workflow.run > 1 and (begun := why_of_present(state, workflow)):
        yield from look.wrapped(f"run {workflow.run}: {begun}", hang=2)
    for waits_on in to_come(workflow, around.asked):
        yield from look.wrapped(waits_on, hang=2)
    for said in islice(words.faults_in_file(state, workflow), _GROUPS_MAX):
        yield from look.wrapped(f"fault: {said}", hang=2)
    steps = [step for step in in_order(workflow) if stands_alone(step)]
    steps += workflow.present_hooks
    yield from _grouped(state, workflow, steps, around, look, printed)
    if commands := " · ".join(_next(state, workflow, around)):
        yield from look.wrapped(f"next: {commands}", hang=2)


def of_children(
    state: State, workflow: Workflow, parent: Step, around: Around, look: Look, printed: Printed
) -> Iterator[str]:
    """The same of what is below one step."""
    steps = [step for step in workflow.below(parent) if stands_alone(step)]
    yield from _grouped(state, workflow, steps, around, look, printed)


def _grouped(
    state: State,
    workflow: Workflow,
    steps: Sequence[Step],
    around: Around,
    look: Look,
    printed: Printed,
) -> Iterator[str]:
    skipped = _skipped(workflow)
    yield from _failed(workflow, steps, skipped, printed, look)
    yield from _cancelled(steps, skipped, look)
    yield from _not_needed(workflow, steps, skipped, look)
    yield from _unfinished(state, workflow, steps, around, look)
    yield from _kept(workflow, steps, look)


def _headline(state: State, workflow: Workflow, look: Look) -> Iterator[str]:
    reason, message = words.at_present(state, workflow)
    if workflow.finished:
        suspended = "" if workflow.suspended is None else "; suspended"
        message = f"{words.verdict(workflow)}{suspended}"
    elif workflow.end is not None:
        message = f"{standing(workflow)}; {words.ending_as(workflow)}"
    elif reason in _LINES_SAY_MORE:  # the lines below say more
        message = standing(workflow)
    yield from look.marked(workflow.phase, f"{workflow.name} is {workflow.phase}: {message}")


_LINES_SAY_MORE = frozenset({Reason.STARTED, Reason.WAITING_FOR_SLOT, Reason.AWAITING_APPROVAL})


# ---------------------------------------- what did not succeed


def _skipped(workflow: Workflow) -> dict[str, list[str]]:
    """By the step at the root, those that were skipped because of it, directly or not."""
    roots: dict[str, str] = {}
    below: dict[str, list[str]] = defaultdict(list)
    # Many may depend on one with many children.
    who_decided = cache(partial(_who_decided, workflow))
    for step in workflow.counted:
        if step.phase is Phase.SKIPPED:
            way, at = [], step
            while at.name not in roots and at.phase is Phase.SKIPPED and at.broken:
                way.append(at.name)
                at = who_decided(next(iter(at.broken)))
            root = roots.setdefault(at.name, at.name)
            roots.update(dict.fromkeys(way, root))
            below[root].append(step.name)
    return below


def _who_decided(workflow: Workflow, name: str) -> Step:
    """Of one with children, the first below it that decided how it ended; else the step itself."""
    step = workflow.steps[name]
    while children := made_it_so(workflow, step):
        step = children[0]
    return step


def _because(skipped: Mapping[str, list[str]], roots: Sequence[str]) -> list[str]:
    return [name for root in roots for name in skipped.get(root, ())]


def _failed(
    workflow: Workflow,
    steps: Sequence[Step],
    skipped: Mapping[str, list[str]],
    printed: Printed,
    look: Look,
) -> Iterator[str]:
    """Each of the first few with the end of its output; what failed the workflow comes first."""
    failed = [step for step in steps if step.phase is Phase.FAILED]
    failed.sort(key=lambda step: not step.fails_its_workflow)
    for step in failed[:_GROUPS_MAX]:
        lines = printed.get(step.name, ())
        said = f"{step.name} {_fails(workflow, step, lines)}"
        yield from _cause(step.phase, said, _because(skipped, [step.name]), look)
        if len(lines) > 1:  # the last one is in the sentence
            yield from (look.fit(f"{_INDENT}│ {line}") for line in lines)
    if others := [step.name for step in failed[_GROUPS_MAX:]]:
        said = _counted("failed as well", others, look)
        yield from _cause(Phase.FAILED, said, _because(skipped, others), look)


def _fails(workflow: Workflow, step: Step, printed: Sequence[str]) -> str:
    """`failed after 3 tries (exit 1: too few rows)`."""
    tries = f" after {step.retries + 1} tries" if step.retries else ""
    tolerated = words.tolerated(workflow, step)
    attempt = of_present_run(workflow, step)
    if attempt is None:
        return f"failed{tries} ({step.message}){tolerated}"
    means = f"; {meaning(attempt)}" if printed and meaning(attempt) else ""
    return f"failed{tries} ({figures.failure(step, attempt, printed)}{means}){tolerated}"


def _cancelled(
    steps: Sequence[Step], skipped: Mapping[str, list[str]], look: Look
) -> Iterator[str]:
    groups: _Groups = defaultdict(list)
    for step in steps:
        if step.phase is Phase.CANCELLED:
            cancelled = step.message.startswith("cancelled")
            said = step.message if cancelled else f"cancelled ({step.message})"
            groups[said].append(step.name)
    for said, names in _first(groups, "cancelled for other reasons"):
        because = _because(skipped, names)
        yield from _cause(Phase.CANCELLED, _counted(said, names, look), because, look)


def _not_needed(
    workflow: Workflow, steps: Sequence[Step], skipped: Mapping[str, list[str]], look: Look
) -> Iterator[str]:
    """What depends on a failure that did not happen, or after a `when` that gave false."""
    among, groups = {step.name for step in steps}, _Groups()
    for root, names in skipped.items():
        shown = [name for name in names if name in among]
        if shown and workflow.steps[root].phase not in (Phase.FAILED, Phase.CANCELLED):
            said = f"skipped ({workflow.steps[shown[0]].message})"
            groups[said] = groups.get(said, []) + shown
    for said, names in _first(groups, "skipped for other reasons"):
        yield from look.marked(Phase.SKIPPED, _counted(said, names, look))


# ---------------------------------------- what is to come


def _unfinished(
    state: State, workflow: Workflow, steps: Sequence[Step], around: Around, look: Look
) -> Iterator[str]:
    running, ready = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    later, behind = defaultdict[str, list[str]](list), list[str]()
    for step in steps:
        if step.phase is Phase.RUNNING:
            running[_runs(state, workflow, step, around)].append(step.name)
        elif step.phase is Phase.READY:
            ready[_ready(state, workflow, step, around, look)].append(step.name)
        elif step.phase is Phase.PENDING and (said := _waits_for(state, workflow, step, look)):
            later[said].append(step.name)
        elif step.phase is Phase.PENDING:
            behind.append(step.name)
    kinds = (
        (Phase.RUNNING, running, "running"),
        (Phase.READY, ready, "waiting to start"),
        (Phase.PENDING, later, "waiting for other steps"),
    )
    for phase, groups, others in kinds:
        for said, names in _first(groups, others):
            yield from look.marked(phase, _counted(said, names, look))
    if behind:
        said = _counted("waiting for steps that are waiting themselves", behind, look)
        yield from look.marked(Phase.PENDING, said)


def _ready(state: State, workflow: Workflow, step: Step, around: Around, look: Look) -> str:
    reason, said = waits(state, workflow, step, around, look)
    if reason == Reason.ENGINE_QUEUED and step.live is not None:
        return words.of_engine_in_short(step.live)
    return said


def _runs(state: State, workflow: Workflow, step: Step, around: Around) -> str:
    attempt = step.live
    if not around.runs:
        return "running when the controller stopped"
    if attempt is None or (attempt.ending is not None and not attempt.ending.withdraw):
        return words.of_step(state, workflow, step)[1]
    return f"running{words.afterwards(state, workflow, step)}"


def _waits_for(state: State, workflow: Workflow, step: Step, look: Look) -> str:
    """What it waits for; "" if that are only steps that wait themselves."""
    unmet = [workflow.steps[name] for name in words.unmet(workflow, step)]
    if step.retry_at is not None or not unmet:
        return words.of_step(state, workflow, step, look.moment)[1]
    near = [
        other.name
        for other in unmet
        if other.phase is not Phase.PENDING or other.retry_at or other.asking
    ]
    return f"waiting for {words.named(near)}" if near else ""


def _kept(workflow: Workflow, steps: Sequence[Step], look: Look) -> Iterator[str]:
    """What counts as done, although it did not run in this run."""
    groups: _Groups = defaultdict(list)
    for step in steps:
        if step.phase is Phase.SUCCEEDED and step.reason == Reason.MARKED:
            groups[step.message].append(step.name)
        elif kept_from(workflow, step) is not None:
            groups["kept from an earlier run"].append(step.name)
    for said, names in _first(groups, "marked by hand"):
        yield from look.marked(Phase.SUCCEEDED, _counted(said, names, look))


def _next(state: State, workflow: Workflow, around: Around) -> Iterator[str]:
    """Commands that make sense now."""
    name = workflow.name
    if state.workflows.get(name) is not workflow:
        return
    if not workflow.finished and not around.runs:
        yield "treadle up"
    steps = [*workflow.counted, *workflow.present_hooks]
    failed = [step for step in steps if step.fails_its_workflow]
    if failed and of_present_run(workflow, failed[0]) is not None:
        yield f"treadle logs {name} {quote(failed[0].name)}"
    elif any(step.phase is Phase.RUNNING for step in steps):
        yield f"treadle logs -f {name}"
    for step in words.asking(workflow)[:1]:
        yield from words.answers(workflow.name, step.name)
    if workflow.suspension:
        yield f"treadle resume {name}"
    if workflow.phase in (Phase.FAILED, Phase.CANCELLED):
        yield f"treadle retry {name}"


# ---------------------------------------- lines


def _first(groups: _Groups, others: str) -> Iterator[tuple[str, list[str]]]:
    """The first few groups; all others are one, named `others`."""
    listed = list(groups.items())
    few = listed if len(listed) <= _GROUPS_MAX + 1 else listed[:_GROUPS_MAX]
    yield from few
    if rest := [name for _, names in listed[len(few) :] for name in names]:
        yield others, rest


def _counted(said: str, names: Sequence[str], look: Look) -> str:
    """`load: running`, `12 steps running: a, b, c and 9 more`, `load: 3 children running: a, b, c`.

    The last one where all are children of one step.
    """
    if len(names) == 1:
        return f"{names[0]}: {said}"
    if len(above := parents(names)) == 1 and "" not in above:
        keys, of_list = [key_in(name) for name in names], names[0].endswith("]")
        return _fitting(f"{above.pop()}: {number_of(len(names), of_list)} {said}: ", keys, look)
    hooks = sum(map(is_hook, names))
    who = "steps" if not hooks else "hooks" if hooks == len(names) else "steps and hooks"
    return _fitting(f"{len(names)} {who} {said}: ", names, look)


def _cause(phase: Phase, said: str, skipped: Sequence[str], look: Look) -> Iterator[str]:
    """A root, and in the same line, if there is room, what was skipped because of it."""
    if not skipped:
        yield from look.marked(phase, said)
        return
    whole = _fitting(f"{said} → skipped: ", skipped, look)
    if look.width is None or cells(whole) + _MARK_WIDTH <= look.width:
        yield from look.marked(phase, whole)
        return
    yield from look.marked(phase, said)
    yield look.fit(_fitting(f"{_INDENT}→ skipped: ", skipped, look))


def _fitting(head: str, names: Sequence[str], look: Look) -> str:
    """As many names as there is room for, one at least, and how many more there are."""
    shown = min(len(names), _NAMES_MAX)
    while True:
        more = f" and {len(names) - shown} more" if shown < len(names) else ""
        text = f"{head}{', '.join(names[:shown])}{more}"
        if shown <= 1 or look.width is None or cells(text) + _MARK_WIDTH <= look.width:
            return text
        shown -= 1
