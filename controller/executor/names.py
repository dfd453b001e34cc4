"""The names and labels that attempts have outside, where others live too.

An attempt is `treadle-STEP-MARK` there: a DNS label that no other attempt has, of any state folder.
Its labels say whose it is. Only what has all of them is ours; a name alone proves nothing.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from controller.loop.ports import AttemptId, Launch

STEP_LENGTH_MAX = 30
MARK = "treadle.mark"
FOLDER = "treadle.folder"
ATTEMPT = "treadle.attempt"  # uid/step/number
_OTHER = re.compile(r"[^a-z0-9-]")


class Labels(NamedTuple):
    """Whose an object of an engine is."""

    folder_id: str  # of the state folder
    attempt: AttemptId
    mark: int

    def as_texts(self) -> dict[str, str]:
        """As the engine keeps them."""
        mark = f"{self.mark:015x}"
        return {FOLDER: self.folder_id, ATTEMPT: str(self.attempt), MARK: mark}


def labels(launch: Launch) -> Labels:
    """Those of the attempt."""
    return Labels(launch.folder_id, launch.id, launch.mark)


def read(texts: Mapping[str, str]) -> Labels | None:
    """The labels of an object; None if it is none of ours."""
    try:
        attempt = AttemptId.parse(texts[ATTEMPT])
        return Labels(texts[FOLDER], attempt, int(texts[MARK], 16))
    except (KeyError, ValueError):
        return None


def name_of(step: str, mark: int) -> str:
    """`treadle-STEP-MARK`, at most 55 characters."""
    return f"treadle-{_OTHER.sub('-', step.lower())[:STEP_LENGTH_MAX]}-{mark:015x}"
