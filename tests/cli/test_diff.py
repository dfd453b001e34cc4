"""`treadle diff` says beforehand exactly what an edit does, and does nothing itself."""

import getpass
import json
import signal
from pathlib import Path
from typing import Any

import pytest
from cli.place import HELD, Place, document
from specs_folder import caller, documents, template

from controller.log.reader import read
from controller.model.events import GenerationAccepted


def told(place: Place, *files: str, code: int = 1) -> dict[str, dict[str, Any]]:
    lines = place.says("diff", *files, "-o", "json", code=code).splitlines()
    return {found["workflow"]: found for found in map(json.loads, lines)}


def actions(found: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["action"] for step in found["steps"]}


def test_what_it_says_is_what_happens(place: Place) -> None:
    """On a live run: one step has ended, one runs, one waits."""
    file = place.spec("job", first="true", hold=HELD, last="true")
    with place.up():
        place.until(lambda: place.phase("job") == "Running")
        place.until(lambda: str(place.folded().workflows["job"].steps["hold"].phase) == "Running")
        edited = file.read_text().replace('"run": "true"', '"run": "echo"', 1)
        draft = place.root / "draft.yaml"
        draft.write_text(edited)
        said = told(place, "draft.yaml")["job"]
        assert (said["from"], said["to"]) == (1, 2)
        assert actions(said) == {"first": "run", "hold": "restart", "last": "keep"}
        draft.rename(file)
        place.until(lambda: place.folded().workflows["job"].generation == 2)
        (place.specs / "go").touch()
        place.until(lambda: place.phase("job") == "Succeeded")
    accepted = [each.event for each in read(str(place.state))]
    (second,) = [e for e in accepted if isinstance(e, GenerationAccepted) and e.generation == 2]
    recorded = {name: (e.action, e.reason, e.message) for name, e in second.effects.items()}
    foreseen = {
        step["name"]: (step["action"], step["reason"], step["message"])
        for step in said["steps"]
        if step["reason"] != "Unchanged"
    }
    assert recorded == foreseen


def test_the_folder_new_edited_unchanged_and_deleted(place: Place) -> None:
    for name in ("same", "edited", "gone"):
        place.spec(name, a="true", b="true")
    place.says("up", "--once")
    place.spec("edited", a="true", b="echo")
    place.spec("new", a="true")
    (place.specs / "gone.yaml").unlink()
    before = [record.seq for record in read(str(place.state))]
    said = told(place)
    assert {name: (found["from"], found["to"]) for name, found in said.items()} == {
        "same": (1, 1),
        "edited": (1, 2),
        "new": (0, 1),
        "gone": (1, None),
    }
    assert actions(said["same"]) == {"a": "keep", "b": "keep"}
    assert actions(said["edited"]) == {"a": "keep", "b": "run"}
    assert actions(said["new"]) == {"a": "run"}
    assert actions(said["gone"]) == {"a": "remove", "b": "remove"}
    shown = place.says("diff", code=1)
    summary = "Plan: 1 is new, 1 runs again, 2 are removed, 1 keeps its result"
    assert shown.startswith(f"{summary}\n")
    assert "edited  generation 1 -> 2" in shown
    assert "gone  is deleted" in shown
    assert "same" not in shown
    assert "-run: 'true'" in shown
    assert "+run: echo" in shown
    assert [record.seq for record in read(str(place.state))] == before


def test_nothing_changes_by_a_comment_or_another_order(place: Place) -> None:
    file = place.spec("job", a="true", b="true")
    place.says("up", "--once")
    file.write_text("# a comment\n" + file.read_text())
    file.rename(place.specs / "renamed.yaml")
    assert place.says("diff") == ""
    assert actions(told(place, code=0)["job"]) == {"a": "keep", "b": "keep"}


def test_without_a_log_all_is_new(place: Place) -> None:
    place.spec("job", a="true")
    assert actions(told(place)["job"]) == {"a": "run"}
    assert not Path(place.state).exists()


def test_faults_are_told_and_the_rest_as_well(place: Place) -> None:
    place.spec("good", a="true")
    place.says("up", "--once")
    place.spec("good", a="echo")
    (place.specs / "bad.yaml").write_text("apiVersion: treadle.dev/v1\nkind: Flow\n")
    place.spec("good", "twin.yaml", a="true")
    done = place.treadle("diff", code=2)
    assert b"good  generation 1 -> 2" in done.stdout
    assert b"specs/bad.yaml:2:7: kind: " in done.stderr
    assert b"specs/twin.yaml:1:1: " in done.stderr


def test_a_file_that_is_not_there_is_one_clear_line(place: Place) -> None:
    said = place.complains("diff", "no.yaml", code=5)
    assert said == "treadle: no.yaml: no such file"


