"""What becomes of a definition, and of each instance that has not ended, read off a play.

Cost: O(triggers), and O(steps) for each unfinished instance.
"""

from collections.abc import Iterator

from controller.model.events import StepEffect
from controller.model.phases import TERMINAL, Reason
from controller.model.state import State, Workflow, document_of, starter_of
from controller.rehearsal.change import NEW, Change
from controller.rehearsal.effects import Barred, effects_of, marker_notes, unchanged, waiting
from controller.rehearsal.play import Play
from controller.rehearsal.triggers import trigger_changes
from controller.spec.fingerprint import same_steps
from controller.spec.models import Spec
from controller.spec.triggers.trigger import (
    Overlap,
    is_definition,
    keep_instances,
    overlap,
    triggers,
)

_NEXT = "a new workflow of this name starts"


def of_nothing(state: State, life: Workflow, now: int) -> list[Change]:
    """`now`: seconds since 1970 on the wall clock."""
    own = Change(
        workflow=life.name,
        before=life.generation,
        after=life.generation,
        was=life.spec,
        becomes=life.spec,
        steps={},
        triggers=trigger_changes(life, life.spec, now),
    )
    return [own, *(_left_alone(instance) for instance in _unfinished(state, life))]


def of_deletion(state: State, life: Workflow, message: str, now: int) -> list[Change]:
    """All of it ends."""
    instances = [*_unfinished(state, life)]
    ended = len(starter_of(life).ended)
    notes = []
    if instances:
        notes.append(f"{_counted(len(instances), 'unfinished')} stopped")
    if ended:
        notes.append(f"{_counted(ended, 'finished')} archived")
    own = Change(
        workflow=life.name,
        before=life.generation,
        after=None,
        was=life.spec,
        becomes=None,
        steps={},
        note="; ".join(notes),
        triggers=trigger_changes(life, None, now),
    )
    return [own, *(_end_of(instance, message) for instance in instances)]


def _end_of(instance: Workflow, message: str) -> Change:
    gone = StepEffect("remove", Reason.SPEC_DELETED, message)
    return Change(
        workflow=instance.name,
        before=instance.generation,
        after=None,
        was=instance.spec,
        becomes=None,
        steps=dict.fromkeys(instance.steps, gone),
        is_instance=True,
    )


def of_play(
    state: State, life: Workflow | None, play: Play, becomes: Spec, now: int, notes: list[str]
) -> list[Change]:
    """After what is wanted was played: of an edit that is, or was, one of a definition.

    `life`: as it was. `notes`: what is said of the edit whatever it is of.
    """
    if life is not None and is_definition(becomes) and life.starter is None:
        return [_to_definition(life, play, becomes, now)]
    if life is not None and not is_definition(becomes):
        return _to_plain(state, life, play, becomes, now)
    play.let_end()
    instances = [] if life is None else [*_of_instances(state, life, play, becomes)]
    before = 0 if life is None else life.generation
    own = Change(
        workflow=play.name,
        before=before,
        after=play.life.latest,
        was=None if life is None else life.spec,
        becomes=becomes,
        steps={},
        note="; ".join([*notes, *_notes(state, life, play, becomes, instances)]),
        path=play.life.path,
        triggers=trigger_changes(life, becomes, now),
    )
    return [own, *instances]


# ---------------------------------------- from plain to definition, and back


def _to_definition(life: Workflow, play: Play, becomes: Spec, now: int) -> Change:
    runs = life.in_run
    takes = "a new workflow of this name takes its place"
    when = f"when run {life.run} has finished, {takes}" if runs else f"{takes} at once"
    note = f"becomes a definition, which runs no step itself: {when}"
    return Change(
        workflow=life.name,
        before=life.generation,
        after=1,
        was=life.spec,
        becomes=becomes,
        steps={
            name: _until_its_end(effect) if runs and step.phase not in TERMINAL else _LEFT
            for name, effect in unchanged(life)
            for step in [life.steps[name]]
        },
        note="; ".join([note, *([] if runs else _held(play.life))]),
        waiting=frozenset(waiting(life)),
        path=play.life.path if play.life.pending is None else play.life.pending.path,
        triggers=trigger_changes(None, becomes, now),
    )


_LEFT = StepEffect(
    "remove",
    Reason.STEP_REMOVED,
    "ends with the old workflow; from now on only instances run steps",
)


def _until_its_end(effect: StepEffect) -> StepEffect:
    return StepEffect(effect.action, effect.reason, "stays as it is until this run has finished")


def _to_plain(state: State, life: Workflow, play: Play, becomes: Spec, now: int) -> list[Change]:
    instances = [_left_alone(instance) for instance in _unfinished(state, life)]
    note = f"no longer has triggers: {_NEXT} at once"
    if instances:
        has = "has" if len(instances) == 1 else "have"
        until = f"its {_number(len(instances), 'unfinished')} {has} finished"
        note = f"no longer has triggers: they stop at once; when {until}, {_NEXT}"
    notes = [note]
    if ended := len(starter_of(life).ended):
        notes.append(f"{_counted(ended, 'finished')} archived then")
    own = Change(
        workflow=life.name,
        before=life.generation,
        after=1,
        was=life.spec,
        becomes=becomes,
        steps={step.name: NEW for step in becomes.steps},
        note="; ".join(notes),
        triggers=trigger_changes(life, None, now),
    )
    return [own, *instances]


# ---------------------------------------- instances


def _unfinished(state: State, definition: Workflow) -> Iterator[Workflow]:
    return (state.lives[uid] for uid in starter_of(definition).unfinished)


