"""The log under faults, on the real file system: nothing acknowledged lost, nothing invented."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from zlib import crc32

import pytest

from controller.errors import StorageError
from controller.log import segments, writer
from controller.log.reader import Cursor, DamagedLog, Tail, read
from controller.log.records import NewerLog, decode, encode_turn
from controller.log.state_folder import prepare_state
from controller.log.writer import LogWriter
from controller.model.events import Record, StepReady

SIZES = (2, 3, 1, 3)  # records of each turn
TURNS = len(SIZES)


def a_turn(first: int, size: int, epoch: int = 1) -> list[Record]:
    return [
        Record(seq, first, 1_000_000 + seq, epoch, StepReady(uid="u", step=f"step-{seq}"))
        for seq in range(first, first + size)
    ]


FIRSTS = list(accumulate([1, *SIZES[:-1]]))
WRITTEN = [a_turn(first, size) for first, size in zip(FIRSTS, SIZES, strict=True)]
LINES = [encode_turn(turn) for turn in WRITTEN]
STARTS = list(accumulate([0, *map(len, LINES)]))  # where each turn begins, and the end of all
LOG = b"".join(LINES)


@pytest.fixture
def state(tmp_path: Path) -> str:
    path = tmp_path / "state"
    prepare_state(str(path))
    return str(path)


def records(turns: int) -> list[Record]:
    return [record for turn in WRITTEN[:turns] for record in turn]


def put(state: str, data: bytes, first: int = 1) -> Path:
    path = Path(segments.path(state, first))
    path.write_bytes(data)
    return path


def append_all(state: str) -> None:
    log = LogWriter(state)
    for turn in WRITTEN:
        log.append(turn)
    log.close()


# ------------------------------------------------------------------------------- written and read


def test_what_was_appended_is_read(state: str) -> None:
    append_all(state)
    assert Path(segments.path(state, 1)).read_bytes() == LOG
    assert list(read(state)) == records(TURNS)


@pytest.mark.parametrize("after", range(len(records(TURNS)) + 2))
def test_reading_can_begin_behind_any_record(state: str, after: int) -> None:
    append_all(state)
    assert list(read(state, after)) == records(TURNS)[after:]


def test_an_absent_state_folder_is_an_empty_log(tmp_path: Path) -> None:
    assert list(read(str(tmp_path / "nothing"))) == []
    assert Tail(str(tmp_path / "nothing")).poll() == []


def test_a_writer_goes_on_where_the_last_one_ended(state: str) -> None:
    for turn in WRITTEN:
        log = LogWriter(state)
        log.append(turn)
        assert (log.seq, log.epoch, log.cut) == (turn[-1].seq, 1, "")
        log.close()
    assert list(read(state)) == records(TURNS)


def test_an_empty_turn_writes_nothing(state: str) -> None:
    LogWriter(state).append([])
    assert Path(segments.path(state, 1)).read_bytes() == b""


@pytest.mark.parametrize(
    "turn",
    [
        pytest.param(a_turn(3, 1), id="a gap"),
        pytest.param(a_turn(1, 1), id="a record that is there"),
        pytest.param(a_turn(2, 1, epoch=4), id="a lower epoch"),
        pytest.param([*a_turn(2, 1, 5), *a_turn(3, 1, 5)], id="two turns in one"),
        pytest.param([*a_turn(2, 1, 6), *a_turn(2, 2, 5)[1:]], id="an epoch that falls within"),
    ],
)
def test_what_does_not_follow_is_not_written(state: str, turn: list[Record]) -> None:
    log = LogWriter(state)
    log.append(a_turn(1, 1, epoch=5))
    with pytest.raises(StorageError, match="can't follow"):
        log.append(turn)
    assert list(read(state)) == a_turn(1, 1, epoch=5)


# --------------------------------------------------------------------------------------- torn tails


@pytest.mark.parametrize("cut", range(STARTS[-3], STARTS[-1] + 1))
def test_cut_at_every_byte_of_the_last_two_turns(state: str, cut: int) -> None:
    path = put(state, LOG[:cut])
    whole = sum(start <= cut for start in STARTS[1:])
    assert list(read(state)) == records(whole)
    assert path.read_bytes() == LOG[:cut], "a reader repairs nothing"

    log = LogWriter(state)
    torn = LOG[STARTS[whole] : cut]
    copies = [copy.read_bytes() for copy in path.parent.glob("*.torn-*")]
    assert copies == ([torn] if torn else [])
    assert ("cut" in log.cut) == bool(torn)
    log.append(a_turn(log.seq + 1, 2, epoch=2))
    assert list(read(state)) == records(whole) + a_turn(records(whole)[-1].seq + 1, 2, epoch=2)


def lost(data: bytes, start: int, end: int) -> bytes:
    return data[:start] + bytes(end - start) + data[end:]


LAST = STARTS[-2]


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        pytest.param(LOG + bytes(1), TURNS, id="one NUL behind"),
        pytest.param(LOG + bytes(5000), TURNS, id="pages of NULs behind"),
        pytest.param(LOG + b"\n", TURNS, id="a newline behind"),
        pytest.param(LOG + b"garbage\n" * 9, TURNS, id="garbage behind"),
        pytest.param(lost(LOG, LAST, len(LOG)), TURNS - 1, id="the last turn zeroed"),
        pytest.param(lost(LOG, LAST, LAST + 40), TURNS - 1, id="its early page lost"),
        pytest.param(lost(LOG, LAST + 150, LAST + 190), TURNS - 1, id="a page within it lost"),
        pytest.param(lost(LOG, len(LOG) - 40, len(LOG)), TURNS - 1, id="its late page lost"),
        pytest.param(LOG[: STARTS[1] // 2], 0, id="half of the first turn ever"),
    ],
)
def test_damage_within_the_last_turn_is_a_torn_tail(state: str, data: bytes, whole: int) -> None:
    put(state, data)
    assert list(read(state)) == records(whole)
    log = LogWriter(state)
    assert log.seq == len(records(whole))
    assert log.cut
    assert Path(segments.path(state, 1)).read_bytes() == b"".join(LINES[:whole])


def test_two_torn_tails_at_one_place_are_both_kept(state: str) -> None:
    for torn in (b"one", b"another"):
        put(state, LOG + torn)
        LogWriter(state).close()
    copies = [copy.read_bytes() for copy in Path(segments.folder(state)).glob("*.torn-*")]
    assert sorted(copies) == [b"another", b"one"]


# ------------------------------------------------------------------------------------------ damage


@pytest.mark.parametrize("mask", [0x01, 0x20, 0x80, 0xFF], ids=hex)
def test_each_byte_flipped_in_turn(state: str, mask: int) -> None:
    """In the last turn: a torn tail. In front of it: refused with the place, nothing touched."""
    ends = list(accumulate(len(line) for line in LOG.splitlines(keepends=True)))
    for at, byte in enumerate(LOG):
        data = LOG[:at] + bytes([byte ^ mask]) + LOG[at + 1 :]
        path = put(state, data)
        if at >= LAST:
            assert list(read(state)) == records(TURNS - 1)
            continue
        hit = sum(end <= at for end in ends)  # the record, counted from 0
        for use in (lambda: list(read(state)), lambda: LogWriter(state)):
            with pytest.raises(DamagedLog) as refused:
                use()
            error = refused.value
            assert (error.file, error.seq) == (str(path), hit + 1)
            assert error.offset == (ends[hit - 1] if hit else 0)
        assert path.read_bytes() == data


def test_a_lost_newline_does_not_hide_the_record_behind_it(state: str) -> None:
    put(state, encode_turn(a_turn(1, 1))[:-1] + b"\r" + encode_turn(a_turn(2, 1)))
    with pytest.raises(DamagedLog, match="record 2 of a later turn"):
        list(read(state))


def test_a_refusal_says_where_what_and_how_to_mend(state: str) -> None:
    path = put(state, lost(LOG, STARTS[1] + 5, STARTS[1] + 9))
    with pytest.raises(DamagedLog) as refused:
        list(read(state))
    assert str(refused.value) == (
        f"{path}: damaged at byte {STARTS[1]}, record 3: record 6 of a later turn comes after "
        "it; the log is left as it is: put the file back from a copy; `treadle repair` shows what "
        "a cut would lose"
    )
    assert refused.value.exit_code == 4


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(LINES[0] + LINES[2], "record 6 is in its place", id="a turn is missing"),
        pytest.param(LOG + LINES[3], "record 7 is in its place", id="a turn stands twice"),
        pytest.param(
            LINES[0] + LINES[1].splitlines(keepends=True)[0] + LINES[2],
            "record 6 is in its place",
            id="a turn without its end before another",
        ),
        pytest.param(
            LOG + encode_turn(a_turn(10, 1, epoch=0)),
            "epoch 0 wrote after one of epoch 1",
            id="a controller of an older epoch",
        ),
    ],
)
def test_good_records_that_do_not_follow_are_refused(state: str, data: bytes, says: str) -> None:
    put(state, data)
    with pytest.raises(DamagedLog, match=says):
        list(read(state))


# ---------------------------------------------------------------------------------------- segments


@pytest.fixture
def segmented(state: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same log with a segment for each turn."""
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", 1)
    append_all(state)
    assert segments.firsts(state) == FIRSTS
    return state


