"""The log under endless churn: old segments retire, nothing is lost, all stays readable."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable
from io import BytesIO
from itertools import chain, groupby
from pathlib import Path

import msgspec
import pytest
import zstandard
from faults.churn import AT_ONCE, churn, come_and_go
from simulation.scenario import Scenario
from story import Story, a_step

from controller.errors import StorageError
from controller.log import archive, repair, segments, snapshots, writer
from controller.log.archive import Index, beginning, lives, output
from controller.log.packed import OUTPUT_BYTES_MAX, unpacked
from controller.log.reader import Cursor, Tail, read
from controller.log.snapshots import newest
from controller.log.state_folder import prepare_state
from controller.log.upkeep import keep_up
from controller.log.writer import LogWriter
from controller.model import indexes
from controller.model.apply.fold import replay
from controller.model.events import AttemptScheduled, LifeArchived, Record
from controller.model.image import freeze, is_own

SEGMENT_BYTES = 6_000
PLENTY = 1 << 30


RECORDS = come_and_go(40)
TURNS = [list(turn) for _, turn in groupby(RECORDS, lambda each: each.turn)]
WHOLE = freeze(replay(RECORDS))
ARCHIVED = [record for record in RECORDS if isinstance(record.event, LifeArchived)]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", SEGMENT_BYTES)
    state = str(tmp_path / "state")
    prepare_state(state)
    return state


def write(state: str, turns: list[list[Record]], every: int = 0) -> None:
    log = LogWriter(state, newest(state)[1])
    for number, turn in enumerate(turns, start=1):
        log.append(turn)
        if every and number % every == 0:
            keep_up(state)
    log.close()


def seen(state: str) -> bytes:
    """What a start makes of it."""
    found, place = newest(state)
    return freeze(replay(read(state, place=place), found))


def told(state: str) -> list[Record]:
    """All that history has."""
    _, place = beginning(state)
    return list(chain.from_iterable(Cursor(state, place.seq, place).turns()))


def files(state: str, *places: str) -> int:
    return sum(len(names) for place in places for _, _, names in os.walk(Path(state, place)))


def test_the_live_log_stays_short_and_history_whole(state: str) -> None:
    write(state, TURNS, every=15)
    assert len(segments.firsts(state)) <= 6
    assert files(state, "log", "snapshots") <= 6 + 2 + 4
    assert segments.firsts(state)[0] > 1 and 1 in segments.retired(state)
    assert seen(state) == WHOLE
    assert told(state) == RECORDS
    assert [life.seq for life in lives(state)] == [record.seq for record in reversed(ARCHIVED)]


def test_however_much_comes_and_goes_little_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", 200_000)
    monkeypatch.setattr(indexes, "NAMES_MAX", 500)  # whose runs are remembered
    most = churn(str(tmp_path / "state"), lives=4_000, keep_finished=50, every=2_000)
    assert most.pop("records") > 38_000
    # Half of this is there after a thousand; if nothing retired, it would be four times it.
    assert most["lives"] <= 50 + 2 * AT_ONCE
    assert most["image bytes"] < 500_000
    assert most["files"] < 1_500
    assert most["log bytes"] < 4_000_000


def test_without_snapshots_it_begins_from_the_checkpoint(state: str) -> None:
    write(state, TURNS, every=15)
    shutil.rmtree(snapshots.folder(state))
    assert newest(state)[1].seq > 0
    assert seen(state) == WHOLE


def test_without_snapshots_and_checkpoint_it_begins_from_the_archive(state: str) -> None:
    write(state, TURNS, every=15)
    shutil.rmtree(snapshots.folder(state))
    for path in Path(state, "log").glob("*.checkpoint"):
        path.write_bytes(path.read_bytes()[:-9])
    assert seen(state) == WHOLE
    shutil.rmtree(Path(state, "archive"))
    with pytest.raises(StorageError, match="the log begins with record"):
        seen(state)


def test_every_point_of_the_past_can_be_reached(state: str) -> None:
    write(state, TURNS, every=15)
    for turn in TURNS[::20]:
        seq = turn[-1].seq
        found, place = newest(state, seq_max=seq)
        behind = (record for record in read(state, place=place) if record.seq <= seq)
        assert freeze(replay(behind, found)) == freeze(replay(RECORDS[:seq]))


def test_the_writer_goes_on_and_a_follower_does_not_notice(state: str) -> None:
    tail = Tail(state)
    followed: list[Record] = []
    for first in range(0, len(TURNS), 10):
        write(state, TURNS[first : first + 10])
        keep_up(state)
        if first % 40 == 0:  # what it has not read yet has retired meanwhile
            followed += tail.poll()
    followed += tail.poll()
    assert followed == RECORDS
    assert LogWriter(state, newest(state)[1]).seq == RECORDS[-1].seq


def test_a_snapshot_whose_turn_may_not_be_synced_retires_nothing(state: str) -> None:
    write(state, TURNS)
    keep_up(state)  # at the very end: no later turn proves that it was synced
    assert not Path(state, "archive").exists()
    assert segments.firsts(state)[0] == 1


def test_too_much_of_it_goes_and_history_begins_later(state: str) -> None:
    write(state, TURNS, every=15)
    batches = sorted(path.name for path in Path(state, "archive").iterdir())
    archive.prune(state, archive._size(os.path.join(state, "archive", batches[-1])))
    assert [path.name for path in Path(state, "archive").iterdir()] == batches[-1:]
    begins, place = beginning(state)
    assert 0 < begins.seq == place.seq
    assert told(state) == RECORDS[begins.seq :]
    assert freeze(begins) == freeze(replay(RECORDS[: begins.seq]))
    archive.prune(state, 0)
    assert len(list(Path(state, "archive").iterdir())) == 1, "the newest is needed once more"
    assert seen(state) == WHOLE
    assert told(state) == RECORDS[beginning(state)[0].seq :]


def test_with_no_room_for_an_archive_outputs_go_all_the_same(state: str) -> None:
    for first in range(0, len(TURNS), 15):
        write(state, TURNS[first : first + 15])
        for record in chain(*TURNS[first : first + 15]):
            if isinstance(record.event, AttemptScheduled):
                path = Path(state, record.event.log)
                path.parent.mkdir(exist_ok=True)
                path.touch()
        keep_up(state, 0)
    assert files(state, "runs") <= 30
    assert seen(state) == WHOLE


@pytest.mark.parametrize("also", [None, "snapshots"])
def test_a_checkpoint_that_is_gone_costs_nothing(state: str, also: str | None) -> None:
    """The archive may be the only place where older records are."""
    write(state, TURNS[:-40], every=15)
    for path in Path(state, "log").glob("*.checkpoint"):
        path.unlink()
    if also is not None:
        shutil.rmtree(Path(state, also))
    for first in range(len(TURNS) - 40, len(TURNS), 10):
        write(state, TURNS[first : first + 10])
        keep_up(state)
    assert seen(state) == WHOLE
    assert told(state) == RECORDS


def test_what_is_strange_in_the_archive_is_left_alone(state: str) -> None:
    write(state, TURNS[:-40], every=15)
    Path(state, "archive/NOTE").write_text("not ours")
    Path(state, "archive/copy.bak").mkdir()
    newest_batch = max(Path(state, "archive").glob("[0-9]*"))
    (newest_batch / "index.json").write_bytes(b"{")
    for first in range(len(TURNS) - 40, len(TURNS), 10):
        write(state, TURNS[first : first + 10])
        keep_up(state)
    assert Path(state, "archive/NOTE").exists() and Path(state, "archive/copy.bak").exists()
    assert len(segments.firsts(state)) <= 6, "it goes on retiring"
    assert seen(state) == WHOLE and told(state) == RECORDS
    with pytest.raises(StorageError, match=r"index\.json: damaged"):
        list(lives(state))


def test_a_log_whose_segments_are_gone_is_refused_and_nothing_is_made(state: str) -> None:
    write(state, TURNS, every=15)
    for path in Path(state, "log").glob("*.jsonl"):
        path.unlink()
    with pytest.raises(StorageError, match="its segments are gone"):
        seen(state)
    with pytest.raises(StorageError, match="its segments are gone"):
        LogWriter(state, newest(state)[1])
    assert segments.firsts(state) == []


def test_what_another_version_wrote_is_not_held_against_the_log(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(state, TURNS, every=15)
    images = [one.image for one in snapshots.good(state)]
    assert all(map(is_own, images))
    monkeypatch.setattr("controller.model.image.__version__", "0.2.0")
    assert not any(map(is_own, images))
    shutil.rmtree(snapshots.folder(state))
    found, place = newest(state)
    assert place.seq > 0, "a checkpoint is read whoever wrote it"
    assert replay(read(state, place=place), found).seq == RECORDS[-1].seq


def test_damage_in_the_archive_is_never_cut(state: str) -> None:
    write(state, TURNS, every=15)
    shutil.rmtree(snapshots.folder(state))
    for path in Path(state).glob("*/**/*.checkpoint"):
        path.write_bytes(b"")
    first, path = list(segments.retired(state).items())[2]
    data = bytearray(unpacked(path))
    data[len(data) // 2] ^= 1
    Path(path).write_bytes(zstandard.ZstdCompressor().compress(bytes(data)))
    live = segments.firsts(state)
    finding = repair.examine(state)
    with pytest.raises(StorageError, match="damage is in the archive"):
        repair.cut(state, finding.place)
    assert segments.firsts(state) == live and first not in live


def test_outputs_of_what_left_the_state_are_packed_and_can_be_read(state: str) -> None:
    write(state, TURNS[:-30])
    begun = TURNS[:-30]
    gone = [one.event.uid for one in chain(*begun) if isinstance(one.event, LifeArchived)]
    (kept, *_) = replay(chain(*begun)).workflows.values()
    logs = {uid: f"runs/{uid}/a.1.log" for uid in (*gone, kept.uid)}
    for uid, log in logs.items():
        Path(state, log).parent.mkdir()
        Path(state, log).write_text(f"output of {uid}")
    for turns in (TURNS[-30:-20], TURNS[-20:-10]):
        keep_up(state)
        write(state, turns)
    changed = Path(state, logs[gone[0]])
    changed.write_text("more, by a server that was left running")
    keep_up(state)  # now what was packed is deleted
    for uid in gone[1:]:
        found = output(state, logs[uid])
        assert found is not None and found.read() == f"output of {uid}".encode()
        assert not Path(state, logs[uid]).exists()
    assert changed.exists(), "it was written to since it was packed"
    assert Path(state, logs[kept.uid]).exists()


def test_an_output_that_seems_to_be_huge_stays_where_it_is(state: str) -> None:
    """A file of holes takes no room there, but all of its size wherever it is unpacked."""
    write(state, TURNS[:-30])
    begun = TURNS[:-30]
    gone = [one.event.uid for one in chain(*begun) if isinstance(one.event, LifeArchived)]
    logs = [f"runs/{uid}/a.1.log" for uid in gone]
    for log in logs:
        Path(state, log).parent.mkdir()
        Path(state, log).write_text("x")
    os.truncate(Path(state, logs[1]), 1 << 40)
    os.truncate(Path(state, logs[0]), OUTPUT_BYTES_MAX + 1)
    keep_up(state)
    write(state, TURNS[-30:-20])
    assert keep_up(state) == sorted(logs[:2])
    write(state, TURNS[-20:-10])
    keep_up(state)
    assert all(Path(state, log).exists() == (log in logs[:2]) for log in logs)
    assert output(state, logs[0]) is None
    assert output(state, logs[2]) is not None


def fill(state: str, uid: str, link_to: Path) -> None:
    """What a life and its first attempt leave behind, with everything that is hard to remove."""
    for folder in (f"runs/{uid}/a.1.files", f"runs/{uid}/b.1.out", f"work/{uid}/mod/deep"):
        Path(state, folder).mkdir(parents=True)
    for name in (
        "a.1.log",
        "a.1.out",
        "a.1.parts",
        "a.1.files/CONFIG",
        "b.1.out/file",
        "VALUES.values",
    ):
        Path(state, "runs", uid, name).write_text(f"{name} of {uid}")
    os.mkfifo(Path(state, "runs", uid, "c.1.out"))
    Path(state, "runs", uid, "d.1.out").symlink_to(link_to)
    Path(state, "work", uid, "mod/deep/file").touch()
    Path(state, "work", uid, "elsewhere").symlink_to(link_to)
    Path(state, "work", uid, "mod/elsewhere").symlink_to(link_to)
    Path(state, "work", uid, "mod/deep").chmod(0o500)
    Path(state, "work", uid, "mod").chmod(0)


def test_files_of_what_left_the_state_go_and_are_not_packed(state: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o750)
    (outside / "kept").touch()
    begun = TURNS[:-30]
    write(state, begun)
    gone = [one.event.uid for one in chain(*begun) if isinstance(one.event, LifeArchived)]
    (kept, *_) = replay(chain(*begun)).workflows.values()
    for uid in (*gone, kept.uid):
        fill(state, uid, outside)
    for turns in (TURNS[-30:-20], TURNS[-20:-10]):
        keep_up(state)
        write(state, turns)
    index = max(Path(state, "archive").glob("*/index.json"))
    assert "a.1.files" in index.read_text(), "it goes the next time"
    assert Path(state, "work", gone[0]).exists() and Path(state, "runs", gone[0]).exists()
    keep_up(state)
    ended = [life.uid for life in msgspec.json.decode(index.read_bytes(), type=Index).lives]
    assert len(ended) > 10
    for uid in gone:
        assert Path(state, "work", uid).exists() == (uid not in ended)
        assert os.path.lexists(Path(state, "runs", uid)) == (uid not in ended)
        for name in ("a.1.out", "a.1.parts", "a.1.files", "b.1.out", "c.1.out", "d.1.out"):
            assert not os.path.lexists(Path(state, "runs", uid, name))
        found = output(state, f"runs/{uid}/a.1.log")
        assert found is not None and found.read() == f"a.1.log of {uid}".encode()
        assert output(state, f"runs/{uid}/a.1.out") is None
        assert output(state, f"runs/{uid}/a.1.parts") is None
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert outside.stat().st_mode & 0o777 == 0o750
    assert Path(state, "runs", kept.uid, "a.1.files/CONFIG").exists()
    assert Path(state, "runs", kept.uid, "VALUES.values").exists()
    assert Path(state, "work", kept.uid, "elsewhere/kept").exists()


def test_what_is_of_a_whole_life_stays_until_its_end_is_archived(state: str) -> None:
    """A record that the log does not have yet may name it."""
    write(state, TURNS)
    Path(state, "runs/not-in-the-log").mkdir()
    Path(state, "runs/not-in-the-log/VALUES.values").touch()
    for life in ARCHIVED:
        folder = Path(state, "runs", life.event.uid)  # type: ignore[union-attr]
        folder.mkdir()
        (folder / "VALUES.values").write_text("values")
    written = archive.outputs(state)
    assert written == []
    assert archive.unknown(replay(RECORDS), written) == []


def test_what_hooks_print_is_of_attempts_that_the_state_knows() -> None:
    hooks = {"onExit": [{"name": "tidy", "run": "1"}]}
    story = Story().accept([a_step("a")], hooks=hooks).exit("a").exit("onExit/tidy")
    log = story.step("onExit/tidy").attempts[0].log
    assert log == "runs/uid-1/onExit:tidy.1.log"
    assert archive.unknown(story.state, [log, log.replace(".1.", ".2.")]) == [
        log.replace(".1.", ".2.")
    ]


@pytest.mark.parametrize(
    "name",
    [
        "runs",
        "work",
        "work/..",
        "work/.",
        "work/",
        "runs/../outside/file",
        "runs/uid/../../../outside/file",
        "work/link/file",
        "log/file",
        "file",
        "",
        "ABSOLUTE/outside/file",
    ],
)
def test_an_index_that_somebody_wrote_leads_nowhere(tmp_path: Path, name: str) -> None:
    state = tmp_path / "state"
    for path in ("outside", "state/runs/uid", "state/work/uid", "state/log"):
        (tmp_path / path).mkdir(parents=True)
    for path in ("outside/file", "state/log/file", "state/file", "state/work/uid/file"):
        (tmp_path / path).touch()
    (state / "work/link").symlink_to(tmp_path / "outside")
    before = sorted(tmp_path.rglob("*"))
    name = name.replace("ABSOLUTE", str(tmp_path))
    archive._drop(str(state), name)
    archive._delete_outputs(str(state), {name: 0})
    assert sorted(tmp_path.rglob("*")) == before


def test_many_outputs_are_packed_although_no_segment_is_full(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", PLENTY)
    monkeypatch.setattr(archive, "OUTPUTS_MIN", 5)
    for record in ARCHIVED:
        path = Path(state, f"runs/{record.event.uid}/a.1.log")  # type: ignore[union-attr]
        path.parent.mkdir()
        path.touch()
    write(state, TURNS, every=15)
    assert files(state, "runs") <= 5 + 4
    assert seen(state) == WHOLE and told(state) == RECORDS


# Keeps up with the log of a folder, and dies at its N-th call: a fork of what is loaded once.
DIES = """
import os, signal, sys
from controller.log import archive, segments, upkeep
left = 0
def dying(real):
    def call(*args, **more):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **more)
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call
for name in ("fsync", "rename", "unlink", "makedirs", "rmdir"):
    setattr(os, name, dying(getattr(os, name)))
