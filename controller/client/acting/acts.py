"""What people do to a workflow, but not to its spec: `cancel`, `retry` … `approve`.

Each act is durable as a whole: it works with or without a controller, and whoever is killed in it
has done all of it or nothing. `cancel` writes a file, the marker NAME.cancel, which counts as long
as it exists. All others write a request, recorded with its user and reason, which happens once; so
does `cancel` of what has no file of its own: a workflow of `run`, an instance, all instances of a
definition.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from controller.client.acting.ask import ask, warn_if_no_controller, would_follow
from controller.client.files.given import given_outputs
from controller.client.subject import (
    read_state,
    refuse_definition,
    require_folder,
    require_life,
    subject,
)
from controller.errors import NothingToDo, Outdated, UsageError
from controller.folder.markers import Marker, find_markers, remove_markers, write_marker
from controller.intake.requests import TRIGGERS_STAY, not_of_hooks, only_hooks_run
from controller.log.status_file import read_status
from controller.model.events import AttemptFinished, StepReset
from controller.model.observations import Request
from controller.model.phases import TERMINAL
from controller.model.state import State, Workflow
from controller.planner.actions import Action, Follow
from controller.rehearsal.requests import without_markers
from controller.requests import os_user
from controller.view.find import pick_step, pick_steps
from controller.view.words import listed

Kind = Literal["cancel", "abandon", "retry", "restart", "suspend", "resume", "mark", "approve"]


class Saw(NamedTuple):
    """What somebody who acts has seen. If it is another life or run by now, they mean no more."""

    uid: str
    run: int


class Actor:
    """Somebody who acts on workflows, as the user of this process.

    `say` gets what was done, and in a dry run what would be done; `note` what else is to be known.
    `by`: another name to be recorded besides that of the user. All methods raise NotFound, and
    UsageError where the controller would refuse it.
    """

    def __init__(
        self,
        specs: str,
        state_dir: str,
        say: Callable[[str], None],
        note: Callable[[str], None],
        *,
        dry_run: bool = False,
        by: str = "",
        saw: Saw | None = None,
    ) -> None:
        self._specs = specs
        self._state_dir = state_dir
        self._say = say
        self._note = note
        self._dry_run = dry_run
        self._by = by or os_user()
        self._saw = saw
        self._state: State | None = None

    @property
    def state(self) -> State:
        """As it will be when all waiting requests have been applied."""
        if self._state is None:
            self._state = read_state(self._state_dir)
        return self._state

    # ---------------------------------------- cancel

    def cancel(
        self, word: str, words: Sequence[str], *, reason: str, drain: bool, hooks: bool
    ) -> None:
        """Write the marker that the controller acts on, or a request."""
        name, life = subject(self._specs, self.state, word)
        self._check_seen(name, life)
        if words:
            refuse_definition(life, "cancel", words)
        steps = pick_steps(life, words)
        if hook := next((step for step in steps if life is not None and step in life.hooks), ""):
            raise UsageError(not_of_hooks("cancel", name, hook))
        if steps and not hooks:
            raise UsageError(f"--no-hooks is about all of {name}: leave out {listed(steps)}")
        if done := _already_over(life, steps, not hooks):
            self._say(f"{name}: {done}")
            return
        marker = Marker(reason=reason, steps=tuple(steps), drain=drain, hooks=hooks)
        if life is not None and (life.origin != "folder" or life.starter is not None):
            self._request_cancel(life, marker)
            return
        require_folder(self._specs, self._state_dir, self.state)
        path = write_marker(self._specs, name, marker, dry_run=self._dry_run)
        self._say(f"{_cancelling(self.state, name, life, marker, self._dry_run)} ({path})")
        warn_if_no_controller(self._state_dir, self._dry_run, self._note)

    def _request_cancel(self, life: Workflow, marker: Marker) -> None:
        """It has no spec file for a marker, or a marker would keep its triggers from starting."""
        said = _cancelling(self.state, life.name, life, marker, self._dry_run)
        if self._dry_run:
            self._say(said)
            return
        asked = self._request(
            "cancel", life, marker.reason, marker.steps, drain=marker.drain, hooks=marker.hooks
        )
        self._say(f"{said} ({ask(self._state_dir, self.state, asked)})")
        if life.starter is not None:
            name = life.name
            self._note(f"its triggers keep starting new ones; to stop that: treadle suspend {name}")

    def abandon(self, word: str, words: Sequence[str], *, reason: str) -> None:
        """Give up the proof that attempts have ended, where it can't be had."""
        life = self._life(word, "cancel")
        refuse_definition(life, "cancel", ("--abandon", "--reason", reason))
        asked = self._request("abandon", life, reason, pick_steps(life, words))
        controller = read_status(self._state_dir)
        away = frozenset[str]() if controller.limits is None else controller.limits.away
        try:
            follows = would_follow(self.state, asked, away)
        except UsageError as refusal:
            if controller.pid is not None:
                raise
            unknown = "without a controller, nobody knows whether an engine can be reached"
            raise UsageError(f"{refusal}; {unknown}") from None
        given_up = [action for action in follows or () if isinstance(action, AttemptFinished)]
        names = listed([action.step for action in given_up])
        self._send(asked, f"give up {names}", f"giving up {names}")
        for action in given_up if not self._dry_run else ():
            self._note(f"{action.step}: {action.message}")
        if not self._dry_run:
            self._note("to see what is still there: treadle doctor")

    # ---------------------------------------- retry, restart

    def retry(
        self, word: str, words: Sequence[str], *, reason: str, downstream: bool, keep_spec: bool
    ) -> None:
        """Remove its markers, then request new attempts."""
        life = self._life(word, "retry")
        refuse_definition(life, "retry", words)
        self._check_folder(life, keep_spec)
        asked = self._request(
            "retry",
            life,
            reason,
            pick_steps(life, words),
            downstream=downstream,
            keep_spec=keep_spec,
        )
        try:
            self._overrule(asked, "retrying")
        except NothingToDo as nothing:
            self._say(f"{nothing}; treadle restart {life.name} runs every step again")

    def restart(self, word: str, *, reason: str, keep_spec: bool) -> None:
        """Remove its markers, then request that every step runs again."""
        life = self._life(word, "restart")
        refuse_definition(life, "restart")
        self._check_folder(life, keep_spec)
        asked = self._request("restart", life, reason, keep_spec=keep_spec)
        self._overrule(asked, "restarting")

    def _check_folder(self, life: Workflow, keeps_spec: bool) -> None:
        """Raises UsageError if its markers can't be removed, or others would hold it all the
        same.
        """
        if keeps_spec and life.birth is None:
            raise UsageError(f"--keep-spec is for instances; {life.name} has only one spec")
        if life.origin != "run":
            require_folder(self._specs, self._state_dir, self.state)
        if life.birth is not None and (holds := next(find_markers(self._specs, life.document), "")):
            raise UsageError(
                f"{holds} keeps every instance of {life.document} from running: remove that file "
                "first"
            )

    def _overrule(self, asked: Request, does: str) -> None:
        """The marker is removed first: if killed in between, the act can simply be repeated."""
        name = asked.workflow
        without_markers(self.state, name)
        actions = would_follow(self.state, asked)
        steps = listed(_would_reset(asked, actions))
        newest = _newer_spec(self.state, name, actions or [])
        for path in remove_markers(self._specs, name, dry_run=self._dry_run):
            self._say(f"{name}: {'would remove' if self._dry_run else 'removed'} {path}")
        self._send(asked, f"{asked.kind} {steps}", f"{does} {steps}")
        if not self._dry_run:
            self._note(_what_is_next(self.state.workflows[name]))
        if newest:
            self._note(newest)

    # ---------------------------------------- suspend, resume, mark, approve

    def suspend(self, word: str, *, reason: str) -> None:
        """Ask that nothing new starts, until `resume`."""
        life = self._life(word, "suspend")
        self._ask(self._request("suspend", life, reason), "suspend", "suspending")
        if life.starter is not None and not self._dry_run:
            self._note(
                f"its triggers start nothing until you run: treadle resume {life.name}; its "
                "unfinished instances continue"
            )
        if life.finished and not self._dry_run:
            self._note(
                "it has finished; an edit or a retry starts nothing until you run: "
                f"treadle resume {life.name}"
            )

    def resume(self, word: str, *, reason: str) -> None:
        """Take the `suspend` back."""
        life = self._life(word, "resume")
        self._ask(self._request("resume", life, reason), "resume", "resuming")
        if life.suspended_by_spec:
            self._say(f"{life.name}: stays suspended: {life.path} says `suspend: true`")

    def mark(self, word: str, words: Sequence[str], *, reason: str, values: Sequence[str]) -> None:
        """Ask that a step counts as done. `values`: its outputs, as `NAME=VALUE`."""
        life, step = self._one_step(
            word, words, "mark", "that was done", ("--succeeded", "--reason", reason)
        )
        named = life.step(step)  # one with children is refused, whatever outputs are given
        outputs = {} if named.is_parent else given_outputs(values, named.definition.outputs)
        asked = self._request("mark", life, reason, [step], outputs=outputs)
        self._ask(asked, f"mark {step} as succeeded", f"marking {step}")

    def approve(
        self,
        word: str,
        words: Sequence[str],
        *,
        reason: str,
        approved: bool,
        question: int | None = None,
    ) -> None:
        """Answer the question that the step asks now. `question`: the number of the one seen."""
        life, step = self._one_step(word, words, "approve", "that asks")
        asking = life.step(step).asking
        number = 0 if asking is None else asking.number
        if question not in (None, number):
            asks = f"asks question {number}" if number else "asks nothing"
            raise Outdated(
                f"{life.name}/{step} {asks} now, and question {question} is to be answered: the "
                "number is wrong, or somebody has answered since you looked"
            )
        asked = self._request("approve", life, reason, [step], question=number, approved=approved)
        would_follow(self.state, asked)  # it is refused before anything is shown
        if asking is not None:
            self._say(f"{life.name}/{step} asks: {asking.message}")
        would, does = ("approve", "approving") if approved else ("reject", "rejecting")
        self._send(asked, f"{would} {step}", f"{does} {step}")

    # ---------------------------------------- what all of them need

    def _life(self, word: str, verb: str) -> Workflow:
        life = require_life(self._specs, self.state, word, verb)
        self._check_seen(life.name, life)
        return life

    def _check_seen(self, name: str, life: Workflow | None) -> None:
        if self._saw is None:
            return
        require_uid(name, life, self._saw.uid)
        if life is not None and life.run != self._saw.run:
            raise Outdated(
                f"{name} is in run {life.run} now, and run {self._saw.run} is named: the number is "
                "wrong, or another run has begun since you looked"
            )

    def _one_step(
        self, word: str, words: Sequence[str], verb: str, which: str, options: Sequence[str] = ()
    ) -> tuple[Workflow, str]:
        """The one step that is named, in its workflow. Raises UsageError if none is."""
        life = self._life(word, verb)
        refuse_definition(life, verb, (*words, *options))
        step = pick_step(life, words)
        if step is None:
            raise UsageError(f"name the step {which}: treadle {verb} {word} STEP")
        return life, step

    def _ask(self, asked: Request, would: str, does: str) -> None:
        """Write the request, unless the controller would refuse it."""
        would_follow(self.state, asked)
        self._send(asked, would, does)

    def _send(self, asked: Request, would: str, does: str) -> None:
        """Write the request and say what became of it; in a dry run, only what it would do."""
        if self._dry_run:
            self._say(f"{asked.workflow}: would {would}")
            return
        self._say(f"{asked.workflow}: {does} ({ask(self._state_dir, self.state, asked)})")

    def _request(
        self, kind: Kind, life: Workflow, reason: str, steps: Sequence[str] = (), **more: Any
    ) -> Request:
        """`more`: the fields that this kind of request has besides."""
        return Request(
            kind=kind,
            workflow=life.name,
            uid=life.uid,
            by=self._by,
            steps=list(steps),
            reason=reason,
            run=0 if self._saw is None else self._saw.run,
            **more,
        )


