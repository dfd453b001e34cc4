"""Whether a shim is still the one that a controller would find, and how it mends its socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.executor.shim.door import Door, at, identity


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """As a controller leaves it; but for the descriptors of this process, which are the tests'."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shim").mkdir()
    made = Door.__new__(Door)
    made.lock = os.open("shim/lock", os.O_RDWR | os.O_CREAT)
    made.locked = identity(os.fstat(made.lock))
    made.listener = socket.socket(socket.AF_UNIX)
    made.listener.bind("shim/socket")
    made.listener.listen()
    made.listener.setblocking(False)
    made.bound = at("shim/socket")
    yield made
    made.listener.close()
    os.close(made.lock)


def knock() -> socket.socket:
    caller = socket.socket(socket.AF_UNIX)
    caller.connect("shim/socket")
    return caller


def test_who_knocks_is_let_in_and_nobody_is_waited_for(door: Door) -> None:
    assert door.accept() is None
    with knock():
        taken = door.accept()
        assert taken is not None
        taken.close()
    assert door.accept() is None


def test_it_is_ours_until_its_lock_is_another_or_gone(door: Door) -> None:
    assert door.is_ours()
    os.rename("shim/lock", "shim/old")
    assert not door.is_ours()
    Path("shim/lock").touch()
    assert not door.is_ours(), "another file of that name is another's lock"
    os.rename("shim/old", "shim/lock")
    assert door.is_ours()


def test_a_socket_that_is_there_is_left_alone(door: Door) -> None:
    before = at("shim/socket")
    assert not door.mend()
    assert at("shim/socket") == before


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_socket_that_nobody_can_find_is_made_anew(door: Door, how: str) -> None:
    os.unlink("shim/socket")
    if how == "replaced":
        Path("shim/socket").touch()
    assert door.mend()
    with knock():
        taken = door.accept()
        assert taken is not None
        taken.close()
    assert not door.mend(), "once is enough"


def test_a_shim_that_is_not_found_any_more_takes_nobodys_socket(door: Door) -> None:
    """Its lock is gone, so another one may listen there by now."""
    os.unlink("shim/lock")
    os.unlink("shim/socket")
    assert not door.mend()
    assert at("shim/socket") is None


def test_closed_it_takes_its_own_socket_away_and_no_other(door: Door) -> None:
    os.rename("shim/socket", "shim/old")
    Path("shim/socket").touch()
    door.close()
    assert Path("shim/socket").exists()
    os.rename("shim/old", "shim/socket")
    door.close()
    assert not Path("shim/socket").exists()


def test_without_room_for_a_socket_it_is_tried_the_next_time(door: Door) -> None:
    os.unlink("shim/socket")
    Path("shim/socket").mkdir()  # which can't be unlinked, so nothing can be bound there
    assert not door.mend()
    os.rmdir("shim/socket")
    assert door.mend()
