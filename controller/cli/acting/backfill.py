"""`treadle backfill NAME`: an instance for each due time of a length of time in the past."""

import argparse
from itertools import islice
from typing import NamedTuple

from controller.cli.output import look, show_table
from controller.client.acting.ask import ask, would_follow
from controller.client.acting.starting import require_definition
from controller.client.files.given import given_to_definition
from controller.client.replica import is_live
from controller.client.subject import read_state, require_life
from controller.errors import ExitCode, Fault, InvalidSpec, NotFound, UsageError
from controller.host.faults import show_faults
from controller.intake.requests import BACKFILL_MAX
from controller.log.archive import lives
from controller.model.events import FiringDecided
from controller.model.observations import Request
from controller.model.state import SECOND, State, Workflow
from controller.planner.actions import Action
from controller.printing import note, say
from controller.rehearsal.requests import decisions
from controller.requests import os_user
from controller.spec.triggers.due import at_in, key_of
from controller.spec.triggers.trigger import triggers
from controller.view.find import hint
from controller.view.lists.schedule import Range, Timed, is_excluded, timed
from controller.view.look import Look
from controller.view.table import Cell, Column, Table

DRY = "dry-run"  # in place of the name of a request


class _Due(NamedTuple):
    """`left`: why it gets no instance. `has_one`: because it has one."""

    due: int
    left: str
    has_one: bool = False


def backfill(args: argparse.Namespace) -> int:
    """treadle backfill NAME --from DAY --to DAY: ask for the instances of these due times."""
    state, view = read_state(args.state), look(args)
    definition = require_life(args.specs, state, args.name, "fill in")
    require_definition(definition)
    warnings: list[Fault] = []
    try:
        params = given_to_definition(definition, args.values, args.params, warnings, partly=True)
    except InvalidSpec as error:
        show_faults(error.faults, "nothing was started")
        return ExitCode.USAGE
    show_faults(warnings, "")
    trigger = _trigger(state, definition, args.trigger, view, is_live(args.state))
    span = Range(args.first, args.last)
    dues = _dues(args.state, state, trigger, span, view, args.again)
    wanted = [due.due for due in dues if not due.left]
    asked = Request(
        name=DRY if args.dry_run else "",
        kind="backfill",
        workflow=definition.name,
        uid=definition.uid,
        by=os_user(),
        trigger=trigger.trigger.name,
        dues=wanted,
        parallel=args.parallel,
        again=args.again,
        params=params,
        reason=args.reason,
    )
    actions = would_follow(state, asked) or []
    if args.dry_run:
        now = max(state.time, view.now)
        show_table(_table(definition.name, trigger, dues, _fates(state, actions, now)))
        return ExitCode.FINE
    if not wanted:
        say(f"{definition.name}: nothing to fill in")
        _say_what_is_left(dues)
        return ExitCode.FINE
    came = ask(args.state, state, asked)
    count = f"{len(wanted):,} due time{'s' if len(wanted) > 1 else ''}"
    at_once = f", {args.parallel} at a time" if len(wanted) > args.parallel else ""
    say(f"{definition.name}: filling in {count} of {asked.trigger}{at_once} ({came})")
    _say_what_is_left(dues)
    note(f"follow it: treadle runs {definition.name}")
    return ExitCode.FINE


def _trigger(state: State, definition: Workflow, name: str, view: Look, live: bool) -> Timed:
    """The one of this name; without a name the only one that has due times."""
    written = triggers(definition.spec)
    if name and name not in written:
        raise NotFound(f'{definition.name} has no trigger "{name}"{hint(name, written)}')
    found = timed(state, [definition], view.now // SECOND, live, name)
    if not found:
        whose = f"the trigger {name} of {definition.name}" if name else definition.name
        line = f"treadle start {definition.name}"
        raise UsageError(f"{whose} has no due times to fill in; to start an instance: {line}")
    if len(found) > 1:
        names = ", ".join(timed_trigger.trigger.name for timed_trigger in found)
        raise UsageError(f"{definition.name} has several triggers: add --trigger ({names})")
    return found[0]


def _dues(
    state_dir: str, state: State, trigger: Timed, span: Range, view: Look, again: bool
) -> list[_Due]:
    """The due times from the first day to the last one, the oldest first. Raises UsageError."""
    rule, name, zone = trigger.rule, trigger.definition.name, trigger.trigger.zone
    begin, end = span.seconds(zone, view.now, view.zone)
    found = list(islice(rule.between(begin - 1, end), BACKFILL_MAX + 1))
    if len(found) > BACKFILL_MAX:
        last = at_in(found[BACKFILL_MAX - 1], zone)
        raise UsageError(
            f"more than {BACKFILL_MAX:,} due times; name a shorter time, like --to {last}"
        )
    if not found:
        after = rule.after(begin)
        due = f"; the next one is {at_in(after, zone)}" if after is not None else ""
        raise UsageError(
            f"no due time of {trigger.trigger.name} from {span.first} to {span.last}{due}"
        )
    archived = {life.workflow for life in lives(state_dir)} if not again else set()
    known = (
        {}
        if again
        else {name: f"exists already ({life.phase})" for name, life in state.workflows.items()}
    )
    known = {**dict.fromkeys(archived, "is in the archive"), **known}
    return [_judged(trigger, due, f"{name}@{key_of(due)}", known) for due in found]


def _judged(trigger: Timed, due: int, instance: str, known: dict[str, str]) -> _Due:
    if is_excluded(trigger.trigger, due):
        return _Due(due, "its day is excluded")
    if not trigger.is_decided(due) and not trigger.undecided(due).reason:
        return _Due(due, "its trigger has not decided on it yet")
    if instance in known:
        return _Due(due, f"{instance} {known[instance]}", has_one=True)
    return _Due(due, "")


def _say_what_is_left(dues: list[_Due]) -> None:
    left = [due for due in dues if due.left]
    if left:
        again = "; to run again those that have an instance: --again"
        has_one = any(due.has_one for due in left)
        note(f"left out: {len(left):,} (--dry-run shows why){again if has_one else ''}")


# ---------------------------------------- the dry run


def _fates(state: State, actions: list[Action], now: int) -> dict[int, FiringDecided]:
    found = decisions(state, actions, now)
    return {firing.due: firing for firing in found if firing.due is not None}


def _table(name: str, trigger: Timed, dues: list[_Due], fates: dict[int, FiringDecided]) -> Table:
    columns = (Column("DUE"), Column("INSTANCE", shrinks=True), Column("WHAT"))
    rows: list[tuple[Cell, ...]] = []
    for due, left, _ in dues:
        fate = fates.get(due)
        instance = fate.instance if fate is not None else ""
        cells = (Cell(at_in(due, trigger.trigger.zone)), Cell(instance or f"{name}@{key_of(due)}"))
        rows.append((*cells, _what(left, fate)))
    return Table(columns, rows)


def _what(left: str, fate: FiringDecided | None) -> Cell:
    if left or fate is None:
        return Cell(f"left out: {left}", "dim")
    if fate.outcome == "Skipped":
        return Cell(f"would be skipped ({fate.reason}): {fate.message}", "yellow")
    return Cell("would start" if fate.outcome == "Started" else "would wait for its turn")
