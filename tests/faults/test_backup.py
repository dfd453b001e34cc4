"""A copy of the state folder, made at any moment, is a log that opens."""

import subprocess
import sys
from pathlib import Path

from faults.churn import come_and_go

from controller.log import segments, snapshots
from controller.log.reader import read
from controller.log.writer import LogWriter
from controller.model.apply.fold import replay
from controller.model.image import freeze

COPIES = 24
COPY = ("cp -a {} {} 2>/dev/null", "tar c -C {}/.. state 2>/dev/null | tar x -C {} 2>/dev/null")
WRITES = """
import sys
from itertools import count
from controller.log import upkeep, writer
from controller.log.state_folder import prepare_state
from controller.log.writer import LogWriter
from faults.churn import come_and_go
from itertools import groupby
writer.SEGMENT_SIZE_MAX = 3_000
prepare_state(sys.argv[1])
log = LogWriter(sys.argv[1])
turns = [list(turn) for _, turn in groupby(come_and_go(12), lambda each: each.turn)]
for number, turn in enumerate(turns):
    log.append(turn)
    if number % 3 == 0:
        upkeep.keep_up(sys.argv[1])
    if number > 2:
        print(number, flush=True)
        sys.stdin.readline()
"""


def test_a_copy_made_while_it_is_written_opens(tmp_path: Path) -> None:
    state = tmp_path / "state"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITES, str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    records = come_and_go(12)
    retired = 0
    for number in range(COPIES):
        writer.stdout.readline()
        writer.stdin.write("\n")
        writer.stdin.flush()  # it goes on while we copy
        copy = tmp_path / f"copy-{number}" / "state"
        copy.parent.mkdir()
        subprocess.run(COPY[number % 2].format(state, copy.parent), shell=True, check=False)
        begun, place = snapshots.newest(str(copy))
        seen = replay(read(str(copy), place=place), begun)
        assert freeze(seen) == freeze(replay(records[: seen.seq]))
        retired += segments.firsts(str(copy))[0] > 1
        log = LogWriter(str(copy), place)
        assert log.seq > 0
        log.close()
    writer.kill()
    writer.communicate()
    assert retired > COPIES // 3
