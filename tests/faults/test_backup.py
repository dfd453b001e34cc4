"""A copy of the state folder, made at any moment, is a log that opens."""

import subprocess
import sys
from pathlib import Path

from controller.log import snapshots
from controller.log.reader import read
from controller.log.writer import LogWriter
from controller.model.apply import replay
from controller.model.image import freeze

COPIES = 15
WRITES = """
import sys
from itertools import count
from controller.log import snapshots
from controller.log.state_folder import prepare_state
from controller.log.writer import LogWriter
from simulation.scenario import Scenario
from itertools import groupby
prepare_state(sys.argv[1])
log = LogWriter(sys.argv[1])
turns = [list(turn) for _, turn in groupby(Scenario(29).play().records(), lambda each: each.turn)]
for number, turn in enumerate(turns):
    log.append(turn)
    if number % 3 == 0:
        snapshots.take(sys.argv[1])
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
    for number in range(COPIES):
        writer.stdout.readline()
        writer.stdin.write("\n")
        writer.stdin.flush()  # it goes on while we copy
        copy = tmp_path / f"copy-{number}"
        subprocess.run(["cp", "-a", state, copy], check=False, capture_output=True)
        whole = freeze(replay(read(str(copy))))
        begun, place = snapshots.newest(str(copy))
        assert freeze(replay(read(str(copy), place=place), begun)) == whole
        log = LogWriter(str(copy), place)
        assert log.seq > 0
        log.close()
    writer.kill()
    writer.communicate()