def test_segments_read_as_one_log(segmented: str) -> None:
    assert list(read(segmented)) == records(TURNS)
    assert list(read(segmented, 4)) == records(TURNS)[4:]
    assert LogWriter(segmented).seq == len(records(TURNS))


def test_a_segment_is_full_at_its_limit_and_not_before(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", STARTS[2])
    append_all(state)
    assert segments.firsts(state) == [FIRSTS[0], FIRSTS[2]]


def move(state: str, first: int, to: int) -> None:
    os.rename(segments.path(state, first), segments.path(state, to))


def swap(state: str) -> None:
    move(state, FIRSTS[1], 99)
    move(state, FIRSTS[2], FIRSTS[1])
    move(state, 99, FIRSTS[2])


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        pytest.param(
            lambda state: os.unlink(segments.path(state, FIRSTS[1])),
            "the next segment begins with record 6",
            id="one is missing",
        ),
        pytest.param(
            lambda state: os.unlink(segments.path(state, 1)),
            "the log begins with record 3",
            id="the first is missing",
        ),
        pytest.param(
            lambda state: put(state, b"", FIRSTS[1]),
            "next segment begins with record 6",
            id="one is empty",
        ),
        pytest.param(
            lambda state: put(state, LINES[1][:-9], FIRSTS[1]),
            "next segment begins with record 6",
            id="one is torn, and not the last",
        ),
        pytest.param(
            lambda state: put(state, LINES[0], FIRSTS[1]),
            "record 1 is in its place",
            id="a duplicate",
        ),
        pytest.param(swap, "record 6 is in its place", id="two are swapped"),
    ],
)
def test_harm_to_segments_is_refused(
    segmented: str, harm: Callable[[str], object], says: str
) -> None:
    harm(segmented)
    with pytest.raises(DamagedLog, match=says):
        list(read(segmented))


