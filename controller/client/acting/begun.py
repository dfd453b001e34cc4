"""What the requests of one `treadle run` began, and how it went.

Also for a run that another controller drives, and of lives that are archived by then.
"""

from collections.abc import Iterator, Sequence

from controller.errors import ExitCode, UsageError
from controller.model.events import GenerationAccepted, Record, RequestApplied, WorkflowFinished
from controller.model.phases import WORKFLOW_TERMINAL, Phase
from controller.model.state import State
from controller.view.pools import stuck


class Begun:
    """The lives that these requests began, and the phase of each, even if it is archived."""

    def __init__(self, names: frozenset[str], state: State) -> None:
        self._names = names
        self._phases = {
            life.uid: life.phase for life in state.lives.values() if life.request in names
        }

    def note(self, records: Sequence[Record]) -> None:
        """Take in what was recorded since the last call."""
        for record in records:
            match record.event:
                case GenerationAccepted(uid=uid, request=request) if request in self._names:
                    self._phases[uid] = Phase.PENDING
                case RequestApplied(kind="run", name=name, uid=uid, refused="") if uid:
                    if name in self._names:  # it continues a life
                        self._phases[uid] = Phase.PENDING
                case WorkflowFinished(uid=uid, phase=phase) if uid in self._phases:
                    self._phases[uid] = phase

    @property
    def uids(self) -> frozenset[str]:
        """Of these lives."""
        return frozenset(self._phases)

    def all_over(self, state: State) -> bool:
        """Whether each request was taken up, and all that they began has finished."""
        if not all(name in state.requests for name in self._names):
            return False
        return all(phase in WORKFLOW_TERMINAL for phase in self._now(state))

    def is_stuck(self, state: State) -> bool:
        """Whether steps wait for a pool that is not defined or too small.

        They wait for ever where no controller watches the folder: that would be the only one to
        see another document.
        """
        lives = (state.lives.get(uid) for uid in self._phases)
        return any(life is not None and stuck(state, life) for life in lives)

    def result(self, state: State) -> ExitCode:
        """The exit code, when all is over. Raises UsageError if a request was refused."""
        refuse(state, self._names)
        fine = all(phase is Phase.SUCCEEDED for phase in self._now(state))
        return ExitCode.FINE if fine else ExitCode.FAILED

    def _now(self, state: State) -> Iterator[Phase]:
        for uid, ended in self._phases.items():
            life = state.lives.get(uid)
            yield life.phase if life is not None else ended


def refuse(state: State, names: frozenset[str]) -> None:
    """Raise UsageError if any of these requests was refused."""
    refusals = [state.requests[name] for name in sorted(names) if state.requests[name]]
    if refusals:
        raise UsageError("; ".join(refusals))
