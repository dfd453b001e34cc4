"""A state folder with a log, and the server's routes over it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest
from faults.churn import come_and_go
from server.asgi import HOST
from server.stories import a_story
from starlette.types import ASGIApp
from story import Story

from controller.log import writer
from controller.log.snapshots import newest
from controller.log.state_folder import prepare_state
from controller.log.upkeep import keep_up
from controller.log.writer import LogWriter
from controller.model.events import AttemptScheduled
from controller.server.access import Access
from controller.server.app import make_app
from controller.server.beside.worker import Folders, Worker
from controller.server.context import Context
from controller.server.mirror import Mirror

Write = Callable[[Story], str]


class House(NamedTuple):
    """The routes, over a state folder."""

    app: ASGIApp
    context: Context
    view: str  # a token that may look
    operate: str  # a token that may act


class Houses:
    """Writes a story, and opens the routes over it for one test. `drafts`, `specs` are there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state_dir = str(root / ".treadle")
        self.specs = root / "specs"
        self.specs.mkdir()
        prepare_state(self.state_dir)

    def folders(self) -> Folders:
        return Folders(self.state_dir, str(self.specs), None, 1 << 20)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[House]:
        folders = self.folders()
        access = Access(self.state_dir)
        access.prepare()
        mirror = Mirror(self.state_dir)
        questions, deeds = Worker("questions", folders), Worker("deeds", folders)
        mirror.open()
        context = Context(mirror, questions, deeds, access, drafts=False, git=False)
        tokens = [Path(self.state_dir, "web", role).read_text().strip() for role in ACCESS_ROLES]
        try:
            yield House(make_app(context, {HOST}, {f"http://{HOST}"}), context, *tokens)
        finally:
            await questions.stop()
            await deeds.stop()

    def within(self, test: Callable[[House], Awaitable[None]]) -> None:
        """Run a test with it."""

        async def run() -> None:
            async with self.open() as house:
                await test(house)

        asyncio.run(run())


ACCESS_ROLES = ("view", "operate")
LINES = b"".join(b"line %d\n" % number for number in range(20_000))


@pytest.fixture
def houses(tmp_path: Path) -> Houses:
    return Houses(tmp_path)


@pytest.fixture
def write(houses: Houses) -> Write:
    """Write what a story has recorded since the last time, as its controller would have."""
    written = [0]

    def write(story: Story) -> str:
        log = LogWriter(houses.state_dir)
        for record in story.records[written[0] :]:
            log.append([record])
        log.close()
        written[0] = len(story.records)
        return houses.state_dir

    return write


@pytest.fixture
def story() -> Story:
    """Of `etl`, whose `load` waits for its running `extract`."""
    return a_story()


@pytest.fixture
def archived(houses: Houses, monkeypatch: pytest.MonkeyPatch) -> Houses:
    """Of the workflows `w0` to `w39` the first have left the state. Each step printed LINES."""
    monkeypatch.setattr(writer, "SEGMENT_SIZE_MAX", 6_000)
    log = LogWriter(houses.state_dir, newest(houses.state_dir)[1])
    for number, (_, turn) in enumerate(groupby(come_and_go(40), lambda record: record.turn), 1):
        records = [*turn]
        log.append(records)
        for record in records:
            if isinstance(record.event, AttemptScheduled):
                path = Path(houses.state_dir, record.event.log)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(LINES)
        if number % 15 == 0:
            keep_up(houses.state_dir)
    log.close()
    assert any(Path(houses.state_dir, "archive").iterdir())
    return houses
