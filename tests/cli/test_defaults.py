"""Defaults and pools as a person meets them: in files, in commands, with a real controller."""

import shutil
from pathlib import Path

import pytest
from cli.place import HELD, Place, document
from specs_folder import defaults, documents, pool

from controller.model.timers import TimerKind

POLICY = """apiVersion: treadle.dev/v1
kind: Defaults
spec:
  defaults: {timeoutSeconds: 600, retry: {limit: 2}}
  ttlSecondsAfterFinished: 3600
"""


@pytest.fixture
def house(place: Place) -> Place:
    """Defaults of two folders, a pool, and a workflow that has run."""
    (place.specs / "team").mkdir()
    (place.specs / "all.yaml").write_text(documents(POLICY, pool("gpu", 2)))
    (place.specs / "team/team.yaml").write_text(defaults(60))
    place.spec("w", "team/w.yaml", a="true")
    place.says("up", "--once")
    return place


def test_validate_says_what_they_hold_for(house: Place) -> None:
    assert house.says("validate").splitlines() == [
        "specs/all.yaml: ok (1 pool, defaults for specs and below)",
        "specs/team/team.yaml: ok (defaults for specs/team and below)",
        "specs/team/w.yaml: ok (1 workflow, 1 step)",
    ]
    (house.specs / "team/second.yaml").write_text(documents(defaults(9), pool("gpu")))
    found = house.treadle("validate", "--format", "short", code=2).stderr.decode().splitlines()
    assert found == [
        'specs/team/second.yaml: a second pool named "gpu"; the first is in specs/all.yaml',
        "specs/team/team.yaml: a second document of the kind Defaults in specs/team; a folder has "
        "one; the first is in specs/team/second.yaml",
    ]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            "{defaults: {env: {A: b}}}",
            "spec.defaults.env: unknown field; Defaults hold policy alone, nothing that changes "
            "what a step does: write it in the spec of each workflow",
        ),
        (
            "{shell: bash}",
            "spec.shell: unknown field; Defaults hold policy alone, nothing that changes what a "
            "step does: write it in the spec of each workflow",
        ),
        (
            "{steps: [{name: a, run: x}]}",
            "spec.steps: unknown field; Defaults hold policy alone, nothing that changes what a "
            "step does: write it in the spec of each workflow",
        ),
        ("{priority: 3}", "spec.priority: unknown field; write it in the spec of each workflow"),
        ("{timeoutSeconds: 3}", "spec.timeoutSeconds: unknown field; write it under defaults"),
        ("{triggers: []}", "spec.triggers: unknown field; write it in the spec of each workflow"),
        (
            "{engines: {container: {image: a}}}",
            "spec.engines.container.image: unknown field; it decides what a step does",
        ),
        (
            '{defaults: {timeoutSeconds: "${{ params.n }}"}}',
            "spec.defaults.timeoutSeconds: an expression can't be used here; write the value",
        ),
        (
            "{defaults: {timeoutSeconds: -1}}",
            "spec.defaults.timeoutSeconds: must be more than 0, not -1",
        ),
        ("{defaults: {retry: 3}}", "spec.defaults.retry: expected a mapping"),
        (
            "{defaults: {retry: {exitCodes: [1], exceptExitCodes: [2]}}}",
            "spec.defaults.retry.exceptExitCodes: exitCodes and exceptExitCodes exclude each other",
        ),
        ("3", "spec: expected a mapping, found the number 3"),
    ],
)
def test_bad_defaults_get_a_clear_error(place: Place, spec: str, said: str) -> None:
    (place.specs / "d.yaml").write_text(
        f"apiVersion: treadle.dev/v1\nkind: Defaults\nspec: {spec}\n"
    )
    found = place.treadle("validate", "--format", "short", code=2).stderr.decode()
    assert f": {said}" in found
    assert found.count("\n") == 1