segments.write = dying(segments.write)
for line in sys.stdin:
    nth, keep, state = line.split()
    if not (child := os.fork()):
        left = int(nth)
        for _ in range(2):
            upkeep.keep_up(state, int(keep))
        os._exit(0)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.parametrize("keep", [PLENTY, 1000])
def test_killed_at_every_call_nothing_is_lost(state: str, tmp_path: Path, keep: int) -> None:
    write(state, TURNS[:-60], every=15)
    write(state, TURNS[-60:])
    outputs = Path(state, "runs/nobody")
    outputs.mkdir()
    (outputs / "a.1.log").write_text("of a life that is over")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    keeper = subprocess.Popen([sys.executable, "-c", DIES], text=True, bufsize=1, **pipes)
    assert keeper.stdin is not None and keeper.stdout is not None
    for nth in range(1, 400, 3 if keep == PLENTY else 5):
        copy = str(tmp_path / f"killed-{nth}")
        shutil.copytree(state, copy)
        print(nth, keep, copy, file=keeper.stdin)
        ended = int(keeper.stdout.readline())
        assert seen(copy) == WHOLE
        assert told(copy) == RECORDS[beginning(copy)[0].seq :]
        keep_up(copy)
        keep_up(copy)
        assert seen(copy) == WHOLE
        if keep == PLENTY:
            assert told(copy) == RECORDS
            left = Path(copy, "runs/nobody/a.1.log")
            packed = output(copy, "runs/nobody/a.1.log")
            assert left.exists() or packed is not None
        assert not [name for name in os.listdir(Path(copy, "archive")) if not name.isdigit()]
        shutil.rmtree(copy)
        if not ended:
            break
        assert ended == signal.SIGKILL
    else:
        pytest.fail("it never came to its end")
    assert nth > 30
    keeper.communicate()
    assert keeper.returncode == 0


