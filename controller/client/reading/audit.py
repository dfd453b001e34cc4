"""What the log and the archive tell of the triggers of a definition: each as it was in force, and
each decision. Cost: to fold all of that.
"""

from typing import Any, NamedTuple

from controller.client.replica import Replica
from controller.model.events import FiringDecided, WorkflowFinished
from controller.model.indexes import wall
from controller.model.state import SECOND, Armed, State, Workflow, starter_of
from controller.spec.triggers.trigger import ResolvedTrigger, triggers
from controller.view.lists.schedule import Decided, Force, Past
from controller.view.look import Look

CHANGED = "the trigger was changed or removed"
DELETED = "the workflow was deleted"


class _Known(NamedTuple):
    trigger: ResolvedTrigger
    armed: Armed


def read_past(state_dir: str, name: str) -> tuple[State, Past, int]:
    """The state now, what was before, and since when (microseconds) that is kept; 0: always."""
    replica = Replica(state_dir, whole=True)
    kept_since = replica.state.time if replica.begins_at else 0
    folding = _Folding(name)
    for life in replica.state.lives.values():
        if life.name == name and life.starter is not None:
            folding.begin(replica.state, life)
    for folded in replica.news():
        folding.take(replica.state, folded.record.seq, folded.record.event)
    return replica.state, folding.finished(replica.state), kept_since


class _Folding:
    def __init__(self, name: str) -> None:
        self._name = name
        self._past = Past()
        self._specs: dict[str, object] = {}  # uid -> that of the generation in force
        self._known: dict[str, dict[str, _Known]] = {}
        self._instances: set[str] = set()

    def begin(self, state: State, life: Workflow) -> None:
        """A definition that is older than what is kept."""
        self._note_triggers(state, life)
        for name, known in self._known[life.uid].items():
            forces = self._past.forces[name]
            forces[-1] = forces[-1]._replace(lost=known.armed.mark)

    def take(self, state: State, seq: int, event: Any) -> None:
        if isinstance(event, WorkflowFinished) and event.uid in self._instances:
            self._past.phases[event.uid] = event.phase
        uid = getattr(event, "uid", "")
        life = state.lives.get(uid)
        if life is None:
            self._close(uid, self._now(state), DELETED)
            return
        if life.name != self._name or life.starter is None:
            return
        if isinstance(event, FiringDecided):
            self._decide(seq, event)
        elif life.deleting:
            self._close(uid, self._now(state), DELETED)
        elif self._specs.get(uid) is not life.spec:
            self._note_triggers(state, life)

    def finished(self, state: State) -> Past:
        for uid in self._instances:
            life = state.lives.get(uid)
            if life is not None:
                self._past.phases[uid] = life.phase
        return self._past

    def _now(self, state: State) -> int:
        return wall(state, state.time) // SECOND

    def _decide(self, seq: int, event: FiringDecided) -> None:
        self._instances.add(event.life)
        if event.due is None or event.file is not None or event.after:
            return
        if event.backfill:
            if event.instance:
                filled = self._past.filled.setdefault((event.trigger, event.due), [])
                filled.append(event.instance)
            return
        first = event.due if event.first is None else event.first
        decided = Decided(
            order=seq,
            first=first,
            due=event.due,
            outcome=event.outcome,
            reason=event.reason,
            message=event.message,
            instance=event.instance,
            uid=event.life,
        )
        self._past.decided.setdefault(event.trigger, []).append(decided)

    def _note_triggers(self, state: State, life: Workflow) -> None:
        """A changed trigger counts from now on; one that only has other dates from its mark on."""
        self._specs[life.uid] = life.spec
        before, now = self._known.get(life.uid, {}), self._now(state)
        known = {
            name: _Known(trigger, starter_of(life).triggers[name])
            for name, trigger in triggers(life.spec).items()
        }
        self._known[life.uid] = known
        for name, was in before.items():
            after = known.get(name)
            if after is None or after.armed is not was.armed:
                self._end(name, now, CHANGED)
            elif after.trigger.exclude != was.trigger.exclude:
                self._end(name, was.armed.mark, CHANGED)
                self._open(after.trigger, was.armed.mark)
        for name, becomes in known.items():
            if name not in before or before[name].armed is not becomes.armed:
                self._open(becomes.trigger, becomes.armed.since)

    def _open(self, trigger: ResolvedTrigger, after: int) -> None:
        self._past.forces.setdefault(trigger.name, []).append(Force(trigger, after))

    def _end(self, name: str, until: int, why: str) -> None:
        forces = self._past.forces[name]
        forces[-1] = forces[-1]._replace(until=until, ended=why)

    def _close(self, uid: str, now: int, why: str) -> None:
        for name in self._known.pop(uid, ()):
            self._end(name, now, why)


def in_force_words(past: Past, name: str, look: Look) -> str:
    """Since when its triggers are in force, for somebody who asks about a time before that."""
    firsts = [forces[0].after for forces in past.forces.values() if forces]
    since = look.moment(min(firsts) * SECOND)
    return f"the triggers of {name} are in force since {since}; nothing was due before that"
