"""What leaves the state, so that it stays small whatever has come and gone.

Nothing here makes anything run: a document that is in the folder keeps its life, and of it only
attempts that have a later one may go. Of what is over (a life whose document is gone, one that
`run` began) all goes: when its time to live is up, or, oldest first, when more than `keep_finished`
are there. What somebody may still be waiting to see stays for SEEN_SECONDS. Cost: O(what goes).
"""

from collections.abc import Iterator
from itertools import islice

from controller.model.events import AttemptsArchived, LifeArchived
from controller.model.indexes import SEEN_SECONDS, due
from controller.model.state import SECOND, State, starter_of
from controller.model.timers import HABITS
from controller.planner.permission import Limits
from controller.spec.triggers.trigger import keep_instances

KEEP_FINISHED = 1000  # lives that are over, unless told otherwise


def archive(state: State, now: int, limits: Limits) -> list[LifeArchived | AttemptsArchived]:
    """What may go at `now`, each life once."""
    chosen = {
        action.uid: action
        for action in (*_excess(state, now, limits), *_surplus(state, now), *_expired(state, now))
    }
    return list(chosen.values())


def _expired(state: State, now: int) -> Iterator[LifeArchived | AttemptsArchived]:
    for timer in due(state, now):
        if HABITS[timer.kind].archives:
            workflow = state.lives[timer.uid]
            why = f"it finished {workflow.ttl_seconds or 0:g} s ago (ttlSecondsAfterFinished)"
            if workflow.birth is not None and workflow.ttl_seconds is None:
                why = "its definition is gone"
            if workflow.uid in state.over or workflow.birth is not None:
                yield LifeArchived(uid=workflow.uid, workflow=workflow.name, message=why)
            else:
                yield AttemptsArchived(uid=workflow.uid, message=why)


def _excess(state: State, now: int, limits: Limits) -> Iterator[LifeArchived]:
    if limits.keep_finished is None:
        return
    why = f"there are more than {limits.keep_finished} finished ones (--keep-finished)"
    for uid in islice(state.over, max(0, len(state.over) - limits.keep_finished)):
        workflow = state.lives[uid]
        if workflow.since + round(SEEN_SECONDS * SECOND) > now:
            return
        yield LifeArchived(uid=uid, workflow=workflow.name, message=why)


def _surplus(state: State, now: int) -> Iterator[LifeArchived]:
    """Of definitions, the instances that ended first, when there are more than it keeps."""
    for uid in state.surplus:
        definition = state.lives[uid]
        keep, ended = keep_instances(definition.spec), starter_of(definition).ended
        why = f"{definition.name} keeps {keep} instances that have ended (keepInstances)"
        for instance_uid in islice(ended, max(0, len(ended) - keep)):
            instance = state.lives[instance_uid]
            if instance.since + round(SEEN_SECONDS * SECOND) > now:
                break
            yield LifeArchived(uid=instance_uid, workflow=instance.name, message=why)
