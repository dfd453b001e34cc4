"""The state as the server shows it: it follows the log, whatever becomes of the log."""

import asyncio
import json
import os
import shutil
import time
from collections.abc import Awaitable, Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pytest
from faults.churn import come_and_go
from story import Story, a_step, dump

from controller.log import segments, writer
from controller.log.snapshots import newest
from controller.log.upkeep import keep_up
from controller.log.writer import LogWriter
from controller.model.apply.fold import replay
from controller.model.events import Record
from controller.model.image import freeze
from controller.server import mirror as module
from controller.server.feed import EVENT_BYTES_MAX, EventId, Subscriber
from controller.server.mirror import ROWS_MAX, UNREADABLE, Mirror

from .conftest import Houses, Write

Told = list[tuple[str, Any]]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLLOW_SECONDS", 0.002)
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.01)


class Follower:
    """A mirror that follows, and somebody who reads its stream. `told`: the events, by kind."""

    def __init__(self, state_dir: str, rows: bool = True) -> None:
        self.mirror = Mirror(state_dir)
        self.mirror.open()
        self.reader = Subscriber("", rows)
        self.mirror.feed.subscribe(self.reader)
        self.told: Told = []

    @property
    def state(self) -> Any:
        return self.mirror.state

    async def read(self) -> Told:
        """The events since the last call."""
        data = (await self.reader.wait(0)).decode()
        news: Told = []
        for block in data.split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            news.append((fields["event"], json.loads(fields["data"])))
        self.told += news
        return news

    def records(self) -> list[int]:
        return [data[0]["seq"] for kind, data in self.told if kind == "record"]

    async def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < deadline, ("it never came true", self.told[-5:])
            await self.read()
            await asyncio.sleep(0.002)
        await self.read()

    async def until_seq(self, seq: int) -> None:
        await self.until(lambda: self.state.seq == seq)

    def conditions(self) -> list[str]:
        return [condition.type for condition in self.mirror.controller().conditions]


def follow(state_dir: str, test: Callable[[Follower], Awaitable[None]], rows: bool = True) -> None:
    async def run() -> None:
        follower = Follower(state_dir, rows)
        following = asyncio.create_task(follower.mirror.follow())
        try:
            await test(follower)
            assert not following.done(), following
        finally:
            following.cancel()

    asyncio.run(run())


def segment(state_dir: str) -> Path:
    return Path(segments.path(state_dir, segments.firsts(state_dir)[-1]))


def cut(state_dir: str, records: int) -> None:
    """The last records are lost, as `repair` cuts them, or as a copy never had them."""
    lines = segment(state_dir).read_bytes().splitlines(keepends=True)
    os.truncate(segment(state_dir), sum(map(len, lines[:-records])))


def append(state_dir: str, records: list[Record]) -> None:
    log = LogWriter(state_dir)
    for record in records:
        log.append([record])
    log.close()


def rewritten(records: list[Record]) -> list[Record]:
    """As another controller wrote them."""
    return [msgspec.structs.replace(record, epoch=record.epoch + 1) for record in records]


def test_each_record_is_told_once_with_what_it_changed(write: Write, story: Story) -> None:
    state_dir = write(story)
    first = story.state.seq

    async def test(follower: Follower) -> None:
        assert dump(follower.state) == dump(story.state)
        for act in (
            lambda: story.exit("extract", workflow="etl"),
            lambda: story.exit("load", workflow="etl"),
        ):
            act()
            write(story)
            await follower.until_seq(story.state.seq)
        await follower.until(lambda: follower.told[-1][1].get("phase") == "Succeeded")
        assert follower.records() == [*range(first + 1, story.state.seq + 1)]
        moves = [
            (event["step"], event["phase"])
            for kind, data in follower.told
            if kind == "record"
            for event in data
            if event["type"] == "PhaseChanged"
        ]
        assert moves[0] == ("extract", "Succeeded")
        assert moves[-1] == (None, "Succeeded")
        row = follower.told[-1][1]
        assert (row["name"], row["phase"], row["steps"]["Succeeded"]) == ("etl", "Succeeded", 2)
        assert follower.mirror.at == EventId(story.state.epoch, story.state.seq)
        assert dump(follower.state) == dump(story.state)

    follow(state_dir, test)


