"""Whatever somebody has put into the files that treadle reads: it is told, and nothing crashes.

One file of a sound folder is made wrong (see `nonsense`), then commands read it, in this process:
an exception that is none of ours, or a command that does not end, is a failure. `make torture`
tries ten times as many.
"""

import os
import random
import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from pathlib import Path

import pytest
from faults.churn import come_and_go
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nonsense import bent, bent_json, bent_log, bent_snapshot, said_by

from controller.executor.local.client import makes_sense
from controller.executor.shim.checks import Refused
from controller.executor.shim.checks import check as check_message
from controller.executor.shim.journal import read_notes
from controller.executor.shim.wire import Wire
from controller.folder.markers import read_marker
from controller.log import archive, writer
from controller.log.lock import StateLock
from controller.log.state_folder import prepare_state
from controller.log.status_file import ControllerStatus, Pace, write_status
from controller.log.upkeep import keep_up
from controller.log.writer import LogWriter
from controller.loop.ports import Request
from controller.model.events import AttemptScheduled
from controller.requests import RequestBox, drop
from controller.spec.outputs import read as read_outputs
from controller.spec.reading.load import load

# What is tried is the same each time, unless it is to be tried at length.
LONG = settings.get_current_profile_name() == "torture"
tried = settings(derandomize=not LONG)
less_often = settings(tried, max_examples=tried.max_examples // 5)

Bend = Callable[[bytes, random.Random], bytes]
SEEDS = st.integers(0, 2**32).map(random.Random)
GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("schema-*/log/*.jsonl"))
EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*.yaml"))
CODES = {0, 1, 2, 4, 5}
MEMORY_BYTES_MAX = 3 << 30  # beside what this process has

LOOKS = (
    ("get",),
    ("get", "-o", "json"),
    ("get", "-o", "wide", "--all"),
    ("status", "NAME"),
    ("status", "NAME", "-o", "json"),
    ("events",),
    ("events", "-o", "json"),
    ("logs", "NAME"),
    ("logs", "NAME", "--tail", "2"),
    ("explain", "NAME"),
    ("history", "NAME"),
    ("runs",),
    ("runs", "NAME"),
    ("schedule",),
    ("pools",),
    ("metrics",),
    ("replay", "--at", "50"),
    ("replay", "--verify"),
    ("repair",),
    ("wait", "NAME", "--timeout", "0"),
)


class House:
    """A state folder with all that can be in it, and how its files can be made wrong."""

    def __init__(self, root: Path) -> None:
        self.state = root / "state"
        prepare_state(str(self.state))
        records = come_and_go(40)
        before, writer.SEGMENT_SIZE_MAX = writer.SEGMENT_SIZE_MAX, 6_000
        log = LogWriter(str(self.state))
        for number, (_, turn) in enumerate(groupby(records, lambda record: record.turn)):
            log.append(given_out := list(turn))
            for record in given_out:
                if isinstance(record.event, AttemptScheduled):
                    path = self.state / record.event.log
                    path.parent.mkdir(exist_ok=True)
                    path.write_text("one\ntwo\nthree\n")
            if number % 15 == 0:
                keep_up(str(self.state))
        log.close()
        writer.SEGMENT_SIZE_MAX = before
        with StateLock(str(self.state), "treadle up") as lock:
            lock.begin_epoch(1)
        now = time.time_ns() // 1000
        status = ControllerStatus(phase="Running", pid=1, epoch=2, pace=Pace())
        write_status(str(self.state), status, now)
        drop(str(self.state), Request(kind="retry", workflow="w39", by="ann", steps=["a"]))
        self.files = {
            path.relative_to(self.state).as_posix(): path.read_bytes()
            for path in sorted(self.state.rglob("*"))
            if path.is_file() and path.name not in (".gitignore", "ballast")
        }

    def of(self, pattern: str) -> list[str]:
        found = [name for name in self.files if re.fullmatch(pattern, name)]
        assert found, pattern
        return found

    @contextmanager
    def with_other(self, name: str, make: Callable[[Path], object]) -> Iterator[None]:
        """For a while something else stands where this file was."""
        path = self.state / name
        path.unlink()
        try:
            make(path)
            yield
        finally:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
            path.write_bytes(self.files[name])
            path.chmod(0o600)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Its commands may take only so much memory."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    house = House(tmp_path_factory.mktemp("house"))
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES_MAX, limits[1]))
    yield house
    resource.setrlimit(resource.RLIMIT_AS, limits)


