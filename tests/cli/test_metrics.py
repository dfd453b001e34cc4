"""`treadle metrics`, with and without a controller, and how often that writes its figures."""

import json
import signal
import sys
from itertools import pairwise
from pathlib import Path

from cli.place import DEADLINE_SECONDS, Place, document
from scrape import GROW, fallen, read, value

from controller.log.reader import read as read_log
from controller.log.status_file import read_status, write_status
from controller.model.state import SECOND

# `treadle` that keeps every status that it writes, one a line.
KEEPS = """
import os, sys
from controller.cli.main import main
from controller.host import session
from controller.log.status_file import status_path
write = session.write_status
def kept(state_dir, *words):
    write(state_dir, *words)
    with open(status_path(state_dir), "rb") as file, open("written.jsonl", "ab") as written:
        written.write(file.read())
session.write_status = kept
sys.exit(main())
"""


OF_THE_PROCESS = ("treadle_turn_", "treadle_log_sync_")


def shown(place: Place) -> bytes:
    return place.treadle("metrics").stdout


def test_where_there_is_nothing_all_is_zero(place: Place) -> None:
    found = read(shown(place))
    assert value(found, "treadle_log_seq") == 0
    assert value(found, "treadle_workflows", phase="Running") == 0
    assert not place.state.exists()


def test_counters_go_on_and_figures_begin_anew_with_each_controller(place: Place) -> None:
    place.spec("w", a="true", b="exit 3")
    with place.up() as first:
        place.until(lambda: place.phase("w") == "Failed")
        before = read(shown(place), *GROW)
        assert value(before, "treadle_attempts_total", workflow="w", result="Failed") == 1
        first.send_signal(signal.SIGKILL)
        first.wait(DEADLINE_SECONDS)
    alone = read(shown(place))
    assert value(alone, "treadle_build_info", version="0.1.0") is None
    assert value(alone, "treadle_turn_seconds_count") is None
    (place.specs / "w.yaml").unlink()
    place.spec("v", a="true")
    status = read_status(str(place.state))
    assert status.pace is not None
    status.pace.turns.add(10**15)
    write_status(str(place.state), status, 0)
    with place.up():
        place.until(lambda: place.phase("v") == "Succeeded")
        after = read(shown(place), *GROW)
        assert (value(after, "treadle_turn_seconds_sum") or 0) < 10**9
        assert value(read(shown(place)), "treadle_build_info", version="0.1.0") == 1
    assert not [one for one in fallen(before, after) if not one[0].startswith(OF_THE_PROCESS)]
    assert value(after, "treadle_attempts_total", workflow="v", result="Succeeded") == 1


def test_each_turn_and_each_sync_is_counted(place: Place) -> None:
    place.spec("w", a="true")
    place.says("up", "--once")
    pace = read_status(str(place.state)).pace
    assert pace is not None
    turns = len({record.turn for record in read_log(str(place.state))})
    assert sum(pace.syncs.counts) == turns
    assert sum(pace.turns.counts) >= turns - 1, "the start is no turn"
    assert pace.turns.total > 0 and pace.syncs.total > 0


def test_figures_alone_are_written_once_a_second_at_most(place: Place) -> None:
    """Short steps for two seconds: a hundred turns in which nothing else of the status changes."""
    steps = {f"s{number}": "sleep 0.02" for number in range(60)}
    (place.specs / "w.yaml").write_text(document("w", **steps))
    controller = place.begin("up", "--once", program=(sys.executable, "-c", KEEPS))
    controller.communicate(timeout=DEADLINE_SECONDS)
    assert controller.returncode == 0
    lines = map(json.loads, Path(place.root, "written.jsonl").read_text().splitlines())
    written = [(line.pop("written"), line.pop("pace"), line) for line in lines]
    figures = [
        now - before for (before, _, was), (now, _, told) in pairwise(written) if told == was
    ]
    assert figures and min(figures) >= SECOND
    total = written[-1][1]["turns"]
    assert sum(total[1]) > 4 * len(written)
