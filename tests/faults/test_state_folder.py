"""The state folder: made for its owner alone, or refused with one clear line."""

import grp
import os
import pwd
from contextlib import nullcontext
from pathlib import Path

import pytest
from users import NOBODY, as_nobody, as_root, open_to_all

from controller.errors import StorageError
from controller.log.state_folder import prepare_state
from controller.model.observations import Request
from controller.owners import STATE_FOLDERS
from controller.requests import drop


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


@pytest.mark.parametrize("name", ["", *STATE_FOLDERS])
def test_one_that_others_may_write_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "state" / name
    folder.mkdir(parents=True)
    folder.chmod(0o757)
    before = [*(tmp_path / "state").iterdir()]
    with pytest.raises(StorageError, match=f"{folder}: others can write .* `chmod o-w {folder}`"):
        prepare_state(str(tmp_path / "state"))
    assert [*(tmp_path / "state").iterdir()] == before


@as_root
@pytest.mark.parametrize("name", ["", *STATE_FOLDERS])
def test_one_of_another_user_is_refused_by_his_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "state" / name
    folder.mkdir(parents=True)
    os.chown(folder, NOBODY.pw_uid, -1)
    with pytest.raises(StorageError) as refused:
        prepare_state(str(tmp_path / "state"))
    user = NOBODY.pw_name
    assert str(refused.value).startswith(f"{folder}: belongs to {user}, not to root, so {user}")
    assert "--state" in str(refused.value)


@as_root
def test_a_link_of_another_user_is_refused_also_if_it_leads_to_a_folder_of_ours(
    tmp_path: Path,
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    os.lchown(tmp_path / "link", NOBODY.pw_uid, -1)
    with pytest.raises(StorageError, match="link: belongs to "):
        prepare_state(str(tmp_path / "link"))


@as_root
@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_a_folder_above_it_of_another_user_is_refused(
    tmp_path: Path, link: bool, there: bool
) -> None:
    (tmp_path / "theirs" / ("state" if there else "")).mkdir(parents=True)
    os.chown(tmp_path / "theirs", NOBODY.pw_uid, -1)
    (tmp_path / "link").symlink_to("theirs/state")
    path = str(tmp_path / ("link" if link else "theirs/state"))
    with pytest.raises(StorageError) as refused:
        prepare_state(path)
    problem = f"this is on the path to the state folder {path} and belongs to {NOBODY[0]}"
    says = f"{tmp_path}/theirs: {problem}"
    assert str(refused.value).startswith(says)
    with pytest.raises(StorageError, match="is on the path to the state folder"):
        drop(path, Request(kind="retry", workflow="w"))
    assert not [*(tmp_path / "theirs").rglob("log")]


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_above_it_that_others_may_write_is_refused_unless_it_is_sticky(
    tmp_path: Path, there: bool
) -> None:
    (tmp_path / "open" / ("state" if there else "")).mkdir(parents=True)
    (tmp_path / "open").chmod(0o777)
    path = str(tmp_path / "open/state")
    with pytest.raises(StorageError, match=f"others can write to it.*`chmod o-w {tmp_path}/open`"):
        prepare_state(path)
    (tmp_path / "open").chmod(0o1777)
    prepare_state(path)


@as_root
def test_root_and_others_refuse_the_folders_of_each_other(tmp_path: Path) -> None:
    """Two real users: the folder of one is no place for the other to write into."""
    with open_to_all() as shared:
        theirs, ours = shared / "theirs", shared / "ours"
        assert as_nobody(lambda: prepare_state(str(theirs))) == ""
        prepare_state(str(ours))
        with pytest.raises(StorageError, match=f"belongs to {NOBODY.pw_name}, not to root"):
            drop(str(theirs), Request(kind="retry", workflow="w"))
        ours.chmod(0o755)
        said = as_nobody(lambda: drop(str(ours), Request(kind="retry", workflow="w")))
        assert f"belongs to root, not to {NOBODY.pw_name}" in said


# ---------------------------------------- groups


@as_root
@pytest.mark.parametrize("name", ["", "requests"])
def test_one_that_a_group_may_write_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "state" / name
    folder.mkdir(parents=True)
    folder.chmod(0o770)
    os.chown(folder, -1, 4242)
    with pytest.raises(StorageError, match=f"group 4242 can write .* `chmod g-w {folder}`"):
        prepare_state(str(tmp_path / "state"))


@pytest.mark.parametrize(
    ("group", "taken"),
    [
        pytest.param(("ada", 70, []), True, id="the user's own"),
        pytest.param(("ada", 70, ["ada"]), True, id="and he is named as a member"),
        pytest.param(("ada", 70, ["ada", "eve"]), False, id="somebody else is in it"),
        pytest.param(("users", 70, []), False, id="it may be everybody's first group"),
        pytest.param(("ada", 71, []), False, id="of his name, but not his first"),
    ],
)
def test_a_private_group_may_write_as_a_umask_of_002_lets_it(
    tmp_path: Path,
    group: tuple[str, int, list[str]],
    taken: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user, gid = os.geteuid(), tmp_path.stat().st_gid
    name, own, members = group
    first = gid if own == 70 else gid + 1
    monkeypatch.setattr(
        pwd, "getpwuid", lambda uid: pwd.struct_passwd(("ada", "x", user, first, "", "/", ""))
    )
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group((name, "x", gid, members)))
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o775)
    with nullcontext() if taken else pytest.raises(StorageError, match=f"the group {name} can"):
        prepare_state(str(tmp_path / "state"))


# ---------------------------------------- modes


def test_what_others_could_read_is_closed_where_it_is_ours(tmp_path: Path) -> None:
    prepare_state(str(tmp_path / "state"))
    for name in ("", *STATE_FOLDERS):
        (tmp_path / "state" / name).mkdir(exist_ok=True)
        (tmp_path / "state" / name).chmod(0o755)
    prepare_state(str(tmp_path / "state"))
    for name in ("", *STATE_FOLDERS):
        assert (tmp_path / "state" / name).stat().st_mode & 0o777 == 0o700, name


def test_a_folder_that_was_there_with_other_things_stays_open_to_readers(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    tmp_path.chmod(0o755)
    for _ in range(2):
        prepare_state(str(tmp_path))
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_one_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0o500)
    for state in (tmp_path / "shut", tmp_path / "shut" / "state"):
        with pytest.raises(StorageError, match="must be writable"):
            prepare_state(str(state))