def look_at(state: Path, name: str, chance: random.Random, count: int = 3) -> None:
    for words in chance.sample(LOOKS, count):
        said = [name if word == "NAME" else word for word in words]
        code, out, err = said_by(*said, "--state", str(state))
        assert code in CODES, (said, code, err)
        assert "Traceback" not in err, (said, err)
        assert code in (0, 1) or err.startswith("treadle: ") or out, (said, code)


BENT = (
    (r"log/\d+\.jsonl", bent_log),
    (r"log/\d+\.checkpoint", bent_snapshot),
    (r"snapshots/\d+\.json", bent_snapshot),
    (r"archive/\d+/\d+\.jsonl\.zst", bent),
    (r"archive/\d+/outputs\.tar\.zst", bent),
    (r"archive/\d+/index\.json", bent_json),
    (r"archive/\d+/index\.json", bent),
    (r"archive/\d+/\d+\.checkpoint", bent_snapshot),
    ("controller.json", bent_json),
    ("lock", bent_json),
    ("lock", bent),
    (r"requests/.*\.json", bent_json),
    (r"runs/.*\.log", bent),
)


@pytest.mark.parametrize(("pattern", "bend"), BENT)
def test_a_state_folder_with_a_file_that_is_wrong_is_read_or_refused(
    house: House, pattern: str, bend: Bend
) -> None:
    @less_often
    @given(SEEDS)
    def check(chance: random.Random) -> None:
        name = chance.choice(house.of(pattern))
        data = bend(house.files[name], chance)
        with house.with_other(name, lambda path: path.write_bytes(data)):
            look_at(house.state, f"w{chance.randrange(40)}", chance)

    check()


@tried
@given(SEEDS)
def test_a_log_that_is_wrong_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random
) -> None:
    state = tmp_path_factory.mktemp("state", numbered=True)
    source = chance.choice(GOLDEN)
    data = source.read_bytes()
    names = sorted({*re.findall(rb'"workflow":"([a-z0-9@-]+)"', data)})
    (state / "log").mkdir()
    (state / "log" / source.name).write_bytes(bent_log(data, chance))
    look_at(state, chance.choice(names).decode() if names else "w", chance)


def bound(path: Path) -> None:
    """A socket; its path may be too long for the kernel."""
    before = os.getcwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(before)


SPECIAL: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": os.mkdir,
    "socket": bound,
    "link to itself": lambda path: path.symlink_to(path),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a terabyte": lambda path: (path.touch(), os.truncate(path, 1 << 40)),
    "nothing in it": Path.touch,
}


@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("pattern", dict(BENT))
def test_something_else_in_the_place_of_a_file_holds_nothing_up(
    house: House, pattern: str, special: str
) -> None:
    chance = random.Random(pattern + special)
    for name in (house.of(pattern)[0], house.of(pattern)[-1]):
        with house.with_other(name, SPECIAL[special]):
            look_at(house.state, "w1", chance, len(LOOKS) if LONG else 3)


# ---------------------------------------- what the controller reads


