"""`treadle up` where there is no terminal: what it tells while it works."""

import os
import re
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest
from cli.place import DEADLINE_SECONDS, HELD, TREADLE, Place
from users import NOBODY, as_root

from controller.log.snapshots import newest, seqs
from controller.log.status_file import read_status


def test_what_is_refused_and_what_is_held_is_said(place: Place) -> None:
    place.spec("etl", load=HELD)
    controller = place.begin("up")
    place.until(lambda: place.phase("etl") == "Running")
    said: list[str] = []
    assert controller.stderr is not None
    lines = iter(controller.stderr.readline, b"")
    reader = threading.Thread(target=lambda: said.extend(line.decode() for line in lines))
    reader.start()
    (place.specs / "bad.yaml").write_text("apiVersion: treadle.dev/v1\nkind: [\n")
    place.until(lambda: any("specs/bad.yaml:" in line for line in said))
    (place.specs / "etl.cancel").write_text("steps: [lod]")
    place.until(lambda: any('etl has no step "lod"' in line for line in said))
    place.specs.rename(place.root / "away")
    place.until(lambda: any(line.startswith("treadle: FolderHeld: ") for line in said))
    (place.root / "away").rename(place.specs)
    place.until(lambda: "treadle: FolderHeld: no longer\n" in said)
    controller.terminate()
    assert controller.wait(30) == 0
    reader.join(30)


@as_root
def test_specs_of_another_user_are_refused_or_held_and_never_run(place: Place) -> None:
    place.spec("etl", load=HELD)
    place.spec("loose", only="true")
    os.chown(place.specs / "loose.yaml", NOBODY.pw_uid, -1)
    errors = place.root / "errors"
    with errors.open("w") as file:
        controller = place.begin("up", stderr=file)
        place.until(lambda: place.phase("etl") == "Running")
        place.specs.rename(place.root / "old")
        place.specs.mkdir()
        place.spec("evil", only="touch ../ran")
        os.chown(place.specs, NOBODY.pw_uid, -1)
        place.until(lambda: "FolderHeld: specs: the specs folder belongs" in errors.read_text())
        time.sleep(1.5)
        assert place.says("get", "-o", "name") == "etl\nloose\n"
        controller.terminate()
        controller.wait(30)
    said = errors.read_text()
    assert said.count("FolderHeld") == 1
    assert said.count(f"specs/loose.yaml (belongs to {NOBODY.pw_name})") == 1
    refused = place.complains("up", "--once", code=2)
    assert f"specs: the specs folder belongs to {NOBODY.pw_name}, not to root" in refused
    assert not (place.root / "ran").exists()
    (place.root / "old" / "go").touch()
    place.says("up", "--once", "--allow-insecure-specs")
    assert (place.root / "ran").exists(), "the risk was taken"


EAGER = """
import sys
from controller.cli.main import main
from controller.log import upkeep
upkeep.EVERY_RECORDS = 5
sys.exit(main())
"""


def test_a_controller_has_snapshots_taken_and_the_next_begins_from_one(place: Place) -> None:
    place.spec("w", a="true", b="true", c=HELD)
    controller = place.begin("up", program=(sys.executable, "-c", EAGER))
    place.until(lambda: bool(seqs(str(place.state))))
    place.until(lambda: place.phase("w") == "Running")
    controller.kill()
    controller.communicate()
    place.until(lambda: newest(str(place.state))[1].seq > 0)
    (place.specs / "go").touch()
    place.says("up", "--once")
    assert place.phase("w") == "Succeeded"
    assert place.says("get", "w", "-o", "name") == "w\n"
    assert "consistent" in place.says("replay", "--verify")


def test_a_running_step_is_shown_with_what_it_uses(place: Place) -> None:
    place.spec("w", a=HELD)
    with place.up():
        place.until(lambda: place.phase("w") == "Running")
        (row,) = (
            line for line in place.says("status", "w").splitlines() if line.startswith("  ● a ")
        )
        assert re.fullmatch(r"  ● a   Running    1 +\S+ +[\d.]+m?s? +\d+M  running .*", row)
        (attempt,) = place.shape("w")["status"]["steps"][0]["attempts"]
        usage = attempt["usage"]
        assert usage["wallSeconds"] > 0 and usage["maxRssBytes"] > 0
        assert usage["cpuSeconds"] >= 0, "it has hardly begun, but the figure is there"
        (place.specs / "go").touch()
        place.until(lambda: place.phase("w") == "Succeeded")


