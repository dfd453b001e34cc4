"""Definitions, their triggers and their instances, with real controllers and processes."""

import json
import signal
from typing import Any

import pytest
from cli.place import HELD, Place

from controller.client.acting.deliver import Receipt, deliver
from controller.client.replica import Replica
from controller.log.status_file import read_status


def definition(place: Place, name: str = "job", script: str = "true", **spec: Any) -> None:
    """A definition with one step; `spec` has its triggers and what else is written."""
    written = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Workflow",
        "metadata": {"name": name},
        "spec": {"triggers": [], "steps": [{"name": "only", "run": script}], **spec},
    }
    (place.specs / f"{name}.yaml").write_text(json.dumps(written))


def seen(place: Place, *names: str) -> None:
    """A controller has seen these specs, and is gone."""
    with place.up():
        place.until(lambda: {*names} <= place.folded().workflows.keys())


DATED = {"params": {"date": {"type": "string"}, "n": {"type": "integer", "default": 3}}}


# ---------------------------------------- start


def test_start_prints_the_name_of_the_instance_and_wait_its_end(place: Place) -> None:
    definition(place, script='[ "$N" = 3 ]', env={"N": "${{ params.n }}"}, **DATED)
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        words = ("start", "job", "-p", "date=today")
        done = place.treadle(*words, "--key", "k1", "--wait")
        assert done.stdout == b"job@k1\n"
        assert place.shape("job@k1")["status"]["params"] == {"date": "today", "n": 3}
        again = place.treadle(*words, "--key", "k1")
        assert (again.stdout, b"was started with this key before" in again.stderr) == (
            b"job@k1\n",
            True,
        )
        failed = place.treadle(*words, "-p", "n=4", "--key", "k2", "--wait", code=1)
        assert failed.stdout == b"job@k2\n"
        assert b"job@k2 ended as Failed" in failed.stderr


def test_start_is_skipped_while_another_one_holds_it(place: Place) -> None:
    definition(place, script=HELD, concurrency="Forbid")
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        assert place.says("start", "job", "--key", "first") == "job@first\n"
        line = place.complains("start", "job", code=1)
        assert line == (
            "treadle: job: not started (Overlap): job@first has not ended; wait for it: "
            "treadle wait job@first --for condition=Complete"
        )
        assert place.complains("start", "job", "--dry-run", code=1) == line
        (place.specs / "go").touch()
        place.treadle("wait", "job@first", "--for", "condition=Complete")
        assert place.treadle("start", "job", "--key", "next", "--wait").stdout == b"job@next\n"


def test_a_start_that_has_to_wait_says_for_what(place: Place) -> None:
    definition(place, script=HELD)
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        place.says("start", "job", "--key", "first")
        second = place.treadle("start", "job", "--key", "second")
        assert second.stdout == b"job@second\n"
        assert second.stderr == b"job@second waits for its turn: job@first has not ended\n"


def test_start_ends_when_the_time_is_over_or_by_a_signal(place: Place) -> None:
    definition(place, script=HELD, concurrency="Allow")
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        late = place.treadle("start", "job", "--key", "a", "--wait", "--timeout", "0.1", code=124)
        assert late.stdout == b"job@a\n"
        assert late.stderr == b"treadle: waited too long; job@a keeps running\n"
        begun = place.begin("start", "job", "--key", "b", "--wait")
        assert begun.stdout is not None
        assert begun.stdout.readline() == b"job@b\n"
        begun.send_signal(signal.SIGINT)
        _, err = begun.communicate(timeout=30)
        assert (begun.returncode, err) == (130, b"treadle: stopped waiting; job@b keeps running\n")


def test_without_a_controller_the_start_waits_for_one(place: Place) -> None:
    definition(place)
    seen(place, "job")
    asked = place.treadle("start", "job", "--key", "k")
    assert asked.stdout == b""
    assert b"no controller is running, the next `treadle up` starts it" in asked.stderr
    assert b"no controller is running" in place.treadle("start", "job", "--wait", code=2).stderr
    place.treadle("up", "--once")
    assert place.phase("job@k") == "Succeeded"
    assert place.says("start", "job", "--key", "k") == "job@k\n"


