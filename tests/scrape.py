"""Metrics as Prometheus reads them, and whether one that may only grow has fallen."""

from prometheus_client.parser import text_string_to_metric_families

from controller.client.reading.metrics import exposition
from controller.log.status_file import ControllerStatus
from controller.model.state import State

GROW = ("counter", "histogram")
NOBODY = ControllerStatus(phase="Stopped")

Series = tuple[str, frozenset[tuple[str, str]]]  # the name, and the labels with their values


def read(text: bytes, *types: str) -> dict[Series, float]:
    """All series, or those of these types. No series may be there twice."""
    found: dict[Series, float] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples if not types or family.type in types else ():
            series = sample.name, frozenset(sample.labels.items())
            assert series not in found, series
            found[series] = sample.value
    return found


def scrape(state: State, status: ControllerStatus = NOBODY) -> dict[Series, float]:
    return read(exposition(state, status))


def counted(state: State) -> dict[Series, float]:
    """What only grows."""
    return read(exposition(state, NOBODY), *GROW)


def value(found: dict[Series, float], name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def fallen(before: dict[Series, float], after: dict[Series, float]) -> list[Series]:
    """Those that are lower than before, or gone."""
    return [series for series, was in before.items() if after.get(series, -1.0) < was]