def test_an_empty_last_segment_is_one_just_begun(segmented: str) -> None:
    put(segmented, b"", FIRSTS[-1])
    assert list(read(segmented)) == records(TURNS - 1)
    log = LogWriter(segmented)
    assert (log.seq, log.epoch, log.cut) == (FIRSTS[-1] - 1, 1, "")


def test_an_empty_last_segment_proves_the_one_before_was_whole(segmented: str) -> None:
    put(segmented, LINES[-2][:-1], FIRSTS[-2])
    put(segmented, b"", FIRSTS[-1])
    with pytest.raises(DamagedLog, match=f"segment begins with record {FIRSTS[-1]}"):
        list(read(segmented))


def test_a_listing_made_while_segments_are_made_loses_none(
    segmented: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have a new segment and not an older one that was made while it went on."""
    complete = os.listdir(segments.folder(segmented))
    hasty = [name for name in complete if name != f"{FIRSTS[1]:020}.jsonl"]
    listings = iter([hasty, complete])
    monkeypatch.setattr(os, "listdir", lambda _path: next(listings))
    assert list(read(segmented)) == records(TURNS)


def test_other_files_in_the_folder_are_passed_over(segmented: str) -> None:
    for name in ("1.jsonl", "README", f"{FIRSTS[1]:020}.jsonl.torn-9-1", f"{50:020}.jsonl~"):
        Path(segments.folder(segmented), name).write_text("anything")
    assert list(read(segmented)) == records(TURNS)


# ----------------------------------------------------------------------------------- newer treadles


@pytest.mark.parametrize("change", [(b'"schema":1', b'"schema":2'), (b"StepReady", b"Checkpoint")])
def test_a_newer_tail_is_refused_and_not_cut(state: str, change: tuple[bytes, bytes]) -> None:
    body = LINES[-1].splitlines()[0].rpartition(b',"crc"')[0].replace(*change)
    record = b'%s,"crc":"%08x"}\n' % (body, crc32(body))
    path = put(state, LOG[:LAST] + record)
    for use in (lambda: list(read(state)), lambda: LogWriter(state)):
        with pytest.raises(NewerLog, match=r"record 7 .* newer treadle"):
            use()
    assert path.read_bytes() == LOG[:LAST] + record


# ------------------------------------------------------------------------------------ failing calls


def fail_with(code: int) -> Callable[..., object]:
    def fail(*_args: object) -> object:
        raise OSError(code, os.strerror(code))

    return fail


def test_after_a_failed_sync_nothing_is_written_again(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = LogWriter(state)
    log.append(WRITTEN[0])
    with monkeypatch.context() as faulty:
        faulty.setattr(segments, "sync", fail_with(errno.EIO))
        with pytest.raises(StorageError, match="Input/output error"):
            log.append(WRITTEN[1])
    size = os.stat(segments.path(state, 1)).st_size
    with pytest.raises(StorageError, match=r"nothing more in this process.*Input/output error"):
        log.append(WRITTEN[1])
    assert os.stat(segments.path(state, 1)).st_size == size


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
def test_an_opening_that_cannot_write_is_refused(
    state: str, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """It writes the last turn over itself: a failing disk is found before anybody builds on it."""
    path = put(state, LOG + b"torn")
    monkeypatch.setattr(os, call, fail_with(errno.EROFS))
    with pytest.raises(StorageError, match=r"Read-only file system.*then start again"):
        LogWriter(state)
    assert path.read_bytes() == LOG + b"torn", "nothing is cut before the copy is safe"


def test_an_opening_syncs_the_last_turn_anew(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(state, LOG)
    monkeypatch.setattr(segments, "sync", fail_with(errno.EIO))
    with pytest.raises(StorageError, match="Input/output error"):
        LogWriter(state)


def test_a_new_segment_that_cannot_be_made_stops_the_writer(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", 1)
    log = LogWriter(state)
    log.append(WRITTEN[0])
    put(state, b"", FIRSTS[1])  # somebody else was there
    with pytest.raises(StorageError, match="File exists"):
        log.append(WRITTEN[1])
    with pytest.raises(StorageError, match="takes nothing more"):
        log.append(WRITTEN[1])


def test_a_log_that_grew_under_its_writer_has_another_owner(state: str) -> None:
    first, second = LogWriter(state), LogWriter(state)
    second.append(WRITTEN[0])
    with pytest.raises(StorageError, match="somebody else wrote here"):
        first.append(WRITTEN[0])
    assert list(read(state)) == records(1)


def test_a_log_that_was_deleted_under_its_writer(state: str) -> None:
    log = LogWriter(state)
    log.append(WRITTEN[0])
    os.unlink(segments.path(state, 1))
    with pytest.raises(StorageError, match="was deleted"):
        log.append(WRITTEN[1])


FILL = """
import resource, sys
from controller.errors import StorageError
from controller.log.writer import LogWriter
from controller.model.events import Record, StepReady
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 8000))
log = LogWriter(sys.argv[1])
done = 0
try:
    while True:
        seqs = (done + 1, done + 2)
        turn = [Record(s, done + 1, s, 1, StepReady(uid="u", step="s")) for s in seqs]
        log.append(turn)
        done += 2
