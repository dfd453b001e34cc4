"""What is read, written and removed, whatever somebody has put in its place."""

import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.regular import (
    make_below,
    open_below,
    open_regular,
    read_below,
    read_regular,
    read_whole,
    remove_below,
)

OTHERS = [
    pytest.param(os.mkfifo, "it is not a regular file", id="a pipe that nobody writes to"),
    pytest.param(os.mkdir, "it is a folder", id="a folder"),
    pytest.param(
        lambda path: os.symlink("/dev/zero", path), "it is not a regular file", id="a device"
    ),
    pytest.param(
        lambda path: socket.socket(socket.AF_UNIX).bind(path),
        "it is not a regular file",
        id="a socket",
    ),
    pytest.param(lambda path: os.symlink(path, path), "Too many levels", id="a loop"),
]
OUTSIDE = ["", ".", "..", "/etc/passwd", "a/../../b", "a//b", "a/", "./a", "a\0b", "\ud800", "a/.."]


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
        assert read_regular(str(tmp_path / name), bytes_max, follow=True) == read
    assert read_regular(str(tmp_path / "file"), bytes_max) == read
    assert read_below(str(tmp_path), "file", bytes_max) == read
    with pytest.raises(OSError, match="it is a link"):
        read_regular(str(tmp_path / "link"), bytes_max)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    Path(path).write_bytes(b"0123456789")
    assert read_whole(path, 10) == b"0123456789"
    os.truncate(path, 1 << 40)
    with pytest.raises(OSError, match="it is larger than 10 bytes"):
        read_whole(path, 10)


def test_a_file_that_does_not_fit_into_the_memory_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, 1 << 40)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (1 << 36, limits[1]))
    try:
        with pytest.raises(OSError, match="don't fit into the memory"):
            read_whole(str(path), 1 << 41)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


@pytest.mark.parametrize("follow", [True, False])
def test_what_is_not_there_is_not_found(tmp_path: Path, follow: bool) -> None:
    with pytest.raises(FileNotFoundError):
        read_regular(str(tmp_path / "no"), 10, follow=follow)
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FileNotFoundError):
        read_regular(str(tmp_path / "link"), 10, follow=True)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_CREAT])
@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize(("made", "problem"), OTHERS)
def test_anything_else_is_refused_and_never_waited_for(
    tmp_path: Path, made: Callable[[str], None], problem: str, follow: bool, flags: int
) -> None:
    path = str(tmp_path / "file")
    made(path)
    with pytest.raises(OSError) as refused:
        open_regular(path, flags, follow=follow)
    is_link = os.path.islink(path) and not follow
    assert ("it is a link" if is_link else problem) in (refused.value.strerror or "")
    with pytest.raises(OSError):
        open_below(str(tmp_path), "file", flags)


@pytest.mark.parametrize("follow", [True, False])
def test_what_becomes_a_pipe_just_before_it_is_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, follow: bool
) -> None:
    path = tmp_path / "file"
    path.touch()
    really_open = os.open

    def swapped(*words: object, **more: object) -> int:
        path.unlink()
        os.mkfifo(path)
        return really_open(*words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(OSError, match="is not a regular file"):
        read_regular(str(path), 10, follow=follow)


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        os.close(open_below(str(tmp_path), "a/b/file", os.O_WRONLY | os.O_CREAT, make=True))
    finally:
        os.umask(before)
    assert (tmp_path / "a/b/file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o700


# ---------------------------------------- below a folder


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_path_leads_out_of_its_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "b").write_text("outside")
    folder = tmp_path / "folder"
    (folder / "a").mkdir(parents=True)
    for call in (
        lambda: open_below(str(folder), path, os.O_WRONLY | os.O_CREAT, make=True),
        lambda: read_below(str(folder), path, 10),
        lambda: remove_below(str(folder), path),
        lambda: make_below(str(folder), path),
    ):
        with pytest.raises(OSError, match="it is no path below this folder"):
            call()
    assert sorted(entry.name for entry in tmp_path.rglob("*")) == ["a", "b", "folder"]


def test_no_link_leads_out_of_a_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "inner").mkdir(parents=True)
    (outside / "inner/file").write_text("of somebody else")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    for path in ("link/inner/file", "link/new/file", "link/inner"):
        for call in (
            lambda path=path: read_below(str(folder), path, 10),
            lambda path=path: open_below(str(folder), path, os.O_RDWR | os.O_CREAT, make=True),
            lambda path=path: remove_below(str(folder), path),
            lambda path=path: make_below(str(folder), path),
        ):
            with pytest.raises(OSError) as refused:
                call()
            assert refused.value.filename == path
    remove_below(str(folder), "link")
    assert not os.path.lexists(folder / "link")
    assert (outside / "inner/file").read_text() == "of somebody else"
    assert sorted(entry.name for entry in outside.rglob("*")) == ["file", "inner"]


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "folder").symlink_to("real")
    make_below(str(tmp_path / "folder"), "a/b")
    make_below(str(tmp_path / "folder"), "a/b")
    assert (tmp_path / "real/a/b").is_dir()


def test_a_folder_goes_with_all_that_is_in_it_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("outside")
    tree = tmp_path / "tree"
    (tree / "closed/deep").mkdir(parents=True)
    (tree / "closed/deep/file").touch()
    (tree / "link").symlink_to(tmp_path)
    (tree / "closed/link").symlink_to(tmp_path / "kept")
    os.mkfifo(tree / "pipe")
    (tree / "closed/deep").chmod(0)
    (tree / "closed").chmod(0o500)
    remove_below(str(tmp_path), "tree")
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]


def test_a_folder_may_be_deeper_than_any_path_is_long(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    remove_below(str(tmp_path), "d")
    assert list(tmp_path.iterdir()) == []


def test_what_can_be_removed_goes_although_something_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        (tmp_path / "tree" / name / "file").touch()
    really_unlink = os.unlink

    def stubborn(name: str, **more: int) -> None:
        (left,) = os.listdir(more["dir_fd"])
        if not removed:
            removed.append(left)
            raise PermissionError(1, "no", name)
        really_unlink(name, **more)

    removed: list[str] = []
    monkeypatch.setattr(os, "unlink", stubborn)
    with pytest.raises(OSError):
        remove_below(str(tmp_path), "tree")
    assert len(list(tmp_path.rglob("file"))) == 1