@pytest.mark.parametrize("lost", [1, 3])
def test_a_log_that_was_cut_is_shown_as_it_is(write: Write, story: Story, lost: int) -> None:
    state_dir = write(story)

    async def test(follower: Follower) -> None:
        await follower.read()
        cut(state_dir, lost)
        await follower.until_seq(story.state.seq - lost)
        await follower.until(lambda: ("reset", {"id": str(follower.mirror.at)}) in follower.told)
        assert dump(follower.state) == dump(replay(story.records[:-lost]))

    follow(state_dir, test)


@pytest.mark.parametrize("lost", [1, 3])
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_log_that_was_cut_and_goes_on_otherwise_is_told(
    write: Write, story: Story, lost: int, more: int
) -> None:
    """Also where the bytes end at the same place as before, or behind it."""
    state_dir = write(story)
    story.exit("extract", workflow="etl")
    before = len(story.records) - lost - 1
    kept, others = story.records[:before], rewritten(story.records[before:])
    others = others[: lost + more]

    async def test(follower: Follower) -> None:
        await follower.until_seq(kept[-1].seq + lost)
        cut(state_dir, lost)
        append(state_dir, others)
        expected = replay([*kept, *others])
        await follower.until(lambda: dump(follower.state) == dump(expected))
        resets = [data["id"] for kind, data in follower.told if kind == "reset"]
        assert resets, "those who look are told that what they know is not so"
        assert follower.mirror.at == EventId(expected.epoch, expected.seq)
        assert not follower.mirror.problem

    segment(state_dir).unlink()
    append(state_dir, [*kept, *story.records[before : before + lost]])
    follow(state_dir, test)


def test_a_log_that_begins_later_is_followed(houses: Houses, story: Story) -> None:
    async def test(follower: Follower) -> None:
        await follower.until(lambda: ("reset", {"id": "0.0"}) in follower.told)
        append(houses.state_dir, story.records)
        await follower.until_seq(story.state.seq)
        await follower.until(lambda: follower.records() == [one.seq for one in story.records])

    follow(houses.state_dir, test)


def test_damage_is_told_and_goes_with_its_mending(write: Write, story: Story) -> None:
    state_dir = write(story)
    whole = segment(state_dir).read_bytes()

    async def test(follower: Follower) -> None:
        await follower.read()
        before = dump(follower.state)
        damaged = bytearray(whole)
        damaged[len(whole) // 2] ^= 1
        segment(state_dir).write_bytes(damaged)
        fresh = Mirror(state_dir)
        fresh.open()
        assert "damaged" in fresh.problem, "who starts now sees nothing, and why"
        append_raw = story.exit("extract", workflow="etl").records[-1]
        segment(state_dir).write_bytes(bytes(damaged[:-20]))
        await follower.until(lambda: UNREADABLE in follower.conditions())
        assert dump(follower.state) == before, "what was read before is still shown"
        (condition,) = follower.mirror.controller().conditions
        assert "as of 2023-11-14T" in condition.message
        assert condition.last_transition_time is not None
        assert condition.last_transition_time > "2024", "not that of the log"
        assert append_raw.seq > follower.state.seq
        segment(state_dir).write_bytes(whole)
        await follower.until(lambda: not follower.conditions())

        def told() -> list[bool]:
            return [
                bool(data["conditions"]) for kind, data in follower.told if kind == "controller"
            ]

        await follower.until(lambda: told() == [False, True, False])
        write(story)
        await follower.until_seq(story.state.seq)
        assert dump(follower.state) == dump(story.state)

    follow(state_dir, test)


def test_what_was_read_before_a_damaged_place_is_not_read_again(write: Write, story: Story) -> None:
    state_dir = write(story)
    lines = segment(state_dir).read_bytes().splitlines(keepends=True)
    last = len(lines) - 1
    segment(state_dir).write_bytes(b"".join((*lines[:3], b"x" * len(lines[3]), *lines[4:])))
    mirror = Mirror(state_dir)
    for _ in range(2):
        mirror.open()
        assert "damaged" in mirror.problem
        assert mirror.state.seq == 0, "what is half of a state is not shown"
        assert mirror.controller().conditions[-1].message.startswith("what is shown is nothing: ")
    unread = [b"x" * (len(line) - 1) + b"\n" for line in lines[:2]]
    segment(state_dir).write_bytes(b"".join((*unread, *lines[2:])))
    mirror.open()
    assert (mirror.problem, mirror.state.seq) == ("", last + 1)
    assert dump(mirror.state) == dump(story.state)


def test_damage_in_what_comes_is_told_and_the_stream_goes_on_when_it_is_mended(
    write: Write, story: Story
) -> None:
    state_dir = write(story)

    async def test(follower: Follower) -> None:
        await follower.until(lambda: bool(follower.told))
        seq = follower.state.seq
        whole = segment(state_dir).read_bytes()
        story.exit("extract", workflow="etl").exit("load", workflow="etl")
        write(story)
        more = segment(state_dir).read_bytes()
        damaged = bytearray(more)
        damaged[len(whole) + 20] ^= 1
        segment(state_dir).write_bytes(damaged)
        await follower.until(lambda: UNREADABLE in follower.conditions())
        assert follower.state.seq == seq
        segment(state_dir).write_bytes(more)
        await follower.until_seq(story.state.seq)
        await follower.until(lambda: not follower.conditions())
        assert dump(follower.state) == dump(story.state)
        assert [kind for kind, _ in follower.told].count("reset") == 1, "only that of the beginning"

    follow(state_dir, test)


@pytest.mark.parametrize("then", ["gone", "another"])
def test_a_damaged_log_that_is_not_mended_but_replaced(
    write: Write, story: Story, houses: Houses, then: str
) -> None:
    state_dir = write(story)
    path = segment(state_dir)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join((*lines[:3], b"x" * len(lines[3]), *lines[4:])))

    async def test(follower: Follower) -> None:
        assert UNREADABLE in follower.conditions()
        path.unlink()
        others = rewritten(story.records[:2]) if then == "another" else []
        append(state_dir, others)
        await follower.until(lambda: dump(follower.state) == dump(replay(others)))
        await follower.until(lambda: not follower.conditions())

    follow(state_dir, test)


