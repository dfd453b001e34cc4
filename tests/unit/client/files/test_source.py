"""The text of a spec as a command is given it."""

import sys
from pathlib import Path

import pytest

from controller.client.files.source import read_source
from controller.errors import NotFound, UsageError


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "etl.yaml"
    path.write_bytes(b"kind: Workflow\n")
    assert read_source(str(path)) == (str(path), b"kind: Workflow\n")


def test_a_line_is_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "typed").write_bytes(b"a: b")
    with (tmp_path / "typed").open() as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        assert read_source("-") == ("stdin", b"a: b")
        assert not typed.closed


def test_of_what_is_too_large_just_enough_to_see_that() -> None:
    data = read_source("/dev/zero", bytes_max=10).data
    assert 10 < len(data) <= 2 << 20


def test_what_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.yaml: no such file"):
        read_source(str(tmp_path / "gone.yaml"))
    with pytest.raises(UsageError, match="is a folder; name the files in it"):
        read_source(str(tmp_path))