def test_a_marker_keeps_an_edit_from_running_and_says_so(place: Place) -> None:
    file = place.spec("w", a="true", b="true")
    (place.specs / "w.cancel").touch()
    place.treadle("up", "--once", code=1)
    file.write_text(file.read_text().replace('"run": "true"', '"run": "echo"', 1))
    said = told(place)["w"]
    assert actions(said) == {"a": "keep", "b": "keep"}
    assert said["note"] == "cancelled by w.cancel"
    place.treadle("up", "--once", code=1)
    assert all(step.attempts == [] for step in place.folded().workflows["w"].steps.values())


def test_a_marker_that_is_new_is_told(place: Place) -> None:
    place.spec("w", a=HELD, b="true")
    with place.up() as controller:
        place.until(lambda: place.phase("w") == "Running")
        controller.send_signal(signal.SIGSTOP)
        (place.specs / "w.cancel").touch()
        assert "w  generation 1; w.cancel cancels it" in place.says("diff", code=1)
        controller.send_signal(signal.SIGCONT)


def test_an_edit_that_waits_is_told_for_as_long_as_it_does(place: Place) -> None:
    spec = json.loads(document("w", a=HELD, b="true"))
    spec["spec"]["editPolicy"] = "AfterRun"
    (place.specs / "w.yaml").write_text(json.dumps(spec))
    with place.up():
        place.until(lambda: place.phase("w") == "Running")
        spec["spec"]["steps"][1]["run"] = "echo"
        (place.specs / "w.yaml").write_text(json.dumps(spec))
        place.until(lambda: place.folded().workflows["w"].pending is not None)
        assert "generation 1 -> 2; waits until run 1 has finished" in place.says("diff", code=1)
        assert told(place)["w"]["note"] == "waits until run 1 has finished"
        who = f"generation 2 from w.yaml by {getpass.getuser()} waits until run 1 has finished"
        assert who in place.says("explain", "w") and who in place.says("status", "w")
        assert place.shape("w")["metadata"]["generation"] == 2
        assert who in place.complains("diff", "w", "--from", "1", "--to", "2", code=5)
        assert who in place.treadle("history", "w").stderr.decode()
        (place.specs / "go").touch()
        place.until(lambda: place.folded().workflows["w"].generation == 2)
        place.until(lambda: place.phase("w") == "Succeeded")
        assert place.says("diff", code=0) == ""


def test_the_change_is_shown_as_people_write_it(place: Place) -> None:
    """The name of a step comes first, and 60 seconds are no 60.0."""
    file = place.spec("w", a="true")
    place.says("up", "--once")
    spec = json.loads(file.read_text())
    spec["spec"]["steps"][0] |= {"timeoutSeconds": 60, "env": {"B": "1", "A": "2"}}
    file.write_text(json.dumps(spec))
    shown = place.says("diff", code=1)
    assert "  +  A: '2'\n  +  B: '1'\n" in shown
    assert "  +timeoutSeconds: 60\n" in shown
    assert "+- name" not in shown


def test_what_a_person_may_have_meant(place: Place) -> None:
    file = place.spec("w", a="true")
    place.says("up", "--once")
    file.write_text(file.read_text().replace("true", "echo"))
    assert place.says("diff", "specs", code=1) == place.says("diff", code=1)
    assert "`treadle diff w --from 1` two generations" in place.complains("diff", "w", code=5)
    for words in (("diff", "/dev/zero"), ("apply", "-f", "/dev/zero")):
        assert b"larger than 8,388,608 bytes" in place.treadle(*words, code=2).stderr


BROKEN = ["", "kind: [", "a: 1\n", "apiVersion: treadle.dev/v1\nkind: Flow\n"]


@pytest.mark.parametrize("text", BROKEN)
def test_an_invalid_spec_is_told_for_as_long_as_it_is_there(place: Place, text: str) -> None:
    file = place.spec("w", a="true")
    place.says("up", "--once")
    file.write_text(text)
    before = place.treadle("diff", code=2).stderr
    assert before.startswith(b"specs/w.yaml")
    place.treadle("up", "--once", code=2)
    assert place.treadle("diff", code=2).stderr == before, "although the log has it by now"
    place.spec("w", a="true")
    assert place.says("diff") == ""


def test_a_name_whose_life_is_being_ended_begins_a_new_one(place: Place) -> None:
    stubborn = "trap '' TERM; touch trapped; until [ -e go ]; do sleep 0.02; done"
    spec = json.loads(document("w", a=stubborn, b="true"))
    spec["spec"]["defaults"] = {"terminationGracePeriodSeconds": 60}
    file = place.specs / "w.yaml"
    file.write_text(json.dumps(spec))
    with place.up():
        place.until((place.specs / "trapped").exists)
        file.unlink()
        place.until(lambda: place.folded().workflows["w"].deleting)
        assert place.says("diff") == "", "it is on its way out, and nothing else"
        file.write_text(json.dumps(spec))
        said = told(place)["w"]
        assert (said["from"], actions(said)) == (0, {"a": "run", "b": "run"})
        assert said["note"] == "starts when the deleted one has stopped"
        (place.specs / "go").touch()
        place.until(lambda: place.phase("w") == "Succeeded")


