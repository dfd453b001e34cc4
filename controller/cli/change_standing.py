"""The commands that ask for something that stands: `suspend`, `resume` and `mark`.

Each is one request, recorded with who asked and why. They touch no file: what a file says of
`suspend` goes on to count beside the request.
"""

import argparse

from controller.client.ask import ask, would_follow
from controller.client.subject import read_state, require_life, require_steps
from controller.errors import ExitCode
from controller.model.observations import Request
from controller.model.state import State
from controller.requests import os_user


def suspend(args: argparse.Namespace) -> int:
    """treadle suspend NAME: ask that nothing new starts, until `resume`."""
    state = read_state(args)
    life = require_life(args, state, "suspend")
    asked = Request(
        kind="suspend", workflow=life.name, uid=life.uid, by=os_user(), reason=args.reason
    )
    return _ask(args, state, asked, "suspend", "suspending")


def resume(args: argparse.Namespace) -> int:
    """treadle resume NAME: take the `suspend` back."""
    state = read_state(args)
    life = require_life(args, state, "resume")
    asked = Request(
        kind="resume", workflow=life.name, uid=life.uid, by=os_user(), reason=args.reason
    )
    code = _ask(args, state, asked, "resume", "resuming")
    if life.spec.suspend is True:
        print(f"{life.name}: stays suspended: {life.path} says `suspend: true`")
    return code


def mark(args: argparse.Namespace) -> int:
    """treadle mark NAME STEP --succeeded --reason …: ask that it counts as done."""
    state = read_state(args)
    life = require_life(args, state, "mark")
    require_steps(life, [args.step])
    asked = Request(
        kind="mark",
        workflow=life.name,
        uid=life.uid,
        by=os_user(),
        steps=[args.step],
        reason=args.reason,
    )
    return _ask(args, state, asked, f"mark {args.step} as succeeded", f"marking {args.step}")


def _ask(args: argparse.Namespace, state: State, asked: Request, would: str, does: str) -> ExitCode:
    """Refused here, by the rule that will apply it, what would be refused there."""
    would_follow(state, asked)
    if args.dry_run:
        print(f"{asked.workflow}: would {would}")
        return ExitCode.FINE
    came = ask(args.state, state.seq, asked)
    print(f"{asked.workflow}: {does} ({came})")
    return ExitCode.FINE