def test_a_start_outlives_a_controller_that_is_killed(place: Place) -> None:
    definition(place, script=HELD)
    with place.up() as controller:
        place.until(lambda: place.phase("job") == "Waiting")
        begun = place.begin("start", "job", "--key", "k", "--wait")
        assert begun.stdout is not None
        assert begun.stdout.readline() == b"job@k\n"
        controller.kill()
        controller.wait(30)
    place.until(lambda: read_status(str(place.state)).phase == "Stopped")
    with place.up():
        (place.specs / "go").touch()
        assert begun.wait(30) == 0


def test_what_was_asked_for_meanwhile_is_not_held_up_by_who_has_ended_meanwhile(
    place: Place,
) -> None:
    """Forbid counts who runs when the start is decided, and nobody does."""
    definition(place, script=HELD, concurrency="Forbid")
    with place.up() as controller:
        place.until(lambda: place.phase("job") == "Waiting")
        place.says("start", "job", "--key", "first")
        place.until(lambda: place.phase("job@first") == "Running")
        controller.kill()
        controller.wait(30)
    place.until(lambda: read_status(str(place.state)).phase == "Stopped")
    (place.specs / "go").touch()
    place.treadle("start", "job", "--key", "second")
    place.treadle("up", "--once")
    assert place.phase("job@second") == "Succeeded"


# ---------------------------------------- webhooks


def delivered(place: Place, body: object, key: str = "") -> Receipt:
    """As a server takes it, whose reader of the log knows all that there is."""
    headers = {"authorization": "Bearer hush", "content-type": "application/json"}
    headers |= {"idempotency-key": key} if key else {}
    state, raw = Replica(str(place.state)).catch_up(), json.dumps(body).encode()
    return deliver(str(place.state), state, "job", "push", headers, raw)


def a_hook(place: Place) -> None:
    (place.root / "secret").write_text("hush\n")
    push = {"name": "push", "webhook": {"secret": {"fromFile": "../secret"}}}
    params = {"ref": "${{ trigger.body.ref }}"}
    definition(
        place,
        script='echo "$REF by $WHO of $TREADLE_TRIGGER"',
        env={"REF": "${{ params.ref }}", "WHO": "${{ trigger.body.commits[0].author }}"},
        params={"ref": {"type": "string"}},
        triggers=[{**push, "params": params}],
    )


BODY = {"ref": "main", "commits": [{"author": "ada"}]}


def test_a_delivery_begins_an_instance_that_reads_what_was_sent(place: Place) -> None:
    a_hook(place)
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        assert delivered(place, BODY, "k").request
        place.until(lambda: place.phase("job@k") == "Succeeded")
        assert place.says("logs", "job@k") == "main by ada of push\n"
        assert place.shape("job@k")["status"]["params"] == {"ref": "main"}
        assert delivered(place, BODY, "k") == Receipt(key="k", instance="job@k")
        delivered(place, {"zen": "ping"}, "ping")
        place.until(lambda: b"skipped" in place.treadle("get").stdout)
        assert 'no key "ref"' in place.says("events", "job")
    assert "job@k" in place.says("runs", "job")
    none = place.treadle("schedule", "job")
    assert none.stderr.decode().splitlines()[-1] == (
        "push has no due times: it waits for deliveries to treadle serve"
    )
    assert not any(
        b"hush" in path.read_bytes() for path in place.state.rglob("*") if path.is_file()
    ), "the secret is nowhere in the state folder"


def test_without_a_controller_deliveries_wait_for_one(place: Place) -> None:
    a_hook(place)
    seen(place, "job")
    for key in ("a", "b", "a"):
        delivered(place, BODY, key)
    place.treadle("up", "--once")
    assert [place.phase(f"job@{key}") for key in ("a", "b")] == ["Succeeded"] * 2
    assert len(place.says("runs", "job", "-o", "json").splitlines()) == 2


REFUSED_STARTS = [
    (("plain",), 2, "plain has no triggers; to run it again: treadle restart plain"),
    (("job@k",), 2, "job@k is an instance; to start another: treadle start job"),
    (("nobody",), 5, 'no workflow is named "nobody"'),
    (("unseen",), 5, "no controller has seen a valid spec yet: nothing to start"),
    (("job", "--key", "latest"), 2, '"latest" can\'t be a key'),
    (("job", "--timeout", "3"), 2, "start --timeout needs --wait"),
]