def require_uid(name: str, life: Workflow | None, uid: str) -> None:
    """Raises Outdated if the life that has this name is not the one that somebody names."""
    if life is None or life.uid != uid:
        now = "has no uid yet" if life is None else f"has the uid {life.uid} now"
        raise Outdated(
            f"{name} {now}, and another one is named: that uid is wrong, or {name} was deleted and "
            "made again since you looked"
        )


def _cancelling(
    state: State, name: str, life: Workflow | None, marker: Marker, dry_run: bool
) -> str:
    if life is not None and life.is_ending:
        return f"{name}: {'would stop' if dry_run else 'stopping'} its hooks"
    what, whom = f"{name} ({listed(list(marker.steps))})" if marker.steps else name, ""
    if life is not None and life.starter is not None:
        names = [state.lives[uid].name for uid in life.starter.unfinished]
        what = f"{name} ({len(names)} unfinished instance{'s' if len(names) > 1 else ''})"
        whom = f" {listed(names)}"
    hooks = "" if marker.hooks else ", without its hooks"
    if dry_run:
        would = f"{what}: would {'drain' if marker.drain else 'cancel'}{whom}{hooks}"
        return "; ".join((would, *(_foreseen(life, marker) if life is not None else ())))
    return f"{what}: {'draining' if marker.drain else 'cancelling'}{hooks}"


def _foreseen(life: Workflow, marker: Marker) -> Iterator[str]:
    """What becomes of its steps: `would stop a and b (2 running)`, `3 steps would not start`."""
    meant = {leaf.name for step in marker.steps for leaf in life.leaves(life.step(step))}
    steps = [step for step in life.counted if not meant or step.name in meant]
    running = [step.name for step in steps if step.live is not None]
    waiting = sum(step.live is None and step.phase not in TERMINAL for step in steps)
    if running:
        stop = "let {} finish" if marker.drain else "stop {}"
        yield f"would {stop.format(listed(running))} ({len(running)} running)"
    if waiting:
        yield f"{waiting} {'step' if waiting == 1 else 'steps'} would not start"


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
