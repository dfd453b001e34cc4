"""Attempts on a real Slurm: what they get, how they end, and who else may end them."""

import subprocess

import psutil
import pytest
from engines.slurm.lab import NOTE, TREADLE, Lab, Place, eventually


def processes(word: str) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if word in " ".join(process.info["cmdline"] or [])
    ]


def test_a_step_gets_what_it_is_promised(place: Place) -> None:
    script = (
        'echo "rows=3" > "$TREADLE_OUTPUT"; touch "$TREADLE_WORK_DIR/here"; pwd; '
        'echo "$SLURM_CPUS_PER_TASK cpus"; cat "$TEXT"'
    )
    first = {
        "name": "first",
        "before": "echo before",
        "after": 'echo "after $TREADLE_EXIT_CODE"',
        "run": script,
        "outputs": {"rows": "integer"},
        "resources": {"cpu": 2},
        "env": {"TEXT": {"asFile": "a text\n"}},
    }
    second = {
        "name": "second",
        "dependsOn": ["first"],
        "env": {"ROWS": "${{ steps.first.outputs.rows }}"},
        "run": 'ls "$TREADLE_WORK_DIR"; echo "rows $ROWS" >&2; exit 7',
    }
    place.write("w", [first, second])
    place.up("--once").wait(120)
    assert place.status("w")["phase"] == "Failed"
    assert "exit code 7" in place.step("w", "second")["message"]
    text = place.say("logs", "w", "first")
    for line in ("before", str(place.specs), "2 cpus", "a text", "after 0"):
        assert line in text, text
    assert "here" in place.say("logs", "w", "second")
    eventually(lambda: not list(place.shared.glob("*/treadle-*")), "the folders are removed")


def test_logs_can_be_followed(place: Place) -> None:
    place.write(
        "w", [{"name": "slow", "run": "echo one; while [ ! -e go ]; do sleep 0.1; done; echo two"}]
    )
    place.up()
    place.until_step("w", "slow", "Running")
    argv = [str(TREADLE), "logs", "w", "-f", *place.state]
    with subprocess.Popen(argv, env=place.env, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "one\n"
        assert place.step("w", "slow")["phase"] == "Running"
        (place.specs / "go").touch()
        assert reader.stdout.read() == "two\n"


def test_what_is_deaf_or_has_left_is_gone_after_a_cancel(place: Place) -> None:
    script = (
        "trap '' TERM; setsid sh -c \"trap '' TERM; while :; do sleep 47101; done\" & "
        "sh -c 'sleep 47102' & while :; do sleep 47103; done"
    )
    place.write("w", [{"name": "deaf", "terminationGracePeriodSeconds": 1, "run": script}])
    place.up()
    place.until_step("w", "deaf", "Running")
    eventually(lambda: len(processes("sleep 4710")) >= 3, "they run")
    (place.specs / "w.cancel").touch()
    place.until("w", "Cancelled")
    assert not processes("sleep 4710")


def test_a_timeout_is_the_runners(place: Place) -> None:
    place.write("w", [{"name": "long", "timeoutSeconds": 1, "run": "sleep 47201"}])
    place.up("--once").wait(120)
    step = place.step("w", "long")
    assert (step["phase"], step["message"]) == ("Failed", "timed out after 1 s")
    assert not processes("sleep 47201")


def test_one_that_waits_says_why_and_is_withdrawn(place: Place) -> None:
    slurm = {"args": ["--begin=now+1hour"]}
    place.write("w", [{"name": "later", "executor": {"slurm": slurm}, "run": NOTE}])
    place.up()
    eventually(lambda: "BeginTime" in place.say("events", "w", "--all"), "the reason is told")
    (place.specs / "w.cancel").touch()
    place.until("w", "Cancelled")
    assert not place.runs()
    assert set(place.lab.jobs().values()) <= {"CANCELLED", "COMPLETED", "FAILED"}


def test_somebody_else_cancels_it(place: Place, lab: Lab) -> None:
    """The step is not to blame, so it is tried again."""
    once = f'{NOTE}; [ "$TREADLE_ATTEMPT" = 2 ] || sleep 47301'
    place.write("w", [{"name": "victim", "run": once}])
    place.up()
    place.until_step("w", "victim", "Running")
    eventually(lambda: processes("sleep 47301"), "it runs")
    (job,) = lab.numbers("RUNNING")
    lab.said("scancel", job)
    place.until("w", "Succeeded")
    assert place.runs() == ["victim 1", "victim 2"]
    assert "CANCELLED" in place.say("events", "w", "--all")


def test_slurmctld_is_away_for_a_while(place: Place, lab: Lab) -> None:
    script = f"{NOTE}; while [ ! -e go ]; do sleep 0.1; done"
    place.write("w", [{"name": "a", "run": script}, {"name": "b", "dependsOn": ["a"], "run": NOTE}])
    place.up()
    place.until_step("w", "a", "Running")
    lab.stop("slurmctld")
    try:
        eventually(lambda: "EngineUnreachable" in place.say("status"), "the condition")
        (place.specs / "go").touch()
    finally:
        lab.start_controller()
    place.until("w", "Succeeded")
    assert place.runs() == ["a 1", "b 1"]
    assert "EngineUnreachable" not in place.say("status")


def test_a_node_dies(place: Place, lab: Lab) -> None:
    once = f'{NOTE}; [ "$TREADLE_ATTEMPT" = 2 ] || sleep 47401'
    place.write("w", [{"name": "victim", "run": once}])
    place.up()
    place.until_step("w", "victim", "Running")
    eventually(lambda: processes("sleep 47401"), "it runs")
    (node,) = lab.said("squeue", "-ht", "RUNNING", "-o", "%N").split()
    number = int(node[1:])
    lab.kill_node(number)
    try:
        place.until("w", "Succeeded", seconds=240)
    finally:
        lab.start_node(number)
    assert place.runs() == ["victim 1", "victim 2"]
    assert "NODE_FAIL" in place.say("events", "w", "--all")
    eventually(lambda: lab.said("sinfo", "-hNo", "%t").split().count("idle") >= 2, "it is back")


def test_a_folder_that_a_node_does_not_see(place: Place, lab: Lab) -> None:
    if not lab.has_a_node_apart:
        pytest.skip("no mount can be made here")
    slurm = {"partition": "apart"}
    place.write("w", [{"name": "a", "executor": {"slurm": slurm}, "run": NOTE}])
    place.up("--once").wait(120)
    message = place.step("w", "a")["message"]
    assert "node n3 does not see" in message and "sharedDir must be" in message


def test_held_jobs_of_a_lost_log_are_removed(place: Place, lab: Lab) -> None:
    """Its state folder has been put back as it was before the jobs were made."""
    place.write("w", [{"name": "a", "run": NOTE}])
    place.up("--once").wait(120)
    (folder,) = place.shared.iterdir()
    comment = f"treadle.folder={folder.name} treadle.attempt=no-such-uid/x/1 treadle.mark=7"
    name = "treadle-x-000000000000007"
    held = ["sbatch", "--hold", f"--job-name={name}", f"--comment={comment}", "--wrap=true"]
    lab.said(*held)
    others = name.replace("7", "8")
    lab.said(*held[:2], f"--job-name={others}", "--comment=treadle.folder=another", "--wrap=true")
    place.up()
    eventually(lambda: lab.jobs()[name] == "CANCELLED", "it is cancelled")
    assert lab.jobs()[others] == "PENDING"
    (job,) = lab.numbers("PENDING")
    lab.said("scancel", job)
