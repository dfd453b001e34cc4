"""The state folder: made for its owner alone, or refused with one clear line."""

import os
from pathlib import Path

import pytest

from controller.errors import StorageError
from controller.log.state_folder import prepare_state


def test_it_is_made_private_and_hidden_from_git(tmp_path: Path) -> None:
    state = tmp_path / "deep" / ".treadle"
    prepare_state(str(state))
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / ".gitignore").read_text() == "*\n"
    assert sorted(entry.name for entry in state.iterdir()) == [
        ".gitignore",
        "log",
        "requests",
        "runs",
    ]


def test_asked_twice_the_second_changes_nothing(tmp_path: Path) -> None:
    prepare_state(str(tmp_path))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    prepare_state(str(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_relative_path_and_a_link_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    prepare_state("link")
    assert (tmp_path / "real" / "log").is_dir()


def test_a_folder_with_other_things_in_it_stays_visible_to_git(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    prepare_state(str(tmp_path))
    assert not (tmp_path / ".gitignore").exists()


@pytest.mark.parametrize("name", ["", "log", "requests", "runs"])
def test_a_file_in_its_place_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "state" / name if name else tmp_path / "state"
    file.parent.mkdir(exist_ok=True)
    file.write_text("")
    with pytest.raises(StorageError, match=f"{file}: is a file, not a folder"):
        prepare_state(str(tmp_path / "state"))


def test_a_parent_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file: is a file, not a folder"):
        prepare_state(str(tmp_path / "file" / "state"))


def test_one_that_others_may_write_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o757)
    with pytest.raises(StorageError, match=f"others can write .* chmod o-w {state}"):
        prepare_state(str(state))
    assert list(state.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_one_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    for state in (tmp_path / "shut", tmp_path / "shut" / "state"):
        with pytest.raises(StorageError, match="must be writable"):
            prepare_state(str(state))
