"""The last lines that an attempt printed, as people are shown them."""

import os
from pathlib import Path

import pytest

from controller.errors import StorageError
from controller.log.output import BLOCK_BYTES, LINE_CHARACTERS_MAX, last_lines


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

    monkeypatch.setattr("controller.log.output.output", damaged)
    assert last_lines(str(tmp_path), "a.log", 2) == []