def test_a_folder_that_goes_and_comes_back(write: Write, story: Story, tmp_path: Path) -> None:
    state_dir = write(story)
    aside = tmp_path / "aside"

    async def test(follower: Follower) -> None:
        before = dump(follower.state)
        os.rename(state_dir, aside)
        await follower.until(lambda: UNREADABLE in follower.conditions())
        await follower.until(lambda: "no such folder" in follower.mirror.problem)
        assert dump(follower.state) == before
        os.rename(aside, state_dir)
        await follower.until(lambda: not follower.conditions())
        story.exit("extract", workflow="etl")
        write(story)
        await follower.until_seq(story.state.seq)
        assert dump(follower.state) == dump(story.state)

    follow(state_dir, test)


def test_a_copy_in_place_of_the_folder_changes_nothing(
    write: Write, story: Story, tmp_path: Path
) -> None:
    state_dir = write(story)

    async def test(follower: Follower) -> None:
        shutil.copytree(state_dir, tmp_path / "copy")
        shutil.rmtree(state_dir)
        os.rename(tmp_path / "copy", state_dir)
        story.exit("extract", workflow="etl")
        write(story)
        await follower.until_seq(story.state.seq)
        assert dump(follower.state) == dump(story.state)

    follow(state_dir, test)


@pytest.mark.parametrize(
    "put",
    [
        pytest.param(Path.touch, id="an empty file"),
        pytest.param(os.mkfifo, id="a pipe"),
        pytest.param(Path.mkdir, id="a folder"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), id="a link to a device"),
    ],
)
def test_something_else_in_place_of_the_log(
    write: Write, story: Story, put: Callable[[Path], object]
) -> None:
    state_dir = write(story)
    path, data = segment(state_dir), segment(state_dir).read_bytes()

    async def test(follower: Follower) -> None:
        path.unlink()
        put(path)
        await follower.until(lambda: UNREADABLE in follower.conditions() or not follower.state.seq)
        path.rmdir() if path.is_dir() else path.unlink()
        path.write_bytes(data)
        await follower.until_seq(story.state.seq)
        await follower.until(lambda: not follower.conditions())

    follow(state_dir, test)