except StorageError as error:
    print(done, error)
resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))  # there is room again
try:
    log.append(turn)
except StorageError as error:
    print(error)
"""


def test_a_full_disk_leaves_what_was_acknowledged(state: str) -> None:
    """A limit on file size gives what a full disk gives: a short write, then an error."""
    told = subprocess.run(
        [sys.executable, "-c", FILL, state], capture_output=True, text=True, check=True
    )
    first, second = told.stdout.splitlines()
    acknowledged = int(first.split()[0])
    assert "File too large: the log can't be written" in first
    assert "takes nothing more in this process" in second
    assert os.stat(segments.path(state, 1)).st_size == 4000, "a short write came before the error"
    assert [record.seq for record in read(state)] == list(range(1, acknowledged + 1))
    assert LogWriter(state).seq == acknowledged


# --------------------------------------------------------------------------------------- following


def test_a_tail_returns_what_is_new_in_whole_turns(state: str) -> None:
    tail = Tail(state)
    for cut in range(len(LOG) + 1):
        put(state, LOG[:cut])
        expected = next(
            (turn for turn, end in zip(WRITTEN, STARTS[1:], strict=True) if end == cut), []
        )
        assert tail.poll() == expected


def test_a_tail_begins_where_it_is_told(segmented: str) -> None:
    tail = Tail(segmented, after=4)
    assert tail.poll() == records(TURNS)[4:]
    assert tail.poll() == []


def test_a_tail_follows_over_segments_and_a_cut(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", 1)
    tail = Tail(state)
    assert tail.poll() == []
    for number, turn in enumerate(WRITTEN):
        log = LogWriter(state)
        log.append(turn)
        log.close()
        assert tail.poll() == turn
        with open(segments.path(state, FIRSTS[number]), "ab") as file:
            file.write(encode_turn(a_turn(turn[-1].seq + 1, 2))[:-20])
        assert tail.poll() == []


def test_a_tail_leaves_a_segment_that_it_entered_empty(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", 1)
    log, tail = LogWriter(state), Tail(state)
    assert tail.poll() == []
    for turn in WRITTEN:
        log.append(turn)
        assert tail.poll() == turn


def test_bytes_that_change_under_a_reader_are_no_damage(
    state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer cuts a torn tail and appends while we read: half old and half new bytes."""
    put(state, LOG)
    mixed = LOG[:LAST].replace(LINES[1], LINES[1][:50] + b"?" + LINES[1][51:])
    reads = iter([mixed, LOG[STARTS[1] :]])
    monkeypatch.setattr(Cursor, "_rest", lambda _cursor: next(reads))
    assert list(read(state)) == records(TURNS)


