"""The commands that change what a workflow does, and no spec: `cancel`, `retry` … `approve`.

Each command is one durable act: it works with or without a controller, and a command that is killed
has done all of it or nothing. `cancel` writes a file, the marker NAME.cancel, which counts as long
as it exists. All others write a request, recorded with its user and reason, which happens once; so
does `cancel` of what has no file of its own: a workflow of `run`, an instance, all instances of a
definition.
"""

import argparse
from collections.abc import Sequence
from typing import Any, Literal

from controller.cli.output import warn_if_no_controller
from controller.client.ask import ask, would_follow
from controller.client.files.given import given_outputs
from controller.client.subject import (
    read_state,
    refuse_definition,
    require_folder,
    require_life,
    subject,
)
from controller.errors import ExitCode, NothingToDo, UsageError
from controller.folder.markers import Marker, find_markers, remove_markers, write_marker
from controller.intake.requests import TRIGGERS_STAY, not_of_hooks, only_hooks_run
from controller.log.status_file import read_status
from controller.model.events import AttemptFinished, StepReset
from controller.model.observations import Request
from controller.model.phases import TERMINAL
from controller.model.state import State, Workflow
from controller.planner.actions import Action, Follow
from controller.printing import note, say
from controller.rehearsal.requests import without_markers
from controller.requests import os_user
from controller.view.find import name_and_steps, pick_step, pick_steps
from controller.view.words import listed

_Kind = Literal["cancel", "abandon", "retry", "restart", "suspend", "resume", "mark", "approve"]

# ---------------------------------------- cancel


def cancel(args: argparse.Namespace) -> int:
    """treadle cancel NAME [STEP…]: write the marker that the controller acts on, or a request."""
    word, words = name_and_steps(args.name, args.steps)
    state = read_state(args.state)
    name, life = subject(args.specs, state, word)
    if words:
        refuse_definition(life, "cancel", words)
    steps = pick_steps(life, words)
    if args.abandon:
        return _abandon(args, state, require_life(args.specs, state, word, "cancel"), steps)
    if hook := next((step for step in steps if life is not None and step in life.hooks), ""):
        raise UsageError(not_of_hooks("cancel", name, hook))
    if steps and args.no_hooks:
        raise UsageError(f"--no-hooks is about all of {name}: leave out {listed(steps)}")
    done = _already_over(life, steps, args.no_hooks)
    if done:
        say(f"{name}: {done}")
        return ExitCode.FINE
    marker = Marker(
        reason=args.reason, steps=tuple(steps), drain=args.drain, hooks=not args.no_hooks
    )
    if life is not None and (life.origin != "folder" or life.starter is not None):
        return _request_cancel(args.state, state, life, marker, args.dry_run)
    require_folder(args.specs, args.state, state)
    path = write_marker(args.specs, name, marker, dry_run=args.dry_run)
    say(f"{_cancelling(name, life, marker, args.dry_run)} ({path})")
    warn_if_no_controller(args.state, args.dry_run)
    return ExitCode.FINE


def _abandon(args: argparse.Namespace, state: State, life: Workflow, steps: Sequence[str]) -> int:
    """Give up the proof that attempts have ended, where it can't be had."""
    if args.drain or args.no_hooks:
        raise UsageError("--abandon gives up what can't be stopped: leave out --drain, --no-hooks")
    if not args.reason:
        raise UsageError("--abandon needs a --reason: it is recorded with your name")
    refuse_definition(life, "cancel", ("--abandon", "--reason", args.reason))
    asked = _request("abandon", life, args.reason, steps)
    controller = read_status(args.state)
    away = frozenset[str]() if controller.limits is None else controller.limits.away
    try:
        follows = would_follow(state, asked, away)
    except UsageError as refusal:
        if controller.pid is not None:
            raise
        unknown = "without a controller, nobody knows whether an engine can be reached"
        raise UsageError(f"{refusal}; {unknown}") from None
    given_up = [action for action in follows or () if isinstance(action, AttemptFinished)]
    names = listed([action.step for action in given_up])
    code = _send(args.state, state, asked, f"give up {names}", f"giving up {names}", args.dry_run)
    for action in given_up if not args.dry_run else ():
        note(f"{action.step}: {action.message}")
    if not args.dry_run:
        note("to see what is still there: treadle doctor")
    return code


def _request_cancel(
    state_dir: str, state: State, life: Workflow, marker: Marker, dry_run: bool
) -> int:
    """It has no spec file for a marker, or a marker would keep its triggers from starting."""
    if dry_run:
        say(_cancelling(life.name, life, marker, dry_run))
        return ExitCode.FINE
    asked = _request(
        "cancel", life, marker.reason, marker.steps, drain=marker.drain, hooks=marker.hooks
    )
    came = ask(state_dir, state, asked)
    say(f"{_cancelling(life.name, life, marker, dry_run)} ({came})")
    if life.starter is not None:
        note(f"its triggers keep starting new ones; to stop that: treadle suspend {life.name}")
    return ExitCode.FINE


