"""What a check of an engine has found: plain data, for `treadle doctor`."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing that was looked at. `of` names it; `message` is for people, with what to do."""

    of: str
    fine: bool
    message: str


class LeftBehind(NamedTuple):
    """An attempt whose end nobody waits for any more, and where it was."""

    whose: str  # NAME/STEP attempt N
    handle: str
    name: str  # outside
    place: dict[str, str]