def test_a_damaged_batch_is_told_and_the_present_not_touched(state: str) -> None:
    write(state, TURNS, every=15)
    first, path = next(iter(segments.retired(state).items()))
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 2] ^= 1
    Path(path).write_bytes(data)
    assert seen(state) == WHOLE
    with pytest.raises(StorageError, match=f"{first:020}.jsonl.zst: damaged"):
        told(state)


def frame(path: str, data: bytes = b"", size: int = 0, **how: bool) -> None:
    """A frame of these bytes, or of so many zeros."""
    compressor = zstandard.ZstdCompressor(**how)  # type: ignore[arg-type]
    with open(path, "wb") as file, compressor.stream_writer(file, size=size or len(data)) as into:
        for _ in range(size >> 20):
            into.write(bytes(1 << 20))
        into.write(data)


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (lambda path: frame(path, size=1 << 30), "unpacks to more than 536,870,912 bytes"),
        (lambda path: frame(path, b"x", write_content_size=False), "unpacks to more than"),
        (lambda path: os.truncate(path, 1 << 40), "it is larger than 536,870,912 bytes"),
        (lambda path: os.truncate(path, 40), "damaged"),
        (lambda path: Path(path).write_bytes(b""), "damaged"),
        (lambda path: (os.unlink(path), os.mkfifo(path)), "it is not a regular file"),
        (lambda path: (os.unlink(path), os.symlink("/dev/zero", path)), "it is a link"),
    ],
)
def test_a_segment_that_unpacks_to_more_than_is_written_is_damage(
    state: str, made: Callable[[str], object], problem: str
) -> None:
    write(state, TURNS, every=15)
    path = next(iter(segments.retired(state).values()))
    made(path)
    with pytest.raises(StorageError, match=f"{path}: .*{problem}.*from a copy"):
        told(state)