def _cancelling(name: str, life: Workflow | None, marker: Marker, dry_run: bool) -> str:
    if life is not None and life.is_ending:
        return f"{name}: {'would stop' if dry_run else 'stopping'} its hooks"
    what = f"{name} ({listed(list(marker.steps))})" if marker.steps else name
    if life is not None and life.starter is not None:
        count = len(life.starter.unfinished)
        what = f"{name} ({count} unfinished instance{'s' if count > 1 else ''})"
    hooks = "" if marker.hooks else ", without its hooks"
    if dry_run:
        return f"{what}: would {'drain' if marker.drain else 'cancel'}{hooks}"
    return f"{what}: {'draining' if marker.drain else 'cancelling'}{hooks}"


def _already_over(life: Workflow | None, steps: list[str], no_hooks: bool) -> str:
    """Why there is nothing to cancel; "" if there is. A marker would only stop the next edit."""
    if life is None:
        return ""
    if life.starter is not None:
        nothing = f"has no unfinished instance: nothing to cancel; {TRIGGERS_STAY}"
        return "" if life.starter.unfinished else nothing
    if life.finished:
        return f"has already finished as {life.phase}; nothing to cancel"
    if steps and all(life.steps[step].phase in TERMINAL for step in steps):
        have = "has" if len(steps) == 1 else "have"
        return f"{listed(steps)} {have} already finished; nothing to cancel"
    return only_hooks_run(life) if life.is_ending and not no_hooks else ""


# ---------------------------------------- retry, restart


def retry(args: argparse.Namespace) -> int:
    """treadle retry NAME [STEP…]: remove NAME's markers, then request new attempts."""
    name, words = name_and_steps(args.name, args.steps)
    state = read_state(args.state)
    life = require_life(args.specs, state, name, "retry")
    refuse_definition(life, "retry", words)
    _check_folder(args.specs, args.state, state, life, args.keep_spec)
    steps = pick_steps(life, words)
    asked = _request(
        "retry", life, args.reason, steps, downstream=args.downstream, keep_spec=args.keep_spec
    )
    try:
        return _overrule(args.specs, args.state, state, asked, "retrying", args.dry_run)
    except NothingToDo as nothing:
        say(f"{nothing}; treadle restart {life.name} runs every step again")
        return ExitCode.FINE


def restart(args: argparse.Namespace) -> int:
    """treadle restart NAME: remove NAME's markers, then request that every step runs again."""
    state = read_state(args.state)
    life = require_life(args.specs, state, args.name, "restart")
    refuse_definition(life, "restart")
    _check_folder(args.specs, args.state, state, life, args.keep_spec)
    asked = _request("restart", life, args.reason, keep_spec=args.keep_spec)
    return _overrule(args.specs, args.state, state, asked, "restarting", args.dry_run)


def _check_folder(
    specs: str, state_dir: str, state: State, life: Workflow, keeps_spec: bool
) -> None:
    """Raises UsageError if its markers can't be removed, or others would hold it all the same."""
    if keeps_spec and life.birth is None:
        raise UsageError(f"--keep-spec is for instances; {life.name} has only one spec")
    if life.origin != "run":
        require_folder(specs, state_dir, state)
    if life.birth is not None and (holds := next(find_markers(specs, life.document), "")):
        raise UsageError(
            f"{holds} keeps every instance of {life.document} from running: remove that file first"
        )


def _overrule(
    specs: str, state_dir: str, state: State, asked: Request, does: str, dry_run: bool
) -> int:
    """The marker is removed first: if killed in between, the command can simply be repeated."""
    name = asked.workflow
    without_markers(state, name)
    actions = would_follow(state, asked)
    steps = listed(_would_reset(asked, actions))
    newest = _newer_spec(state, name, actions or [])
    for path in remove_markers(specs, name, dry_run=dry_run):
        say(f"{name}: {'would remove' if dry_run else 'removed'} {path}")
    would, does = f"{asked.kind} {steps}", f"{does} {steps}"
    code = _send(state_dir, state, asked, would, does, dry_run)
    if not dry_run:
        note(_what_is_next(state.workflows[name]))
    if newest:
        note(newest)
    return code


def _newer_spec(state: State, name: str, actions: Sequence[Action]) -> str:
    """What to know of an instance that gets another generation by this."""
    if not any(isinstance(action, Follow) for action in actions):
        return ""
    life = state.workflows[name]
    newest = state.workflows[life.document].generation
    return (
        f"it runs with the newest spec, generation {newest} of {life.document}, not with "
        f"generation {life.generation}; to keep that one: --keep-spec"
    )


