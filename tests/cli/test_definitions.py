"""What is seen of definitions and instances, with real controllers and processes."""

import json
import signal
import subprocess

import pytest
from cli.place import HELD, Place
from cli.test_triggers import definition, seen

EVERY = {"triggers": [{"name": "often", "everySeconds": 1}]}
YEARLY = {"triggers": [{"name": "new-year", "schedule": "@yearly", "timeZone": "Asia/Kolkata"}]}


def listed(place: Place, *words: str) -> list[str]:
    return place.says("get", "-o", "name", *words).split()


def test_get_shows_unfinished_instances_and_with_an_option_all(place: Place) -> None:
    definition(place, script=HELD, concurrency="Queue", **YEARLY)
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        for key in ("a", "b", "c"):
            place.treadle("start", "job", "--key", key)
        place.treadle("cancel", "job@a")
        place.until(lambda: place.phase("job@b") == "Running")
        assert listed(place) == ["job", "job@b", "job@c"]
        assert listed(place, "--instances") == ["job", "job@a", "job@b", "job@c"]
        assert (listed(place, "job"), listed(place, "job@*")) == (
            ["job"],
            ["job@a", "job@b", "job@c"],
        )
        table = place.says("get").splitlines()
        assert "waits for its turn: job@b has not ended" in table[3]
        assert "1 running, 1 queued; last one cancelled" in table[1]
        shape = place.shape("job")
        assert [one["name"] for one in shape["status"]["instances"]] == ["job@a", "job@b", "job@c"]
        assert shape["status"]["triggers"][0]["nextDue"].endswith("-12-31T18:30:00.000000Z")
        assert place.shape("job@b")["metadata"]["definition"]["uid"] == shape["metadata"]["uid"]


def test_the_yaml_of_a_definition_is_a_valid_file(place: Place) -> None:
    definition(place, **YEARLY)
    seen(place, "job")
    (place.root / "again.yaml").write_text(place.says("get", "job", "-o", "yaml"))
    assert place.says("validate", "again.yaml") == "again.yaml: ok (1 workflow, 1 step)\n"


def test_the_page_of_a_definition_and_why_it_waits(place: Place) -> None:
    definition(place, script="exit 3", **YEARLY)
    with place.up():
        place.until(lambda: place.phase("job") == "Waiting")
        place.treadle("start", "job", "--key", "a", "--wait", code=1)
        page = place.says("status", "job")
        assert "00:00 Asia/Kolkata" in page
        assert "treadle status job@a · treadle retry job@a" in page
        why = place.says("explain", "job").splitlines()
        assert why[0] == "○ job is Waiting: waits for its triggers"
        assert "✗ job@a: 1 failed (only)" in why
        of_instance = place.says("status", "job@a")
        assert "started by    start by hand by" in of_instance
        assert "instance of   job (job.yaml, generation 1)" in of_instance
        # Without a name, all that needs somebody.
        assert place.says("status").splitlines()[0].startswith("✗ job@a  Failed")


@pytest.mark.parametrize("command", ["explain", "status"])
def test_a_step_of_a_definition_is_refused_with_the_line_that_works(
    place: Place, command: str
) -> None:
    definition(place)
    seen(place, "job")
    line = place.complains(command, "job", "only", code=2)
    assert line.endswith(f"treadle {command} job@latest only")


def test_without_a_controller_what_has_passed_was_due(place: Place) -> None:
    definition(place, script=HELD, **EVERY)
    with place.up():
        place.until(lambda: "FiringDecided" in place.says("events", "job"))
    place.until(lambda: ", no controller" in place.says("get", "job").splitlines()[1])
    assert " was due 20" in place.says("status", "job").splitlines()[0]
    assert "no controller is running, so nothing starts" in place.says("explain", "job")


def test_each_firing_is_a_line_of_up_and_an_event(place: Place) -> None:
    definition(place, script=HELD, **EVERY)
    log = place.root / "up.log"
    with log.open("wb") as out:
        up = place.begin("up", stdout=out, stderr=subprocess.STDOUT)
        try:
            place.until(lambda: "skipped: job@" in log.read_text())
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(30)
    told = [line.partition(" ")[2] for line in log.read_text().splitlines()]
    started = next(line for line in told if ": started job@" in line)
    assert started.startswith("job: trigger often, due 20")
    name = started.rpartition(" ")[2]
    assert any(line.endswith(f": skipped: {name} has not ended") for line in told)
    assert not any(line.startswith("job Running") for line in told)
    for word in ("job", name):
        events = place.says("events", word, "-o", "json").splitlines()
        fired = [one for one in map(json.loads, events) if one["type"] == "FiringDecided"]
        assert fired[0]["instance"] == name