def test_what_does_not_fit_into_the_memory_is_damage(state: str) -> None:
    write(state, TURNS, every=15)
    path = next(iter(segments.retired(state).values()))
    frame(path, size=400 << 20)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20), limits[1]))
    try:
        with pytest.raises(StorageError, match="does not fit into the memory"):
            told(state)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def a_batch(state: str, members: list[tarfile.TarInfo], sizes: dict[str, int]) -> str:
    """A batch with these outputs, each of zeros; the path of what holds them."""
    batch = Path(state, "archive", "00000000000000000009")
    batch.mkdir(parents=True)
    (batch / archive.INDEX).write_bytes(msgspec.json.encode(Index([], sizes)))
    plain = BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for member in members:
            tar.addfile(member, BytesIO(bytes(member.size)))
    (batch / archive.OUTPUTS).write_bytes(zstandard.ZstdCompressor().compress(plain.getvalue()))
    return str(batch / archive.OUTPUTS)


def member(name: str, size: int = 3, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size, found.type = size, kind
    return found


NAME = "runs/u/a.1.log"


def test_an_output_is_what_the_index_says_of_it(state: str) -> None:
    long = f"runs/u/{'x' * 200}.1.log"
    a_batch(state, [member(long), member(NAME, 5)], {long: 3, NAME: 5})
    for name, size in ((long, 3), (NAME, 5)):
        found = output(state, name)
        assert found is not None and found.read() == bytes(size)
    assert output(state, "runs/u/b.1.log") is None


@pytest.mark.parametrize(
    ("members", "sizes"),
    [
        ([member("runs/u/b.1.log", 5), member(NAME)], {NAME: 3}),
        ([member(NAME, 5)], {NAME: 3}),
        ([member("b", 5 << 20, tarfile.XHDTYPE), member(NAME)], {NAME: 3, "b": 5 << 20}),
        ([member(NAME, 3, tarfile.GNUTYPE_SPARSE)], {NAME: 3}),
        ([member(NAME, 3, tarfile.GNUTYPE_LONGNAME), member(NAME)], {NAME: 3}),
    ],
)
def test_outputs_that_we_never_packed_are_damage(
    state: str, members: list[tarfile.TarInfo], sizes: dict[str, int]
) -> None:
    path = a_batch(state, members, sizes)
    with pytest.raises(StorageError, match=f"{path}: damaged"):
        output(state, NAME)


def test_a_story_with_everything_survives_retirement(state: str) -> None:
    records = Scenario(29).play().records()
    turns = [list(turn) for _, turn in groupby(records, lambda each: each.turn)]
    write(state, turns, every=4)
    assert seen(state) == freeze(replay(records))
    assert told(state) == records
