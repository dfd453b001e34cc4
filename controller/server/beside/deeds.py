"""What people ask for: each is done exactly as the command of that name does it."""

import time
from typing import Any

import msgspec

from controller.client.acting.acts import Actor, Saw, require_uid
from controller.client.acting.ask import ANSWER_SECONDS, would_follow
from controller.client.acting.starting import (
    Interrupted,
    Starting,
    foretold,
    require_definition,
    why_skipped,
)
from controller.client.files.given import given_to_definition
from controller.client.subject import read_state, require_life
from controller.errors import UsageError
from controller.model.observations import Request
from controller.server.answers import word_of
from controller.server.asked import Act, Start
from controller.server.beside.process import answer_all, folders_given
from controller.server.beside.worker import Folders
from controller.server.shapes import Done


class Deeds:
    """Each public method is a job. `command` is the one that does the same."""

    def __init__(self, folders: Folders) -> None:
        self._folders = folders
        self._state_dir = folders.state

    def begin(self) -> None:
        """Each reads what it needs, and when it needs it."""

    def act(self, verb: str, name: str, asked: dict[str, Any], command: str) -> Done:
        """What a button does: exactly what the command would do."""
        act = msgspec.convert(asked, Act)
        told: list[str] = []
        actor = Actor(
            self._folders.specs,
            self._state_dir,
            told.append,
            told.append,
            dry_run=act.dry_run,
            by="web",
            saw=Saw(act.uid, act.run),
        )
        match verb:
            case "retry":
                actor.retry(
                    name,
                    act.steps,
                    reason=act.reason,
                    downstream=act.downstream,
                    keep_spec=False,
                )
            case "cancel":
                actor.cancel(name, act.steps, reason=act.reason, drain=act.drain, hooks=True)
            case "suspend":
                actor.suspend(name, reason=act.reason)
            case "resume":
                actor.resume(name, reason=act.reason)
            case "approve":
                actor.approve(
                    name,
                    act.steps,
                    reason=act.reason,
                    approved=act.approved,
                    question=act.question,
                )
        return Done(command=command, message="\n".join(told))

    def start(self, name: str, asked: dict[str, Any], command: str) -> Done:
        """An instance by hand, as `treadle start` begins it."""
        return self._begin(name, msgspec.convert(asked, Start), command)

    def _begin(self, name: str, asked: Start, command: str) -> Done:
        state = read_state(self._state_dir)
        definition = require_life(self._folders.specs, state, name, "start")
        require_definition(definition)
        require_uid(name, definition, asked.uid)
        words = [f"{name}={word_of(value)}" for name, value in asked.params.items()]
        params = given_to_definition(definition, words, [], [])
        request = Request(
            kind="start",
            workflow=definition.name,
            uid=definition.uid,
            by="web",
            params=params,
            key=asked.key,
            reason=asked.reason,
        )
        actions = would_follow(state, request) or []
        if asked.dry_run:
            would = foretold(state, definition.name, actions)
            return Done(command=command, message=would.skipped or "\n".join(would.lines))
        until = time.monotonic() + ANSWER_SECONDS
        try:
            begun = Starting(self._state_dir, request, lambda: time.monotonic() > until).ask()
        except Interrupted:
            said = "requested; not decided yet, `treadle events` will show it"
            return Done(command=command, message=f"{name}: {said}")
        if begun is None:
            said = "requested; no controller is running, the next `treadle up` starts it"
            return Done(command=command, message=f"{name}: {said}")
        if begun.decision is not None and begun.decision.outcome == "Skipped":
            raise UsageError(why_skipped(name, begun.decision))
        before = " was started with this key before" if begun.before else " has begun"
        said = f"{begun.instance}{before}"
        return Done(command=command, message=said, instance=begun.instance)


if __name__ == "__main__":
    answer_all(Deeds(folders_given()))
