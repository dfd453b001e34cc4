"""Searching an output: each line that has the text, once, wherever the blocks end."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.server.beside import questions
from controller.server.beside.questions import MATCHES_MAX, Matches, _search

LINES = st.lists(st.text("abn ", max_size=9), max_size=12)


def found(data: bytes, text: bytes) -> list[tuple[int, str]]:
    """All matches, asked for part by part as the page does."""
    told: list[tuple[int, str]] = []
    offset: int | None = 0
    while offset is not None:
        answer = _search(BytesIO(data), text, offset)
        assert answer.next is None or answer.next > offset, "it goes on"
        told += [(match.offset, match.line) for match in answer.matches]
        offset = answer.next
    return told


def plainly(data: bytes, text: bytes) -> list[tuple[int, str]]:
    at, told = 0, []
    for line in data.splitlines(keepends=True):
        if text in line.rstrip(b"\n"):
            told.append((at, line.rstrip(b"\n").decode()))
        at += len(line)
    return told


@pytest.mark.parametrize("whole", [True, False])
def test_each_line_with_the_text_is_found_once(
    monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    """Blocks are longer than lines."""
    monkeypatch.setattr(questions, "SEARCH_BLOCK", 16)
    monkeypatch.setattr(questions, "SEARCH_MAX", 40)
    monkeypatch.setattr(questions, "MATCHES_MAX", 3)

    @given(LINES, st.text("abn ", min_size=1, max_size=3))
    def check(lines: list[str], text: str) -> None:
        data = "".join(f"{line}\n" for line in lines).encode()
        data = data if whole else data[:-1]
        assert found(data, text.encode()) == plainly(data, text.encode())

    check()


def test_what_has_no_line_end_is_searched_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A progress bar, or a file of holes: it is shown in pieces."""
    monkeypatch.setattr(questions, "SEARCH_BLOCK", 64)
    for place in range(0, 400, 7):
        data = bytearray(b"." * 500)
        data[place : place + 6] = b"needle"
        told = found(bytes(data), b"needle")
        assert len(told) == 1, place
        assert "needle" in told[0][1] or told[0][0] <= place


def test_long_lines_are_cut_and_other_bytes_replaced() -> None:
    ((_, line),) = found(b"x" * 5_000 + b"\n", b"x")
    assert len(line) == questions.LINE_MAX
    ((_, line),) = found(b"\xffneedle\x00\x1b[31m\n", b"needle")
    assert line == "\ufffdneedle\x00\x1b[31m"


def test_so_many_at_a_time() -> None:
    answer = _search(BytesIO(b"x\n" * (MATCHES_MAX + 5)), b"x", 0)
    assert (len(answer.matches), answer.next) == (MATCHES_MAX, 2 * MATCHES_MAX)
    assert len(found(b"x\n" * (MATCHES_MAX + 5), b"x")) == MATCHES_MAX + 5


@pytest.mark.parametrize("offset", [5, 6, 1 << 40, 10**19])
def test_behind_the_end_there_is_nothing(offset: int) -> None:
    assert _search(BytesIO(b"one\nx"), b"one", offset) == Matches(matches=[], next=None)
