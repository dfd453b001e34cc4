"""`treadle run`: beside others, one after the other, and after a controller that was killed."""

import os
import re
import signal
from pathlib import Path

import pytest
from cli.place import HELD, Place, document


def write(place: Place, name: str, **steps: str) -> None:
    (place.root / f"{name}.yaml").write_text(document(name, **steps))


def test_is_driven_by_another_run_and_goes_on_alone_when_that_has_ended(place: Place) -> None:
    write(place, "first", hold=HELD)
    write(place, "second", only=HELD.replace("go", "go-on"))
    driver = place.begin("run", "first.yaml")
    place.until(lambda: place.phase("first") == "Running")
    follower = place.begin("run", "second.yaml")
    assert follower.stderr is not None
    handed_over = follower.stderr.readline()
    expected = f"a controller is already running (pid {driver.pid}): it runs these workflows"
    assert handed_over.decode() == f"treadle: {expected}\n"
    place.until(lambda: place.phase("second") == "Running")  # beside the first, not after it
    (place.root / "go").touch()
    driver.communicate(timeout=30)
    (place.root / "go-on").touch()
    out, err = follower.communicate(timeout=30)
    assert (driver.returncode, follower.returncode) == (0, 0)
    assert b"second Succeeded" in out
    assert err in (b"", b"treadle: that controller has exited: continuing without it\n")
    (step,) = place.shape("second")["status"]["steps"]
    assert len(step["attempts"]) == 1, "adopted, not started anew"


def test_resume_goes_on_with_what_a_killed_run_left_alive(place: Place) -> None:
    write(place, "job", hold=HELD)
    driver = place.begin("run", "job.yaml")
    place.until(lambda: place.phase("job") == "Running")
    driver.send_signal(signal.SIGKILL)
    driver.communicate(timeout=30)
    refused = place.complains("run", "job.yaml", code=2)
    assert "--resume" in refused
    resumed = place.begin("run", "--resume", "job.yaml")
    (place.root / "go").touch()
    out, _ = resumed.communicate(timeout=30)
    assert resumed.returncode == 0
    assert b"job Succeeded" in out
    (step,) = place.shape("job")["status"]["steps"]
    assert len(step["attempts"]) == 1


def test_a_name_given_twice_runs_nothing(place: Place) -> None:
    write(place, "job", only="true")
    said = place.complains("run", "job.yaml", "./job.yaml", code=2)
    assert said == "treadle: ./job.yaml: job is already in job.yaml; give it only once"
    assert not place.state.exists()


def test_detached_it_returns_when_the_new_life_has_begun(place: Place) -> None:
    write(place, "job", only="true")
    place.says("run", "job.yaml")
    write(place, "job", hold=HELD)
    assert "in the background" in place.says("run", "--detach", "job.yaml")
    assert place.phase("job") != "Succeeded", "that was the life before"
    (place.root / "go").touch()
    place.says("wait", "job", "--for=condition=Complete", "--timeout", "30")
    assert place.phase("job") == "Succeeded"


def test_detached_it_tells_of_a_refusal(place: Place) -> None:
    write(place, "job", hold=HELD)
    place.says("run", "--detach", "job.yaml")
    place.until(lambda: place.phase("job") == "Running")  # since when is told then
    refused = place.complains("run", "--detach", "job.yaml", code=2)
    assert re.fullmatch(
        r"treadle: job is already running \(since \d\d:\d\d:\d\d\)\. "
        r"Follow it: treadle logs -f job; or cancel it: treadle cancel job",
        refused,
    )
    (place.root / "go").touch()
    place.until(lambda: place.phase("job") == "Succeeded")


def test_nothing_in_the_present_folder_passes_itself_off_as_treadle(place: Place) -> None:
    impostor = place.root / "controller/cli"
    impostor.mkdir(parents=True)
    (impostor / "__main__.py").write_text("print('impostor')")
    for package in (impostor.parent, impostor):
        (package / "__init__.py").touch()
    write(place, "job", only="true")
    place.says("run", "--detach", "job.yaml")
    place.until(lambda: place.phase("job") == "Succeeded")


def test_a_file_as_large_as_is_allowed(place: Place) -> None:
    place.spec("large", file="large.yaml", only=f"true {'#' * 4000}")
    small = ("--max-spec-size", "4000")
    for words in (("run", "specs/large.yaml"), ("diff", "specs/large.yaml"), ("diff",)):
        assert "larger than 4,000 bytes" in place.complains(*words, *small, code=2)
    place.says("run", "specs/large.yaml", "--max-spec-size", "5K")