def test_all_faults_come_at_once(place: Place) -> None:
    """Those of shape, and those that the rules find in the rest."""
    (place.specs / "d.yaml").write_text(
        "apiVersion: treadle.dev/v1\nkind: Defaults\nmetadata: 3\nspec:\n  x: 1\n  defaults:\n"
        "    timeoutSeconds: -1\n    retry: {limit: a, exitCodes: [1], exceptExitCodes: [2]}\n"
        "    uses: [gpu, gpu]\n---\napiVersion: treadle.dev/v1\nkind: Defaults\nspec: {}\n"
    )
    found = place.treadle("validate", "--format", "short", code=2).stderr.decode().splitlines()
    assert [line.split(": ")[1] for line in found] == [
        "metadata",
        "spec.x",
        "spec.defaults.timeoutSeconds",
        "spec.defaults.retry.limit",
        "spec.defaults.retry.exceptExitCodes",
        "spec.defaults.uses[1]",
        "kind",
    ]


def test_get_shows_the_merge_and_where_it_is_from(house: Place) -> None:
    assert "defaults" not in house.says("get", "w", "-o", "yaml")
    shown = house.says("get", "w", "-o", "yaml", "--effective")
    assert [line for line in shown.splitlines() if line.startswith("#")] == [
        "# w: spec.defaults.timeoutSeconds is from team/team.yaml",
        "# w: spec.defaults.retry.limit is from all.yaml",
        "# w: spec.ttlSecondsAfterFinished is from all.yaml",
    ]
    assert "  defaults:\n    timeoutSeconds: 60.0\n    retry:\n      limit: 2\n" in shown
    (house.root / "shown.yaml").write_text(shown)
    assert "ok (1 workflow, 1 step)" in house.says("validate", "shown.yaml")
    said = house.complains("get", "w", "--effective", code=2)
    assert said == (
        "treadle: --effective shows the spec: use it with -o yaml or -o json, not with -w"
    )


def test_diff_lists_what_is_edited_and_that_it_runs_nothing(house: Place) -> None:
    assert house.says("diff") == ""
    (house.specs / "all.yaml").write_text(documents(POLICY.replace(" 600", " 30"), pool("gpu", 3)))
    edited = [
        "pool gpu (all.yaml)  edited; runs nothing again",
        "  @@ spec @@",
        "  -slots: 2",
        "  +slots: 3",
        "",
        "Defaults of the specs folder (all.yaml)  edited; it holds for 1 workflow; "
        "runs nothing again",
        "  @@ spec @@",
        "   defaults:",
        "  -  timeoutSeconds: 600",
        "  +  timeoutSeconds: 30",
        "     retry:",
        "       limit: 2",
        "   ttlSecondsAfterFinished: 3600",
        "",
    ]
    assert sorted(house.says("diff", code=1).splitlines()) == sorted(edited)
    assert sorted(house.says("diff", "specs/all.yaml", code=1).splitlines()) == sorted(edited)
    (house.specs / "team/team.yaml").unlink()
    said = house.says("diff", code=1)
    assert "Defaults of team (team/team.yaml)  is removed; it held for 1 workflow; runs" in said


def test_a_file_outside_belongs_to_no_folder(house: Place) -> None:
    (house.root / "x.yaml").write_text(defaults(5))
    for command in (["diff", "x.yaml"], ["apply", "-f", "x.yaml"]):
        said = house.complains(*command, code=2)
        assert said.startswith(
            "treadle: x.yaml: Defaults hold for the folder that their file is in"
        )
    said = house.complains("run", "x.yaml", code=2)
    assert "there is no workflow in it; templates, pools and Defaults do not run" in said


SLEEPS = document("job", a="sleep 30")


def test_run_finds_them_among_its_files(place: Place) -> None:
    (place.root / "job.yaml").write_text(documents(defaults(0.05), SLEEPS))
    place.treadle("run", "job.yaml", code=1)
    assert place.shape("job")["status"]["steps"][0]["reason"] == "Timeout"
    assert place.says("replay", "--verify").endswith("consistent\n")


def test_run_finds_them_in_the_specs_folder(place: Place) -> None:
    """Those at its top, for a file outside; for one inside those of the folders above it."""
    (place.specs / "team").mkdir()
    (place.specs / "all.yaml").write_text(defaults(0.05))
    (place.root / "job.yaml").write_text(SLEEPS)
    place.treadle("run", "job.yaml", code=1)
    assert place.shape("job")["status"]["steps"][0]["reason"] == "Timeout"
    (place.specs / "all.yaml").write_text(defaults(60))
    (place.specs / "team/team.yaml").write_text(defaults(0.05))
    (place.specs / "team/job.yaml").write_text(SLEEPS)
    place.treadle("run", "specs/team/job.yaml", code=1)
    assert place.shape("job")["status"]["steps"][0]["reason"] == "Timeout"


