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
    open_output,
    start_of_last_lines,
)

LOG = "runs/u/a.1.log"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "runs/u").mkdir(parents=True)
    return tmp_path / LOG


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
def test_the_last_two_lines(tmp_path: Path, file: Path, written: bytes, lines: list[str]) -> None:
    file.write_bytes(written)
    assert last_lines(str(tmp_path), LOG, 2) == lines


def test_the_look_back_has_an_end(file: Path) -> None:
    """A file of holes can seem to be of any size."""
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


def test_what_cannot_be_read_is_as_nothing(tmp_path: Path, file: Path) -> None:
    assert last_lines(str(tmp_path), LOG, 2) == []
    file.mkdir()
    assert last_lines(str(tmp_path), LOG, 2) == []


def test_what_a_step_put_in_place_of_its_output_is_not_opened(tmp_path: Path, file: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.1.log").write_text("of somebody else")
    os.mkfifo(file)
    assert last_lines(str(tmp_path), LOG, 2) == [], "it would wait for a writer"
    file.unlink()
    file.symlink_to(tmp_path / "elsewhere/a.1.log")
    assert last_lines(str(tmp_path), LOG, 2) == []
    file.unlink()
    file.parent.rmdir()
    file.parent.symlink_to(tmp_path / "elsewhere")
    assert last_lines(str(tmp_path), LOG, 2) == []


@pytest.mark.parametrize(
    "name",
    ["lock", "/etc/passwd", "runs/../secret.1.log", "runs/u/../../a.1.log", "runs/u/a.log", ""],
)
def test_a_file_that_no_attempt_prints_to_is_not_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.1.log").write_text("of somebody else")
    (tmp_path / "lock").write_text("of the controller")
    assert last_lines(str(tmp_path), name, 2) == []
    with pytest.raises(StorageError, match="no attempt prints to such a file"):
        open_output(str(tmp_path), name)


def test_a_damaged_archive_does_not_keep_a_page_from_being_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: str) -> None:
        raise StorageError("damaged")

    monkeypatch.setattr("controller.log.archive.output", damaged)
    assert last_lines(str(tmp_path), LOG, 2) == []


def test_each_line_comes_once_when_it_is_whole(tmp_path: Path, file: Path) -> None:
    lines = NewLines(str(tmp_path), LOG)
    assert lines.read() == [], "it has not begun"
    file.write_bytes(b"one\ntw")
    assert (lines.read(), lines.read()) == (["one"], [])
    with file.open("ab") as more:
        more.write(b"o\r\n10%\r20%\nhalf")
    assert lines.read() == ["two", "20%"]
    assert (lines.rest(), lines.rest()) == (["half"], [])


def test_a_line_without_an_end_comes_in_pieces(tmp_path: Path, file: Path) -> None:
    file.write_bytes(b"x" * (3 * BLOCK_BYTES))
    lines = NewLines(str(tmp_path), LOG)
    shown = [line for _ in range(3) for line in lines.read()]
    assert shown == ["x" * LINE_CHARACTERS_MAX + "…"]
    assert lines.rest() == ["x" * LINE_CHARACTERS_MAX + "…"]


def test_the_rest_of_much_output_holds_nobody_up(tmp_path: Path, file: Path) -> None:
    for line in (b"\n", b"y" * 999 + b"\n"):
        file.write_bytes(line * (2 * BLOCK_BYTES * REST_BLOCKS_MAX // len(line)))
        rest = NewLines(str(tmp_path), LOG).rest()
        assert len(rest) == 1 + min(REST_LINES_MAX, BLOCK_BYTES * REST_BLOCKS_MAX // len(line))
        assert rest[-1] == "… it printed more than is shown here"


def test_what_comes_after_the_step_has_emptied_its_output_is_shown(
    tmp_path: Path, file: Path
) -> None:
    lines = NewLines(str(tmp_path), LOG)
    file.write_bytes(b"one\ntwo\nhalf")
    assert lines.read() == ["one", "two"]
    file.write_bytes(b"new\n")
    assert lines.read() == ["new"]
