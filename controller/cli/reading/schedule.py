"""`treadle schedule`: due times ahead and behind, and what became of those of the past."""

import argparse
from collections.abc import Iterable
from heapq import merge
from itertools import islice

from controller.cli.output import look, note_if_nothing, show_line, show_table
from controller.client.acting.starting import require_definition
from controller.client.past import recall
from controller.client.replica import Replica, is_live, now
from controller.errors import ExitCode, NotFound, UsageError
from controller.model.state import SECOND, State, Workflow
from controller.printing import note
from controller.spec.triggers.due import at_in
from controller.spec.triggers.trigger import ResolvedTrigger, triggers
from controller.view.find import find_workflow, hint
from controller.view.lists.schedule import (
    BEHIND_MAX,
    DueTime,
    audit,
    definitions,
    due_table,
    parse_range,
    shape,
    timed,
)

LINES_MAX = 10_000
NEXT_OF_ALL, NEXT_OF_ONE = 1, 5  # of each trigger


def schedule(args: argparse.Namespace) -> int:
    """treadle schedule [NAME]: a line a due time."""
    if args.audit:
        if args.next or not args.name:
            raise UsageError("schedule --audit needs the NAME of a workflow, and excludes --next")
        return _audit(args)
    state = Replica(args.state).catch_up()
    chosen = [_definition(args.state, state, args.name)] if args.name else definitions(state)
    if args.name and state.workflows.get(chosen[0].name) is not chosen[0]:
        name = chosen[0].name
        raise NotFound(f"{name} was deleted, so nothing is due; its past: --audit FROM..TO")
    _check_trigger(chosen, args.trigger)
    found = timed(state, chosen, now() // SECOND, is_live(args.state), args.trigger)
    count = args.next or (NEXT_OF_ONE if args.name else NEXT_OF_ALL)
    shown: list[DueTime] = []
    for timed_trigger in found:
        behind = timed_trigger.behind()
        if timed_trigger.more_behind(behind):
            whose = f"{timed_trigger.trigger.name} of {timed_trigger.definition.name}"
            note(f"only the last {BEHIND_MAX} due times of {whose} that have passed are shown")
        shown += [*behind, *timed_trigger.ahead(count)]
    shown.sort(key=lambda due_time: (due_time.due, due_time.workflow, due_time.trigger))
    _show(args, shown)
    if not shown:
        note_if_nothing(args, state)
        if state.seq:
            note(f"{args.name or 'no workflow'} has {'no' if args.name else 'any'} future due time")
    for definition in chosen if args.name else ():
        for trigger in triggers(definition.spec).values():
            if trigger.rule is None and args.trigger in ("", trigger.name):
                note(f"{trigger.name} has no due times: it waits for {_awaited_by(trigger)}")
    return ExitCode.FINE


def _awaited_by(trigger: ResolvedTrigger) -> str:
    match trigger.kind:
        case "files":
            return f"files that match {trigger.files}"
        case "after":
            return f"runs of {trigger.after} to finish"
        case _:
            return "deliveries to treadle serve"


def _definition(state_dir: str, state: State, word: str) -> Workflow:
    recall(state_dir, state, word)
    life = find_workflow(state, word)
    require_definition(life)
    return life


def _check_trigger(chosen: Iterable[Workflow], name: str) -> None:
    known = {trigger for life in chosen for trigger in triggers(life.spec)}
    if name and name not in known:
        raise NotFound(f'no trigger is named "{name}"{hint(name, known)}')


def _show(args: argparse.Namespace, shown: list[DueTime]) -> None:
    if args.output:
        for due_time in shown:
            show_line(shape(due_time))
    elif shown:
        show_table(due_table(shown, named=not args.name))


# ---------------------------------------- audit


def _audit(args: argparse.Namespace) -> int:
    """What became of each due time from FROM to TO."""
    from controller.client.reading.audit import in_force_words, read_past

    wanted, view = parse_range("--audit", args.audit), look(args)
    definition = _definition(args.state, Replica(args.state).catch_up(), args.name)
    name = definition.name
    state, past, kept_since = read_past(args.state, name)
    life = state.workflows.get(name)
    present = [life] if life is not None and life.starter is not None else []
    found = timed(state, present, view.now // SECOND, is_live(args.state))
    if args.trigger and args.trigger not in past.forces:
        raise NotFound(f'{name} had no trigger "{args.trigger}"{hint(args.trigger, past.forces)}')
    begins: list[int] = []
    told: list[Iterable[DueTime]] = []
    for trigger, forces in past.forces.items():
        if args.trigger in ("", trigger) and forces[-1].trigger.rule is not None:
            begin, end = wanted.seconds(forces[-1].trigger.zone, view.now, view.zone)
            begins.append(begin)
            told.append(audit(past, found, name, trigger, begin, end))
    lines = merge(*told, key=lambda due_time: (due_time.due, due_time.trigger))
    shown = list(islice(lines, LINES_MAX + 1))
    _show(args, shown[:LINES_MAX])
    if len(shown) > LINES_MAX:
        rest = at_in(shown[LINES_MAX].due, shown[LINES_MAX].zone)
        note(
            f"these are the first {LINES_MAX:,} due times; for those that follow: "
            f"--audit {rest}..{wanted.last}"
        )
    if not begins:
        note(f"{name} has no trigger with due times")
    elif kept_since and kept_since // SECOND > min(begins):
        note(f"older records than {view.moment(kept_since)} are no longer kept")
    elif min(begins) < min(forces[0].after for forces in past.forces.values()):
        note(in_force_words(past, name, view))
    return ExitCode.FINE