def test_run_warns_of_defaults_with_faults(place: Place) -> None:
    (place.specs / "all.yaml").write_text(defaults(-1))
    (place.root / "job.yaml").write_text(document("job", a="true"))
    done = place.treadle("run", "job.yaml")
    assert b"it has faults, so its Defaults do not hold for this run" in done.stderr


def test_run_of_several_files_warns_once_of_defaults_with_faults(place: Place) -> None:
    """Of one in a folder that is above two of the files, and counts for a third one outside."""
    (place.specs / "team").mkdir()
    (place.specs / "all.yaml").write_text(defaults(-1))
    files = {"out.yaml": "one", "specs/top.yaml": "two", "specs/team/in.yaml": "three"}
    for path, name in files.items():
        (place.root / path).write_text(document(name, a="true"))
    done = place.treadle("run", *files)
    assert done.stderr.count(b"its Defaults do not hold for this run") == 1


USES = document("job", a="true").replace('"run"', '"uses": ["api"], "run"')


def test_run_finds_a_pool_among_its_files_unless_the_folder_has_it(place: Place) -> None:
    (place.root / "job.yaml").write_text(USES)
    place.treadle("run", "job.yaml", code=1)
    (place.root / "pool.yaml").write_text(pool("api", 1))
    place.treadle("cancel", "job")
    place.treadle("up", "--once")
    place.treadle("run", "job.yaml", "pool.yaml")
    assert place.says("pools").splitlines()[1].split()[0] == "api"
    (place.specs / "mine.yaml").write_text(pool("api", 3))
    with place.up():
        place.until(lambda: place.folded().pools["api"].path == "mine.yaml")
        place.treadle("run", "job.yaml", "pool.yaml")
        assert place.folded().pools["api"].slots == 3
        (place.specs / "mine.yaml").unlink()
        place.until(lambda: "api" not in place.folded().pools)
        place.treadle("run", "job.yaml", "pool.yaml")


def test_run_finds_a_pool_in_the_specs_folder_without_a_controller(place: Place) -> None:
    (place.specs / "mine.yaml").write_text(pool("api", 2))
    (place.root / "job.yaml").write_text(USES)
    place.treadle("run", "job.yaml")
    assert place.folded().pools["api"].path == "mine.yaml"


def test_apply_and_delete_of_a_file_with_a_pool(house: Place) -> None:
    (house.root / "p.yaml").write_text(pool("api", 4))
    assert house.says("apply", "-f", "p.yaml") == "pool api: written (specs/api.yaml)\n"
    (house.root / "p.yaml").write_text(pool("api", 5))
    assert house.says("apply", "-f", "p.yaml") == "pool api: replaced (specs/api.yaml)\n"
    (house.root / "p.yaml").write_text(pool("gpu", 5))
    said = house.complains("apply", "-f", "p.yaml", code=2)
    assert said == (
        "treadle: specs/all.yaml also defines Defaults, which would be removed; edit the file"
    )
    path = house.specs / "team/w.yaml"
    path.write_text(documents(path.read_text() + "\n", pool("cpu")))
    said = house.complains("delete", "w", code=2)
    assert said == "treadle: specs/team/w.yaml also defines the pool cpu: remove w by hand"


def test_history_names_the_edits_that_held_for_the_workflow(house: Place) -> None:
    (house.specs / "other").mkdir()
    (house.specs / "other/d.yaml").write_text(defaults(5))
    (house.specs / "team/team.yaml").write_text(defaults(70))
    house.says("up", "--once")
    (house.specs / "all.yaml").unlink()
    house.says("up", "--once")
    rows = [line.split(None, 5) for line in house.says("history", "w").splitlines()[1:]]
    assert [(row[0], row[3], row[5]) for row in rows] == [
        ("1", "team/w.yaml", "first version"),
        ("-", "team/team.yaml", "timeoutSeconds 60 -> 70 in Defaults"),
        (
            "-",
            "all.yaml",
            "timeoutSeconds removed, retry.limit removed, ttlSecondsAfterFinished removed "
            "in Defaults",
        ),
    ]


