"""To wait for another controller's lock: what is said meanwhile, and when the waiting ends."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest

from controller.errors import ExitCode, LockHeld
from controller.log import takeover
from controller.log.lock import StateLock, lock_path
from controller.log.takeover import StoodBy, stand_by, take_over

LOCK = cast(StateLock, object())


@pytest.fixture(autouse=True)
def no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "_LOOK_SECONDS", 0.0)


def held_by(*who: str) -> Callable[[], StateLock]:
    """One that is turned away by each of these in turn, then gets the lock."""
    by: Iterator[str] = iter(who)

    def acquire() -> StateLock:
        for name in by:
            raise LockHeld(f"state: held by {name}; stop it, or use another")
        return LOCK

    return acquire


@pytest.mark.parametrize(
    ("who", "said"),
    [
        pytest.param([], [], id="a free lock is taken without a word"),
        pytest.param(["a", "a", "a"], ["a"], id="one that holds it for long is named once"),
        pytest.param(["a", "b", "b"], ["a", "b"], id="another that holds it is named again"),
    ],
)
def test_standing_by(who: list[str], said: list[str]) -> None:
    lines: list[str] = []
    assert stand_by(held_by(*who), lambda: False, lines.append) is LOCK
    assert lines == [f"standing by: state: held by {name}" for name in said]


def test_one_that_is_stopped_while_it_waits_ends_well() -> None:
    looks = iter([False, False, True])
    with pytest.raises(StoodBy) as ended:
        stand_by(held_by(*"aaaa"), lambda: next(looks), lambda line: None)
    assert ended.value.exit_code is ExitCode.FINE


def test_a_free_lock_is_taken_over_without_a_word(tmp_path: Path) -> None:
    lines: list[str] = []
    assert take_over(str(tmp_path), held_by(), lines.append) is LOCK
    assert lines == []


def test_a_holder_on_another_machine_is_refused(tmp_path: Path) -> None:
    with StateLock(str(tmp_path), "treadle up") as held:
        far = msgspec.structs.replace(held.holder, host="elsewhere")
        Path(lock_path(str(tmp_path))).write_bytes(msgspec.json.encode(far))
        with pytest.raises(LockHeld, match=r"on elsewhere: take it over there"):
            take_over(str(tmp_path), held_by("a"), lambda line: None)


def test_the_kernel_names_who_holds_the_lock_and_nobody_once_it_is_free(tmp_path: Path) -> None:
    with StateLock(str(tmp_path), "treadle up"):
        assert takeover._kernel_holders(str(tmp_path)) == {os.getpid()}
    assert takeover._kernel_holders(str(tmp_path)) == set()
    assert takeover._kernel_holders(str(tmp_path / "nowhere")) == set()
