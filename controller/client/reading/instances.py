"""The instances of a definition that the log and the archive still have.

Cost: to fold all of that.
"""

from msgspec.structs import replace

from controller.client.replica import Replica
from controller.model.events import FiringDecided, LifeArchived, RunStarted
from controller.model.state import State, Workflow
from controller.view.lists.instances import Instance, instance, runs_of_life
from controller.view.look import Look


def instances_kept(state_dir: str, definition: str, look: Look) -> tuple[State, list[Instance]]:
    """The state, and those of the life with this uid, in the order of their births."""
    replica = Replica(state_dir, whole=True)
    state = replica.state
    lives = {life.uid: life for life in state.lives.values() if _is_of(life, definition)}
    runs = {uid: runs_of_life(state, life) for uid, life in lives.items()}
    archived: dict[str, Instance] = {}
    for folded in replica.news():
        event = folded.record.event
        if isinstance(event, FiringDecided) and event.life and event.uid == definition:
            lives[event.life], runs[event.life] = state.lives[event.life], []
        elif isinstance(event, RunStarted) and event.uid in lives:
            # The fold goes on to fill in the same object when the run ends.
            runs[event.uid].append(state.runs[lives[event.uid].name][-1])
        elif isinstance(event, LifeArchived) and event.uid in lives:
            # The object is as it was when it left the state.
            gone = instance(lives.pop(event.uid), runs.pop(event.uid), look)
            archived[event.uid] = replace(gone, archived=True)
    present = [instance(life, runs[uid], look) for uid, life in lives.items()]
    return state, sorted([*archived.values(), *present], key=lambda summary: summary.created)


def _is_of(life: Workflow, definition: str) -> bool:
    return life.birth is not None and life.birth.definition == definition