@pytest.fixture(scope="module")
def refusing(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """With `job`, its instance `job@k`, and the plain `plain`; `unseen` is new in the folder."""
    place = Place(tmp_path_factory.mktemp("refusing"))
    definition(place)
    definition(place, "dated", **DATED)
    place.spec("plain", a="true")
    seen(place, "job", "dated", "plain")
    place.treadle("start", "job", "--key", "k")
    place.treadle("up", "--once")
    place.spec("unseen", a="true")
    return place


@pytest.mark.parametrize(("words", "code", "said"), REFUSED_STARTS)
def test_what_can_not_be_started(
    refusing: Place, words: tuple[str, ...], code: int, said: str
) -> None:
    assert said in refusing.complains("start", *words, code=code)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), 'dated needs a value of the param "date"; add -p date=VALUE'),
        (("-p", "date=x", "-p", "n=many"), '-p n: expected an integer, found "many"'),
        (("-p", "date=x", "-p", "m=1"), '-p m: dated has no param "m"'),
        (("-p", "date"), "-p date: this gives no value"),
    ],
)
def test_params_are_checked_before_anything(
    refusing: Place, words: tuple[str, ...], said: str
) -> None:
    assert said in refusing.complains("start", "dated", *words, code=2)
    assert not list((refusing.state / "requests").iterdir())


# ---------------------------------------- instances in every command

LATEST_LINE = "job runs no steps itself, its instances do; for the newest: treadle "
REFUSED_OF_DEFINITIONS = [
    (("retry", "job"), 2, f"{LATEST_LINE}retry job@latest"),
    (("retry", "job/only"), 2, f"{LATEST_LINE}retry job@latest only"),
    (("restart", "job"), 2, f"{LATEST_LINE}restart job@latest"),
    (
        ("mark", "job", "only", "--succeeded", "--reason", "by hand"),
        2,
        f"{LATEST_LINE}mark job@latest only --succeeded --reason 'by hand'",
    ),
    (("approve", "job", "only"), 2, f"{LATEST_LINE}approve job@latest only"),
    (("cancel", "job", "only"), 2, f"{LATEST_LINE}cancel job@latest only"),
    (
        ("wait", "job", "--for", "phase=Succeeded"),
        2,
        f"{LATEST_LINE}wait job@latest --for phase=Succeeded",
    ),
    (
        ("wait", "job", "--for", "condition=Complete"),
        2,
        f"{LATEST_LINE}wait job@latest --for condition=Complete",
    ),
    (("status", "job", "--run", "1"), 2, "treadle runs job lists them; then name one, like job@"),
    (("logs", "job", "--run", "1"), 2, "treadle runs job lists them; then name one, like job@"),
    (
        ("delete", "job@k"),
        2,
        "an instance can't be deleted: old ones go to the archive by themselves; to stop it: ",
    ),
    (("retry", "plain", "--keep-spec"), 2, "--keep-spec is for instances"),
    (("retry", "job@gone"), 5, 'no workflow is named "job@gone"; the instances of job: treadle'),
    (("retry", "dated@latest"), 5, "dated has no instance yet; to start one: treadle start dated"),
    (("retry", "plain@latest"), 5, "plain has no triggers, so it has no instances"),
]


@pytest.mark.parametrize(("words", "code", "said"), REFUSED_OF_DEFINITIONS)
def test_what_a_definition_or_an_instance_refuses(
    refusing: Place, words: tuple[str, ...], code: int, said: str
) -> None:
    assert said in refusing.complains(*words, code=code)


def test_logs_of_a_definition_are_those_of_its_newest_instance(place: Place) -> None:
    definition(place, script='echo "of $TREADLE_INSTANCE"')
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        for key in ("a", "b"):
            place.treadle("start", "job", "--key", key, "--wait")
    shown = place.treadle("logs", "job")
    assert shown.stdout == b"of job@b\n"
    assert shown.stderr == b"job@b, the newest instance of job; others: treadle runs job\n"
    assert place.says("logs", "job@latest/only") == place.says("logs", "job@b") == "of job@b\n"


