"""The search upwards for the project, what it trusts, and what treadle.toml may say."""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from users import NOBODY, as_nobody, as_root, open_to_all

from controller.cli import project
from controller.cli.project import FILE_BYTES_MAX, find_project, shown
from controller.errors import UsageError

STRANGER = 4242


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`home/a/b/c`, where `home` is the home folder and the current folder is `c`."""
    deepest = tmp_path / "home/a/b/c"
    deepest.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(deepest)
    return tmp_path


def write(tree: Path, *paths: str) -> None:
    """Files, or folders where the path ends with a slash."""
    for path in paths:
        if path.endswith("/"):
            (tree / path).mkdir(parents=True)
        else:
            (tree / path).write_text("")


@pytest.mark.parametrize(
    ("here", "there", "found"),
    [
        pytest.param("home/a/b/c", [], None, id="nothing anywhere"),
        pytest.param("home/a/b/c", ["home/a/b/c/.treadle/"], "home/a/b/c", id="here"),
        pytest.param("home/a/b/c", ["home/a/.treadle/"], "home/a", id="two folders up"),
        pytest.param("home/a/b/c", ["home/a/treadle.toml"], "home/a", id="by its file"),
        pytest.param(
            "home/a/b/c",
            ["home/a/treadle.toml", "home/a/b/.treadle/"],
            "home/a/b",
            id="the nearest of both kinds",
        ),
        pytest.param("home/a/b/c", ["home/.treadle/"], None, id="not the home folder"),
        pytest.param("home/a/b/c", ["home/treadle.toml"], None, id="nor by its file"),
        pytest.param("home/a/b/c", [".treadle/"], None, id="not above the home folder"),
        pytest.param("home", ["home/.treadle/"], "home", id="home while the caller is in it"),
        pytest.param("home", [".treadle/"], None, id="from home not upwards"),
        pytest.param("home/a/b/c", ["home/a/.treadle"], None, id="a file is no state folder"),
    ],
)
def test_the_nearest_folder_upwards_counts(
    tree: Path, here: str, there: list[str], found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tree, *there)
    monkeypatch.chdir(tree / here)
    project = find_project()
    assert (project and project.root) == (found and str(tree / found))


def test_outside_home_the_search_ends_at_the_root(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/nowhere")
    write(tree, "treadle.toml")
    found = find_project()
    assert found is not None and found.root == str(tree)
    monkeypatch.chdir("/")
    assert find_project() is None


def test_a_home_folder_by_another_path_is_the_same_one(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "link").symlink_to("home")
    monkeypatch.setenv("HOME", str(tree / "link"))
    write(tree, "home/.treadle/")
    assert find_project() is None


def test_the_search_ends_at_the_border_of_a_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    border = Path("/dev/shm")
    if not border.is_dir() or border.stat().st_dev == border.parent.stat().st_dev:
        pytest.skip("no other file system at /dev/shm")
    inside = Path(tempfile.mkdtemp(dir=border))
    try:
        for here, looked in ((border, [border]), (inside, [inside, border])):
            monkeypatch.chdir(here)
            assert [*project._upwards(str(here))] == [*map(str, looked)]
    finally:
        monkeypatch.chdir("/")
        inside.rmdir()


# ---------------------------------------- where the folders are


@pytest.mark.parametrize(
    ("there", "text", "specs", "state"),
    [
        pytest.param(["home/a/.treadle/"], None, "home/a/specs", "home/a/.treadle", id="a state"),
        pytest.param([], "", "home/a/specs", "home/a/.treadle", id="an empty file"),
        pytest.param(
            [],
            'specs = "flows"\nstate = "../var"',
            "home/a/flows",
            "home/var",
            id="relative to the file",
        ),
        pytest.param([], 'state = "/var/t"', "home/a/specs", "/var/t", id="absolute"),
    ],
)
def test_where_the_folders_of_a_project_are(
    tree: Path, there: list[str], text: str | None, specs: str, state: str
) -> None:
    write(tree, *there)
    if text is not None:
        (tree / "home/a/treadle.toml").write_text(text)
    found = find_project()
    assert found is not None
    assert (found.specs(), found.state()) == (str(tree / specs), str(tree / state))


@pytest.mark.parametrize(
    ("path", "expected"),
    [("specs", "specs"), (".", "."), ("..", None), ("../x", None), ("..x", "..x"), ("/", None)],
)
def test_a_path_is_shown_relative_only_below_the_current_folder(
    tree: Path, path: str, expected: str | None
) -> None:
    whole = str((tree / "home/a/b/c").joinpath(path).resolve())
    assert shown(whole) == (expected or whole)


# ---------------------------------------- whose it is


@as_root
@pytest.mark.parametrize("foreign", ["treadle.toml", ".treadle/", "specs/"])
def test_what_belongs_to_another_user_is_refused(tree: Path, foreign: str) -> None:
    write(tree, *{"home/a/.treadle/", f"home/a/{foreign}"})
    os.chown(tree / "home/a" / foreign, STRANGER, -1)
    with pytest.raises(UsageError, match=rf"{foreign.rstrip('/')}: belongs to user {STRANGER}, "):
        find = find_project()
        assert find is not None
        find.specs()


@as_root
def test_the_specs_of_another_user_can_be_used_by_who_is_beside_them(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tree, "home/a/.treadle/", "home/a/specs/")
    os.chown(tree / "home/a/specs", STRANGER, -1)
    monkeypatch.chdir(tree / "home/a")
    found = find_project()
    assert found is not None and found.specs() == str(tree / "home/a/specs")


@as_root
def test_a_link_of_another_user_to_my_own_state_is_refused(tree: Path) -> None:
    write(tree, "mine/")
    link = tree / "home/a/.treadle"
    link.symlink_to(tree / "mine")
    assert find_project() is not None
    os.lchown(link, STRANGER, -1)
    with pytest.raises(UsageError, match="belongs to user"):
        find_project()


@pytest.mark.parametrize("open_to_all", ["treadle.toml", ".treadle/", "specs/"])
def test_what_others_may_write_is_refused(tree: Path, open_to_all: str) -> None:
    write(tree, *{"home/a/.treadle/", f"home/a/{open_to_all}"})
    (tree / "home/a" / open_to_all).chmod(0o777)
    with pytest.raises(UsageError, match=r"others can write to it.*chmod o-w"):
        find = find_project()
        assert find is not None
        find.specs()


@as_root
@pytest.mark.parametrize("what", ["treadle.toml", ".treadle"])
def test_what_a_real_stranger_puts_above_is_refused_for_each_of_two_users(what: str) -> None:
    """In a folder like /tmp, above the folders of both."""

    def plant() -> None:
        path = shared / what
        path.write_text('state = "st"') if what == "treadle.toml" else path.mkdir()

    def find() -> object:
        os.chdir(shared / "theirs")
        return find_project()

    with open_to_all() as shared:
        for name, uid in (("ours", 0), ("theirs", NOBODY.pw_uid)):
            (shared / name).mkdir()
            os.chown(shared / name, uid, -1)
        plant()
        said = as_nobody(find)
        assert f"{what}: belongs to root, not to {NOBODY.pw_name}" in said, "root is not the caller"
        (shared / what).rmdir() if what == ".treadle" else (shared / what).unlink()
        assert as_nobody(find) == ""
        assert as_nobody(plant) == ""
        with contextlib.chdir(shared / "ours"), pytest.raises(UsageError) as refused:
            find_project()
        assert f"{what}: belongs to {NOBODY.pw_name}, not to root" in str(refused.value)
        assert as_nobody(find) == "", "it is his own"


@as_root
def test_a_group_of_the_user_alone_may_write(tree: Path) -> None:
    write(tree, "home/a/.treadle/", "home/a/specs/", "home/a/treadle.toml")
    for name in (".treadle", "specs", "treadle.toml"):
        (tree / "home/a" / name).chmod(0o775)
    found = find_project()
    assert found is not None and found.specs() == str(tree / "home/a/specs")


# ---------------------------------------- treadle.toml


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max-paralel = 3", 'no setting "max-paralel"; did you mean "max-parallel"?'),
        ("[limits]\nx = 1", 'no setting "limits"; there are specs, state,'),
        ("allow-insecure-specs = true", 'no setting "allow-insecure-specs"'),
        ("adopt-folder = true", 'no setting "adopt-folder"'),
        ("max-parallel = 0", "max-parallel: must be at least 1"),
        ("max-parallel = -3", "max-parallel: must be at least 1"),
        ('max-parallel = "4,condor=2"', "max-parallel: there is no engine 'condor'"),
        ('max-parallel = "many"', "max-parallel: 'many' is not a whole number"),
        ("max-parallel = true", "max-parallel: must be a number or a text"),
        ("max-parallel = 1.5", "max-parallel: must be a number or a text"),
        ("min-free = [1]", "min-free: must be a number or a text"),
        ('min-free = "much"', "min-free: 'much' is not a size; try 8M"),
        (f"min-free = 0x{'f' * 9000}", "min-free: Exceeds the limit"),
        (f"min-free = {'9' * 9000}", "is not TOML: Exceeds the limit"),
        ("specs = 3", "specs: must be the path of a folder"),
        ('specs = ""', "specs: must be the path of a folder"),
        ('state = "a\\u0000b"', "state: must be the path of a folder"),
        ('state = "~/x"', "state: ~ is not expanded here; write the whole path"),
        ("specs = ", "is not TOML: "),
        ("a = 1\na = 2", "is not TOML: "),
        (f"a = {'[' * 20_000}", "is nested too deeply"),
        (f"#{' ' * FILE_BYTES_MAX}", "is larger than 65,536 bytes"),
        (b'specs = "\xff"', "is not UTF-8"),
    ],
)
def test_what_treadle_toml_must_not_say(tree: Path, text: str | bytes, said: str) -> None:
    file = tree / "home/a/treadle.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(UsageError) as refused:
        find_project()
    assert str(refused.value).startswith(f"{file}: ")
    assert said in str(refused.value)


def test_a_file_as_large_as_is_allowed(tree: Path) -> None:
    text = "max-parallel = 3\n#"
    file = tree / "home/a/treadle.toml"
    file.write_text(text + " " * (FILE_BYTES_MAX - len(text)))
    found = find_project()
    assert found is not None and found.settings == {"max-parallel": "3"}


def test_only_a_regular_file_is_read(tree: Path) -> None:
    file = tree / "home/a/treadle.toml"
    file.symlink_to("real.toml")
    with pytest.raises(UsageError, match="is a link"):
        find_project()
    (tree / "home/a/real.toml").write_text("")
    with pytest.raises(UsageError, match="is a link"):
        find_project()
    file.unlink()
    file.mkdir()
    with pytest.raises(UsageError, match="it is a folder"):
        find_project()
    file.rmdir()
    os.mkfifo(file)
    with pytest.raises(UsageError, match="it is not a regular file"):
        find_project()
