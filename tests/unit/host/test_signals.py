"""How a controller is stopped: signals are counted, a second Ctrl-C leaves at once."""

import signal

import pytest

from controller.host.signals import StopSignals

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_is_counted_and_known(number: signal.Signals) -> None:
    with StopSignals() as signals:
        assert signals.seen == 0
        signal.raise_signal(number)
        assert (signals.seen, signals.last) == (1, number)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_a_second_ctrl_c_leaves_at_once(first: signal.Signals) -> None:
    with StopSignals() as signals:
        signal.raise_signal(first)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert signals.seen == 2


def test_a_second_sigterm_changes_nothing() -> None:
    """A service manager may say it twice; the steps that are being ended have their time."""
    with StopSignals() as signals:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert (signals.seen, signals.last) == (2, signal.SIGTERM)


def test_afterwards_everything_is_as_it_was() -> None:
    before = [signal.getsignal(number) for number in STOPS]
    with StopSignals():
        assert [signal.getsignal(number) for number in STOPS] != before
    assert [signal.getsignal(number) for number in STOPS] == before


def test_once_the_end_is_decided_they_are_counted_beyond_the_block() -> None:
    before = [signal.getsignal(number) for number in STOPS]
    try:
        with StopSignals() as signals:
            signals.keep()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            signal.raise_signal(number)
        assert signals.seen == 3
    finally:
        for number, handler in zip(STOPS, before, strict=True):
            signal.signal(number, handler)


def test_under_nohup_sighup_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            signal.raise_signal(signal.SIGHUP)
            assert signals.seen == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
