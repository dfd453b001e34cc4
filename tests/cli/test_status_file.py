"""The file in which a controller says what it sees of itself: the work never depends on it."""

import json
import subprocess
import sys

from cli.place import DEADLINE_SECONDS, Place, document

# `treadle` whose status file can't be written, for this reason, while there is a file `refused`.
REFUSED = """
import errno, os, sys
from controller.cli.main import main
from controller.host import session
write = session.write_status
def refused(*words):
    if os.path.exists("refused"):
        raise OSError(errno.{0}, os.strerror(errno.{0}))
    write(*words)
session.write_status = refused
sys.exit(main())
"""


def program(reason: str) -> tuple[str, ...]:
    return (sys.executable, "-c", REFUSED.format(reason))


def begin(place: Place, *words: str, reason: str) -> "subprocess.Popen[bytes]":
    (place.root / "refused").touch()
    return place.begin(*words, program=program(reason))


def wide(place: Place) -> None:
    """More steps than are queued at once."""
    spec = json.loads(document("w"))
    spec["spec"]["steps"] = [{"name": f"s{number}", "run": "true"} for number in range(30)]
    (place.specs / "w.json").write_text(json.dumps(spec))


def test_where_it_can_not_be_written_the_work_goes_on(place: Place) -> None:
    place.spec("w", a="true", b="true")
    controller = begin(place, "up", "--once", reason="EACCES")
    _, said = controller.communicate(timeout=DEADLINE_SECONDS)
    assert controller.returncode == 0
    assert place.phase("w") == "Succeeded"
    assert said.decode().count("controller.json: Permission denied: can't be written, so") == 1


def test_without_room_for_it_nothing_new_starts_and_up_once_ends_with_4(place: Place) -> None:
    wide(place)
    controller = begin(place, "up", "--once", "--max-parallel", "1", reason="ENOSPC")
    out, said = controller.communicate(timeout=DEADLINE_SECONDS)
    assert controller.returncode == 4
    assert b"DiskPressure: " in said and b"controller.json: No space left on device" in said
    assert b"steps wait for room on the disk: make room, then run it again" in out
    assert place.phase("w") in ("Pending", "Running")
    assert not place.folded().live, "what was queued is withdrawn, what ran has ended"
    (place.root / "refused").unlink()
    place.says("up", "--once")
    assert place.phase("w") == "Succeeded"


def test_when_there_is_room_again_it_goes_on_by_itself(place: Place) -> None:
    wide(place)
    controller = begin(place, "up", "--max-parallel", "1", reason="EDQUOT")
    assert controller.stderr is not None
    assert b"controller.json: Disk quota exceeded" in controller.stderr.readline()
    (place.root / "refused").unlink()
    place.until(lambda: place.phase("w") == "Succeeded")
    assert b"DiskPressure: no longer" in controller.stderr.readline()
    controller.terminate()
    assert controller.wait(DEADLINE_SECONDS) == 0