def test_a_tail_tells_of_damage(state: str) -> None:
    put(state, LOG[: STARTS[1]])
    tail = Tail(state)
    assert tail.poll() == WRITTEN[0]
    put(state, lost(LOG, STARTS[1] + 3, STARTS[1] + 5))
    for _ in range(2):
        with pytest.raises(DamagedLog):
            tail.poll()


WRITE = """
import sys
from controller.log import writer
from controller.log.writer import LogWriter
from controller.model.events import Record, StepReady
writer.SEGMENT_SIZE_MAX = 20_000
log = LogWriter(sys.argv[1])
epoch = log.epoch + 1
until = log.seq + int(sys.argv[2])
while log.seq < until:
    first = log.seq + 1
    turn = range(first, first + 1 + first % 40)
    log.append([Record(s, first, s, epoch, StepReady(uid="u", step="s" * (s % 50))) for s in turn])
"""


def a_writer(state: str, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITE, state, str(count)])


def whole_turns(found: list[Record]) -> Iterator[bool]:
    for record in found:
        yield record.turn <= record.seq
        yield record.seq < record.turn + 1 + record.turn % 40


def test_reading_while_it_is_written_and_its_writer_killed(state: str) -> None:
    """Killed in the middle five times: followers and readers see one log, in whole turns."""
    tail, followed = Tail(state), list[Record]()
    for kill_after in (300, 2_000, 3_000, 5_000, 8_000, None):
        controller = a_writer(state, 4_000 if kill_after is None else 1_000_000)
        try:
            while controller.poll() is None:
                followed += tail.poll()
                if kill_after is not None and len(followed) >= kill_after:
                    controller.kill()
                    controller.wait(30)
                for _record in read(state, after=max(0, len(followed) - 50)):
                    pass  # raises where it takes what is being written for damage
        finally:
            controller.kill()
            assert controller.wait(30) == (0 if kill_after is None else -9)
    followed += tail.poll()
    found = list(read(state))
    assert followed == found
    assert [record.seq for record in found] == list(range(1, len(found) + 1))
    assert all(whole_turns(found))
    assert len(segments.firsts(state)) > 10
    assert decode(encode_turn(found[-1:])) == found[-1]