def test_with_too_little_room_nothing_starts_and_it_says_so(place: Place) -> None:
    place.spec("w", a="true")
    done = place.treadle("up", "--once", "--min-free", "999999G", code=4)
    assert done.stderr.count(b"treadle: DiskPressure: less than ") == 1
    assert place.phase("w") == "Pending"
    place.says("up", "--once")
    assert place.phase("w") == "Succeeded"


def is_deleted(folder: Path) -> bool:
    shutil.rmtree(folder, ignore_errors=True)  # files may still come while it goes
    return not folder.exists()


@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_a_state_folder_that_goes_away_ends_it(place: Place, how: str) -> None:
    place.spec("w", a=HELD, b="true")
    controller = place.begin("up")
    place.until(lambda: place.phase("w") == "Running")
    place.until(lambda: read_status(str(place.state)).phase == "Running")  # all is written
    away = place.root / "away"
    place.state.rename(away)
    if how == "deleted":
        place.until(lambda: is_deleted(away))

    def is_over() -> bool:
        (place.specs / "go").touch()  # something to notice
        return controller.poll() is not None

    place.until(is_over)
    _, err = controller.communicate(timeout=DEADLINE_SECONDS)
    assert controller.returncode == 4
    assert err.decode().count("\n") == 1
    assert "was moved or deleted under this" in err.decode() or "was deleted" in err.decode()
    if how == "moved":
        away.rename(place.state)
        place.says("up", "--once")
        assert place.phase("w") == "Succeeded"
        step = place.shape("w")["status"]["steps"][0]
        assert [each["number"] for each in step["attempts"]] == [1]


def test_a_second_controller_with_a_state_folder_of_its_own_says_so(place: Place) -> None:
    place.spec("w", a="true")
    with place.up():
        place.until(lambda: place.phase("w") == "Succeeded")
        done = place.treadle("up", "--once", "--state", "another")
        assert b"FolderShared: another controller, with another state folder, runs" in done.stderr
    assert b"FolderShared" not in place.treadle("up", "--once", "--state", "another").stderr


def test_another_specs_folder_than_before_is_refused_and_it_says_if_there_is_none(
    place: Place,
) -> None:
    place.treadle("up", "--once")
    (place.root / "other").mkdir()
    refused = f"belongs to the specs in {place.specs}, not in {place.root}"
    assert f"{refused}/other; use" in place.complains("up", "--specs", "other", code=2)
    said = place.complains("up", "--specs", "typo", code=2)
    assert f"{refused}/typo (which is missing); use" in said


def test_in_a_directory_that_was_deleted_it_says_so(place: Place) -> None:
    gone = place.root / "gone"
    gone.mkdir()
    script = f"cd {gone} && rmdir {gone} && exec {TREADLE} up"
    done = place.begin(script, program=("/bin/sh", "-c"))
    _, err = done.communicate(timeout=30)
    assert err == b"treadle: the current directory was deleted; cd to one that exists\n"
    assert done.returncode == 4


def test_the_lines_have_local_times_in_full(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XYZ-02:30")
    place.spec("w", a="true")
    lines = place.says("up", "--once").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+02:30 ", line) for line in lines)


def test_a_folder_without_specs_is_said_and_can_be_a_failure(place: Place) -> None:
    (place.specs / "notes.yaml").write_text("just: notes\n")
    said = f"treadle: no specs in {place.specs}\n".encode()
    assert place.treadle("up", "--once").stderr.endswith(said)
    assert place.treadle("up", "--once", "--fail-if-empty", code=2).stderr.endswith(said)
    assert "needs --once" in place.complains("up", "--fail-if-empty", code=2)
    place.spec("w", a="true")
    assert b"no specs" not in place.treadle("up", "--once", "--fail-if-empty").stderr
    (place.specs / "w.yaml").write_text("apiVersion: treadle.dev/v1\n")
    (place.specs / "notes.yaml").unlink()
    assert b"no specs" not in place.treadle("up", "--once", "--fail-if-empty", code=2).stderr