def test_a_file_that_is_not_there_and_none_at_all(place: Place) -> None:
    assert place.complains("run", "nosuch.yaml", code=5) == "treadle: nosuch.yaml: no such file"
    assert place.complains("run", code=2) == "treadle: run: name at least one FILE"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_follower_at_once_and_nothing_else(
    place: Place, number: signal.Signals, code: int
) -> None:
    write(place, "job", hold=HELD)
    with place.up():
        follower = place.begin("run", "job.yaml")
        assert follower.stdout is not None
        assert follower.stdout.readline().endswith(b" job Running: run 1 started\n")
        follower.send_signal(number)
        follower.communicate(timeout=30)
        assert follower.returncode == code
        assert place.phase("job") == "Running"


@pytest.mark.parametrize("leave", [True, False])
def test_what_a_step_leaves_running_goes_unless_it_may_stay(place: Place, leave: bool) -> None:
    file = place.root / "job.yaml"
    write(place, "job", serve="sleep 300 & echo $! > pid")
    said = f'"name": "serve", "leaveProcesses": {str(leave).lower()}'
    file.write_text(file.read_text().replace('"name": "serve"', said))
    place.says("run", "job.yaml")
    pid = int((place.root / "pid").read_text())
    try:
        os.kill(pid, 0)
        assert leave
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        assert not leave
    (step,) = place.shape("job")["status"]["steps"]
    assert len(step["attempts"][0]["notes"]) == (0 if leave else 1)


def test_a_life_whose_controller_was_killed_takes_an_edited_file(place: Place) -> None:
    file = place.root / "w.yaml"
    file.write_text(document("w", a=HELD, b="echo old > out"))
    first = place.begin("run", "w.yaml")
    place.until(lambda: place.phase("w") == "Running")
    place.until(lambda: place.folded().workflows["w"].steps["a"].attempts != [])
    first.kill()
    first.communicate()
    file.write_text(document("w", a=HELD, b="echo new > out"))
    second = place.begin("run", "w.yaml", "--resume")
    place.until(lambda: place.folded().workflows["w"].generation == 2)
    (place.root / "go").touch()
    assert second.wait(30) == 0
    second.communicate()
    assert (place.root / "out").read_text() == "new\n"
    assert place.folded().workflows["w"].steps["a"].numbered == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("words", [("up", "--once"), ("run", "job.yaml")])
def test_who_was_stopped_before_the_end_does_not_say_that_all_is_well(
    place: Place, words: tuple[str, ...], number: signal.Signals
) -> None:
    home = place.specs if words[0] == "up" else place.root
    (home / "job.yaml").write_text(document("job", hold=HELD))
    command = place.begin(*words)
    place.until(lambda: place.phase("job") == "Running")
    command.send_signal(number)
    command.communicate(timeout=30)
    assert command.returncode == 128 + number


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_controller_that_stays_ends_well_when_it_is_stopped(
    place: Place, number: signal.Signals
) -> None:
    place.spec("job", hold=HELD)
    with place.up() as controller:
        place.until(lambda: place.phase("job") == "Running")
        controller.send_signal(number)
        assert controller.wait(30) == 0


def test_what_the_folder_has_is_run_again_by_restart(place: Place) -> None:
    place.spec("hello", a="true")
    place.says("up", "--once")
    refused = place.complains("run", "specs/hello.yaml", code=2)
    assert refused == (
        "treadle: hello is already managed from the specs folder (hello.yaml); "
        "to run it again: treadle restart hello"
    )


def test_a_state_folder_that_is_new_is_named(place: Place) -> None:
    write(place, "job", only="true")
    made = f"treadle: made {place.state} for the state\n".encode()
    assert place.treadle("run", "job.yaml").stderr == made
    assert place.treadle("run", "job.yaml").stderr == b""
    assert place.treadle("run", "--state", "other", "job.yaml").stderr == b""


def test_where_no_state_folder_can_be_made(place: Place) -> None:
    write(place, "job", only="true")
    job = place.root / "job.yaml"
    root, place.root = place.root, Path("/proc")
    said = place.complains("run", str(job), code=4)
    place.root = root
    assert said == (
        "treadle: can't create /proc/.treadle: No such file or directory. treadle keeps its state "
        "in ./.treadle; cd to the project, or name another folder with --state"
    )


PARAMS = """
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: job}
spec:
  params: {date: {type: string}, rows: 5, regions: [eu]}
  steps:
    - name: a
      outputs: {rows: integer}
      env: {ROWS: "${{ params.rows }}", DATE: "${{ params.date }}"}
      run: |
        echo "rows=$ROWS" > "$TREADLE_OUTPUT"
        echo "$DATE"
        [ ! -e broken ]
    - name: b
      dependsOn: [a]
      command: [echo, "${{ steps.a.outputs.rows + 1 }}", "${{ params.regions }}"]
"""


def with_params(place: Place) -> None:
    (place.root / "job.yaml").write_text(PARAMS)


