"""Does all that is kept of a state agree: the log with itself, and each snapshot with the log?

Cost: that of folding the whole log, and of an image for each snapshot.
"""

from hashlib import sha256
from typing import NamedTuple

from controller.errors import StorageError
from controller.log.archive import beginning
from controller.log.lock import check_end, noted_end
from controller.log.reader import read
from controller.log.snapshots import folder, good
from controller.model.apply import apply
from controller.model.image import freeze, is_own
from controller.model.invariants import problems


class Verified(NamedTuple):
    """How much was found to be whole, in order, and consistent."""

    records: int
    snapshots: int


def verify(state_dir: str) -> Verified:
    """Fold the whole log; each snapshot has to be what that comes to at its place.

    Raises StorageError where something does not agree.
    """
    # Another version may have kept less, or more: its images say nothing of what this one folds.
    snapshots = {
        one.place.seq: sha256(one.image).digest() for one in good(state_dir) if is_own(one.image)
    }
    agree = 0
    noted = noted_end(state_dir)  # before the log is read: it only grows
    state, place = beginning(state_dir)
    begins_at = state.seq
    for record in read(state_dir, place.seq, place):
        apply(state, record)
        state.moves.clear()
        if record.seq in snapshots:
            if sha256(freeze(state)).digest() != snapshots[record.seq]:
                raise StorageError(
                    f"the snapshot of record {record.seq} is not what the log says; "
                    f"remove {folder(state_dir)}: the log is the truth"
                )
            agree += 1
    check_end(state_dir, state.seq, noted)
    for problem in problems(state):
        raise StorageError(f"the log up to record {state.seq} contradicts itself: {problem}")
    return Verified(state.seq - begins_at, agree)
