"""What a start is in the words of an older shim."""

from pathlib import Path

import pytest

from controller.executor.local import link
from controller.executor.local.link import as_older, start_message
from controller.loop.ports import AttemptId, Launch

OURS = {"PATH": "/ours", "HOME": "/root", "A": "1", "TREADLE_WITHIN": "u/s/1"}


@pytest.fixture(autouse=True)
def ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "inherited", lambda: OURS)
    monkeypatch.setenv("PATH", "/ours")


def message(inherit: bool | tuple[str, ...], argv: tuple[str, ...], env: dict[str, str]) -> list:
    launch = Launch(
        id=AttemptId("u", "s", 1),
        mark=7,
        argv=argv,
        env=env,
        working_dir="/work",
        log="runs/u/s.1.log",
        inherit=inherit,
        priority=3,
    )
    return start_message(launch, launch.argv, env)


def test_a_start_without_anything_new_is_as_it_always_was() -> None:
    plain = message(True, ("a",), {"B": "2"})
    fields = ["start", "u/s/1", 7, ("a",), {"B": "2"}, "/work", "runs/u/s.1.log", False]
    assert plain == [*fields, 3]
    assert as_older(plain, 3) == [*fields, 3]
    assert as_older(plain, 2) == as_older(plain, 1) == fields


@pytest.mark.parametrize(
    ("inherit", "env", "unset"),
    [
        (False, {}, ["PATH", "HOME", "A"]),
        ((), {}, ["PATH", "HOME", "A"]),
        (("HOME", "B"), {}, ["PATH", "A"]),
        (False, {"A": "2", "PATH": "/bin"}, ["HOME"]),
        (("PATH", "HOME", "A"), {}, []),
    ],
)
@pytest.mark.parametrize("protocol", [1, 2, 3])
def test_what_it_must_not_see_is_taken_away_by_name(
    inherit: bool | tuple[str, ...], env: dict[str, str], unset: list[str], protocol: int
) -> None:
    older = as_older(message(inherit, ("./a", "x"), env), protocol)
    words = [word for name in unset for word in ("-u", name)]
    assert older[3] == ["/usr/bin/env", *words, "./a", "x"]
    assert len(older) == (9 if protocol == 3 else 8)


def test_its_program_is_looked_up_before_path_is_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tool").touch(0o755)
    monkeypatch.setenv("PATH", f"/nowhere:{tmp_path}")
    for env in ({}, {"PATH": str(tmp_path)}):
        older = as_older(message(False, ("tool", "x"), env), 3)
        assert older[3][-2:] == [f"{tmp_path}/tool", "x"]
    assert as_older(message(False, ("tool",), {"PATH": "/no"}), 3)[3][-1] == "tool"
