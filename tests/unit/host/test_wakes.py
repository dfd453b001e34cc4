"""What ends a controller's sleep: a file that is readable, a signal, or the time; no clock runs."""

import os
import selectors
import signal
from collections.abc import Iterator
from typing import cast

import pytest

from controller.clock import SystemClock
from controller.host.wakes import IDLE_WAIT_MAX_SECONDS, Wakes
from controller.model.state import SECOND

NOW = 1_000 * SECOND


class StoppedClock:
    def now(self) -> int:
        return NOW


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.fixture
def wakes(pipe: tuple[int, int]) -> Iterator[Wakes]:
    made = Wakes(cast(SystemClock, StoppedClock()), [pipe[0]])
    yield made
    made.close()


@pytest.fixture
def sleeps(wakes: Wakes, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long each sleep would have been; none is slept."""
    found: list[float] = []
    real = wakes._selector.select

    def select(timeout: float) -> list[tuple[selectors.SelectorKey, int]]:
        found.append(timeout)
        return real(0)

    monkeypatch.setattr(wakes._selector, "select", select)
    return found


@pytest.mark.parametrize(
    ("until", "seconds"),
    [
        pytest.param(None, IDLE_WAIT_MAX_SECONDS, id="with nothing due it sleeps for its longest"),
        pytest.param(NOW + SECOND // 4, 0.25, id="until what is due"),
        pytest.param(NOW, 0.0, id="not at all where that is now"),
        pytest.param(NOW - 5 * SECOND, 0.0, id="or was a while ago"),
        pytest.param(NOW + 3_600 * SECOND, IDLE_WAIT_MAX_SECONDS, id="but never for too long"),
    ],
)
def test_how_long_it_sleeps(
    wakes: Wakes, sleeps: list[float], until: int | None, seconds: float
) -> None:
    wakes.wait(until)
    assert sleeps == [seconds]


def test_a_readable_file_wakes_it_until_somebody_has_read_it(
    wakes: Wakes, pipe: tuple[int, int]
) -> None:
    os.write(pipe[1], b"x")
    wakes.wait(None)
    wakes.wait(None)
    assert os.read(pipe[0], 9) == b"x", "it is left for the edge"


def test_a_signal_before_the_sleep_is_not_slept_through_and_wakes_once(wakes: Wakes) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        signal.raise_signal(signal.SIGUSR1)
        wakes.wait(None)
        with pytest.raises(BlockingIOError):
            wakes._signals.recv(1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_closed_it_hears_no_signals(pipe: tuple[int, int]) -> None:
    Wakes(cast(SystemClock, StoppedClock()), [pipe[0]]).close()
    assert signal.set_wakeup_fd(-1) == -1
