"""The parts of a start that need no process."""

import errno
import resource
from pathlib import Path

import pytest

from controller.executor.shim.spawn import CannotStart, clamp, enter, find_program, meaning

INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("soft", "hard", "allowed"),
    [
        pytest.param(100, 200, 100, id="below"),
        pytest.param(300, 200, 200, id="above"),
        pytest.param(INFINITE, 200, 200, id="none, but there is a hard one"),
        pytest.param(300, INFINITE, 300, id="no hard one"),
        pytest.param(INFINITE, INFINITE, INFINITE, id="none at all"),
    ],
)
def test_no_soft_limit_above_the_hard_one(soft: int, hard: int, allowed: int) -> None:
    assert clamp(soft, hard) == allowed


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two folders in a PATH: `a` has a file and a folder that can't be run, `b` what can."""
    for name, mode in {"a/plain": 0o644, "b/plain": 0o755, "b/tool": 0o755, "here": 0o755}.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
    (tmp_path / "a/tool").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "path", "found"),
    [
        pytest.param("tool", "a:b", "b/tool", id="a folder of that name is passed over"),
        pytest.param("plain", "a:b", "b/plain", id="a file that can't be run is passed over"),
        pytest.param("here", "a::b", "./here", id="an empty part is the working directory"),
        pytest.param("sub/tool", "a:b", "sub/tool", id="with a slash nothing is looked up"),
    ],
)
def test_where_a_command_is_found(folders: Path, name: str, path: str, found: str) -> None:
    assert find_program(name, path) == found


@pytest.mark.parametrize(
    ("name", "path", "problem"),
    [
        pytest.param("nope", "a:secret", 'command not found: "nope"$', id="nowhere"),
        pytest.param("plain", "a", "a/plain is not executable; try: chmod", id="not executable"),
        pytest.param("tool", "a", "command not found", id="only a folder"),
        pytest.param("nope", "/x:$PATH", '"nope"; nothing is expanded in env: ', id="$"),
        pytest.param("nope", "/x:~/bin", "; nothing is expanded in env: ", id="~ in PATH"),
        pytest.param("$TOOL", "a", r'"\$TOOL"; nothing is expanded in command: ', id="$ in a name"),
        pytest.param("a~", "b~", '"a~"$', id="an ordinary ~"),
    ],
)
def test_where_none_is_found(folders: Path, name: str, path: str, problem: str) -> None:
    with pytest.raises(CannotStart, match=problem):
        find_program(name, path)


def test_what_stands_for_another_folder_only_in_a_shell(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"~/data does not exist; nothing is expanded in working"):
        enter(f"{tmp_path}/~/data")
    with pytest.raises(CannotStart, match=r"/data does not exist$"):
        enter(f"{tmp_path}/data")
    said = meaning(errno.ENOENT, "~/bin/tool", "~/bin/tool")
    assert said.startswith('command not found: "~/bin/tool"; nothing is expanded in command: ')


@pytest.mark.parametrize("number", errno.errorcode)
def test_every_error_of_the_kernel_has_a_meaning(number: int) -> None:
    assert "/no/such" in (text := meaning(number, "/no/such", "/no/such")) or "arguments" in text
