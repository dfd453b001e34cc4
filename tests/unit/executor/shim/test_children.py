"""Whose orphans the shim has: by its list of children and the mark that each of them carries."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.executor.shim import children as children_module
from controller.executor.shim.children import Children, mark_of, read_all

MINE, YOURS, UNKNOWN = 11, 22, 99  # marks


class Kernel:
    """The list of children and their marks, as the test says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.marks: dict[int, int | None] = {}
        self.has({})

    def has(self, marks: dict[int, int | None]) -> None:
        self.marks = marks
        self.path.write_text("".join(f"{pid} " for pid in marks))


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel(tmp_path / "children")
    monkeypatch.setattr(children_module, "mark_of", lambda pid: made.marks[pid])
    return made


@pytest.fixture
def children(kernel: Kernel) -> Iterator[Children]:
    made = Children()
    if made.fd >= 0:
        os.close(made.fd)
    made.fd = os.open(kernel.path, os.O_RDONLY)
    yield made
    os.close(made.fd)


def test_without_orphans_nobody_left_anything(children: Children, kernel: Kernel) -> None:
    kernel.has({1: MINE, 2: YOURS})
    assert children.leavers(running={1, 2}, marks={MINE, YOURS}) == set()


def test_an_orphan_with_a_known_mark_tells_whose_it_is(children: Children, kernel: Kernel) -> None:
    kernel.has({1: MINE, 2: YOURS, 3: MINE, 4: MINE})
    assert children.leavers(running={1, 2}, marks={MINE, YOURS}) == {MINE}


def test_one_that_left_its_attempt_already_is_told_as_well(
    children: Children, kernel: Kernel
) -> None:
    """Its first process has ended, so that it is not among those that run any more."""
    kernel.has({3: YOURS})
    assert children.leavers(running=set(), marks={YOURS}) == {YOURS}


@pytest.mark.parametrize(
    "mark",
    [
        pytest.param(UNKNOWN, id="a mark that nobody knows"),
        pytest.param(None, id="no mark that could be read"),
    ],
)
def test_an_orphan_of_nobody_is_suspected_once(
    children: Children, kernel: Kernel, mark: int | None
) -> None:
    kernel.has({1: MINE, 7: mark})
    assert children.leavers({1}, {MINE}) is None, "nobody knows: look in /proc"
    assert children.leavers({1}, {MINE}) == {mark}, "then it is known as a stranger"
    kernel.has({1: MINE, 7: mark, 8: mark})
    assert children.leavers({1}, {MINE}) is None, "and another one is suspected anew"


def test_a_stranger_that_is_gone_is_forgotten(children: Children, kernel: Kernel) -> None:
    """Its pid may come back as that of another process."""
    kernel.has({7: UNKNOWN})
    children.leavers(set(), {MINE})
    kernel.has({8: MINE})
    assert children.leavers(set(), {MINE}) == {MINE}
    assert children.strangers == set()
    kernel.has({7: UNKNOWN})
    assert children.leavers(set(), {MINE}) is None


def test_a_kernel_that_keeps_no_list_knows_nothing(children: Children) -> None:
    fd, children.fd = children.fd, -1
    assert children.leavers({1}, {MINE}) is None
    children.fd = fd


@pytest.mark.parametrize("size", [0, 1, 1 << 16, (1 << 16) + 1, 200_000])
def test_a_file_is_read_from_its_beginning_to_its_end_each_time(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(b"x" * size)
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    assert len(read_all(fd)) == len(read_all(fd)) == size
    os.close(fd)


def test_of_a_process_that_is_gone_there_is_no_mark() -> None:
    assert mark_of(2**22 + 1) is None
