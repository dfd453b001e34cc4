"""Counters and histograms over everything that ever happened; they are part of the state.

So they are in every snapshot and checkpoint, and neither a restart nor archiving lowers them.
Durations are microseconds. Cost: O(1) an event.
"""

from bisect import bisect_left
from typing import ClassVar

from msgspec import Struct, field

from controller.model.phases import Phase

LABELS_MAX = 1_000  # names that have counters of their own, for good; later ones share
OTHER = "other"  # what these are called; a workflow of this name is one of them
# Upper bounds of the buckets in microseconds, 10 ms to a day; the last bucket has no bound.
BOUNDS = tuple(
    round(seconds * 1_000_000)
    for seconds in (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400)
)


# For what a controller does itself: 100 µs to 10 s.
QUICK_BOUNDS = tuple(
    round(seconds * 1_000_000)
    for seconds in (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)
)


class Histogram(Struct, array_like=True):
    """How many lasted how long; `total` is the sum of all of them."""

    bounds: ClassVar[tuple[int, ...]] = BOUNDS

    total: int = 0
    counts: list[int] = []

    def __post_init__(self) -> None:
        """Raises ValueError for one that was written with other buckets."""
        self.counts = self.counts or [0] * (len(self.bounds) + 1)
        if len(self.counts) != len(self.bounds) + 1:
            raise ValueError(f"a histogram has {len(self.bounds) + 1} buckets")

    def add(self, length: int) -> None:
        """If the clock was set back, the end may come before the start: that counts as 0."""
        length = max(0, length)
        self.total += length
        self.counts[bisect_left(self.bounds, length)] += 1


class QuickHistogram(Histogram, array_like=True):
    """The same with finer buckets."""

    bounds: ClassVar[tuple[int, ...]] = QUICK_BOUNDS


class Counters(Struct, omit_defaults=True):
    """Of one name: attempts and runs by how they ended, retries by reason, firings by outcome.

    `last_success`: when a run last succeeded, microseconds since 1970 on the wall clock; 0: never.
    """

    attempts: dict[str, int] = {}
    retries: dict[str, int] = {}
    runs: dict[str, Histogram] = {}
    firings: dict[str, int] = {}
    last_success: int = 0


class Metrics(Struct):
    """Of the whole log."""

    names: dict[str, Counters] = {}
    others: Counters = field(default_factory=Counters)
    attempt_durations: Histogram = field(default_factory=Histogram)
    ready_waits: Histogram = field(default_factory=Histogram)  # until the process existed

    def of(self, name: str) -> Counters:
        """The counters of a workflow; names beyond LABELS_MAX share one set.

        Asked for the first time, a name gets its own for good, if there are any left.
        """
        if name == OTHER:
            return self.others
        counters = self.names.get(name)
        if counters is None:
            if len(self.names) >= LABELS_MAX:
                return self.others
            counters = self.names[name] = Counters()
        return counters

    def attempt_ended(self, name: str, result: str, length: int | None) -> None:
        """`length` is None for one that never had a process."""
        attempts = self.of(name).attempts
        attempts[result] = attempts.get(result, 0) + 1
        if length is not None:
            self.attempt_durations.add(length)

    def retried(self, name: str, reason: str) -> None:
        retries = self.of(name).retries
        retries[reason] = retries.get(reason, 0) + 1

    def run_ended(self, name: str, result: str, length: int, now: int) -> None:
        """`now`: on the wall clock."""
        counters = self.of(name)
        histogram = counters.runs.get(result)
        if histogram is None:
            histogram = counters.runs[result] = Histogram()
        histogram.add(length)
        if result == Phase.SUCCEEDED:
            counters.last_success = now

    def fired(self, name: str, outcome: str) -> None:
        firings = self.of(name).firings
        firings[outcome] = firings.get(outcome, 0) + 1

    def label(self, name: str) -> str:
        """What the name is called where its counters are shown."""
        return name if name in self.names and name != OTHER else OTHER
