"""A whole controller on a disk of its own that fills up, and on one that takes nothing."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.place import Place, document

SIZE = "6m"  # the ballast takes two


@pytest.fixture
def disk(place: Place) -> Iterator[Path]:
    """The state folder as a small file system."""
    place.state.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0700", "tmpfs", str(place.state)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield place.state
    place.clear()
    subprocess.run(["umount", "--lazy", str(place.state)], check=True)


def remounted(option: str, disk: Path) -> bool:
    words = ["mount", "-o", f"remount,{option}", str(disk)]
    return not subprocess.run(words, check=False, capture_output=True).returncode


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def test_a_disk_that_fills_up_and_has_room_again(place: Place, disk: Path) -> None:
    count = 60
    script = 'echo "$TREADLE_STEP.$TREADLE_ATTEMPT" >> ledger; sleep 0.02'
    steps = {f"s{number}": script for number in range(count)}
    (place.specs / "w.yaml").write_text(document("w", **steps))
    ledger = place.specs / "ledger"
    controller = place.begin("up", "--once", "--max-parallel", "4")
    place.until(lambda: ledger.exists() and ledger.read_text().count("\n") > 10)
    fill(disk / "filler")
    place.until(lambda: controller.poll() is not None or ledger.read_text().count("\n") == count)
    code = controller.wait()
    said = controller.communicate()[1].decode()
    assert code in (0, 4), said
    assert "Traceback" not in said, said
    assert code == 0 or "No space left on device" in said, said
    (disk / "filler").unlink()
    place.says("up", "--once")
    assert place.phase("w") == "Succeeded"
    lines = ledger.read_text().split()
    assert len(lines) == len(set(lines)), "an attempt ran twice"
    done = {line.split(".")[0] for line in lines}
    assert done == set(steps)
    assert "consistent" in place.says("replay", "--verify")


def test_a_disk_without_inodes_holds_starts_and_what_runs_is_driven(
    place: Place, disk: Path
) -> None:
    subprocess.run(["mount", "-o", "remount,nr_inodes=45", str(disk)], check=True)
    late = place.spec("late", a="sleep 100")
    timeout = '"name": "a", "timeoutSeconds": 2'
    late.write_text(late.read_text().replace('"name": "a"', timeout))
    (place.specs / "w.yaml").write_text(document("w", **{f"s{n}": "true" for n in range(60)}))
    said = place.treadle("up", "--once", code=4).stderr.decode()
    assert "DiskPressure: " in said and "nothing new is started until there is more" in said
    (attempt,) = place.shape("late")["status"]["steps"][0]["attempts"]
    assert (attempt["phase"], attempt["reason"]) == ("Failed", "Timeout")
    subprocess.run(["mount", "-o", "remount,nr_inodes=500", str(disk)], check=True)
    place.says("up", "--once", code=1)
    assert place.phase("w") == "Succeeded"
    assert "consistent" in place.says("replay", "--verify")


def test_on_a_disk_that_takes_nothing_it_can_be_read(place: Place, disk: Path) -> None:
    place.spec("w", a="true")
    place.says("up", "--once")
    # The shim has files open to the end of its exit, when it is in no list of processes any more.
    place.until(lambda: remounted("ro", disk))
    try:
        assert place.shape("w")["status"]["phase"] == "Succeeded"
        assert "-> Succeeded" in place.says("events", "w")
        for words in (("up", "--once"), ("retry", "w", "a")):
            assert "can't be written" in place.complains(*words, code=4)
    finally:
        assert remounted("rw", disk)
    place.says("up", "--once")
