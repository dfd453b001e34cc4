"""What can be wrong with an expression, before and while it is evaluated."""

from collections.abc import Collection, Mapping

_SHOWN_MAX = 60  # characters of a value in a message
_CLOSE_MAX = 50  # a name longer than this was not meant to be one of the known ones


class Fault(Exception):
    """The text is no expression that can be evaluated. `offset` counts characters from 0."""

    def __init__(self, offset: int, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.offset = offset
        self.problem = problem
        self.hint = hint


class Failed(Exception):
    """An evaluation that gives no value.

    `offset`: where in the text, in characters from 0; -1: whoever raises it doesn't know.
    """

    def __init__(self, problem: str, offset: int = -1) -> None:
        super().__init__(problem)
        self.problem = problem
        self.offset = offset

    def at(self, offset: int) -> None:
        """Its place, unless it has one already."""
        if self.offset < 0:
            self.offset = offset


class Missing(Failed):
    """There is no value at this path. `has()` is then false; reading it fails."""


class Exhausted(Failed):
    """A limit is reached. Nothing goes on after it, not even `&&`, `||`, `all` and `exists`."""


def shown(value: object) -> str:
    """A value for a message: short, without line breaks."""
    if isinstance(value, list):
        return "a list"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, str):
        import json

        cut = value[:_SHOWN_MAX] + ("…" if len(value) > _SHOWN_MAX else "")
        return json.dumps(cut, ensure_ascii=False)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return repr(value)[:_SHOWN_MAX]


def did_you_mean(word: str, names: Collection[str]) -> str:
    """A hint with the name that was probably meant, or nothing."""
    from difflib import get_close_matches

    if len(word) > _CLOSE_MAX:
        return ""
    folded = {name.lower(): name for name in names}
    close = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return f'did you mean "{folded[close[0]]}"?' if close else ""