def _left_alone(instance: Workflow) -> Change:
    return Change(
        workflow=instance.name,
        before=instance.generation,
        after=instance.generation,
        was=instance.spec,
        becomes=instance.spec,
        steps=dict(unchanged(instance)),
        waiting=frozenset(waiting(instance)),
        is_instance=True,
    )


def _of_instances(state: State, life: Workflow, play: Play, becomes: Spec) -> Iterator[Change]:
    for before in _unfinished(state, life):
        after = play.state.lives[before.uid]
        wanted = effects_of(before, play, before.name, after.spec)
        barred = Barred(before, play, before.name)
        found = {step: barred.effect(step, effect) for step, effect in wanted.items()}
        follows = before.generation != after.generation
        notes = [
            *_why_not(life, before, after, becomes),
            *_turn(before, after, follows),
            *marker_notes(state, before, play, before.name, follows, wanted, found),
        ]
        yield Change(
            workflow=before.name,
            before=before.generation,
            after=after.generation,
            was=before.spec,
            becomes=after.spec,
            steps=found,
            note="; ".join(notes),
            waiting=frozenset(waiting(before)),
            is_instance=True,
        )


def _why_not(life: Workflow, before: Workflow, after: Workflow, becomes: Spec) -> Iterator[str]:
    """Why the instance does not follow an edit of what it does."""
    if before.generation != after.generation or same_steps(life.spec, becomes):
        return
    if same_steps(before.spec, becomes):
        yield f"has generation {before.generation}, which does the same"
        return
    keeps = f"keeps generation {before.generation}"
    rejected = after.conditions.get("EditRejected")
    if becomes.edit_policy == "AfterRun":
        yield f"{keeps} (editPolicy: AfterRun)"
    elif before.is_ending:
        yield f"{keeps}: only its hooks still run"
    elif before.cancel is not None:
        yield f"{keeps}: it is being cancelled"
    elif rejected is not None and rejected.status == "True":
        yield f"rejected, {keeps}: {rejected.message}"


def _turn(before: Workflow, after: Workflow, follows: bool) -> Iterator[str]:
    """What becomes of its place in the queue."""
    if not before.is_queued:
        return
    if after.cancel is not None and after.cancel.reason == Reason.QUEUE_FULL:
        yield f"is cancelled: {after.cancel.message}"
    elif not after.is_queued:
        yield "its turn comes at once"
    elif follows:
        yield "still waits for its turn"


# ---------------------------------------- what is said of the definition


def _notes(
    state: State,
    life: Workflow | None,
    play: Play,
    becomes: Spec,
    instances: list[Change],
) -> Iterator[str]:
    after = play.life
    if life is None:
        if not triggers(becomes):
            yield f"starts only by hand: treadle start {after.name}"
        yield from _held(after)
        return
    if not same_written(life.spec, becomes):
        yield from _words_of(life, becomes)
    yield from _hold(life, after)
    yield from _markers(state, life, play)
    others = sum(not change.is_change for change in instances)
    if others and life.generation != after.latest:
        yield f"{_number(others, 'unfinished')} {'does' if others == 1 else 'do'} not change"


def same_written(one: Spec, other: Spec) -> bool:
    """Whether both say the same of instances that meet, and of how many stay."""
    return overlap(one) == overlap(other) and keep_instances(one) == keep_instances(other)


def _words_of(life: Workflow, becomes: Spec) -> Iterator[str]:
    """What an edit of `concurrency` and of `keepInstances` means. It ends nothing that runs."""
    was, now = overlap(life.spec), overlap(becomes)
    if (was.policy, was.limit) != (now.policy, now.limit):
        yield f"concurrency: {_overlap(now)} (was: {_overlap(was)})"
    if was.group != now.group:
        yield "the new `group` is used for instances that start from now on"
    if was.max_queued != now.max_queued:
        yield f"maxQueued: {now.max_queued:,} (was: {was.max_queued:,})"
    kept = keep_instances(becomes)
    if kept != keep_instances(life.spec):
        surplus = max(0, len(starter_of(life).ended) - kept)
        go = f", so {_counted(surplus, 'finished')} archived" if surplus else ""
        yield f"keepInstances: {kept:,} (was: {keep_instances(life.spec):,}){go}"


def _overlap(written: Overlap) -> str:
    policy = written.policy or "Forbid for times, Queue for all else"
    return policy if written.policy == "Allow" else f"{policy}, {written.limit} at once"


def _held(after: Workflow) -> Iterator[str]:
    if starter_of(after).hold == Reason.SUSPENDED:
        yield "suspended: its triggers start nothing until it is resumed"
    elif starter_of(after).hold == Reason.CANCEL_MARKER:
        yield "its triggers start nothing while its cancel marker is there"


def _hold(life: Workflow, after: Workflow) -> Iterator[str]:
    """Whether its triggers count, where that changes or an edit comes."""
    was, now = starter_of(life).hold, starter_of(after).hold
    if was and not now:
        yield "its triggers count again; what was due meanwhile is not caught up"
    elif was != now or life.generation != after.latest:
        yield from _held(after)


def _markers(state: State, life: Workflow, play: Play) -> Iterator[str]:
    """Markers for which there is no instance yet: it will not start."""
    for path, marker in play.state.markers.items():
        names = marker.workflow != life.name and document_of(marker.workflow) == life.name
        is_new = state.markers.get(path) != marker
        if names and is_new and marker.workflow not in state.workflows and not marker.steps:
            yield f"{path} keeps {marker.workflow} from starting"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what} instance{'' if count == 1 else 's'}"


def _counted(count: int, what: str) -> str:
    """`3 finished instances are`."""
    return f"{_number(count, what)} {'is' if count == 1 else 'are'}"
