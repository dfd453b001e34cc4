"""What must hold of hooks in any story, and how stories get some: from the docs alone."""

from posixpath import dirname
from random import Random
from typing import Any

from msgspec import UNSET, UnsetType

from controller.model import events as e
from controller.model.state import State
from controller.spec.models import DefaultsSpec, Hook, Spec

KINDS = ("onStart", "onSuccess", "onFailure", "onCancel", "onExit")
_BY_PHASE = {"Succeeded": "onSuccess", "Failed": "onFailure", "Cancelled": "onCancel"}


def some(random: Random) -> dict[str, Any]:
    """The field `hooks` of a spec, or nothing."""
    if random.random() < 0.5:
        return {}
    return {"hooks": {kind: _listed(random) for kind in KINDS if random.random() < 0.6}}


def _listed(random: Random) -> list[dict[str, Any]]:
    return [_hook(random, f"h{index}") for index in range(random.choice([0, 1, 1, 2]))]


def _hook(random: Random, name: str) -> dict[str, Any]:
    hook: dict[str, Any] = {"name": name, "run": f"echo {random.randint(1, 3)}"}
    if random.random() < 0.4:
        backoff = {"initialSeconds": random.choice([0, 0.5, 2]), "jitter": 0}
        hook["retry"] = {"limit": random.randint(1, 2), "backoff": backoff}
    if random.random() < 0.3:
        hook["timeoutSeconds"] = random.choice([0.7, 2])
    return hook


