"""Outputs, conditions and expressions with real processes, through kills and the archive."""

import json
import random
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cli.place import DEADLINE_SECONDS, Place
from cli.test_archive import EAGER, churn

# What a step does about its output `n`, an integer, and what becomes of it.
WRITERS: dict[str, tuple[str, str, str]] = {
    "lines": ('echo "n=1" > "$TREADLE_OUTPUT"', "Succeeded", "Completed"),
    "json": ("""echo '{"n": 1}' > "$TREADLE_OUTPUT\"""", "Succeeded", "Completed"),
    "in-parts": (
        'for n in 3 2 1; do echo "n=$n" >> "$TREADLE_OUTPUT"; done',
        "Succeeded",
        "Completed",
    ),
    "undeclared": ('printf "n=1\\nm=2\\n" > "$TREADLE_OUTPUT"', "Succeeded", "Completed"),
    "by-a-link": ('echo "n=1" > x; ln -s "$PWD/x" "$TREADLE_OUTPUT"', "Succeeded", "Completed"),
    "nothing": ("true", "Failed", "OutputMissing"),
    "another-name": ('echo "m=1" > "$TREADLE_OUTPUT"', "Failed", "OutputMissing"),
    "another-type": ('echo "n=one" > "$TREADLE_OUTPUT"', "Failed", "OutputInvalid"),
    "no-utf-8": ('printf "n=1\\nx=\\377\\n" > "$TREADLE_OUTPUT"', "Failed", "OutputInvalid"),
    "too-large": (
        'echo n=1 > "$TREADLE_OUTPUT"; head -c 70000 /dev/zero >> "$TREADLE_OUTPUT"',
        "Failed",
        "OutputTooLarge",
    ),
    "a-fifo": ('mkfifo "$TREADLE_OUTPUT"', "Failed", "OutputInvalid"),
    "a-folder": ('mkdir "$TREADLE_OUTPUT"', "Failed", "OutputInvalid"),
    "then-fails": ('echo "n=1" > "$TREADLE_OUTPUT"; exit 3', "Failed", "NonZeroExit"),
    "then-skips": ('echo "n=1" > "$TREADLE_OUTPUT"; exit 9', "Skipped", "SkippedItself"),
}
LIVES_ON = '(until [ -e go ]; do sleep 0.02; done; echo n=2 > "$TREADLE_OUTPUT"; touch late) &\n'


def write(path: Path, name: str, steps: list[dict[str, Any]], **spec: Any) -> None:
    head = {"apiVersion": "treadle.dev/v1", "kind": "Workflow", "metadata": {"name": name}}
    path.write_text(json.dumps({**head, "spec": {"steps": steps, **spec}}))


def outcomes(place: Place, name: str) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in place.shape(name)["status"]["steps"]}


def test_what_becomes_of_an_output_file(place: Place) -> None:
    gives = {"outputs": {"n": "integer"}, "skipExitCodes": [9]}
    steps = [{"name": name, "run": one[0], **gives} for name, one in WRITERS.items()]
    write(place.specs / "w.yaml", "w", steps)
    place.treadle("up", "--once", code=1)
    shown = outcomes(place, "w")
    ends = {name: (step["phase"], step["reason"]) for name, step in shown.items()}
    assert ends == {name: (phase, reason) for name, (_, phase, reason) in WRITERS.items()}
    for name, step in shown.items():
        succeeded = step["phase"] == "Succeeded"
        assert step["outputs"] == ({"n": 1} if succeeded else {}), name
    assert any("m" in note for note in shown["undeclared"]["attempts"][0]["notes"])


@pytest.mark.parametrize("left", [False, True])
def test_only_what_is_written_before_the_step_ends_is_handed_on(place: Place, left: bool) -> None:
    script = LIVES_ON + 'echo "n=1" > "$TREADLE_OUTPUT"'
    giver = {"name": "a", "run": script, "outputs": {"n": "integer"}, "leaveProcesses": left}
    reader = {"name": "b", "dependsOn": ["a"], "command": ["echo", "${{ steps.a.outputs.n }}"]}
    write(place.specs / "w.yaml", "w", [giver, reader])
    place.treadle("up", "--once")
    (place.specs / "go").touch()
    if left:
        place.until((place.specs / "late").exists)
    assert place.says("logs", "w", "b") == "1\n"
    place.treadle("up", "--once")
    assert outcomes(place, "w")["a"]["outputs"] == {"n": 1}
    assert (place.specs / "late").exists() == left


