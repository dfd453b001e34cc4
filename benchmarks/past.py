"""What a long past costs: commands on a log of many records, with a snapshot and without.

The log is one real run's, again and again under other names: every workflow of it is still alive,
so the state is as large as such a log can make it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from msgspec import structs

from benchmarks.ours import TREADLE, Treadle
from benchmarks.shapes import layers
from controller.log.reader import Cursor, read
from controller.log.state_folder import prepare_state
from controller.log.upkeep import KEEP_ARCHIVE_BYTES
from controller.log.writer import LogWriter
from controller.model.events import GenerationAccepted, Record


def replaying(folder: Path, records: int = 1_000_000) -> Iterator[str]:
    """`treadle get -o name` of a log of so many records."""
    state = str(folder / "long")
    write_long(state, str(Treadle(folder).run(layers(10, 10, 1), "command", 2).state), records)
    words = [str(TREADLE), "get", "-o", "name", "--state", state]
    unit, _ = used([sys.executable, "-c", "pass"])
    whole, whole_peak = used(words)
    keep = str(KEEP_ARCHIVE_BYTES)
    taken, taken_peak = used([sys.executable, "-P", "-m", "controller.log.upkeep", state, keep])
    short, short_peak = used(words)
    megabytes = sum(file.stat().st_size for file in Path(state, "snapshots").iterdir()) / 1e6
    for what, seconds, peak in (
        ("all folded", whole, whole_peak),
        ("from a snapshot", short, short_peak),
        ("taking it", taken, taken_peak),
    ):
        ratio = f"{seconds / whole:.2f} x all folded, {seconds / unit:.0f} x python -c pass"
        yield f"  {what:<16}{seconds:6.2f} s{peak:6.0f} MiB   {ratio}"
    yield f"  the snapshot    {megabytes:6.0f} MB"


def used(words: list[str]) -> tuple[float, float]:
    """Seconds of one command, and its peak memory in MiB."""
    begun = perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return perf_counter() - begun, usage.ru_maxrss / 1024


def write_long(state: str, pattern: str, records: int) -> None:
    prepare_state(state)
    log = LogWriter(state)
    turns = list(Cursor(pattern).turns())
    life = next(
        record.event.uid for record in read(pattern) if isinstance(record.event, GenerationAccepted)
    )
    log.append(turns[0])  # the controller's start
    time = turns[0][0].time
    copy = 0
    while log.seq < records:
        copy += 1
        for turn in turns[1:]:
            own = [record for record in turn if getattr(record.event, "uid", "") == life]
            first = log.seq + 1
            time += 1_000
            log.append(
                [renamed(record, first + n, first, time, copy) for n, record in enumerate(own)]
            )
    log.close()


def renamed(record: Record, seq: int, turn: int, time: int, copy: int) -> Record:
    names = {"uid": f"{record.event.uid}-{copy}"}
    if isinstance(record.event, GenerationAccepted):
        names["workflow"] = f"w{copy}"
    event = structs.replace(record.event, **names)
    return Record(seq, turn, time, 1, event)
