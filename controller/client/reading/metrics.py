"""All metrics, in the text format of Prometheus.

Counters and histograms over what ever happened are in the state itself (`model.metrics`), and so is
all that says how things stand. What only the controller knows, such as how long its turns take, is
in its status; without a controller it is left out.

Times are in seconds. Cost: O(names + lives + steps + live attempts): 7 µs a line, of which there
are some 27 a name, and 25 ms to count 10,000 workflows of 5 steps.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from typing import get_args

from prometheus_client import generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from controller.log.status_file import ControllerStatus
from controller.model.events import FiringOutcome
from controller.model.metrics import OTHER, Counters, Histogram
from controller.model.phases import STEP_MOVES, WORKFLOW_MOVES, AttemptPhase, Phase
from controller.model.pools import free
from controller.model.state import SECOND, State
from controller.planner.permission import Limits
from controller.spec.placement import MACHINE
from controller.view.firings import next_due
from controller.view.ink import visible
from controller.view.status import never_valid

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# Shown as 0 before the first: what appears with 1, `increase()` does not see.
_RESULTS: tuple[str, ...] = (Phase.SUCCEEDED, Phase.FAILED)
_NONE_YET = [("+Inf", 0)]

Row = tuple[Sequence[str], float]
Timed = tuple[Sequence[str], Histogram | None]


def exposition(state: State, status: ControllerStatus) -> bytes:
    """The text for a scrape, to be served as CONTENT_TYPE. It changes nothing."""
    return generate_latest(_Figures(state, status))


class _Figures(Collector):
    def __init__(self, state: State, status: ControllerStatus) -> None:
        self.state = state
        self.status = status
        metrics = state.metrics
        self.counters: dict[str, Counters] = dict(metrics.names)
        if metrics.others != Counters():
            self.counters[OTHER] = metrics.others

    def collect(self) -> Iterator[Metric]:
        yield from self._of_the_log()
        yield from self._at_present()
        if self.status.pid is not None:
            yield from self._of_the_process()

    # ---------------------------------------- what ever happened

    def _of_the_log(self) -> Iterator[Metric]:
        metrics = self.state.metrics
        yield _counter(
            "treadle_attempts",
            "Attempts that have ended, by how they ended.",
            ("workflow", "result"),
            self._counted(lambda counters: counters.attempts, _RESULTS),
        )
        yield _counter(
            "treadle_retries",
            "Retries, by what the attempt before ended with.",
            ("workflow", "reason"),
            self._counted(lambda counters: counters.retries),
        )
        yield _counter(
            "treadle_firings",
            "Decisions about triggers and `treadle start`, by what became of them.",
            ("workflow", "outcome"),
            self._firings(),
        )
        yield _histogram(
            "treadle_run_duration_seconds",
            "From the start of a run to its end, by how it ended.",
            ("workflow", "result"),
            self._runs(),
        )
        yield _histogram(
            "treadle_attempt_duration_seconds",
            "From the start of an attempt to its end.",
            (),
            [((), metrics.attempt_durations)],
        )
        yield _histogram(
            "treadle_ready_wait_seconds",
            "From a step being ready to the start of its attempt.",
            (),
            [((), metrics.ready_waits)],
        )

    def _counted(
        self, of: Callable[[Counters], dict[str, int]], at_least: Iterable[str] = ()
    ) -> Iterator[Row]:
        zeros = dict.fromkeys(at_least, 0)
        for name, counters in self.counters.items():
            for word, count in (zeros | of(counters)).items():
                yield (name, word), count

    def _firings(self) -> Iterator[Row]:
        definitions = {
            self.state.metrics.label(life.name)
            for life in self.state.workflows.values()
            if life.starter is not None
        }
        zeros = dict.fromkeys(get_args(FiringOutcome), 0)
        for name, counters in self.counters.items():
            if counters.firings or name in definitions:
                for outcome, count in (zeros | counters.firings).items():
                    yield (name, outcome), count

    def _runs(self) -> Iterator[Timed]:
        for name, counters in self.counters.items():
            for result in dict.fromkeys((*_RESULTS, *counters.runs)):
                yield (name, result), counters.runs.get(result)

    # ---------------------------------------- how things stand

    def _at_present(self) -> Iterator[Metric]:
        state = self.state
        lives = state.workflows.values()
        workflows = Counter[str](life.phase for life in lives if life.birth is None)
        workflows[Phase.PENDING] += len(never_valid(state))
        steps = Counter[str](step.phase for life in lives for step in life.counted)
        yield _gauge(
            "treadle_workflows",
            "Workflows in force, without instances, by phase.",
            ("phase",),
            (((phase,), workflows[phase]) for phase in WORKFLOW_MOVES),
        )
        yield _gauge(
            "treadle_steps",
            "Steps of all workflows and instances, by phase.",
            ("phase",),
            (((phase,), steps[phase]) for phase in STEP_MOVES),
        )
        yield _gauge(
            "treadle_slots",
            "Slots of this machine.",
            ("state",),
            _slots(state, self.status.limits),
        )
        yield _gauge(
            "treadle_pool_slots",
            "Slots of pools.",
            ("pool", "state"),
            _pool_slots(state),
        )
        yield _gauge(
            "treadle_next_due_timestamp_seconds",
            "When a trigger of the workflow fires next.",
            ("workflow",),
            self._next_due(),
        )
        yield _gauge(
            "treadle_last_success_timestamp_seconds",
            "When a run of the workflow last succeeded.",
            ("workflow",),
            self._last_success(),
        )
        yield _gauge(
            "treadle_log_seq", "The number of the last record of the log.", (), [((), state.seq)]
        )

    def _next_due(self) -> Iterator[Row]:
        """Of those that share a label, the first."""
        found: dict[str, int] = {}
        for life in self.state.workflows.values():
            due = next_due(life) if life.starter is not None else None
            if due is not None:
                name = self.state.metrics.label(life.name)
                found[name] = min(due.fires, found.get(name, due.fires))
        for name, time in found.items():
            yield (name,), time / SECOND

    def _last_success(self) -> Iterator[Row]:
        """Of those whose documents are there: of a deleted workflow nobody expects one."""
        lives = self.state.workflows.values()
        there = {self.state.metrics.label(life.name) for life in lives if life.birth is None}
        for name, counters in self.counters.items():
            if name in there and counters.last_success:
                yield (name,), counters.last_success / SECOND

    # ---------------------------------------- what the controller says of itself

    def _of_the_process(self) -> Iterator[Metric]:
        yield _gauge(
            "treadle_build_info",
            "The controller that runs now.",
            ("version",),
            [((self.status.version,), 1)],
        )
        yield _gauge(
            "treadle_condition",
            "Conditions of the controller: 1 while one holds.",
            ("type",),
            (((one.type,), one.status == "True") for one in self.status.conditions),
        )
        pace = self.status.pace
        if pace is None:
            return
        yield _histogram(
            "treadle_turn_seconds",
            "Turns of the controller: looking, deciding, writing the log, acting.",
            (),
            [((), pace.turns)],
        )
        yield _histogram(
            "treadle_log_sync_seconds", "Syncs of the log to the disk.", (), [((), pace.syncs)]
        )


def _slots(state: State, limits: Limits | None) -> Iterator[Row]:
    running = sum(
        attempt.phase is AttemptPhase.RUNNING and attempt.slots == MACHINE
        for attempt in state.live.values()
    )
    yield ("used",), running
    if limits is not None:
        yield ("free",), max(0, limits.max_parallel - running)


def _pool_slots(state: State) -> Iterator[Row]:
    for name in state.pools:
        pool = f"pool {name}"
        yield (name, "held"), sum(state.held.get(pool, {}).values())
        yield (name, "free"), max(0, free(state, pool))


# ---------------------------------------- families


def _counter(name: str, text: str, labels: Sequence[str], rows: Iterable[Row]) -> Metric:
    """`_total` follows the name."""
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in rows:
        family.add_metric(_visible(values), count)
    return family


def _gauge(name: str, text: str, labels: Sequence[str], rows: Iterable[Row]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in rows:
        family.add_metric(_visible(values), value)
    return family


def _histogram(name: str, text: str, labels: Sequence[str], rows: Iterable[Timed]) -> Metric:
    """None: nothing was measured yet."""
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, timed in rows:
        if timed is None:
            family.add_metric(_visible(values), _NONE_YET, 0)
            continue
        buckets = [*_limits(timed.bounds), "+Inf"]
        counts = zip(buckets, accumulate(timed.counts), strict=True)
        family.add_metric(_visible(values), [*counts], timed.total / SECOND)
    return family


def _limits(bounds: Sequence[int]) -> list[str]:
    return [repr(bound / SECOND) for bound in bounds]


def _visible(values: Iterable[str]) -> list[str]:
    """A log may hold any text; only one that the format and every terminal take is printed."""
    return [visible(value) for value in values]
