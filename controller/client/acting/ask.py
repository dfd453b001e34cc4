"""Requests to the controller: write one, then wait for the answer if a controller is running.

The request is durable as soon as it is written, so a command that is killed while it waits loses
only the answer. If no controller is running, the next one applies the request.
"""

import time
from collections.abc import Callable, Collection

from controller.client.replica import FOLLOW_SECONDS, is_live
from controller.errors import NothingToDo, StorageError, UsageError
from controller.intake.requests import NOTHING_TO_RETRY, answer
from controller.log.reader import Tail
from controller.model.events import RequestApplied
from controller.model.observations import Request
from controller.model.state import State
from controller.planner.actions import Action
from controller.rehearsal.requests import after_hooks
from controller.requests import drop, set_aside

ANSWER_SECONDS = 2.0


def ask(state_dir: str, state: State, request: Request) -> str:
    """Write `request`; returns what became of it, for people. `state`: as it was last read.

    Raises UsageError if the controller refused it, NothingToDo if there was nothing to do,
    StorageError if the controller could not read it.
    """
    seq, hooks = state.seq, _hooks_before(state, request)
    name = drop(state_dir, request)
    when = f" when {hooks} have ended" if hooks else ""
    if not is_live(state_dir):
        return f"requested; no controller is running, the next `treadle up` applies it{when}"
    if when:
        return f"requested; it is applied{when}"
    applied = _applied(Tail(state_dir, after=seq), name)
    if applied is None and set_aside(state_dir, name):
        raise StorageError(
            f"{request.workflow or 'treadle'}: the controller can't read the request and set it "
            "aside, so nothing was done; its stderr says why"
        )
    if applied is None:
        return "requested; not applied yet, `treadle events` will show it"
    if applied.refused:
        raise _refusal(request, "refused: ", applied.refused)
    return "applied"


def warn_if_no_controller(state_dir: str, dry_run: bool, note: Callable[[str], None]) -> None:
    """After a change of a file: say so if no controller is running to see it."""
    if not dry_run and not is_live(state_dir):
        note("no controller is running; the next `treadle up` applies it")


def would_follow(
    state: State, request: Request, unreachable: Collection[str] = ()
) -> list[Action] | None:
    """What will follow, by the rule that applies it; None if it must wait, but not for hooks.

    `unreachable`: the engines that the controller can't reach now.
    Raises UsageError if the request would be refused, NothingToDo if there is nothing to do.
    """
    if _hooks_before(state, request):
        state = after_hooks(state, request.workflow)
    actions = answer(state, request, unreachable)
    for action in actions or ():
        if isinstance(action, RequestApplied) and action.refused:
            raise _refusal(request, "", action.refused)
    return actions


def _hooks_before(state: State, request: Request) -> str:
    """`the hooks of run 3`, if it has to wait for these; else nothing."""
    life = state.workflows.get(request.workflow)
    if life is None or not life.is_ending or answer(state, request) is not None:
        return ""
    return f"the hooks of run {life.run}"


def _refusal(request: Request, by: str, why: str) -> UsageError:
    if why == NOTHING_TO_RETRY:
        return NothingToDo(f"{request.workflow}: {why}")
    return UsageError(f"{request.workflow or 'treadle'}: {by}{why}")


def _applied(tail: Tail, name: str) -> RequestApplied | None:
    until = time.monotonic() + ANSWER_SECONDS
    while True:
        for record in tail.poll():
            if isinstance(record.event, RequestApplied) and record.event.name == name:
                return record.event
        if time.monotonic() >= until:
            return None
        time.sleep(FOLLOW_SECONDS / 4)
