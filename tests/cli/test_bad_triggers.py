"""Definitions that are wrong, change quickly, or meet markers and deletions."""

import json
from collections import Counter
from typing import Any

import pytest
from cli.place import HELD, Place

from controller.log.reader import read
from controller.model import events as e
from controller.model.observations import Request
from controller.requests import drop

RECORD = 'echo "${TREADLE_INSTANCE:-plain}" >> ../ledger'
DAILY = {"name": "night", "schedule": "0 0 * * *"}
DAYS = [1_767_225_600 + 86_400 * day for day in range(20)]  # from 2026-01-01 on
NEVER = {"name": "t", "schedule": "0 0 1 1 *"}


def text(name: str, *triggers: dict[str, Any] | None, run: str = RECORD, **spec: Any) -> str:
    """A definition; a plain workflow if the trigger is None."""
    document = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {
            **({} if triggers == (None,) else {"triggers": list(triggers)}),
            **spec,
            "steps": [{"name": "a", "run": run}],
        },
    }
    return json.dumps(document, indent=1)


class Folder:
    """A place with definitions."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def write(self, name: str, *triggers: dict[str, Any] | None, **spec: Any) -> None:
        (self.place.specs / f"{name}.yaml").write_text(text(name, *triggers, **spec))

    def ask(self, kind: str, workflow: str, **more: Any) -> None:
        drop(str(self.place.state), Request(kind=kind, workflow=workflow, by="me", **more))  # type: ignore[arg-type]

    def ran(self) -> Counter[str]:
        ledger = self.place.root / "ledger"
        return Counter(ledger.read_text().split() if ledger.exists() else [])

    def events(self, *kinds: type[e.Event]) -> list[Any]:
        found = (one.event for one in read(str(self.place.state)))
        return [one for one in found if isinstance(one, kinds)]

    def decided(self) -> list[str]:
        return [
            f"{one.outcome} {one.reason} {one.instance or one.key}".replace("  ", " ")
            for one in self.events(e.FiringDecided)
        ]

    def message(self, name: str) -> str:
        """Why the document of that name is not in force; "" if it is."""
        rejected = self.place.folded().rejected.get(f"{name}.yaml")
        return "; ".join(map(str, rejected.faults)) if rejected else ""

    def is_in_force(self, *names: str) -> bool:
        state = self.place.folded()
        return all(name in state.workflows for name in names) and not state.rejected

    def until(self, holds: Any) -> None:
        self.place.until(holds)


@pytest.fixture
def folder(place: Place) -> Folder:
    return Folder(place)


# ---------------------------------------- what is refused


@pytest.mark.parametrize(
    ("trigger", "said"),
    [
        ({"schedule": "0 0 30 2 *"}, '"0 0 30 2 *" is never due'),
        (
            {"schedule": "@daily", "timeZone": "Mars/Olympus"},
            'no time zone is named "Mars/Olympus"',
        ),
        ({"everySeconds": 1, "params": {"n": "x"}}, 'expected an integer, found "x"'),
        ({"everySeconds": 1, "params": {"n": "${{ trigger.key }}"}}, "this one gives a string"),
        ({"everySeconds": 1, "params": {"m": 1}}, 'has no param "m"'),
    ],
)
def test_a_bad_trigger_fires_never_and_harms_no_other(
    folder: Folder, trigger: dict[str, Any], said: str
) -> None:
    folder.write("bad", trigger, params={"n": {"type": "integer", "default": 1}})
    folder.place.spec("other", a="true")
    found = folder.place.treadle("up", "--once", code=2)
    assert said in found.stderr.decode() + found.stdout.decode()
    assert folder.place.phase("other") == "Succeeded"
    assert not folder.ran()


@pytest.mark.parametrize("mended", ["a", "b", "c"])
def test_a_cycle_over_three_files_is_mended_by_an_edit_of_any(folder: Folder, mended: str) -> None:
    follows = {"a": "b", "b": "c", "c": "a"}
    for name, other in follows.items():
        folder.write(name, {"after": {"workflow": other}})
    with folder.place.up():
        folder.until(lambda: folder.message("c") != "")
        assert "c -> a -> b -> c" in folder.message("c")
        folder.write(mended)  # by hand alone
        folder.until(lambda: folder.is_in_force("a", "b", "c"))
        folder.ask("start", mended, key="k")
        folder.until(lambda: len(folder.ran()) == 3)
    assert set(folder.ran()) == {"a@k", "b@k", "c@k"}


def test_a_cycle_is_mended_by_the_removal_of_a_file(folder: Folder) -> None:
    for name, other in {"a": "b", "b": "c", "c": "a"}.items():
        folder.write(name, {"after": {"workflow": other}})
    with folder.place.up():
        folder.until(lambda: folder.message("c") != "")
        (folder.place.specs / "a.yaml").unlink()
        folder.until(lambda: folder.is_in_force("b", "c"))


def test_a_key_of_ten_thousand_characters(folder: Folder) -> None:
    folder.write("w", NEVER)
    with folder.place.up():
        folder.until(lambda: folder.is_in_force("w"))
        name = folder.place.says("start", "w", "--key", "k" * 10_000, "--wait").strip()
        assert folder.place.says("start", "w", "--key", "k" * 10_000).strip() == name
        assert folder.place.says("start", "w", "--key", "k" * 9_999).strip() != name
        folder.until(lambda: len(folder.ran()) == 2)
    assert len(name) < 60
    assert set(folder.ran().values()) == {1}


# ---------------------------------------- files in between


def test_a_definition_that_is_written_slowly_never_runs_as_a_plain_workflow(
    folder: Folder,
) -> None:
    """Without its last lines it has no triggers: that is believed only after the settle time."""
    head = (
        "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: w}\nspec:\n"
        f"  steps:\n    - {{name: a, run: '{RECORD}'}}\n"
    )
    path = folder.place.specs / "w.yaml"
    path.write_text(head + "  triggers: [{schedule: '0 0 1 1 *'}]\n")
    with folder.place.up():
        folder.until(lambda: folder.is_in_force("w"))
        for _ in range(3):
            path.write_text(head)  # closed, so its writer may be done
            seq = folder.place.folded().seq
            folder.place.spec("other", a=f"true {seq}")
            folder.until(lambda: folder.place.phase("other") == "Succeeded")
            path.write_text(head + "  triggers: [{schedule: '0 0 1 1 *'}]\n")
            folder.place.spec("other", a=f"true {seq} again")
            folder.until(lambda seq=seq: folder.place.folded().seq > seq + 5)  # type: ignore[misc]
        folder.ask("start", "w", key="k")
        folder.until(lambda: folder.ran() == {"w@k": 1})
    assert folder.place.folded().workflows["w"].starter is not None


def test_a_file_that_changes_quickly_between_plain_and_definition(folder: Folder) -> None:
    folder.write("w", NEVER)
    with folder.place.up():
        folder.until(lambda: folder.is_in_force("w"))
        for _ in range(20):
            folder.write("w", None)
            folder.write("w", NEVER)
        folder.write("w", None)
        folder.until(lambda: folder.ran() == {"plain": 1})
        folder.write("w", NEVER)
        folder.until(lambda: folder.place.folded().workflows["w"].starter is not None)
        folder.ask("start", "w", key="k")
        folder.until(lambda: folder.ran() == {"plain": 1, "w@k": 1})


# ---------------------------------------- markers


def test_a_marker_of_the_latest_is_refused(folder: Folder) -> None:
    folder.write("w", NEVER, run=f"{RECORD}; {HELD}")
    with folder.place.up():
        folder.ask("start", "w", key="k")
        folder.until(lambda: folder.ran() == {"w@k": 1})
        (folder.place.specs / "w@latest.cancel").touch()
        folder.until(lambda: bool(folder.place.folded().bad_markers))
        assert folder.place.phase("w@k") == "Running"
        (folder.place.specs / "go").touch()
        folder.until(lambda: folder.place.phase("w@k") == "Succeeded")


def test_a_marker_of_a_firing_before_and_after_it(folder: Folder) -> None:
    folder.write("w", NEVER, run=f"{RECORD}; {HELD}", concurrency="Allow")
    before, after = (folder.place.specs / f"w@{key}.cancel" for key in ("before", "after"))
    before.touch()
    with folder.place.up():
        folder.until(lambda: folder.is_in_force("w"))
        folder.until(lambda: bool(folder.place.folded().markers))
        folder.ask("start", "w", key="before")
        folder.ask("start", "w", key="after")
        folder.until(lambda: folder.ran() == {"w@after": 1})
        after.touch()
        folder.until(lambda: folder.place.phase("w@after") == "Cancelled")
        assert folder.decided() == ["Skipped CancelMarker before", "Started w@after"]
        before.unlink()
        after.unlink()
        folder.until(lambda: not folder.place.folded().markers)
        folder.ask("start", "w", key="third")
        folder.until(lambda: folder.ran() == {"w@after": 1, "w@third": 1})


# ---------------------------------------- deletion


def test_deleted_while_a_backfill_runs_and_the_same_name_again(folder: Folder) -> None:
    folder.write("w", DAILY, run=f"{RECORD}; {HELD}")
    with folder.place.up():
        folder.until(lambda: folder.is_in_force("w"))
        first = folder.place.folded().workflows["w"].uid
        folder.ask("backfill", "w", trigger="night", dues=DAYS, parallel=2)
        folder.until(lambda: sum(folder.ran().values()) == 2)
        (folder.place.specs / "w.yaml").unlink()
        folder.until(lambda: folder.place.folded().lives[first].deleting)
        folder.write("w", NEVER)
        folder.until(lambda: folder.place.phase("w") == "Waiting" and folder.is_in_force("w"))
        folder.until(lambda: folder.place.folded().workflows["w"].uid != first)
        folder.ask("start", "w", key="k")
        folder.until(lambda: folder.ran()["w@k"] == 1)
    assert sum(folder.ran().values()) == 3
    backfilled = [one for one in folder.events(e.FiringDecided) if one.backfill]
    assert len(backfilled) == len(DAYS)
    ended = {one.uid: one.phase for one in folder.events(e.WorkflowFinished)}
    assert {ended[one.life] for one in backfilled} == {"Cancelled"}