@tried
@given(SEEDS)
def test_a_request_that_is_wrong_is_set_aside(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random
) -> None:
    state = str(tmp_path_factory.mktemp("state", numbered=True))
    file = next(file for file in EXAMPLES if b"kind: Workflow" in file.read_bytes())
    (document,) = load(file.read_bytes(), str(file)).documents
    for _ in range(2):
        drop(state, Request(kind="run", workflow="w", by="ann", path="w.yaml", document=document))
    (first, _) = sorted(Path(state, "requests").iterdir())
    bend = chance.choice((bent, bent_json, bent_json, bent_json))
    first.write_bytes(bend(first.read_bytes(), chance))
    told: list[str] = []
    waiting = RequestBox(state, told.append).waiting()
    assert 1 <= len(waiting) <= 2 and len(waiting) + len(told) == 2


@tried
@given(SEEDS)
def test_a_spec_file_that_is_wrong_has_faults(chance: random.Random) -> None:
    file = chance.choice(EXAMPLES)
    load(bent(file.read_bytes(), chance), file.name)


@tried
@given(SEEDS)
@example(random.Random(0))
def test_a_marker_that_is_wrong_cancels_or_is_rejected(chance: random.Random) -> None:
    marker = b"reason: bad input\nsteps: [a, b]\nmode: Drain\nhooks: false\n"
    for data in (bent(marker, chance), bent_json(b'{"reason":"x","steps":["a"]}', chance)):
        read_marker("w.cancel", data, "digest", "ann")


@tried
@given(SEEDS)
def test_outputs_that_are_wrong_are_values_or_a_fault(chance: random.Random) -> None:
    text = chance.choice((b"rows=3\nname=eu\n", b'{"rows": 3, "name": "eu", "all": [1, {"a": 2}]}'))
    bend = bent_json if text.startswith(b"{") and chance.random() < 0.7 else bent
    read_outputs(bend(text, chance), {"rows": "integer", "name": "string", "all": "array"})


@tried
@given(SEEDS)
def test_a_journal_that_is_wrong_gives_sound_notes(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random
) -> None:
    folder = tmp_path_factory.mktemp("shim", numbered=True)
    notes = [
        b'["journal",1,"boot","name"]',
        b'["epoch",3]',
        b'["starting","u/a/1",7,100]',
        b'["started","u/a/1",12,34,101]',
        b'["exited","u/a/1",256,200,5,900,false]',
        b'["failed","u/b/1",7,"why"]',
        b'["forget","u/b/1"]',
    ]
    at = chance.randrange(len(notes))
    notes[at] = chance.choice((bent, bent_json))(notes[at], chance)
    (folder / "journal").write_bytes(b"\n".join(notes) + b"\n")
    fd = os.open(folder, os.O_RDONLY)
    try:
        for note in read_notes(fd):
            assert isinstance(note, list) and isinstance(note[0], str)
    finally:
        os.close(fd)


@tried
@given(SEEDS)
def test_a_line_that_is_wrong_closes_the_wire_at_most(chance: random.Random) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        wire = Wire(ours)
        line = b'[["hello",{"protocol":4,"pid":7,"journal":"x"}],["started","u/a/1",12,34,101]'
        line += b',["exited","u/a/1",256,200,5,900,false],["returned","u/b/1"],["told"]]'
        theirs.sendall(chance.choice((bent, bent_json, bent_json))(line, chance) + b"\n")
        for message in wire.receive():
            makes_sense(message)
            with suppress(Refused):
                check_message(message)


@tried
@given(SEEDS)
def test_an_index_that_is_wrong_removes_nothing_outside(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random
) -> None:
    root = tmp_path_factory.mktemp("root", numbered=True)
    (root / "state/runs/u").mkdir(parents=True)
    (root / "state/log").mkdir()
    for path in ("file", "state/lock", "state/log/file"):
        (root / path).write_text("kept")
    name = bent(chance.choice((b"runs/u/a.1.log", b"work/u", b"../file")), chance).decode(
        errors="surrogateescape"
    )
    archive._drop(str(root / "state"), name)
    archive._delete_outputs(str(root / "state"), {name: 4})
    for path in ("file", "state/lock", "state/log/file"):
        assert (root / path).read_text() == "kept"
