"""Workflows that come, run and go without end, on the real log: how much of it stays."""

import os
from itertools import groupby
from pathlib import Path

import msgspec
from simulation.world import Fate, World
from story import a_step, document

from controller.log.snapshots import newest
from controller.log.state_folder import prepare_state
from controller.log.upkeep import keep_up
from controller.log.writer import LogWriter
from controller.model.events import AttemptScheduled, Record
from controller.model.image import freeze

AT_ONCE = 50  # in the folder

decode = msgspec.json.Decoder(Record).decode


def come_and_go(count: int) -> list[Record]:
    """So many workflows that come, run and go; few are over at a time."""
    world = World(fate=lambda *_: Fate(seconds=1), keep_finished=2)
    world.boot_controller()
    for number in range(count):
        name = f"w{number}"
        world.files = {f"{name}.yaml": (document([a_step("a"), a_step("b", "a")], name),)}
        world.run(20)
    return world.records()


def churn(state_dir: str, lives: int, keep_finished: int, every: int) -> dict[str, int]:
    """The most that there was at any time of lives, files and bytes, all but the archive counted.

    `every` so many records somebody looks after the log. The outputs are there, and empty.
    """
    world = World(
        fate=lambda *_: Fate(seconds=1), max_parallel=AT_ONCE, keep_finished=keep_finished
    )
    world.boot_controller()
    prepare_state(state_dir)
    log = LogWriter(state_dir)
    most: dict[str, int] = {}
    kept_up = 0
    for first in range(0, lives, AT_ONCE):
        names = [f"w{number}" for number in range(first, min(first + AT_ONCE, lives))]
        world.files = {f"{name}.yaml": (document([a_step("a")], name),) for name in names}
        world.run(15)
        state = world.controller.state
        records = [*map(decode, world.log[log.seq :])]
        for _, turn in groupby(records, lambda record: record.turn):
            log.append([*turn])
        for record in records:
            if isinstance(record.event, AttemptScheduled):
                path = Path(state_dir, record.event.log)
                path.parent.mkdir(exist_ok=True)
                path.touch()
        if state.seq - kept_up < every:
            continue
        kept_up = state.seq
        now = {"lives": len(state.lives), "image bytes": len(freeze(state)), **on_disk(state_dir)}
        most = {name: max(number, most.get(name, 0)) for name, number in now.items()}
        keep_up(state_dir)
    log.close()
    assert newest(state_dir)[0].seq > 0
    return most | {"records": state.seq}


def on_disk(state_dir: str) -> dict[str, int]:
    found = {"files": 0, "log bytes": 0}
    for where, _, names in os.walk(state_dir):
        if Path(where).relative_to(state_dir).parts[:1] != ("archive",):
            found["files"] += len(names)
            if Path(where).name == "log":
                found["log bytes"] += sum(os.path.getsize(Path(where, name)) for name in names)
    return found