# ---------------------------------------- killed at random

KILLS = 8
SIZE = 5_000  # more than a record holds

MAKE = f"""
sleep 0.2
printf 'n=%s\\nt=' "$TREADLE_ATTEMPT" > "$TREADLE_OUTPUT"
head -c {SIZE} /dev/zero | tr '\\0' x >> "$TREADLE_OUTPUT"
"""
NOTE = 'sleep 0.2; echo "$TREADLE_STEP $TREADLE_ATTEMPT $N ${#T}" >> ledger'


NONE = {"N": "", "T": ""}  # variables that a step does not set


def pipeline() -> list[dict[str, Any]]:
    """make -> twice -> last; one branch is skipped, and last reads make from afar."""
    n, t = "${{ steps.make.outputs.n }}", "${{ steps.make.outputs.t }}"
    return [
        {"name": "make", "run": MAKE + NOTE, "outputs": {"n": "integer", "t": "string"}},
        {
            "name": "twice",
            "dependsOn": ["make"],
            "when": "${{ steps.make.outputs.n > 0 }}",
            "env": {"N": n, "T": t},
            "outputs": {"n": "integer"},
            "run": NOTE + '; echo "n=$((N * 2))" > "$TREADLE_OUTPUT"',
        },
        {
            "name": "never",
            "dependsOn": ["make"],
            "when": "${{ steps.make.outputs.n < 0 }}",
            "run": NOTE,
        },
        {
            "name": "last",
            "dependsOn": ["twice", "never"],
            "env": {"N": "${{ steps.twice.outputs.n + steps.make.outputs.n }}", "T": t},
            "run": NOTE,
        },
    ]


def test_killed_at_random_each_step_gets_what_was_given(place: Place) -> None:
    write(place.specs / "w.yaml", "w", pipeline(), env=NONE)
    moments = random.Random(11)
    for _ in range(KILLS):
        controller = place.begin("up", "--once", stdout=subprocess.DEVNULL)
        try:
            controller.wait(moments.uniform(0.1, 0.7))
        except subprocess.TimeoutExpired:
            controller.kill()
        controller.communicate(timeout=DEADLINE_SECONDS)
    place.treadle("up", "--once")
    lines = [line.split() for line in (place.specs / "ledger").read_text().splitlines()]
    begun = Counter((step, attempt) for step, attempt, *_ in lines)
    assert set(begun.values()) == {1}, "an attempt ran twice"
    shown = outcomes(place, "w")
    n = shown["make"]["outputs"]["n"]
    assert shown["make"]["outputs"] == {"n": n, "t": "x" * SIZE}
    assert shown["twice"]["outputs"] == {"n": 2 * n}
    assert (shown["never"]["phase"], shown["never"]["reason"]) == ("Skipped", "WhenFalse")
    last = {step: rest for step, _, *rest in lines}
    assert last == {"make": ["0"], "twice": [str(n), str(SIZE)], "last": [str(3 * n), str(SIZE)]}
    events = [json.loads(line) for line in place.says("events", "w", "-o", "json").splitlines()]
    answers = Counter(one["step"] for one in events if one.get("when") is not None)
    assert answers == {"twice": 1, "never": 1}, "a `when` is asked once"
    assert "consistent" in place.says("replay", "--verify")


# ---------------------------------------- the archive


def test_values_are_kept_in_the_archive(place: Place) -> None:
    write(place.root / "job.yaml", "job", pipeline(), env=NONE, params={"p": 1})
    words = ("run", "job.yaml", "-p", "p=7", "--keep-finished", "1")
    assert place.fork(*words, program=EAGER).wait(DEADLINE_SECONDS) == 0
    before = place.shape("job")
    churn(place, 4)
    place.until((place.state / "archive").exists)
    assert "job" not in place.says("get", "-o", "name").split()
    uid = before["metadata"]["uid"]
    after = json.loads(place.says("get", "job", "--uid", uid, "-o", "json"))
    assert after["status"]["params"] == {"p": 7}
    assert after["status"]["steps"] == before["status"]["steps"]
    assert len(before["status"]["steps"][0]["outputs"]["t"]) == SIZE
