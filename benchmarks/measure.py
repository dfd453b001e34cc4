"""Race the contenders over a shape in turns (A B C A B C …), and say how they compare.

Machines are noisy, and noise comes in stretches: so each round has everybody once, a ratio is taken
within a round, and what counts is the median of the ratios. Nothing here passes or fails.
"""

import statistics
from collections.abc import Callable, Sequence
from typing import Protocol

from benchmarks.shapes import Shape

STEPS_A_CASE = 6_000  # of each contender: large shapes get fewer rounds


class Contender(Protocol):
    name: str

    def lap(self, shape: Shape, form: str, jobs: int) -> dict[str, float]:
        """Run it once; seconds by the name of what was timed."""


def race(
    contenders: Sequence[Contender], shape: Shape, form: str, jobs: int, rounds: int
) -> list[dict[str, float]]:
    """Steps a second of everybody, a dictionary a round."""
    laps = []
    for _ in range(max(1, min(rounds, STEPS_A_CASE // len(shape)))):
        seconds: dict[str, float] = {}
        for contender in contenders:
            seconds |= contender.lap(shape, form, jobs)
        laps.append({name: len(shape) / spent for name, spent in seconds.items()})
    return laps


def table(laps: Sequence[dict[str, float]], ours: str = "treadle") -> str:
    """A line for each contender: its rate, and for what is ours the ratios to the others."""
    rivals = [name for name in laps[0] if not name.startswith(ours)]
    lines = []
    for name in laps[0]:
        line = f"  {name:<16}{summary([lap[name] for lap in laps], '{:,.0f}'):>22} steps/s"
        if name not in rivals:
            for rival in rivals:
                line += f"   {summary([lap[name] / lap[rival] for lap in laps])} x {rival}"
        lines.append(line)
    return "\n".join(lines)


def summary(values: Sequence[float], form: str = "{:.2f}") -> str:
    """`median (min..max)`, or the one value."""
    show: Callable[[float], str] = form.format
    middle = show(statistics.median(values))
    if len(values) == 1:
        return middle
    return f"{middle} ({show(min(values))}..{show(max(values))})"
