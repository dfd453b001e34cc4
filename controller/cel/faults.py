"""What can be wrong with an expression, before and while it is evaluated."""

_SHOWN_MAX = 60  # characters of a value in a message


class ExpressionFault(Exception):
    """The text is no expression that can be evaluated. `offset` counts characters from 0."""

    def __init__(self, offset: int, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.offset = offset
        self.problem = problem
        self.hint = hint


class EvaluationFailed(Exception):
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


class Missing(EvaluationFailed):
    """There is no value at this path. `has()` is then false; reading it fails."""


class Exhausted(EvaluationFailed):
    """A limit is reached. Nothing goes on after it, not even `&&`, `||`, `all` and `exists`."""


def cut(text: str) -> str:
    """A text from outside, for a message."""
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def shown(value: object) -> str:
    """A value for a message: short, without line breaks."""
    if isinstance(value, str):
        import json

        return json.dumps(cut(value), ensure_ascii=False)
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a map"
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)