def test_cancel_of_a_definition_ends_its_instances_and_leaves_its_triggers(place: Place) -> None:
    definition(place, script=HELD, concurrency="Allow")
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        names = [place.says("start", "job", "--key", key).strip() for key in "abc"]
        assert place.says("cancel", "job", "--dry-run") == (
            "job (3 unfinished instances): would cancel job@a, job@b and job@c\n"
        )
        place.treadle("cancel", "job@a", "--reason", "too many")
        place.until(lambda: place.phase("job@a") == "Cancelled")
        assert place.says("cancel", "job").startswith("job (2 unfinished instances): cancelling")
        place.until(lambda: {place.phase(name) for name in names} == {"Cancelled"})
        assert place.says("cancel", "job") == (
            "job: has no unfinished instance: nothing to cancel; "
            "cancel does not stop its triggers\n"
        )
        assert not list(place.specs.glob("*.cancel"))
        (place.specs / "go").touch()
        assert place.says("start", "job", "--key", "d", "--wait") == "job@d\n"


def test_suspend_of_a_definition_and_of_an_instance(place: Place) -> None:
    definition(place, script=HELD, triggers=[{"everySeconds": 1}], concurrency="Forbid")
    with place.up():
        place.until(lambda: place.phase("job") == "Running")
        suspended = place.treadle("suspend", "job")
        assert b"its unfinished instances continue" in suspended.stderr
        place.until(lambda: place.folded().workflows["job"].suspended is not None)
        newest = place.folded().workflows["job"].starter
        assert newest is not None
        assert place.phase(newest.latest) == "Running"
        place.treadle("suspend", newest.latest)
        place.until(lambda: place.folded().workflows[newest.latest].suspended is not None)
        place.treadle("resume", newest.latest)
        (place.specs / "go").touch()
        place.treadle("wait", newest.latest, "--for=phase=Succeeded")
        place.treadle("resume", "job")
        place.until(lambda: place.folded().workflows["job"].starter.latest != newest.latest)  # type: ignore[union-attr]


def test_retry_brings_an_instance_to_the_newest_spec_or_keeps_its_own(place: Place) -> None:
    definition(place, script="exit 3")
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        place.treadle("start", "job", "--key", "a", "--wait", code=1)
        place.treadle("start", "job", "--key", "b", "--wait", code=1)
        definition(place, script="true")
        place.treadle("wait", "job", "--for", "generation=2")
        kept = place.treadle("retry", "job@a", "--keep-spec")
        assert b"newest" not in kept.stderr
        place.until(lambda: place.folded().workflows["job@a"].run == 2)
        place.until(lambda: place.phase("job@a") == "Failed")
        brought = place.treadle("retry", "job@latest")
        assert (
            b"it runs with the newest spec, generation 2 of job, not with generation 1"
            in brought.stderr
        )
        place.until(lambda: place.phase("job@b") == "Succeeded")


def test_markers_of_a_definition_and_of_an_instance(place: Place) -> None:
    definition(place, script=HELD, concurrency="Allow")
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        place.says("start", "job", "--key", "a")
        place.says("start", "job", "--key", "b")
        (place.specs / "job@a.cancel").touch()
        place.until(lambda: place.phase("job@a") == "Cancelled")
        assert place.phase("job@b") == "Running"
        (place.specs / "job@latest.cancel").touch()
        place.until(lambda: bool(place.folded().bad_markers))
        (place.specs / "job@latest.cancel").unlink()
        (place.specs / "job.cancel").touch()
        place.until(lambda: place.phase("job@b") == "Cancelled")
        assert b"not started (CancelMarker)" in place.treadle("start", "job", code=1).stderr
        held = place.complains("retry", "job@b", code=2)
        assert held == (
            "treadle: specs/job.cancel keeps every instance of job from running: remove that file "
            "first"
        )
        (place.specs / "job.cancel").unlink()
        (place.specs / "go").touch()
        place.until(lambda: place.phase("job") == "Waiting")
        assert place.says("start", "job", "--key", "c", "--wait") == "job@c\n"
        place.treadle("retry", "job@a")
        assert not (place.specs / "job@a.cancel").exists()
        place.until(lambda: place.phase("job@a") == "Succeeded")


