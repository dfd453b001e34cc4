"""Counters and histograms over everything that ever happened; they are part of the state.

So they are in every snapshot and checkpoint, and neither a restart nor archiving lowers them.
Durations are microseconds. Cost: O(1) an event.
"""

from bisect import bisect_left

from msgspec import Struct, field

LABELS_MAX = 1_000  # names that have counters of their own, for good; later ones share
# Upper bounds of the buckets in microseconds, 10 ms to a day; the last bucket has no bound.
BOUNDS = tuple(
    round(seconds * 1_000_000)
    for seconds in (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400)
)


def _no_counts() -> list[int]:
    return [0] * (len(BOUNDS) + 1)


class Histogram(Struct, array_like=True):
    """How many lasted how long; `total` is the sum of all of them."""

    total: int = 0
    counts: list[int] = field(default_factory=_no_counts)

    def add(self, length: int) -> None:
        """If the clock was set back, the end may come before the start: that counts as 0."""
        length = max(0, length)
        self.total += length
        self.counts[bisect_left(BOUNDS, length)] += 1


class Counters(Struct, omit_defaults=True):
    """Of one name: attempts and runs by how they ended, retries by reason."""

    attempts: dict[str, int] = {}
    retries: dict[str, int] = {}
    runs: dict[str, Histogram] = {}


class Metrics(Struct):
    """Of the whole log."""

    names: dict[str, Counters] = {}
    others: Counters = field(default_factory=Counters)
    attempt_durations: Histogram = field(default_factory=Histogram)
    ready_waits: Histogram = field(default_factory=Histogram)  # until the process existed

    def of(self, name: str) -> Counters:
        """The counters of a workflow; names beyond LABELS_MAX share one set."""
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

    def run_ended(self, name: str, result: str, length: int) -> None:
        runs = self.of(name).runs
        histogram = runs.get(result)
        if histogram is None:
            histogram = runs[result] = Histogram()
        histogram.add(length)
