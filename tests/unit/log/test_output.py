"""The last lines that an attempt printed, as people are shown them."""

import os
from pathlib import Path

import pytest

from controller.errors import StorageError
from controller.log.output import (
    BLOCK_BYTES,
    LINE_CHARACTERS_MAX,
    LOOK_BACK_BYTES,
    REST_BLOCKS_MAX,
    REST_LINES_MAX,
    NewLines,
    last_lines,
    start_of_last_lines,
)


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"a\nb\nc\n", ["b", "c"], id="the last two"),
        pytest.param(b"a\nb\nc", ["b", "c"], id="the last one is not over"),
        pytest.param(b"a\n\n", ["a", ""], id="an empty line"),
        pytest.param(b"10%\r50%\r100%\r\n", ["100%"], id="a progress bar"),
        pytest.param(b"caf\xe9\n", ["caf\ufffd"], id="no UTF-8"),
        pytest.param(b"x" * 3_000 + b"\n", ["x" * LINE_CHARACTERS_MAX + "…"], id="a long line"),
        pytest.param(
            b"h" * (5 * BLOCK_BYTES) + b"\nend\n",
            ["h" * LINE_CHARACTERS_MAX + "…", "end"],
            id="a line that is longer than what is read",
        ),
    ],
)
def test_the_last_two_lines(tmp_path: Path, written: bytes, lines: list[str]) -> None:
    (tmp_path / "a.log").write_bytes(written)
    assert last_lines(str(tmp_path), "a.log", 2) == lines


def test_the_look_back_has_an_end(tmp_path: Path) -> None:
    """A file of holes can seem to be of any size."""
    file = tmp_path / "a.log"
    file.write_bytes(b"first\n")
    os.truncate(file, 1 << 40)
    with file.open("ab") as more:
        more.write(b"\none\ntwo\n")
    size = file.stat().st_size
    with file.open("rb", buffering=0) as opened:
        assert start_of_last_lines(opened, 2, LOOK_BACK_BYTES) == (size - 8, True)
        assert start_of_last_lines(opened, 4, LOOK_BACK_BYTES) == (size - LOOK_BACK_BYTES, False)
        assert start_of_last_lines(opened, 0, LOOK_BACK_BYTES) == (size, True)
    file.write_bytes(b"one\ntwo\n")
    with file.open("rb", buffering=0) as opened:
        assert start_of_last_lines(opened, 9, LOOK_BACK_BYTES) == (0, True)


def test_what_cannot_be_read_is_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert last_lines(str(tmp_path), "folder", 2) == []
    assert last_lines(str(tmp_path), "missing", 2) == []


def test_what_a_step_put_in_place_of_its_output_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "secret").write_text("of somebody else")
    (tmp_path / "link").symlink_to("secret")
    assert last_lines(str(tmp_path), "pipe", 2) == [], "it would wait for a writer"
    assert last_lines(str(tmp_path), "link", 2) == []


def test_a_damaged_archive_does_not_keep_a_page_from_being_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: str) -> None:
        raise StorageError("damaged")

    monkeypatch.setattr("controller.log.archive.output", damaged)
    assert last_lines(str(tmp_path), "a.log", 2) == []


def test_each_line_comes_once_when_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    lines = NewLines(str(tmp_path), "a.log")
    assert lines.read() == [], "it has not begun"
    file.write_bytes(b"one\ntw")
    assert (lines.read(), lines.read()) == (["one"], [])
    with file.open("ab") as more:
        more.write(b"o\r\n10%\r20%\nhalf")
    assert lines.read() == ["two", "20%"]
    assert (lines.rest(), lines.rest()) == (["half"], [])


def test_a_line_without_an_end_comes_in_pieces(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"x" * (3 * BLOCK_BYTES))
    lines = NewLines(str(tmp_path), "a.log")
    shown = [line for _ in range(3) for line in lines.read()]
    assert shown == ["x" * LINE_CHARACTERS_MAX + "…"]
    assert lines.rest() == ["x" * LINE_CHARACTERS_MAX + "…"]


def test_the_rest_of_much_output_holds_nobody_up(tmp_path: Path) -> None:
    for line in (b"\n", b"y" * 999 + b"\n"):
        (tmp_path / "a.log").write_bytes(line * (2 * BLOCK_BYTES * REST_BLOCKS_MAX // len(line)))
        rest = NewLines(str(tmp_path), "a.log").rest()
        assert len(rest) == 1 + min(REST_LINES_MAX, BLOCK_BYTES * REST_BLOCKS_MAX // len(line))
        assert rest[-1] == "… it printed more than is shown here"


def test_what_comes_after_the_step_has_emptied_its_output_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    lines = NewLines(str(tmp_path), "a.log")
    file.write_bytes(b"one\ntwo\nhalf")
    assert lines.read() == ["one", "two"]
    file.write_bytes(b"new\n")
    assert lines.read() == ["new"]