def test_params_reach_the_steps_and_the_status(place: Place) -> None:
    with_params(place)
    (place.root / "p.yaml").write_text("rows: 6\nregions: [eu, us]\n")
    place.says("run", "job.yaml", "-p", "rows=7", "-p", "date=a b", "--params", "p.yaml")
    status = place.shape("job")["status"]
    assert status["params"] == {"date": "a b", "rows": 7, "regions": ["eu", "us"]}
    assert status["steps"][0]["outputs"] == {"rows": 7}
    assert place.says("logs", "job") == "[a] a b\n[b] 8 eu us\n"


def test_params_in_the_background(place: Place) -> None:
    with_params(place)
    place.says("run", "--detach", "job.yaml", "-p", "date=x")
    place.until(lambda: place.phase("job") == "Succeeded")
    assert place.shape("job")["status"]["params"]["date"] == "x"


def test_every_fault_of_params_before_anything_starts(place: Place) -> None:
    with_params(place)
    (place.root / "p.yaml").write_text("row: 6\n")
    words = ("run", "job.yaml", "-p", "rows=x", "-p", "regions", "--params", "p.yaml")
    assert place.treadle(*words, code=2).stderr.decode().splitlines() == [
        "-p regions: this gives no value; write -p regions=VALUE",
        '-p rows: expected an integer, found "x"',
        'p.yaml:1:6: row: job has no param "row"; did you mean "rows"?',
    ]
    assert not place.state.exists()


def test_params_stay_when_a_run_goes_on(place: Place) -> None:
    with_params(place)
    (place.root / "broken").touch()
    place.treadle("run", "job.yaml", "-p", "date=x", code=1)
    said = place.complains("run", "--resume", "job.yaml", "-p", "date=y", code=2)
    assert said.startswith(
        "treadle: run: --resume continues with the params that the run was given"
    )
    (place.root / "broken").unlink()
    place.says("run", "--resume", "job.yaml")
    assert place.shape("job")["status"]["params"]["date"] == "x"


def test_a_mark_with_outputs(place: Place) -> None:
    with_params(place)
    (place.root / "broken").touch()
    place.treadle("run", "job.yaml", "-p", "date=x", code=1)
    words = ("mark", "job/a", "--succeeded", "--reason", "by hand")
    assert place.complains(*words, "--output", "row=5", code=2) == (
        'treadle: mark: the step does not declare the output "row"; did you mean "rows"?; '
        'the output "rows" is missing; write --output NAME=VALUE for each'
    )
    place.says(*words, "--output", "rows=41")
    place.says("run", "--resume", "job.yaml")
    assert place.says("logs", "job", "b") == "42 eu\n"


# ---------------------------------------- templates

CHAIN = """
apiVersion: treadle.dev/v1
kind: Template
metadata: {name: chain}
spec:
  params: {site: {type: string}}
  outputs: {rows: "${{ steps.load.outputs.rows }}"}
  steps:
  - {name: fetch, run: 'echo fetched $SITE', env: {SITE: "${{ params.site }}"}}
  - {name: load, workingDir: tools, run: './load', dependsOn: [fetch], outputs: {rows: integer}}
"""
USER = """
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: job}
spec:
  params: {where: eu}
  steps:
  - {name: go, template: {name: chain, params: {site: "${{ params.where }}"}}}
  - name: say
    run: echo $ROWS rows
    env: {ROWS: "${{ steps.go.outputs.rows }}"}
    dependsOn: [go]
"""


def tool(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_template_of_the_folder_runs_beside_its_own_file(place: Place) -> None:
    """Then it is edited: a resumed run does again what that changes, and no more."""
    (place.root / "jobs").mkdir()
    (place.root / "jobs/job.yaml").write_text(USER)
    (place.specs / "lib").mkdir()
    (place.specs / "lib/chain.yaml").write_text(CHAIN)
    tool(place.specs / "lib/tools/load", 'echo rows=5 > "$TREADLE_OUTPUT"; exit 3')
    place.says("run", "jobs/job.yaml", "-p", "where=us", code=1)
    assert place.says("logs", "job", "go/fetch") == "fetched us\n"
    (place.specs / "lib/chain.yaml").write_text(CHAIN.replace("./load", "sh ./load || true"))
    place.says("run", "--resume", "jobs/job.yaml")
    steps = place.folded().workflows["job"].steps
    assert {name: len(step.attempts) for name, step in steps.items()} == {
        "go": 0,
        "go/fetch": 1,
        "go/load": 2,
        "say": 1,
    }
    assert place.says("logs", "job", "say") == "5 rows\n"


def test_a_template_that_is_nowhere(place: Place) -> None:
    (place.root / "job.yaml").write_text(USER)
    said = place.complains("run", "job.yaml", code=2)
    assert 'no template is named "chain"' in said
    (place.root / "chain.yaml").write_text(CHAIN)
    said = place.complains("run", "chain.yaml", code=2)
    assert said.startswith("treadle: run: chain.yaml: there is no workflow in it; ")
    assert not place.state.exists()
