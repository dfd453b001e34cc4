"""When the watcher's hints are followed: at once, or when a storm of events is over."""

from collections.abc import Iterator

import pytest

from controller.folder.watch import FEW, HINTS_MAX, QUIET, STORM_MAX, Watcher


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    one = Watcher(lambda path: True)
    yield one
    one.close()


NOW = 10_000_000


def test_a_finished_write_is_followed_at_once(watcher: Watcher) -> None:
    watcher._hint("a.yaml", True)
    hints = watcher.take(NOW)
    assert hints is not None
    assert hints.paths == {"a.yaml": True}
    assert watcher.take(NOW) is None


def test_an_unfinished_write_waits_until_it_is_quiet(watcher: Watcher) -> None:
    watcher._hint("a.yaml", False)
    assert watcher.take(NOW) is None
    assert watcher.due() == NOW + QUIET
    assert watcher.take(NOW + QUIET) is not None


def test_the_close_ends_the_wait(watcher: Watcher) -> None:
    watcher._hint("a.yaml", False)
    assert watcher.take(NOW) is None
    watcher._hint("a.yaml", True)
    assert watcher.take(NOW + 1) is not None


def test_the_last_word_on_a_path_counts(watcher: Watcher) -> None:
    watcher._hint("a.yaml", True)
    watcher._hint("a.yaml", False)
    assert watcher.take(NOW) is None


def test_many_wait_until_it_is_quiet(watcher: Watcher) -> None:
    for n in range(FEW + 1):
        watcher._hint(f"{n}.yaml", True)
    assert watcher.take(NOW) is None
    watcher._hint("one-more.yaml", True)
    assert watcher.take(NOW + QUIET) is None
    assert watcher.take(NOW + 2 * QUIET) is not None


def test_a_storm_without_end_is_followed_after_a_second(watcher: Watcher) -> None:
    now = NOW
    watcher._hint("a.yaml", False)
    while watcher.take(now) is None:
        watcher._hint("a.yaml", False)
        now += QUIET
        assert now - NOW <= STORM_MAX
    assert now - NOW == STORM_MAX


def test_one_write_after_the_other_is_followed_in_batches(watcher: Watcher) -> None:
    watcher._hint("a.yaml", True)
    assert watcher.take(NOW) is not None
    watcher._hint("b.yaml", True)
    assert watcher.take(NOW + 1) is None
    assert watcher.take(NOW + QUIET) is not None


def test_more_hints_than_the_limit_are_a_full_scan(watcher: Watcher) -> None:
    for n in range(HINTS_MAX):
        watcher._hint(f"{n}.yaml", True)
    assert not watcher._lost
    watcher._hint("one-more.yaml", True)
    assert watcher.take(NOW) is None
    hints = watcher.take(NOW + QUIET)
    assert hints is not None
    assert hints.lost
    assert hints.paths == {}
