"""The commands that change the course of a workflow: `cancel`, `retry` and `restart`.

Cancelling is a file, the marker NAME.cancel, so that it stands as long as the file does. Trying
anew is a request: it happens once.
"""

import argparse

from controller.cli.output import say_if_nobody_listens
from controller.client.ask import ask, would_follow
from controller.client.subject import (
    read_state,
    require_folder,
    require_life,
    require_steps,
    subject,
)
from controller.errors import ExitCode
from controller.folder.markers import Marker, remove_markers, write_marker
from controller.model.events import StepReset
from controller.model.indexes import displace_marker
from controller.model.observations import Request
from controller.model.phases import TERMINAL
from controller.model.state import State, Workflow
from controller.requests import os_user
from controller.view.words import listed

# ---------------------------------------- cancel


def cancel(args: argparse.Namespace) -> int:
    """treadle cancel NAME [STEP…]: write the marker that the controller acts on."""
    state = read_state(args)
    name, life = subject(args, state)
    require_steps(life, args.steps)
    done = _already_over(life, args.steps)
    if done:
        print(f"{name}: {done}; nothing to cancel")
        return ExitCode.FINE
    if life is not None and life.origin == "run":
        return _cancel_run(args, state, life)
    require_folder(args, state)
    marker = Marker(reason=args.reason, steps=tuple(args.steps), drain=args.drain)
    path = write_marker(args.specs, name, marker, dry_run=args.dry_run)
    print(f"{_what(name, args.steps)}: {_cancelling(args)} ({path})")
    say_if_nobody_listens(args.state, args.dry_run)
    return ExitCode.FINE


def _cancel_run(args: argparse.Namespace, state: State, life: Workflow) -> int:
    """What `treadle run` began has no file to put a marker beside."""
    if args.dry_run:
        print(f"{_what(life.name, args.steps)}: {_cancelling(args)}")
        return ExitCode.FINE
    request = Request(
        kind="cancel",
        workflow=life.name,
        uid=life.uid,
        by=os_user(),
        steps=args.steps,
        reason=args.reason,
        drain=args.drain,
    )
    came = ask(args.state, state.seq, request)
    print(f"{_what(life.name, args.steps)}: {_cancelling(args)} ({came})")
    return ExitCode.FINE


def _what(name: str, steps: list[str]) -> str:
    return f"{name} ({listed(steps)})" if steps else name


def _cancelling(args: argparse.Namespace) -> str:
    if args.dry_run:
        return "would drain" if args.drain else "would cancel"
    return "draining" if args.drain else "cancelling"


def _already_over(life: Workflow | None, steps: list[str]) -> str:
    """Why there is nothing to cancel; a marker left then would only stop the next edit."""
    if life is None:
        return ""
    if life.finished:
        return f"has already ended as {life.phase}"
    if steps and all(life.steps[step].phase in TERMINAL for step in steps):
        return f"{listed(steps)} {'has' if len(steps) == 1 else 'have'} already ended"
    return ""


# ---------------------------------------- retry, restart


def retry(args: argparse.Namespace) -> int:
    """treadle retry NAME [STEP…]: remove NAME's markers, then ask for fresh tries."""
    state = read_state(args)
    life = _to_overrule(args, state, "retry")
    require_steps(life, args.steps)
    asked = Request(
        kind="retry",
        workflow=life.name,
        uid=life.uid,
        by=os_user(),
        steps=args.steps,
        downstream=args.downstream,
        reason=args.reason,
    )
    return _overrule(args, state, asked, ("would retry", "retrying"))


def restart(args: argparse.Namespace) -> int:
    """treadle restart NAME: remove NAME's markers, then ask for all of it anew."""
    state = read_state(args)
    life = _to_overrule(args, state, "restart")
    asked = Request(
        kind="restart", workflow=life.name, uid=life.uid, by=os_user(), reason=args.reason
    )
    return _overrule(args, state, asked, ("would restart", "restarting"))


def _to_overrule(args: argparse.Namespace, state: State, verb: str) -> Workflow:
    life = require_life(args, state, verb)
    if life.origin == "folder":
        require_folder(args, state)
    return life


def _overrule(
    args: argparse.Namespace, state: State, asked: Request, words: tuple[str, str]
) -> int:
    """The marker goes first: killed in between, it stays cancelled, and asking again works."""
    seq, name = state.seq, asked.workflow
    steps = _would_reset(state, asked)
    for path in remove_markers(args.specs, name, dry_run=args.dry_run):
        print(f"{name}: {'would remove' if args.dry_run else 'removed'} {path}")
    if args.dry_run:
        print(f"{name}: {words[0]} {listed(steps)}")
        return ExitCode.FINE
    came = ask(args.state, seq, asked)
    print(f"{name}: {words[1]} {listed(steps)} ({came})")
    return ExitCode.FINE


def _would_reset(state: State, request: Request) -> list[str]:
    """The steps that the request will try anew, by the rule that will apply it."""
    for path in list(state.marked.get(request.workflow, ())):
        displace_marker(state, path)
    actions = would_follow(state, request)
    if actions is None:
        return request.steps or ["what is being ended now"]
    return [action.step for action in actions if isinstance(action, StepReset)]