def test_what_is_archived_is_found_as_the_newest(place: Place) -> None:
    definition(place, script="echo hello", ttlSecondsAfterFinished=0)
    with place.up("--keep-finished", "0"):
        place.until(lambda: place.phase("job") == "Waiting")
        assert place.says("start", "job", "--key", "a", "--wait") == "job@a\n"
        place.until(lambda: "job@a" not in place.folded().workflows)
        assert place.says("logs", "job") == "hello\n"
        line = place.complains("retry", "job@latest", code=5)
        assert line.endswith("and can't change; to start another: treadle start job")
        deleted = place.treadle("delete", "job")
        assert deleted.stdout == b"job: deleted (specs/job.yaml)\n"
        place.until(lambda: not place.folded().lives)
    assert place.says("logs", "job@latest") == "hello\n"
    assert place.says("get", "job@latest", "-o", "name") == "job@a\n"
    line = place.complains("retry", "job@latest", code=5)
    assert line == 'treadle: no workflow is named "job"'


# ---------------------------------------- schedule


def due_times(text: str) -> dict[str, str]:
    """Of the lines of `schedule`, what is said of each due time."""
    lines = [line.split(maxsplit=2) for line in text.splitlines()[1:]]
    found = {line[0]: line[2] if len(line) > 2 else "" for line in lines}
    assert len(found) == len(lines), "one of them is told twice"
    return found


def test_every_due_time_has_one_fate_whatever_is_killed(place: Place) -> None:
    definition(place, triggers=[{"name": "beat", "everySeconds": 1}], concurrency="Allow")

    def started() -> int:
        job = place.folded().workflows.get("job")
        return job.starter.firings.get("Started", 0) if job and job.starter else 0

    for _ in range(2):
        before = started()
        with place.up() as controller:
            place.until(lambda before=before: started() >= before + 2)  # type: ignore[misc]
            controller.kill()
            controller.wait(30)
        place.until(lambda: b"no controller" in place.treadle("schedule").stdout)
    with place.up():
        at_last = started()
        place.until(lambda: started() > at_last)
    starter = place.folded().workflows["job"].starter
    assert starter is not None
    mark = starter.triggers["beat"].mark
    told = place.says("schedule", "job", "--audit", "today..", "-o", "json").splitlines()
    decided = [one for one in map(json.loads, told) if one["outcome"]]
    keys = [one["key"] for one in decided]
    assert len(keys) == len(set(keys)) == mark - starter.triggers["beat"].since
    outcomes = {(one["outcome"], one["reason"]) for one in decided}  # one is missed in a long pause
    assert ("Started", None) in outcomes
    assert outcomes <= {("Started", None), ("Skipped", "CatchUp")}
    instances = {life.name for life in place.folded().lives.values() if life.birth}
    assert {one["instance"] for one in decided if one["instance"]} == instances


def test_schedule_of_all_and_of_one(place: Place) -> None:
    night = {"name": "night", "schedule": "30 2 * * *", "timeZone": "Asia/Kolkata"}
    definition(place, "a", triggers=[{**night, "exclude": ["2026-12-24"]}])
    definition(place, "b", triggers=[{"name": "beat", "everySeconds": 86400}])
    definition(place, "c", triggers=[{"name": "drop", "files": {"path": "in/*"}}])
    seen(place, "a", "b", "c")
    of_all = place.treadle("schedule").stdout.decode()
    assert sorted(line.split()[1] for line in of_all.splitlines()) == ["NAME", "a", "b"]
    of_one = due_times(place.says("schedule", "a", "--next", "3"))
    assert len(of_one) == 3
    assert all(due.endswith("T02:30:00+05:30") for due in of_one)
    none = place.treadle("schedule", "c")
    assert none.stdout == b""
    assert none.stderr.decode().splitlines()[-1] == (
        "drop has no due times: it waits for files that match in/*"
    )


