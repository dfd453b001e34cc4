"""What running steps use, asked by somebody who is not their parent."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from processes.yard import eventually
from story import Story, a_step

from controller.executor.local.identity import start_of
from controller.executor.local.usage import of_running
from controller.model.state import SECOND, Workflow

BUSY = "import os\nif os.fork():\n  os.wait()\nx = bytearray(32 << 20)\nwhile True: pass"


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits for its child, which works."""
    process = subprocess.Popen([sys.executable, "-S", "-c", BUSY], process_group=0)
    yield process
    subprocess.run(["kill", "-9", "--", f"-{process.pid}"], check=True)
    process.wait()


def life(pid: int, start: int | None, boot_id: str = "this boot") -> Workflow:
    story = Story().accept([a_step("a"), a_step("b", "a")]).start("a")
    attempt = story.attempt("a")
    attempt.pid, attempt.start_ticks, attempt.boot_id = pid, start, boot_id
    return story.life()


def test_its_first_process_and_all_below_it_count(busy: subprocess.Popen[bytes]) -> None:
    known = life(busy.pid, start_of(busy.pid))
    started = known.steps["a"].attempts[0].started or 0

    def told() -> bool:
        used = of_running([known], "this boot", started + 2 * SECOND)[known.uid, "a"]
        assert used.wall_seconds == 2.0
        return (used.cpu_seconds or 0) > 0.05 and (used.max_rss_bytes or 0) > 32 << 20

    eventually(told)


def test_nothing_is_told_of_what_is_gone_or_elsewhere(busy: subprocess.Popen[bytes]) -> None:
    start = start_of(busy.pid)
    assert start is not None
    gone = [
        life(busy.pid, start, "another boot"),
        life(busy.pid, start + 1),
        life(busy.pid, None),
        life((1 << 22) - 1, start),
    ]
    assert of_running(gone, "this boot", 0) == {}


def test_psutil_is_not_imported_where_no_step_runs() -> None:
    program = (
        "import sys, controller.cli.reading.get, controller.cli.reading.status\n"
        "import controller.host.session\n"
        "print('psutil' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    assert told.stdout == b"False\n"
