"""Names that can't be: with bytes that are not UTF-8, and a state folder among the specs."""

import os
from pathlib import Path

import pytest
from cli.place import Place

NAME = os.fsdecode(b"n\xff")


@pytest.mark.parametrize(
    "words",
    [
        ("up", "--once", "--specs", NAME),
        ("up", "--once", "--state", NAME),
        ("run", f"{NAME}.yaml"),
        ("get", NAME),
        ("cancel", "w", "--reason", NAME),
        ("logs", "w", NAME),
        ("run", "specs/w.yaml", "-p", f"x={NAME}"),
    ],
)
def test_a_word_that_is_not_utf_8_is_refused(place: Place, words: tuple[str, ...]) -> None:
    place.spec("w", a="true")
    assert r"n\xff" in (said := place.complains(*words, code=2))
    assert said.endswith(": this is not UTF-8")
    assert not place.state.exists()


def test_so_is_such_a_default(place: Place) -> None:
    begun = place.begin("up", "--once", more_env={"TREADLE_SPECS": NAME})
    assert begun.communicate()[1] == rb"treadle: n\xff: this is not UTF-8" + b"\n"
    assert begun.returncode == 2


@pytest.mark.parametrize("words", [("up", "--once"), ("run", "specs/w.yaml")])
def test_so_is_a_relative_path_in_such_a_folder(tmp_path: Path, words: tuple[str, ...]) -> None:
    root = tmp_path / NAME
    root.mkdir()
    place = Place(root)
    place.spec("w", a="true")
    assert place.complains(*words, code=2).endswith(": this is not UTF-8")


@pytest.mark.parametrize("state", ["specs/state", "specs"])
def test_a_state_folder_that_would_be_seen_as_specs_is_refused(place: Place, state: str) -> None:
    place.spec("w", a="true")
    said = place.complains("up", "--once", "--state", state, code=2)
    assert said.startswith(f"treadle: {state}: the state folder is in the specs folder specs")
    assert os.listdir(place.specs) == ["w.yaml"]


def test_so_is_one_that_a_run_has_made_there(place: Place) -> None:
    path = place.spec("w", a="true")
    place.says("run", str(path), "--state", "specs/state")
    said = place.complains("up", "--once", "--state", "specs/state", code=2)
    assert "move it, or name another with --state" in said


def test_a_hidden_one_is_not(place: Place) -> None:
    place.spec("w", a="true")
    assert "Succeeded" in place.says("up", "--once", "--state", "specs/.treadle")
    assert "Succeeded" in place.says("up", "--once", "--specs", ".", "--state", ".state")
