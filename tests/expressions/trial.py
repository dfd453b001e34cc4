"""What an expression gives here, held against what it gives in Google's runtime."""

import math
import re
import time
from collections import Counter
from random import Random

from expressions.google import Answer, Google
from expressions.writer import NAMES, Writer, damaged, noise

from controller.cel.program import EvaluationFailed, ExpressionFault
from controller.cel.program import compile as compiled

# Types there that we are looser with: numbers of both types are compared; the elements of a list
# that may be anything are of unknown type; what is empty has no type from around it, and
# neither have the parts of ?: and what follows a `-`.
_LOOSER = re.compile(
    r"overload for '(?:_==_|_!=_|_[<>]=?_|@in)' applied to '(?=.*int)(?=.*double)"
    r"|applied to '.*list|'dyn' cannot be the range|applied to '\(int, bool\)"
)
_UNTYPED = ("[]", "{}", "?")
# Where we are stricter: null is no operand, and a regular expression
# is compiled where it is written. Two `-` are left out there, whatever
# comes after them.
_STRICTER = re.compile(
    r".*can't take .*null|.*, not null|.*is no regular expression"
    r"|- can't take (an? )?\w+$"
)


def here(text: str, data: dict[str, object]) -> Answer:
    """Anything but ExpressionFault and EvaluationFailed goes through."""
    try:
        program = compiled(text, NAMES)
    except ExpressionFault as fault:
        assert 0 <= fault.offset <= len(text)
        assert fault.problem
        return Answer("fault", fault.problem)
    try:
        return Answer("value", program.evaluate(lambda path: data[path[0]]))
    except EvaluationFailed as failed:
        assert 0 <= failed.offset <= len(text)
        assert failed.problem
        return Answer("failed", failed.problem)


def disagreement(google: Google, text: str, data: dict[str, object]) -> str:
    """What is different; empty: nothing that should be the same."""
    ours, theirs = here(text, data), google.answer(text, data)
    if theirs.kind == "died" or _known(text, ours, theirs):
        return ""
    if ours.kind == theirs.kind == "value":
        if repr(ours.value) == repr(theirs.value):
            return ""
    elif "value" not in (ours.kind, theirs.kind):
        return ""  # a type that can't be right may be found sooner or later
    return f"{text}\n  with {data}\n  here {ours}\n  there {theirs}"


def _known(text: str, ours: Answer, theirs: Answer) -> bool:
    """A difference that is meant."""
    if "fault" in (ours.kind, theirs.kind) and any(part in text for part in _UNTYPED):
        return True
    if theirs.kind == "fault":
        return _LOOSER.search(theirs.value) is not None
    if theirs.kind == "value" and "not finite" in str(ours.value):
        return not math.isfinite(_sum(theirs.value))
    return ours.kind != "value" and _STRICTER.match(ours.value) is not None


def _sum(value: object) -> float:
    """Not finite if any number in it is not."""
    if isinstance(value, float):
        return value if not math.isfinite(value) else 0.0
    parts = value.values() if isinstance(value, dict) else value
    return sum(map(_sum, parts)) if isinstance(parts, list | type({}.values())) else 0.0


def compared(first: int, many: int) -> tuple[Counter[str], list[str]]:
    """What came of expressions from seed `first` on, and the differences."""
    google, found, differences = Google(), Counter[str](), []
    for seed in range(first, first + many):
        random = Random(seed)
        writer = Writer(random)
        text = writer.expression(random.randrange(2, 6))
        data = writer.data(text)
        found[here(text, data).kind] += 1
        if difference := disagreement(google, text, data):
            differences.append(f"seed {seed}: {difference}")
    found["deaths of Google's process"] = google.deaths
    google.stop()
    return found, differences


def damage(first: int, many: int) -> tuple[Counter[str], float]:
    """What came of damaged texts from seed `first` on, and the longest time of one, in seconds."""
    found, longest = Counter[str](), 0.0
    for seed in range(first, first + many):
        random = Random(seed)
        writer = Writer(random)
        text = damaged(random, writer.expression(random.randrange(1, 4)))
        text = text if seed % 4 else noise(random)
        data = writer.data(text)
        began = time.perf_counter()
        found[here(text, data).kind] += 1
        longest = max(longest, time.perf_counter() - began)
    return found, longest