def test_an_audit_of_too_much_says_how_to_go_on(place: Place) -> None:
    definition(place, triggers=[{"name": "beat", "everySeconds": 1}])
    seen(place, "job")
    told = place.treadle("schedule", "job", "--audit", "today..2099-01-01")
    assert len(told.stdout.splitlines()) == 10_001
    assert b"these are the first 10,000 due times; for those that follow: --audit 20" in told.stderr
    assert told.stderr.rstrip().split(b"\n")[0].endswith(b"..2099-01-01")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("plain",), 2, "plain has no triggers; to run it again: treadle restart plain"),
        (("job@k",), 2, "job@k is an instance; to start another: treadle start job"),
        (("nobody",), 5, 'no workflow is named "nobody"'),
        (("job", "--trigger", "x"), 5, 'no trigger is named "x"'),
        (("--audit", "1h.."), 2, "schedule --audit needs the NAME of a workflow"),
        (("job", "--audit", "1h.."), 0, "job has no trigger with due times"),
        (("job", "--audit", "1h"), 2, "write FROM..TO, like 2026-11-01..2026-11-07"),
    ],
)
def test_what_has_no_schedule(
    refusing: Place, words: tuple[str, ...], code: int, said: str
) -> None:
    assert said in refusing.complains("schedule", *words, code=code)


# ---------------------------------------- backfill

NIGHT = {
    "name": "night",
    "schedule": "30 2 * * *",
    "timeZone": "Europe/Berlin",
    "exclude": ["2026-11-03"],
    "params": {"date": "${{ trigger.date }}"},
}
WEEK = ("--from", "2026-11-01", "--to", "2026-11-04")


def test_a_backfill_begins_what_has_no_instance_the_oldest_first(place: Place) -> None:
    env = {"DATE": "${{ params.date }}", "N": "${{ params.n }}"}
    definition(place, script="echo $DATE $N", env=env, triggers=[NIGHT], **DATED)
    names = [f"job@202611{day}T013000Z" for day in ("01", "02", "04")]
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        dry = place.says("backfill", "job", *WEEK, "--dry-run")
        assert [line.split(maxsplit=2) for line in dry.splitlines()[1:]] == [
            ["2026-11-01T02:30:00+01:00", names[0], "would start"],
            ["2026-11-02T02:30:00+01:00", names[1], "would wait for its turn"],
            [
                "2026-11-03T02:30:00+01:00",
                "job@20261103T013000Z",
                "left out: its day is excluded",
            ],
            ["2026-11-04T02:30:00+01:00", names[2], "would wait for its turn"],
        ]
        asked = place.treadle("backfill", "job", *WEEK, "-p", "n=7")
        assert asked.stdout == b"job: filling in 3 due times of night, 1 at a time (applied)\n"
        assert b"left out: 1 (--dry-run shows why)\n" in asked.stderr
        place.until(lambda: {place.phase(name) for name in names} == {"Succeeded"})
        assert [place.says("logs", name) for name in names] == [
            f"2026-11-{day} 7\n" for day in ("01", "02", "04")
        ]
        starts = [place.folded().workflows[name].started or 0 for name in names]
        assert starts == sorted(starts)
        again = place.treadle("backfill", "job", *WEEK)
        assert again.stdout == b"job: nothing to fill in\n"
        assert b"to run again those that have an instance: --again" in again.stderr
        place.treadle("backfill", "job", *WEEK, "--again", "--parallel", "3")
        place.until(lambda: place.phase(f"{names[2]}-2") == "Succeeded")
        assert place.complains("logs", "job@latest", code=5).startswith(
            "treadle: job has no instance yet"
        )


def test_what_is_in_the_archive_is_not_filled_in_again(place: Place) -> None:
    definition(place, triggers=[NIGHT], ttlSecondsAfterFinished=0, **DATED)
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        place.treadle("backfill", "job", *WEEK)
        place.until(lambda: len(place.folded().lives) == 1 and place.folded().begun == 4)
        dry = place.says("backfill", "job", *WEEK, "--dry-run")
    assert dry.count("left out: job@202611") == dry.count("is in the archive") == 3