def test_a_rejected_file_is_in_the_list(house: Place) -> None:
    """A file that never had a workflow is named like its file, as others are."""
    (house.specs / "team/second.yaml").write_text(defaults(9))
    assert house.treadle("up", "--once", code=2)
    said = house.says("get", "second", "-o", "json")
    assert "the Defaults of this folder are already in specs/team/team.yaml:1" in said


def test_a_real_step_gets_what_people_write(place: Place) -> None:
    """Edits, a file with a fault, a symlink, a move: each while the step runs."""
    place.spec("w", a=HELD)
    policy = place.specs / "policy.yaml"

    def seconds() -> float | None:
        """How long the attempt may take."""
        state = place.folded()
        life = state.workflows.get("w")
        step = None if life is None else life.steps["a"]
        if life is None or step is None or step.live is None or step.live.started is None:
            return -1
        due = state.timer_of.get((life.uid, "a", TimerKind.TIMEOUT))
        return None if due is None else round((due - step.live.started) / 1e6)

    with place.up():
        place.until(lambda: seconds() is None)
        policy.write_text(defaults(500))
        place.until(lambda: seconds() == 500)
        policy.write_text(defaults(400))
        place.until(lambda: seconds() == 400)
        policy.write_text(defaults(300) + "x: 1\n")
        place.until(lambda: "policy.yaml" in place.folded().rejected)
        assert seconds() == 400
        (place.specs / "sub").mkdir()
        (place.specs / "sub/real.yaml").write_text(defaults(100))
        _link(policy, place.specs / "sub/real.yaml")
        place.until(lambda: "sub" in place.folded().defaults)
        place.until(lambda: "" not in place.folded().defaults)
        assert seconds() is None, "a symlink to what is seen anyway is no second document"
        (place.specs / "w.yaml").rename(place.specs / "sub/w.yaml")
        place.until(lambda: seconds() == 100)
    with place.up():
        assert seconds() == 100, "another controller"
        (place.specs / "sub/real.yaml").write_text(defaults(0.1))
        place.until(lambda: place.phase("w") == "Failed")
    (ended,) = place.shape("w")["status"]["steps"][0]["attempts"]
    assert (ended["reason"], ended["message"]) == ("Timeout", "timed out after 0.1 s")
    assert place.shape("w")["metadata"]["generation"] == 1


def _link(path: Path, target: Path) -> None:
    path.unlink()
    path.symlink_to(target)


def test_the_hooks_of_the_house(place: Place) -> None:
    """They start in the folder of their file; a nearer list replaces one; a deletion keeps them."""
    (place.specs / "team/sub").mkdir(parents=True)
    hooks = {
        kind: [{"name": "note", "run": f"echo {kind} $TREADLE_WORKFLOW $(pwd) >> {kind}.txt"}]
        for kind in ("onFailure", "onCancel", "onExit")
    }
    (place.specs / "all.yaml").write_text(defaults(60, hooks=hooks))
    (place.specs / "team/d.yaml").write_text(defaults(60, hooks={"onExit": []}))
    place.spec("w", "w.yaml", a="exit 3")
    place.spec("v", "team/sub/v.yaml", a="exit 3")
    place.spec("long", "team/long.yaml", a=HELD)
    with place.up():
        place.until(lambda: place.phase("w") == "Failed" and place.phase("v") == "Failed")
        place.until(lambda: bool(place.folded().live))
        shutil.rmtree(place.specs / "team")
        place.until(lambda: place.phase("long") == "Cancelled")
    said = {kind: (place.specs / f"{kind}.txt").read_text().splitlines() for kind in hooks}
    assert {kind: sorted(lines) for kind, lines in said.items()} == {
        "onFailure": [f"onFailure v {place.specs}", f"onFailure w {place.specs}"],
        "onCancel": [f"onCancel long {place.specs}"],
        "onExit": [f"onExit w {place.specs}"],
    }