def _what_is_next(life: Workflow) -> str:
    if life.suspension:
        return f"it is suspended, so it starts after: treadle resume {life.name}"
    if life.suspended is not None:
        return f"it is suspended, so it starts when {life.path} no longer says `suspend: true`"
    return f"follow it: treadle logs -f {life.name}"


def _would_reset(request: Request, actions: Sequence[Action] | None) -> list[str]:
    """The steps that the request will reset, by the rule that will apply it."""
    if actions is None:
        return request.steps or ["the steps that are being stopped"]
    return [action.step for action in actions if isinstance(action, StepReset)]


# ---------------------------------------- suspend, resume, mark, approve


def suspend(args: argparse.Namespace) -> int:
    """treadle suspend NAME: ask that nothing new starts, until `resume`."""
    state = read_state(args.state)
    life = require_life(args.specs, state, args.name, "suspend")
    asked = _request("suspend", life, args.reason)
    code = _ask(args.state, state, asked, "suspend", "suspending", args.dry_run)
    if life.starter is not None and not args.dry_run:
        note(
            f"its triggers start nothing until you run: treadle resume {life.name}; its unfinished "
            "instances continue"
        )
    if life.finished and not args.dry_run:
        note(
            "it has finished; an edit or a retry starts nothing until you run: "
            f"treadle resume {life.name}"
        )
    return code


def resume(args: argparse.Namespace) -> int:
    """treadle resume NAME: take the `suspend` back."""
    state = read_state(args.state)
    life = require_life(args.specs, state, args.name, "resume")
    asked = _request("resume", life, args.reason)
    code = _ask(args.state, state, asked, "resume", "resuming", args.dry_run)
    if life.suspended_by_spec:
        say(f"{life.name}: stays suspended: {life.path} says `suspend: true`")
    return code


def mark(args: argparse.Namespace) -> int:
    """treadle mark NAME STEP --succeeded --reason …: ask that it counts as done."""
    state, life, step = _one_step(
        args, "mark", "that was done", ("--succeeded", "--reason", args.reason)
    )
    named = life.step(step)  # one with children is refused, whatever outputs are given
    outputs = {} if named.is_parent else given_outputs(args.values, named.definition.outputs)
    asked = _request("mark", life, args.reason, [step], outputs=outputs)
    would, does = f"mark {step} as succeeded", f"marking {step}"
    return _ask(args.state, state, asked, would, does, args.dry_run)


def approve(args: argparse.Namespace) -> int:
    """treadle approve NAME STEP [--reject]: answer the question that the step asks now."""
    state, life, step = _one_step(args, "approve", "that asks")
    question = life.step(step).asking
    number = 0 if question is None else question.number
    approved = not args.reject
    asked = _request("approve", life, args.reason, [step], question=number, approved=approved)
    would_follow(state, asked)  # it is refused before anything is shown
    if question is not None:
        say(f"{life.name}/{step} asks: {question.message}")
    would, does = ("reject", "rejecting") if args.reject else ("approve", "approving")
    return _send(args.state, state, asked, f"{would} {step}", f"{does} {step}", args.dry_run)


def _one_step(
    args: argparse.Namespace, verb: str, which: str, options: Sequence[str] = ()
) -> tuple[State, Workflow, str]:
    """The one step that is named, in its workflow. Raises UsageError if none is."""
    name, words = name_and_steps(args.name, args.steps)
    state = read_state(args.state)
    life = require_life(args.specs, state, name, verb)
    refuse_definition(life, verb, (*words, *options))
    step = pick_step(life, words)
    if step is None:
        raise UsageError(f"name the step {which}: treadle {verb} {name} STEP")
    return state, life, step


def _ask(
    state_dir: str, state: State, asked: Request, would: str, does: str, dry_run: bool
) -> ExitCode:
    """Write the request, unless the controller would refuse it."""
    would_follow(state, asked)
    return _send(state_dir, state, asked, would, does, dry_run)


def _send(
    state_dir: str, state: State, asked: Request, would: str, does: str, dry_run: bool
) -> ExitCode:
    """Write the request and say what became of it; in a dry run, only what it would do."""
    if dry_run:
        say(f"{asked.workflow}: would {would}")
        return ExitCode.FINE
    came = ask(state_dir, state, asked)
    say(f"{asked.workflow}: {does} ({came})")
    return ExitCode.FINE


def _request(
    kind: _Kind,
    life: Workflow,
    reason: str,
    steps: Sequence[str] = (),
    **more: Any,
) -> Request:
    """`more`: the fields that this kind of request has besides."""
    return Request(
        kind=kind,
        workflow=life.name,
        uid=life.uid,
        by=os_user(),
        steps=list(steps),
        reason=reason,
        **more,
    )
