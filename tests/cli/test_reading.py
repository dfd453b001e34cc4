"""The commands that read: on logs made of events, with nothing running, and beside a controller."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli.place import HELD, TREADLE, Place, document
from story import Story, a_step

from controller.errors import Fault
from controller.log import segments
from controller.log.snapshots import newest, write
from controller.log.upkeep import keep_up
from controller.model import events as e

UID = "7c0f5d1e-aaaa-4bbb-8ccc-000000000001"


@pytest.fixture
def told(place: Place) -> Place:
    """`etl` (label team=data) runs its second step; `done` has succeeded; `new` was never valid."""
    story = Story()
    uids = iter([UID, "99999999-dddd-4eee-8fff-000000000002"])
    story.chance.uid = lambda: next(uids)  # type: ignore[method-assign]
    story.accept([a_step("extract", retry={"limit": 1}), a_step("load", "extract")], name="etl")
    story.see(e.SourceChanged(uid=UID, path="etl.yaml", labels={"team": "data"}))
    story.exit("extract", 75, workflow="etl").wait(1).exit("extract", workflow="etl")
    story.start("load", workflow="etl")
    story.accept([a_step("only")], name="done").exit("only", workflow="done")
    fault = Fault(file="specs/new.yaml", line=3, column=1, problem="is wrong", hint="mend it")
    story.see(e.FileRejected(path="new.yaml", digest="d", faults=[fault], names=["new"]))
    place.log(story.records)
    for log, data in {
        "extract.1": b"first try\n",
        "extract.2": b"one\ntwo\nthree\n",
        "load.1": b"caf\xc3\xa9 \xff\x00\nhalf a line",
    }.items():
        path = place.state / "runs" / UID / f"{log}.log"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    return place


# ---------------------------------------- get


def test_get_lists_what_lives_and_what_was_never_valid(told: Place) -> None:
    done = told.treadle("get")
    rows = [line.split()[:3] for line in done.stdout.decode().splitlines()]
    assert rows == [
        ["NAME", "PHASE", "STEPS"],
        ["done", "Succeeded", "1/1"],
        ["etl", "Running?", "1/2"],
        ["new", "Pending", "-"],
    ]
    assert done.stderr == b"warning: no controller is running; start one: `treadle up`\n"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["done", "etl", "new"]),
        (["etl", "done"], ["etl", "done"]),
        (["7c0f5d1e"], ["etl"]),
        ([UID], ["etl"]),
        (["-l", "team=data"], ["etl"]),
        (["-l", "team!=data"], ["done", "new"]),
    ],
)
def test_get_chooses_by_name_uid_and_label(told: Place, words: list[str], names: list[str]) -> None:
    assert told.says("get", *words, "-o", "name").split() == names


def test_get_json_of_one_and_of_many(told: Place) -> None:
    one = told.shape("etl")
    assert (one["kind"], one["metadata"]["uid"]) == ("Workflow", UID)
    many = json.loads(told.says("get", "-o", "json"))
    assert many["kind"] == "WorkflowList"
    assert [item["metadata"]["name"] for item in many["items"]] == ["done", "etl", "new"]
    assert many["items"][1] == one
    assert many["controller"]["phase"] == "Stopped"
    assert json.loads(told.says("get", "etl", "done", "-o", "json"))["kind"] == "WorkflowList"


def test_get_yaml_says_the_same_as_json(told: Place) -> None:
    assert yaml.safe_load(told.says("get", "etl", "-o", "yaml")) == told.shape("etl")
    assert told.says("get", "etl", "-o", "yaml").startswith("apiVersion: treadle.dev/v1\n")


def test_get_of_an_unknown_name_shows_the_others(told: Place) -> None:
    done = told.treadle("get", "etl", "dnoe", "-o", "name", code=5)
    assert done.stdout == b"etl\n"
    assert done.stderr == b'treadle: no workflow is named "dnoe"; did you mean "done"?\n'


def test_get_before_there_is_anything(place: Place) -> None:
    done = place.treadle("get")
    assert done.stdout == b""
    assert (
        done.stderr
        == (
            f"no state here ({place.state}), nor in a folder above; "
            "`treadle up` starts a controller\n"
        ).encode()
    )
    assert json.loads(place.says("get", "-o", "json"))["items"] == []
    assert 'no workflow is named "etl"' in place.complains("get", "etl", code=5)
    assert not place.state.exists(), "reading makes no state folder"


def test_reading_leaves_no_trace(told: Place) -> None:
    before = snapshot(told.state)
    for words in (["get"], ["status", "etl"], ["events"], ["logs", "etl"], ["replay"]):
        told.treadle(*words)
    assert snapshot(told.state) == before


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


# ---------------------------------------- status


def test_status_is_a_page(told: Place) -> None:
    page = told.says("status", "etl")
    assert page.startswith("● etl  Running?  run 1, ")
    assert "  ✓ extract  Succeeded  2 of 2" in page
    assert "\x1b" not in page, "no colour but on a terminal"
    assert told.says("describe", "7c0f5d1e") == page
    wide = told.says("status", "etl", "-o", "wide")
    assert wide.startswith(page)
    assert "exit code 75; retry 1 of 1 in 0.50 s" in wide


def test_utc_or_the_zone_of_the_machine(told: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert "T07:13:20+09:00, has taken" in told.says("status", "etl")
    assert "T22:13:20+00:00, has taken" in told.says("status", "etl", "--utc")


def test_status_of_what_was_never_valid_names_the_fault(told: Place) -> None:
    assert "specs/new.yaml:3:1: is wrong; mend it" in told.says("status", "new")


def test_status_json_is_that_of_get(told: Place) -> None:
    assert told.says("status", "etl", "-o", "json") == told.says("get", "etl", "-o", "json")


@pytest.mark.skipif(shutil.which("script") is None, reason="no script(1) to make a terminal")
@pytest.mark.parametrize(("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colour_and_its_width(
    told: Place, env: dict[str, str], coloured: bool
) -> None:
    """`script` gives the command a terminal of 80 columns."""
    command = f"stty cols 80; {TREADLE} status etl"
    clean = {k: v for k, v in os.environ.items() if k != "NO_COLOR"} | {"TERM": "xterm"} | env
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"],
        cwd=told.root, env=clean, capture_output=True, stdin=subprocess.DEVNULL, timeout=30,
        check=True,
    )  # fmt: skip
    text = done.stdout.decode()
    assert ("\x1b[33mRunning?\x1b[0m" in text) == coloured
    if not coloured:
        assert max(map(len, text.splitlines())) <= 80


# ---------------------------------------- logs


@pytest.mark.parametrize(
    ("words", "output"),
    [
        pytest.param(["load"], b"caf\xc3\xa9 \xff\x00\nhalf a line", id="byte by byte"),
        pytest.param(["extract"], b"one\ntwo\nthree\n", id="the last attempt"),
        pytest.param(["extract", "--attempt", "1"], b"first try\n", id="this attempt"),
        pytest.param(["extract", "--tail", "2"], b"two\nthree\n", id="the last lines"),
        pytest.param(["extract", "--tail", "0"], b"", id="no lines"),
        pytest.param(["extract", "--tail", "99"], b"one\ntwo\nthree\n", id="no more than all"),
        pytest.param(["load", "--tail", "1"], b"half a line", id="half a line is a line"),
        pytest.param(
            ["--tail", "1"],
            b"[extract] three\n[load] half a line\n",
            id="several steps: each line says whose it is",
        ),
    ],
)
def test_logs(told: Place, words: list[str], output: bytes) -> None:
    assert told.treadle("logs", "etl", *words).stdout == output


def test_tail_of_a_long_file_reads_its_end(told: Place) -> None:
    lines = [b"line %d" % number for number in range(50_000)]
    path = told.state / "runs" / UID / "extract.2.log"
    path.write_bytes(b"\n".join(lines) + b"\n")
    shown = told.treadle("logs", "etl", "extract", "--tail", "20000").stdout
    assert shown.splitlines() == lines[-20_000:]


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 131_072, 300_000])
def test_a_long_line_is_one_line_in_the_common_view(told: Place, length: int) -> None:
    long = b"h" * length
    for step, log in (("extract", "extract.2.log"), ("load", "load.1.log")):
        end = b"\n" if step == "extract" else b""
        (told.state / "runs" / UID / log).write_bytes(b"one\n" + long + end)
    assert told.treadle("logs", "etl").stdout.splitlines() == [
        b"[extract] one",
        b"[extract] " + long,
        b"[load] one",
        b"[load] " + long,
    ]


def test_a_line_that_another_step_interrupts_goes_on_with_the_name_of_its_step(
    place: Place,
) -> None:
    long = "head -c 100000 /dev/zero | tr '\\0' a; touch began"
    wait = "until [ -e shown ]; do sleep 0.02; done"
    job = json.loads(document("job", a=f"{long}; {HELD}; echo over", b=f"{wait}; echo b"))
    del job["spec"]["steps"][1]["dependsOn"]
    (place.specs / "job.yaml").write_text(json.dumps(job))
    with place.up():
        place.until((place.specs / "began").exists)
        following = place.begin("logs", "job", "-f")
        assert following.stdout is not None
        assert following.stdout.read(100_004) == b"[a] " + b"a" * 100_000
        (place.specs / "shown").touch()
        assert following.stdout.readline() == b"\n"
        assert following.stdout.readline() == b"[b] b\n"
        (place.specs / "go").touch()
        rest, err = following.communicate(timeout=30)
    assert (rest, err) == (b"[a] over\n", b"")


def test_logs_follow_a_step_that_empties_its_output(place: Place) -> None:
    place.spec("job", a=f"echo a long line; touch began; {HELD}; echo short > /dev/stderr")
    with place.up():
        place.until((place.specs / "began").exists)
        following = place.begin("logs", "job", "-f")
        assert following.stdout is not None
        assert following.stdout.readline() == b"a long line\n"
        (place.specs / "go").touch()
        rest, err = following.communicate(timeout=30)
    assert rest == b"short\n"
    assert b"the step has emptied it" in err


def test_logs_says_what_isnt_there(told: Place) -> None:
    said = told.complains("logs", "etl", "extrat", code=5)
    assert said == 'treadle: etl has no step "extrat"; did you mean "extract"?'
    said = told.complains("logs", "etl", "extract", "--attempt", "9", code=5)
    assert said == "treadle: extract has no attempt 9; it has 2"
    (told.state / "runs" / UID / "extract.2.log").unlink()
    assert "the output of attempt 2 is gone" in told.complains(
        "logs", "etl", "extract", "--attempt", "2", code=0
    )


def test_logs_follow_through_retries_to_the_end(place: Place) -> None:
    script = (
        "echo try $TREADLE_ATTEMPT; until [ -e go$TREADLE_ATTEMPT ]; do sleep 0.02; done; exit 1"
    )
    text = document("job", hold=script).replace(
        '"name": "hold"',
        '"name": "hold", "retry": {"limit": 1, "backoff": {"initialSeconds": 0.1}}',
    )
    (place.specs / "job.yaml").write_text(text)
    with place.up():
        place.until(lambda: place.phase("job") == "Running")
        following = place.begin("logs", "job", "-f")
        assert following.stdout is not None
        assert following.stdout.readline() == b"try 1\n"
        (place.specs / "go1").touch()
        assert following.stdout.readline() == b"try 2\n"
        (place.specs / "go2").touch()
        rest, err = following.communicate(timeout=30)
    assert (rest, err, following.returncode) == (b"", b"", 0)


# ---------------------------------------- events, replay


def events(place: Place, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in place.says("events", *words, "-o", "json").splitlines()]


def test_events_are_one_json_object_a_line(told: Place) -> None:
    every = events(told)
    assert all({"seq", "time", "type", "workflow", "uid"} <= event.keys() for event in every)
    assert [event["seq"] for event in every] == sorted(event["seq"] for event in every)
    of_etl = events(told, "etl")
    assert {event["uid"] for event in of_etl} == {UID}
    changes = [
        (event["step"], event["phase"], event["reason"])
        for event in of_etl
        if event["type"] == "PhaseChanged"
    ]
    assert changes[:5] == [
        ("extract", "Ready", "WaitingForSlot"),
        (None, "Running", "Started"),
        ("extract", "Running", "Started"),
        ("extract", "Pending", "BackOff"),
        ("extract", "Ready", "WaitingForSlot"),
    ]


def test_events_of_a_file_that_was_never_valid(told: Place) -> None:
    assert [event["type"] for event in events(told, "new")] == ["FileRejected"]


def test_events_for_people(told: Place) -> None:
    lines = told.says("events", "etl").splitlines()
    assert any("etl/extract" in line and "-> Running" in line for line in lines)
    assert not any("-> Ready" in line for line in lines)
    everything = told.says("events", "etl", "--all").splitlines()
    assert any("-> Ready" in line for line in everything)
    assert set(lines) < set(everything)
    assert told.says("events", "etl", "-n", "2").splitlines() == lines[-2:]
    assert told.says("events", "-n", "0") == told.says("events", "--since", "0s") == ""
    assert told.says("events", "etl", "--since", "2000-01-01").splitlines() == lines
    of_load = [line for line in lines if " etl/load " in line]
    assert told.says("events", "etl/load").splitlines() == of_load != []
    assert told.says("events", "7c0f5d1e", "l*").splitlines() == of_load
    assert 'no step of etl matches "x*"' in told.complains("events", "etl", "x*", code=5)
    assert told.complains("events", "--since", "noon", code=2).startswith("treadle: --since noon")
    assert "did you mean" in told.complains("events", "elt", code=5)


def test_json_events_are_chosen_the_same_way(told: Place) -> None:
    every = events(told, "etl")
    assert events(told, "etl", "-n", "3") == every[-3:]
    of_load = events(told, "etl/load")
    assert {event["step"] for event in of_load} == {"load"}
    assert {event["type"] for event in of_load} >= {"StepReady", "AttemptScheduled"}
    assert events(told, "etl", "--since", every[-1]["time"]) == [
        event for event in every if event["time"] == every[-1]["time"]
    ]


def test_events_follow(place: Place) -> None:
    place.spec("job", hold=HELD)
    with place.up():
        place.until(lambda: place.phase("job") == "Running")
        following = place.begin("events", "job", "-f", "-o", "json")
        (place.specs / "go").touch()
        assert following.stdout is not None
        for line in following.stdout:
            event = json.loads(line)
            if event.get("step", "") is None and event["phase"] == "Succeeded":
                break
        following.send_signal(signal.SIGINT)
        following.communicate(timeout=30)


def test_replay_shows_any_point(told: Place) -> None:
    started = next(event for event in events(told, "etl") if event["type"] == "AttemptFinished")
    for until in (str(started["seq"]), started["time"]):
        shown = json.loads(told.says("replay", "etl", "--until", until, "-o", "json"))
        (attempt,) = shown["status"]["steps"][0]["attempts"]
        assert (attempt["phase"], attempt["exitCode"]) == ("Failed", 75)
    assert told.says("replay", "-o", "name").split() == ["done", "etl", "new"]
    assert told.says("replay", "etl", "-o", "json") == told.says("get", "etl", "-o", "json")
    assert told.says("replay", "--until", "0", "-o", "name") == ""
    said = told.complains("replay", "--until", "noon", code=2)
    assert said.startswith(
        "treadle: --until noon: neither the number of a record nor a time like 5m"
    )


def test_get_and_status_show_any_point(told: Place) -> None:
    started = next(event for event in events(told, "etl") if event["type"] == "AttemptFinished")
    at = ("--at", str(started["seq"]))
    until = told.says("replay", "etl", "--until", str(started["seq"]), "-o", "json")
    assert told.says("get", "etl", *at, "-o", "json") == until
    assert told.says("status", "etl", *at, "-o", "json") == until
    assert "attempt 1, pid " in told.says("status", "etl", *at)
    assert told.complains("get", "--at", "noon", code=2).startswith("treadle: --at noon: neither")
    assert "use only one" in told.complains("get", "--watch", *at, code=2)


def test_replay_verify(told: Place) -> None:
    assert "whole, in order, and consistent" in told.says("replay", "--verify")


def test_replay_verify_holds_snapshots_against_the_log(told: Place) -> None:
    keep_up(str(told.state))
    assert told.says("replay", "--verify").endswith("consistent; 1 snapshot agrees\n")
    state, place = newest(str(told.state))
    state.time += 1
    write(str(told.state), state, place)
    assert "does not agree with the log; remove" in told.complains("replay", "--verify", code=4)


# ---------------------------------------- wait


@pytest.mark.parametrize(
    ("name", "goal", "code"),
    [
        ("done", "phase=Succeeded", 0),
        ("done", "phase=Failed", 1),
        ("done", "condition=Complete", 0),
        ("etl", "generation=1", 0),
        ("etl", "phase=Succeeded", 124),
        ("7c0f5d1e", "phase=Running", 0),
        ("elt", "phase=Succeeded", 5),
        ("new", "phase=Succeeded", 2),
        ("new", "condition=SpecInvalid", 0),
        ("etl", "bliss", 2),
    ],
)
def test_wait_answers_by_its_exit_code(told: Place, name: str, goal: str, code: int) -> None:
    told.treadle("wait", name, f"--for={goal}", "--timeout", "0.2", code=code)


def test_wait_sees_it_come_true_and_fail_to(place: Place) -> None:
    place.spec("good", hold=HELD)
    place.spec("bad", hold=f"{HELD}; false")
    with place.up():
        waits = {
            name: place.begin("wait", name, "--for", "phase=Succeeded", "--timeout", "1m")
            for name in ("good", "bad")
        }
        place.until(lambda: place.phase("good") == place.phase("bad") == "Running")
        assert [one.poll() for one in waits.values()] == [None, None]
        (place.specs / "go").touch()
        outcome = {name: one.communicate(timeout=30) for name, one in waits.items()}
    assert waits["good"].returncode == 0, outcome
    assert waits["bad"].returncode == 1, outcome
    assert outcome["bad"][1].decode().splitlines()[-2:] == [
        "treadle: bad ended as Failed: 1 failed (hold)",
        "next: treadle status bad",
    ]


# ---------------------------------------- the rest


def test_watch_shows_each_change(place: Place) -> None:
    place.spec("job", hold=HELD)
    with place.up():
        place.until(lambda: place.phase("job") == "Running")
        watching = place.begin("get", "-w")
        assert watching.stdout is not None
        assert watching.stdout.readline().startswith(b"NAME")
        assert watching.stdout.readline().split()[:2] == [b"job", b"Running"]
        (place.specs / "go").touch()
        rows = iter(watching.stdout.readline, b"")
        assert any(row.split()[:2] == [b"job", b"Succeeded"] for row in rows)
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=30)


def test_version(place: Place) -> None:
    assert place.says("version").startswith("treadle 0.")
    details = place.says("version", "-v")
    assert "log schema   1" in details
    assert "\nmarks        resource limit " in details


def test_a_log_of_a_newer_treadle_is_one_clear_line(told: Place) -> None:
    path = segments.path(str(told.state), 1)
    newer(Path(path))
    said = told.complains("get", code=4)
    assert "was written by a newer treadle" in said


def newer(path: Path) -> None:
    """Make the last record one of schema 99, with a good checksum."""
    from zlib import crc32

    *before, last = path.read_bytes().splitlines(keepends=True)
    body = last.rsplit(b',"crc":"', 1)[0].replace(b'"schema":1', b'"schema":99')
    path.write_bytes(b"".join(before) + body + b',"crc":"%08x"}\n' % crc32(body))


def test_a_reader_that_goes_away_is_no_error(told: Place) -> None:
    command = f"{TREADLE} events | head -1"
    done = subprocess.run(
        command, shell=True, cwd=told.root, capture_output=True, timeout=30, check=True
    )
    assert done.stdout.count(b"\n") == 1
    assert done.stderr == b""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_error(told: Place, closed: str) -> None:
    command = f"{TREADLE} get etl {closed}"
    done = subprocess.run(
        command, shell=True, cwd=told.root, capture_output=True, timeout=30, check=True
    )
    assert b"Traceback" not in done.stderr


def test_what_people_type_when_they_are_in_the_wrong_place(place: Place) -> None:
    for words in (("status", "x"), ("logs", "x"), ("retry", "x"), ("explain", "x")):
        said = place.complains(*words, code=5)
        assert said.endswith(f"no state here ({place.state}), nor in a folder above")
    assert 'did you mean "retry"?' in place.complains("explain", "steps.rety", code=5)
    assert place.says("--version") == place.says("version")
    assert b"run files once, to the end" in place.treadle(code=2).stderr


@pytest.mark.parametrize("words", [("get",), ("status", "w"), ("events",), ("version",)])
def test_a_full_disk_behind_stdout_is_one_clear_line(place: Place, words: tuple[str, ...]) -> None:
    place.spec("w", a="true")
    place.says("up", "--once")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [TREADLE, *words], cwd=place.root, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 4
    assert done.stderr == b"treadle: No space left on device\n"


def test_what_lies_outside_the_log_is_said(place: Place) -> None:
    place.spec("w", a="true")
    place.says("up", "--once")
    assert "the log ends with record" in place.complains("get", "--at", "99999", code=5)
    assert ": the log begins at 20" in place.complains("get", "w", "--at", "2020-01-01", code=5)
    assert "leave out -o" in place.complains("replay", "--verify", "-o", "json", code=2)
    assert (
        "must be at least 0" in place.treadle("logs", "w", "--tail", "-1", code=2).stderr.decode()
    )
    assert "no such state folder" in place.complains("repair", "--state", "nosuch", code=5)


def test_a_folder_by_another_path_is_the_same_one(place: Place) -> None:
    place.spec("w", a="true")
    (place.root / "link").symlink_to("specs")
    place.says("up", "--once", "--specs", "link")
    place.says("up", "--once", "--specs", "specs")
    assert place.folded().workflows["w"].steps["a"].numbered == 1