class Hooks:
    """Which hooks each run has to have, and how far they are."""

    def __init__(self) -> None:
        self.specs: dict[str, Spec] = {}
        self.paths: dict[str, str] = {}
        self.policies: dict[str, DefaultsSpec] = {}  # by folder
        self.kept: dict[str, dict[str, DefaultsSpec]] = {}  # by uid of what is being deleted
        self.due: dict[str, list[str]] = {}  # by uid, of the present run
        self.done: dict[str, set[str]] = {}
        self.began: set[str] = set()  # uids whose run has started an attempt
        self.greeted: set[str] = set()  # uids whose run has had its onStart hooks
        self.owed: dict[str, list[str]] = {}  # those hooks, as they were when it began
        self.ends: dict[str, str] = {}  # uid -> phase that is decided
        self.unhooked: set[str] = set()  # uids of which a marker once said hooks: false

    def see(self, state: State, event: e.AnyEvent) -> str:
        """What is wrong with the event; `state`: the one before it."""
        uid = getattr(event, "uid", "")
        if uid in state.lives and self._unwanted(state, uid):
            self.unhooked.add(uid)
        self._learn(uid, event)
        match event:
            case e.GenerationAccepted():
                return "it is accepted while hooks run" if uid in self.ends else ""
            case e.RunStarted():
                self.due[uid], self.done[uid] = [], set()
                self.began.discard(uid)
                self.greeted.discard(uid)
                self.owed.pop(uid, None)
            case e.HooksBegun(hooks=hooks):
                if uid not in self.began or uid in self.greeted:
                    return "hooks of onStart, but no attempt has started, or a second time"
                self.greeted.add(uid)
                return self._take(state, uid, [one.name for one in hooks], "onStart")
            case e.EndDecided(hooks=hooks, phase=phase):
                steps = state.lives[uid].steps.values()
                left = [step.name for step in steps if str(step.phase) not in _ENDED]
                if uid in self.ends or left:
                    return f"an end, but {left} have not ended, or twice"
                self.ends[uid] = str(phase)
                if problem := self._ungreeted(state, uid):
                    return problem
                kinds = _BY_PHASE[str(phase)], "onExit"
                return self._take(state, uid, [one.name for one in hooks], *kinds)
            case e.WorkflowFinished(phase=phase):
                return self._finished(state, uid, str(phase))
            case _:
                return self._of_attempt(uid, event)
        return ""

    def _learn(self, uid: str, event: e.AnyEvent) -> None:
        """What says which hooks a workflow has; one that is being deleted keeps what it had."""
        match event:
            case e.DefaultsAccepted(folder=folder, spec=policy):
                self.policies[folder] = policy
            case e.DefaultsRemoved(folder=folder):
                del self.policies[folder]
            case e.DeletionAccepted():
                self.kept[uid] = {**self.policies}
            case e.SourceChanged(path=path):
                self.paths[uid] = path
            case e.GenerationAccepted(spec=spec, path=path):
                self.specs[uid], self.paths[uid] = spec, path

    def _of_attempt(self, uid: str, event: e.AnyEvent) -> str:
        match event:
            case e.AttemptScheduled(step=step):
                left = self._left(uid)
                if step.partition("/")[0] in KINDS:
                    return "" if left[:1] == [step] else f"{step} starts, but {left} are due"
                return f"{step} starts while hooks run" if uid in self.ends else ""
            case e.AttemptStarted(step=step):
                self._begin(uid, step)
            case e.AttemptFinished(step=step):
                if event.exit_code is not None or event.signal is not None:
                    self._begin(uid, step)
                if str(event.phase) == "Succeeded":
                    self._over(uid, step)
            case e.StepCancelled(step=step) if self._is_spared(step, uid):
                return f"{step} is cancelled, and no marker says so"
            case e.StepFailed(step=step) | e.StepCancelled(step=step) | e.StepSkipped(step=step):
                self._over(uid, step)
        return ""

    def _finished(self, state: State, uid: str, phase: str) -> str:
        if left := self._left(uid):
            return f"it has finished, but {left} have not"
        decided = self.ends.pop(uid, "")
        if problem := self._ungreeted(state, uid):
            return problem
        if decided:
            return "" if decided == phase else f"{phase}, but {decided} was decided"
        if not state.lives[uid].in_run:
            return ""
        missed = [*self._named(uid, _BY_PHASE[phase]), *self._named(uid, "onExit")]
        return f"{phase} without {missed}" if missed and not self._unwanted(state, uid) else ""

    def _begin(self, uid: str, step: str) -> None:
        """The start of a hook is not one of the run."""
        if uid not in self.began and step.partition("/")[0] not in KINDS:
            self.began.add(uid)
            self.owed[uid] = self._named(uid, "onStart")

    def _ungreeted(self, state: State, uid: str) -> str:
        owed = self.owed.get(uid, [])
        if uid in self.greeted or not owed or uid in self.unhooked:
            return ""
        return f"it ends, and {owed} never began"

    def _take(self, state: State, uid: str, hooks: list[str], *kinds: str) -> str:
        self.due[uid] += hooks
        wanted = [name for kind in kinds for name in self._named(uid, kind)]
        if self._unwanted(state, uid):
            wanted = []
        return "" if hooks == wanted else f"the hooks {hooks} are due, not {wanted}"

    def _named(self, uid: str, kind: str) -> list[str]:
        """The list of the spec, else of the nearest folder with one."""
        field = "on_" + kind.removeprefix("on").lower()
        policies = self.kept.get(uid, self.policies)
        folder = dirname(self.paths[uid])
        above = [policies[one] for one in (folder, "") if one in policies]
        for one in (self.specs[uid], *above):
            listed: list[Hook] | UnsetType = getattr(one.hooks, field, UNSET)
            if not isinstance(listed, UnsetType):
                return [f"{kind}/{hook.name}" for hook in listed]
        return []

    def _is_spared(self, step: str, uid: str) -> bool:
        """Whether only a marker without hooks may cancel it: once there was one, that is enough."""
        kind = step.partition("/")[0]
        return kind in KINDS[1:] and uid not in self.unhooked

    def _unwanted(self, state: State, uid: str) -> bool:
        name = state.lives[uid].name
        return any(one.workflow == name and not one.hooks for one in state.markers.values())

    def _left(self, uid: str) -> list[str]:
        done = self.done.get(uid, set())
        return [name for name in self.due.get(uid, []) if name not in done]

    def _over(self, uid: str, step: str) -> None:
        if step in self.due.get(uid, []):
            self.done[uid].add(step)


_ENDED = ("Succeeded", "Failed", "Skipped", "Cancelled")