def test_what_is_archived_meanwhile_makes_no_difference(
    houses: Houses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", 6_000)
    state_dir, records = houses.state_dir, come_and_go(40)
    turns = [[*turn] for _, turn in groupby(records, lambda record: record.turn)]

    async def test(follower: Follower) -> None:
        log = LogWriter(state_dir, newest(state_dir)[1])
        for number, turn in enumerate(turns, 1):
            log.append(turn)
            if number % 15 == 0:
                keep_up(state_dir)
                await follower.until_seq(turn[-1].seq)
        log.close()
        await follower.until_seq(records[-1].seq)
        assert freeze(follower.state) == freeze(replay(records))
        assert follower.records() == [record.seq for record in records]
        assert any(Path(state_dir, "archive").iterdir())
        shutil.rmtree(Path(state_dir, "snapshots"))
        fresh = Mirror(state_dir)
        fresh.open()
        assert freeze(fresh.state) == freeze(follower.state), fresh.problem

    follow(state_dir, test)


def test_others_have_their_turn_only_between_turns(
    houses: Houses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A controller shows only the results of whole turns."""
    monkeypatch.setattr(module, "SLICE_SECONDS", 0)
    records = come_and_go(10)
    turns = [[*turn] for _, turn in groupby(records, lambda record: record.turn)]
    assert any(len(turn) > 1 for turn in turns)
    shown: set[int] = set()
    sleep = asyncio.sleep

    async def test(follower: Follower) -> None:
        async def noted(seconds: float) -> None:
            shown.add(follower.state.seq)
            await sleep(seconds)

        monkeypatch.setattr(asyncio, "sleep", noted)
        log = LogWriter(houses.state_dir)
        for turn in turns:
            log.append(turn)
        log.close()
        await follower.until_seq(records[-1].seq)

    follow(houses.state_dir, test)
    assert len(shown) > 5
    assert shown <= {0, *(turn[-1].seq for turn in turns)}


def test_nothing_that_goes_wrong_in_telling_ends_the_following(
    write: Write, story: Story, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state_dir, right = write(story), module.happened

    def wrong(*_: object) -> object:
        raise KeyError("a fault of ours")

    async def test(follower: Follower) -> None:
        await follower.read()
        monkeypatch.setattr(module, "happened", wrong)
        story.exit("extract", workflow="etl")
        write(story)
        await follower.until_seq(story.state.seq)
        monkeypatch.setattr(module, "happened", right)
        await follower.until(lambda: not follower.conditions())
        assert ("reset", {"id": str(follower.mirror.at)}) in follower.told
        assert dump(follower.state) == dump(story.state)
        story.exit("load", workflow="etl")
        write(story)
        await follower.until_seq(story.state.seq)

    follow(state_dir, test)
    assert "a fault of ours" in capsys.readouterr().err


def test_a_large_record_is_told_in_short(write: Write, story: Story) -> None:
    state_dir = write(story)

    async def test(follower: Follower) -> None:
        await follower.read()
        steps = [a_step("big", run="x" * EVENT_BYTES_MAX), a_step("next", "big")]
        story.accept(steps, name="large")
        write(story)
        await follower.until_seq(story.state.seq)
        (told,) = [
            data
            for kind, data in follower.told
            if kind == "record" and data[0]["type"] == "GenerationAccepted"
        ]
        assert (told[0]["shortened"], told[0]["workflow"]) == (True, "large")
        assert "spec" not in told[0]

    follow(state_dir, test)


def test_when_too_many_rows_change_the_list_is_asked_for_again(
    write: Write, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ROWS_MAX >= 500
    monkeypatch.setattr(module, "ROWS_MAX", 5)
    state_dir = write(story)

    async def test(follower: Follower) -> None:
        await follower.read()
        for number in range(6):
            story.accept([a_step("a")], name=f"w{number}")
        write(story)
        await follower.until_seq(story.state.seq)
        await follower.until(lambda: any(kind == "stale" for kind, _ in follower.told))
        assert not any(kind == "row" for kind, _ in follower.told)

    follow(state_dir, test)


def test_a_row_that_is_gone_is_told(write: Write, story: Story) -> None:
    state_dir, uid = write(story), story.life("etl").uid

    async def test(follower: Follower) -> None:
        await follower.read()
        story.delete("etl")
        story.end("extract", workflow="etl")
        write(story)
        await follower.until(lambda: ("gone", {"uid": uid}) in follower.told)
        assert "etl" not in follower.state.workflows

    follow(state_dir, test)
