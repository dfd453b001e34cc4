"""Is the log consistent, and does each snapshot agree with the log?

Cost: to fold the whole log, and to make one image for each snapshot.
"""

from hashlib import sha256
from typing import NamedTuple

from controller.errors import StorageError
from controller.log.archive import beginning
from controller.log.lock import check_end, noted_end
from controller.log.reader import read
from controller.log.snapshots import folder, good
from controller.model.apply.fold import fold_read
from controller.model.image import freeze, is_own
from controller.model.invariants import problems


class Verified(NamedTuple):
    """How many records and snapshots were checked and are correct."""

    records: int
    snapshots: int


def verify(state_dir: str) -> Verified:
    """Fold the whole log, and compare each snapshot with the state at its place.

    Raises StorageError if something does not agree.
    """
    # Another version may keep more or less in an image: its images can't be compared.
    snapshots = {
        snapshot.place.seq: sha256(snapshot.image).digest()
        for snapshot in good(state_dir)
        if is_own(snapshot.image)
    }
    agree = 0
    noted = noted_end(state_dir)  # first, because the log only grows
    state, place = beginning(state_dir)
    begins_at = state.seq
    for record in read(state_dir, place.seq, place):
        fold_read(state, record)
        state.moves.clear()
        if record.seq in snapshots:
            if sha256(freeze(state)).digest() != snapshots[record.seq]:
                raise StorageError(
                    f"the snapshot of record {record.seq} does not agree with the log; "
                    f"remove {folder(state_dir)}: the log is right"
                )
            agree += 1
    check_end(state_dir, state.seq, noted)
    for problem in problems(state):
        raise StorageError(f"the log up to record {state.seq} contradicts itself: {problem}")
    return Verified(state.seq - begins_at, agree)
