"""`treadle logs`, `events`: the output of steps, and what happened.

Output of steps goes to a file or a pipe byte by byte; a terminal, which it could steer, gets text.
The attempts themselves write it to files, so nothing is lost or late when no controller is running.
"""

import argparse
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

from controller.cli.output import aside, look, note_if_nothing, show_line
from controller.client.past import last_finished, moment, recall, run_of
from controller.client.reading.transcript import Transcript
from controller.client.replica import Folded, Replica
from controller.errors import ExitCode, UsageError
from controller.model.state import State, Workflow
from controller.printing import note, say
from controller.spec.triggers.keys import LATEST
from controller.view.find import find, find_workflow, name_and_steps, pick_steps
from controller.view.lists.attempts import (
    AttemptChoice,
    by_number,
    of_all_runs,
    of_one_run,
    running,
)
from controller.view.story import concerns, happened, lines, names_step

ALL, LAST = "all", "last"  # of --run

# ---------------------------------------- logs


def logs(args: argparse.Namespace) -> int:
    """treadle logs NAME [STEP…]: what attempts wrote."""
    _refuse_what_does_not_go_together(args)
    view = look(args)
    since = None if args.since is None else moment("--since", args.since, view)
    name, words = name_and_steps(args.name, args.steps)
    name = args.uid or name
    replica = Replica(args.state)
    state = replica.catch_up()
    recall(args.state, state, name)
    workflow = find_workflow(state, name)
    if workflow.starter is not None:
        if args.run:
            run_of(args.state, state, name, 0)  # raises UsageError
        recall(args.state, state, f"{name}@{LATEST}")
        workflow = find_workflow(state, f"{name}@{LATEST}")
        aside(f"{workflow.name}, the newest instance of {name}; others: treadle runs {name}")
        name = workflow.name
    run = _number(args.run, state, workflow)
    if run is not None:
        state, workflow = run_of(args.state, state, name, run)
    choice = AttemptChoice(
        word=name,
        steps=pick_steps(workflow, words),
        run=run,
        attempt=args.attempt,
        failed=args.failed,
        since=since,
    )
    out = sys.stdout.buffer  # noqa: TID251 - who is no terminal gets the bytes of the steps
    raw = args.raw or not sys.stdout.isatty()
    transcript = Transcript(
        state, args.state, workflow, choice, args.tail, out, aside, view, raw=raw
    )
    if args.run == ALL:
        transcript.show_under_headings(of_all_runs(workflow, choice))
    elif args.attempt is not None:
        transcript.show(by_number(workflow, choice))
    elif not args.follow or transcript.is_over():
        transcript.show(of_one_run(state, workflow, choice))
    else:
        transcript.show(running(state, workflow, choice))
    if args.follow:
        transcript.follow(replica)
    transcript.close()
    return ExitCode.FINE


def _refuse_what_does_not_go_together(args: argparse.Namespace) -> None:
    if args.follow and (args.run or args.failed):
        raise UsageError("-f follows the present run: leave out --run and --failed")
    if args.attempt is not None and (args.run or args.failed or args.since):
        raise UsageError("--attempt shows one attempt: leave out --run, --failed and --since")


def _number(run: str | None, state: State, workflow: Workflow) -> int | None:
    """The run that --run means; None: the present one, or all."""
    if run is None or run == ALL:
        return None
    return last_finished(state, workflow) if run == LAST else int(run)


# ---------------------------------------- events


def events(args: argparse.Namespace) -> int:
    """treadle events [NAME [STEP…]]: a line an event."""
    name, words = name_and_steps(args.name or "", args.steps)
    name, view = args.uid or name, look(args)
    since = 0 if args.since is None else moment("--since", args.since, view)
    steps = _steps_ever(args.state, name, words) if words else None
    replica = Replica(args.state, whole=True)
    if replica.begins_at:
        when = view.moment(replica.state.time)
        note(f"history begins after record {replica.begins_at}, of {when}")
    wanted = _Wanted(replica.state, name, steps, since)
    show = show_line if args.output else say

    def told(news: Iterable[Folded | None]) -> Iterator[Any]:
        for folded in news:
            if folded is None:
                sys.stdout.flush()
            elif happenings := wanted.of(folded):
                time = folded.record.time
                yield from happenings if args.output else lines(time, happenings, view, args.all)

    before = told(replica.news())
    for line in before if args.tail is None else deque(before, args.tail):
        show(line)
    if name and not wanted.is_known:
        find(replica.state, name)  # raises NotFound, with a suggestion
    note_if_nothing(args, replica.state)
    for line in told(replica.follow()) if args.follow else ():
        show(line)
    return ExitCode.FINE


def _steps_ever(state_dir: str, name: str, words: list[str]) -> set[str]:
    """The steps that these words mean, also those that the spec no longer has."""
    state = Replica(state_dir).catch_up()
    recall(state_dir, state, name)
    workflow = find_workflow(state, name)
    return set(pick_steps(workflow, words, removed=workflow.left))


class _Wanted:
    """What was asked for: of a workflow (all, if `name` is empty), of some steps, since a time."""

    def __init__(self, state: State, name: str, steps: set[str] | None, since: int) -> None:
        self._state = state
        self._name = name
        self._steps = steps
        self._since = since
        self.is_known = False  # whether any record is about that name

    def of(self, folded: Folded) -> list[dict[str, Any]]:
        """The events of a record, those that are wanted."""
        record = folded.record
        if self._name and not concerns(self._state, record.event, self._name):
            return []
        self.is_known = True
        if record.time < self._since:
            return []
        told = list(happened(self._state, record, folded.moves))
        return (
            told
            if self._steps is None
            else [happening for happening in told if names_step(happening, self._steps)]
        )
