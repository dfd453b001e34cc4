"""`treadle start NAME`: an instance of a definition by hand.

Its name is all that is printed on stdout, so that a script can use it.
"""

import argparse
import sys
import time

from controller.client.acting.ask import would_follow
from controller.client.acting.starting import (
    Begun,
    Interrupted,
    Starting,
    foretold,
    require_definition,
    why_skipped,
)
from controller.client.files.given import given_to_definition
from controller.client.replica import is_live
from controller.client.subject import read_state, require_life
from controller.errors import ExitCode, Fault, InvalidSpec, UsageError
from controller.host.faults import show_faults
from controller.model.observations import Request
from controller.model.phases import Phase
from controller.model.state import State
from controller.planner.actions import Action
from controller.printing import complain, note, say
from controller.requests import os_user
from controller.view.words import verdict


def start(args: argparse.Namespace) -> int:
    """treadle start NAME: ask for an instance, and print its name."""
    if args.timeout is not None and not args.wait:
        raise UsageError("start --timeout needs --wait")
    state = read_state(args.state)
    definition = require_life(args.specs, state, args.name, "start")
    require_definition(definition)
    warnings: list[Fault] = []
    try:
        params = given_to_definition(definition, args.values, args.params, warnings)
    except InvalidSpec as error:
        show_faults(error.faults, "nothing was started")
        return ExitCode.USAGE
    show_faults(warnings, "")
    asked = Request(
        kind="start",
        workflow=definition.name,
        uid=definition.uid,
        by=os_user(),
        params=params,
        key=args.key,
        reason=args.reason,
    )
    actions = would_follow(state, asked) or []
    if args.dry_run:
        return _told(state, definition.name, actions)
    if args.wait and not is_live(args.state):
        raise UsageError(
            "start --wait: no controller is running, so the instance would never finish; start one "
            "(treadle up), or leave out --wait"
        )
    return _start(args, asked)


def _told(state: State, name: str, actions: list[Action]) -> ExitCode:
    """The dry run: what would be decided now."""
    would = foretold(state, name, actions)
    for line in would.lines:
        say(line)
    if would.skipped:
        complain(would.skipped)
        return ExitCode.FAILED
    return ExitCode.FINE


def _start(args: argparse.Namespace, asked: Request) -> int:
    from controller.host.signals import StopSignals

    until = None if args.timeout is None else time.monotonic() + args.timeout

    with StopSignals() as signals:

        def is_enough() -> bool:
            return bool(signals.seen) or (until is not None and time.monotonic() >= until)

        starting = Starting(args.state, asked, is_enough)
        begun: Begun | None = None
        try:
            begun = starting.ask()
            if begun is None:
                note(
                    f"{asked.workflow}: requested; no controller is running, the next `treadle up` "
                    "starts it"
                )
                return ExitCode.FINE
            decision = begun.decision
            if decision is not None and decision.outcome == "Skipped":
                complain(why_skipped(asked.workflow, decision))
                return ExitCode.FAILED
            say(begun.instance)
            sys.stdout.flush()
            _say_how(begun)
            return _verdict(starting, begun.instance) if args.wait else ExitCode.FINE
        except Interrupted:
            what = f"{begun.instance} keeps running" if begun else "the request still waits"
            if signals.seen:
                complain(f"stopped waiting; {what}")
                return 128 + signals.last
            complain(f"waited too long; {what}")
            return ExitCode.TIMED_OUT


def _say_how(begun: Begun) -> None:
    if begun.before:
        note(f"{begun.instance} was started with this key before; nothing new was started")
    elif begun.decision is not None and begun.decision.outcome == "Queued":
        note(f"{begun.instance} {begun.decision.message}")


def _verdict(starting: Starting, instance: str) -> int:
    """As `run` ends: 0 if it has succeeded."""
    phase = starting.end_of(instance)
    life = starting.life(instance)
    why = f": {verdict(life)}" if life is not None else ""
    if phase is Phase.SUCCEEDED:
        note(f"{instance} succeeded")
        return ExitCode.FINE
    complain(f"{instance} ended as {phase}{why}")
    note(f"next: treadle status {instance}")
    return ExitCode.FAILED