def test_a_suspended_workflow_starts_nothing_and_diff_says_so(place: Place) -> None:
    file = place.spec("w", a="true")
    place.says("up", "--once")
    place.says("suspend", "w")
    file.write_text(file.read_text().replace("true", "echo"))
    place.says("up", "--once")
    file.write_text(file.read_text().replace("echo", "pwd"))
    assert told(place)["w"]["note"] == "suspended: nothing starts until it is resumed"


def test_a_template_shows_everybody_who_uses_it(place: Place) -> None:
    chain = template("chain", "a")
    (place.specs / "chain.yaml").write_text(chain)
    for name in ("one", "two"):
        (place.specs / f"{name}.yaml").write_text(caller(name, "chain"))
    place.spec("other", a="true")
    place.says("up", "--once")
    draft = place.root / "draft.yaml"
    draft.write_text(template("chain", "a", run="echo"))
    of_file = told(place, "draft.yaml")
    assert {name: actions(found) for name, found in of_file.items()} == {
        "one": {"go": "run", "go/a": "run"},
        "two": {"go": "run", "go/a": "run"},
    }
    draft.rename(place.specs / "chain.yaml")
    assert told(place) == {**of_file, "other": told(place)["other"]}
    (place.specs / "chain.yaml").write_text(documents(chain, chain))
    said = place.treadle("diff", code=2).stderr.decode()
    assert "specs/one.yaml" in said and "its file specs/chain.yaml has faults" in said


def a_definition(place: Place, run: str, **fields: Any) -> None:
    found = json.loads(document("etl", a=run, b="true"))
    found["spec"] |= {"concurrency": "Queue", **fields}
    place.specs.joinpath("etl.yaml").write_text(json.dumps(found))


def test_a_definition_and_its_instances(place: Place) -> None:
    """Before it is there, while one instance runs and one waits, and when its file is gone."""
    night = {"name": "night", "at": ["2100-01-01T02:30:00Z"]}
    a_definition(place, HELD, triggers=[night])
    said = told(place)["etl"]
    assert (said["from"], said["to"], said["steps"]) == (0, 1, [])
    due = "2100-01-01T02:30:00.000000Z"
    new = {"name": "night", "action": "new", "before": None, "after": due, "message": "new"}
    assert said["triggers"] == [new]
    with place.up():
        place.until(lambda: "etl" in place.folded().workflows)
        for key in ("k1", "k2"):
            place.says("start", "etl", "--key", key)
        place.until(lambda: place.phase("etl@k1") == "Running")
    draft = place.root / "draft.yaml"
    a_definition(place, "echo", triggers=[{**night, "at": ["2101-01-01T00:00:00Z"]}])
    found = told(place)
    assert {name: (one["from"], one["to"]) for name, one in found.items()} == {
        "etl": (1, 2),
        "etl@k1": (1, 2),
        "etl@k2": (1, 2),
    }
    assert found["etl"]["triggers"] == [
        {
            "name": "night",
            "action": "moved",
            "before": due,
            "after": "2101-01-01T00:00:00.000000Z",
            "message": "its times were edited",
        }
    ]
    assert actions(found["etl@k1"]) == {"a": "restart", "b": "keep"}
    assert actions(found["etl@k2"]) == {"a": "keep", "b": "keep"}
    assert "triggers" not in found["etl@k1"]
    draft.write_text((place.specs / "etl.yaml").read_text())
    assert told(place, str(draft)) == found
    shown = place.says("diff", code=1)
    assert "etl  generation 1 -> 2" in shown
    assert "night" in shown and "its times were edited" in shown
    assert "etl@k2  generation 1 -> 2; still waits for its turn" in shown
    (place.specs / "etl.yaml").unlink()
    place.spec("other", a="true")
    gone = told(place)
    assert [gone[name]["to"] for name in ("etl", "etl@k1", "etl@k2")] == [None] * 3
    assert gone["etl"]["note"] == "2 unfinished instances are stopped"


def test_how_many_files_match_a_trigger_that_is_new(place: Place) -> None:
    box = {"name": "box", "files": {"path": "../in/*.csv"}}
    a_definition(place, "true", triggers=[box])
    assert told(place)["etl"]["note"] == "trigger box: no file matches ../in/*.csv"
    place.root.joinpath("in").mkdir()
    for name in ("a.csv", "b.csv", "c.txt"):
        place.root.joinpath("in", name).touch()
    two = "trigger box: 2 files match ../in/*.csv, and each starts an instance"
    assert told(place)["etl"]["note"] == two
    shown = place.says("diff", str(place.specs / "etl.yaml"), code=1)
    assert f"etl  is new; {two}" in shown