@pytest.fixture(scope="module")
def nightly(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("nightly"))
    drop = {"name": "drop", "files": {"path": "in/*"}, "params": {"date": ""}}
    definition(place, triggers=[NIGHT, drop], **DATED)
    definition(place, "several", triggers=[{**NIGHT, "name": name} for name in "ab"], **DATED)
    definition(place, "box", triggers=[drop], **DATED)
    place.spec("plain", a="true")
    seen(place, "job", "several", "box", "plain")
    return place


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("plain", *WEEK), 2, "plain has no triggers; to run it again: treadle restart plain"),
        (("nobody", *WEEK), 5, 'no workflow is named "nobody"'),
        (("job", *WEEK, "--trigger", "nigt"), 5, 'no trigger "nigt"; did you mean "night"'),
        (("job", *WEEK, "--trigger", "drop"), 2, "the trigger drop of job has no due times"),
        (
            ("box", *WEEK),
            2,
            "treadle: box has no due times to fill in; to start an instance: treadle",
        ),
        (("several", *WEEK), 2, "several has several triggers: add --trigger (a, b)"),
        (("job", *WEEK, "-p", "n=x"), 2, '-p n: expected an integer, found "x"'),
        (("job", "--from", "1900-01-01", "--to", "2026-11-01"), 2, "more than 10,000 due times"),
        (("job", "--from", "2026-11-02", "--to", "2026-11-01"), 2, "2026-11-02 is later than 20"),
        (("job", "--from", "x", "--to", "2026-11-01"), 2, "x: not a time; write 5m (ago)"),
        (
            ("job", "--from", "2026-11-01T10:00Z", "--to", "2026-11-01T11:00Z"),
            2,
            "no due time of night from 2026-11-01T10:00Z to 2026-11-01T11:00Z; the next one is",
        ),
    ],
)
def test_what_can_not_be_filled_in(
    nightly: Place, words: tuple[str, ...], code: int, said: str
) -> None:
    assert said in nightly.complains("backfill", *words, code=code)


# ---------------------------------------- runs


def test_runs_of_a_definition_are_its_instances(place: Place) -> None:
    ways = {"code": {"type": "integer", "default": 0}, "date": ""}
    definition(
        place,
        script="exit $CODE",
        env={"CODE": "${{ params.code }}"},
        triggers=[NIGHT],
        params=ways,
        concurrency="Queue",
        keepInstances=1,
    )
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        assert place.complains("runs", "job", code=0) == (
            "job has no instance yet; to start one: treadle start job"
        )
        place.treadle("start", "job", "--key", "a", "-p", "code=3", "--wait", code=1)
        place.treadle("retry", "job@a")
        place.until(lambda: place.folded().workflows["job@a"].run == 2)
        place.until(lambda: place.phase("job@a") == "Failed")
        shown = place.says("runs", "job").splitlines()
        (line,) = shown[1:]
        assert line.split()[:2] == ["✗", "job@a"]
        assert "failed: only" in line
        assert "start by hand by " in line
        assert "; run 2: retry by " in line
        (one,) = map(json.loads, place.says("runs", "job", "-o", "json").splitlines())
        assert (one["name"], one["phase"], one["runs"], one["trigger"]) == (
            "job@a",
            "Failed",
            2,
            None,
        )
        for key in ("b", "c"):
            place.treadle("start", "job", "--key", key, "--wait")
        place.treadle("backfill", "job", "--from", "2026-11-01", "--to", "2026-11-01")
        place.until(lambda: "job@a" not in place.folded().workflows)
        kept = [line.split()[1] for line in place.says("runs", "job", "--all").splitlines()[1:5]]
        assert kept == ["job@20261101T013000Z", "job@c", "job@b", "job@a"]
        every = place.says("runs", "job", "--all", "-o", "json").splitlines()
        by_name = {one["name"]: one for one in map(json.loads, every)}
        assert by_name["job@a"]["archived"]
        assert by_name["job@20261101T013000Z"]["due"] == "2026-11-01T01:30:00.000000Z"
        assert "failed: only (archived)" in place.says("runs", "job", "--all")
        assert place.says("runs", "job@latest").splitlines()[1].split()[:2] == ["✓", "1"]
        assert place.says("runs", "job@a").splitlines()[1].split()[:2] == ["✗", "2"], "archived"


def test_a_queued_instance_says_for_whom_it_waits(place: Place) -> None:
    definition(place, script=HELD)
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        for key in ("a", "b"):
            place.treadle("start", "job", "--key", key)
        place.until(lambda: place.phase("job@a") == "Running")
        queued, running = place.says("runs", "job").splitlines()[1:]
        assert "waits for its turn: job@a has not ended" in queued
        assert "0 of 1 so far" in running
