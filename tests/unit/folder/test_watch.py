"""What the watcher makes of the system's events: paths to look at, or a full scan; and its wake."""

import errno
import logging
import os
import select
from collections.abc import Iterator

import pytest
from watchdog import events as w

from controller.folder.watch import QUIET, Watcher, _out_of_watches

NOW = 10_000_000
TREE = "/specs"


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    """It cares for what ends in .yaml, and watches nothing: the test tells what happened."""
    made = Watcher(lambda path: path.endswith(".yaml"))
    made._tree = TREE
    yield made
    made.close()


def wakes(watcher: Watcher) -> bool:
    return bool(select.select([watcher.fileno()], [], [], 0)[0])


@pytest.mark.parametrize(
    ("event", "hints"),
    [
        pytest.param(
            w.FileCreatedEvent("/specs/a.yaml"), {"a.yaml": False}, id="a file that begins"
        ),
        pytest.param(
            w.FileModifiedEvent("/specs/a.yaml"), {"a.yaml": False}, id="a file that is written"
        ),
        pytest.param(
            w.FileAttribEvent("/specs/a.yaml"), {"a.yaml": False}, id="a file whose mode changes"
        ),
        pytest.param(
            w.FileClosedEvent("/specs/a.yaml"), {"a.yaml": True}, id="a file whose writing ends"
        ),
        pytest.param(w.FileDeletedEvent("/specs/a.yaml"), {"a.yaml": True}, id="one that goes"),
        pytest.param(
            w.FileMovedEvent("/specs/a.yaml", "/specs/sub/b.yaml"),
            {"a.yaml": True, "sub/b.yaml": True},
            id="one that moves is told at both places",
        ),
        pytest.param(
            w.FileMovedEvent("/specs/.a.yaml.tmp", "/specs/a.yaml"),
            {"a.yaml": True},
            id="one that is renamed into place",
        ),
        pytest.param(
            w.FileMovedEvent("", "/specs/a.yaml"), {"a.yaml": True}, id="one that comes from afar"
        ),
        pytest.param(w.DirCreatedEvent("/specs/sub"), {"sub": True}, id="a new folder"),
        pytest.param(
            w.DirMovedEvent("/specs/a", "/specs/b"),
            {"a": True, "b": True},
            id="a folder that moves, whatever it is called",
        ),
        pytest.param(
            w.FileClosedEvent(b"/specs/a.yaml"),  # type: ignore[arg-type]
            {"a.yaml": True},
            id="a path as bytes",
        ),
    ],
)
def test_where_to_look(watcher: Watcher, event: w.FileSystemEvent, hints: dict[str, bool]) -> None:
    watcher._happened(event)
    assert wakes(watcher)
    taken = watcher.take(NOW) or watcher.take(NOW + QUIET)
    assert taken is not None
    assert (taken.paths, taken.lost) == (hints, False)


def test_what_concerns_nobody_wakes_nobody(watcher: Watcher) -> None:
    watcher._happened(w.FileClosedEvent("/specs/notes.txt"))
    assert not wakes(watcher)
    assert watcher.take(NOW) is None


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(w.DirDeletedEvent("/specs"), id="the root is deleted"),
        pytest.param(w.DirMovedEvent("/specs", "/elsewhere"), id="the root moves away"),
        pytest.param(w.DirAttribEvent("/specs"), id="the root's mode changes"),
    ],
)
def test_what_becomes_of_the_root_asks_for_a_full_scan(
    watcher: Watcher, event: w.FileSystemEvent
) -> None:
    watcher._happened(event)
    assert wakes(watcher)
    assert watcher.take(NOW) is None
    hints = watcher.take(NOW + QUIET)
    assert hints is not None
    assert hints.lost


def test_any_warning_of_the_library_is_a_loss(watcher: Watcher) -> None:
    """An overflow of the kernel's queue is told in its log, and nowhere else."""
    logging.getLogger("watchdog.observers.inotify_c").warning("the queue has overflowed")
    watcher.take(NOW)
    hints = watcher.take(NOW + QUIET)
    assert hints is not None
    assert hints.lost


def test_a_closed_watcher_no_longer_listens() -> None:
    before = len(logging.getLogger("watchdog").handlers)
    made = Watcher(lambda path: True)
    made.close()
    assert len(logging.getLogger("watchdog").handlers) == before


def test_the_wake_is_quiet_once_the_hints_are_taken(watcher: Watcher) -> None:
    for n in range(5):
        watcher._happened(w.FileClosedEvent(f"/specs/{n}.yaml"))
    hints = watcher.take(NOW)
    assert hints is not None
    assert len(hints.paths) == 5
    assert not wakes(watcher)
    watcher._happened(w.FileClosedEvent("/specs/a.yaml"))
    assert wakes(watcher), "and heard again"


def test_a_full_pipe_of_wakes_blocks_nobody(watcher: Watcher) -> None:
    for _ in range(70_000):  # a pipe holds 64 KiB
        watcher._arrived()
    assert wakes(watcher)


def test_an_arrival_beside_wakes_and_hints_at_nothing(watcher: Watcher) -> None:
    watcher._arrived()
    assert wakes(watcher)
    assert watcher.take(NOW) is None
    assert not wakes(watcher)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        pytest.param(errno.ENOSPC, "no more watches (fs.inotify.max_user_watches)", id="watches"),
        pytest.param(
            errno.EMFILE, "no more watchers (fs.inotify.max_user_instances)", id="watchers"
        ),
        pytest.param(errno.EACCES, "can't be watched: Permission denied", id="any other reason"),
    ],
)
def test_why_a_folder_cant_be_watched(number: int, says: str) -> None:
    assert says in _out_of_watches(OSError(number, os.strerror(number)))
