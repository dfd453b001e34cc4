"""What is read of a file, whatever somebody has put in its place."""

import os
import socket
from pathlib import Path

import pytest

from controller.executor.local.regular import read_regular


@pytest.mark.parametrize(
    ("content", "bytes_max", "read"),
    [
        (b"", 10, b""),
        (b"rows=1\n", 10, b"rows=1\n"),
        (b"0123456789", 10, b"0123456789"),
        (b"0123456789a", 10, b"0123456789"),
        (b"\xff\0\r\n", 10, b"\xff\0\r\n"),
    ],
)
def test_a_file_is_read_up_to_a_limit(
    tmp_path: Path, content: bytes, bytes_max: int, read: bytes
) -> None:
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        assert read_regular(str(tmp_path / name), bytes_max) == read


def test_what_is_not_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    assert read_regular(str(tmp_path / "no"), 10) is None
    assert read_regular(str(tmp_path / "link"), 10) is None


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        pytest.param(os.mkfifo, "is not a regular file", id="a pipe that nobody writes to"),
        pytest.param(os.mkdir, "it is a folder", id="a folder"),
        pytest.param(
            lambda path: os.symlink("/dev/zero", path), "is not a regular file", id="a device"
        ),
        pytest.param(
            lambda path: socket.socket(socket.AF_UNIX).bind(path),
            "is not a regular file",
            id="a socket",
        ),
        pytest.param(lambda path: os.symlink(path, path), "Too many levels", id="a loop"),
    ],
)
def test_anything_else_is_refused_and_never_waited_for(
    tmp_path: Path, made: object, problem: str
) -> None:
    path = str(tmp_path / "file")
    made(path)  # type: ignore[operator]
    with pytest.raises(OSError) as refused:
        read_regular(path, 10)
    assert problem in (refused.value.strerror or "")


def test_what_becomes_a_pipe_just_before_it_is_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.touch()
    really_open = os.open

    def swapped(*words: object) -> int:
        path.unlink()
        os.mkfifo(path)
        return really_open(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(OSError, match="is not a regular file"):
        read_regular(str(path), 10)
