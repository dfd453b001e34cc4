"""The state as all routes read it: a replica that follows the log, on the server's event loop.

Every record that comes is folded, and published as a message. If the log can't be read (damaged,
gone, put back from a copy), the state stays as it was, the problem is told, and it begins again as
soon as there is a log that can be read. So the server never ends because of what it reads. What was
read before a damaged place is not read again: it goes on from there.
"""

import asyncio
import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from time import monotonic

import msgspec

from controller.client.replica import FOLLOW_SECONDS, Replica, now
from controller.errors import StorageError
from controller.log.status_file import ControllerStatus, read_status
from controller.model.state import State
from controller.printing import complain
from controller.server.feed import EventId, Feed, Message, event, recorded
from controller.server.lists import are_wide
from controller.view.lists.overview import row
from controller.view.look import Look
from controller.view.shape import ConditionShape, ControllerShape, FilesWaiting
from controller.view.status import conditions_shape
from controller.view.story import happened
from controller.view.times import rfc3339

SLICE_SECONDS = 0.01  # in which records are folded before other tasks have their turn
ROWS_MAX = 500  # that are sent at once; if more have changed, the list is to be asked for again
AGAIN_SECONDS = 2.0  # until a log that can't be read is tried again; twice as long each time
AGAIN_MAX = 16  # times that
UNREADABLE = "LogUnreadable"
_READ = (StorageError, OSError, ValueError, RecursionError)


class Mirror:
    """`state` is what is shown; `feed` tells what follows.

    It is that of the replica, once that has come to the end of the log.
    """

    def __init__(self, state_dir: str) -> None:
        self.state_dir = state_dir
        self.state = State()
        self.status = ControllerStatus(phase="Stopped")
        self.problem = ""
        self.problem_since = 0
        self.feed = Feed()
        self._replica: Replica | None = None
        self._controller = b""
        self._again = AGAIN_SECONDS

    @property
    def at(self) -> EventId:
        return self.feed.at

    @property
    def files(self) -> FilesWaiting:
        """How many files wait for triggers; None if no controller runs."""
        return self.status.files_waiting if self.status.phase == "Running" else None

    def look(self) -> Look:
        """How views are shown to it: in UTC, and nothing is cut."""
        return Look(now=now(), stood=self.status.stood(self.state.time))

    def controller(self) -> ControllerShape:
        """The controller, and its conditions; a log that can't be read is one of them."""
        conditions = conditions_shape(self.status.conditions)
        if self.problem:
            shown = f"as of {rfc3339(self.state.time)}" if self.state.seq else "nothing"
            conditions.append(
                ConditionShape(
                    type=UNREADABLE,
                    status="True",
                    reason=UNREADABLE,
                    message=f"what is shown is {shown}: {self.problem}",
                    last_transition_time=rfc3339(self.problem_since),
                    observed_generation=0,
                )
            )
        return ControllerShape(
            phase=self.status.phase,
            pid=self.status.pid,
            epoch=self.status.epoch,
            conditions=conditions,
        )

    # ---------------------------------------- following

    def open(self) -> None:
        """Fold what is there. It may take long; run it in a thread, before anything is shown."""
        try:
            if not os.path.isdir(self.state_dir):  # a replica would take it for an empty one
                raise StorageError(f"{self.state_dir}: there is no such folder now")
            if self._replica is None:
                self._replica = Replica(self.state_dir)
            self._replica.catch_up()
        except _READ as error:
            self._give_up(error)
            return
        self.state = self._replica.state
        self._is_well()
        gc.freeze()  # what a state is made of stays

    async def follow(self) -> None:
        """Without end."""
        self._begin()
        while True:
            try:
                await self._look()
            except Exception as error:  # a fault of ours: what is shown would stand still for good
                complain(f"following the log: {type(error).__name__}: {error}")
                self._give_up(error)
            if self.problem:
                await asyncio.sleep(self._again)
                self._again = min(2 * self._again, AGAIN_MAX * AGAIN_SECONDS)
            else:
                await asyncio.sleep(FOLLOW_SECONDS)

    async def _look(self) -> None:
        if self._replica is None or self._replica.state is not self.state:
            await asyncio.to_thread(self.open)
            if not self.problem:
                self._begin()
        else:
            await self._catch_up(self._replica)
        self._look_at_controller()

    def _begin(self) -> None:
        self.feed.begin(EventId(self.state.epoch, self.state.seq))

    async def _catch_up(self, replica: Replica) -> None:
        news: list[Message] = []
        until = monotonic() + SLICE_SECONDS
        try:
            for folded in replica.news():
                told = [*happened(self.state, folded.record, folded.moves)]
                news.append(recorded(EventId(folded.record.epoch, folded.record.seq), told))
                if monotonic() >= until and replica.is_between_turns:
                    self._publish(news)
                    news = []
                    await asyncio.sleep(0)
                    until = monotonic() + SLICE_SECONDS
        except _READ as error:
            self._give_up(error)
        else:
            self._is_well()
        self._publish(news)

    def _is_well(self) -> None:
        self.problem, self._again = "", AGAIN_SECONDS

    def _give_up(self, error: Exception) -> None:
        """What was folded is shown until there is more that can be read."""
        if self._replica is not None and not self._replica.goes_on_after(error):
            self._replica = None  # the log may be another now
        if not self.problem:
            self.problem_since = now()
        self.problem = str(error)

    def _look_at_controller(self) -> None:
        """Publish the controller if something about it has changed."""
        self.status = read_status(self.state_dir)
        data = msgspec.json.encode(self.controller())
        if data != self._controller:
            self._controller = data
            self.feed.publish([Message(event("controller", data))])

    # ---------------------------------------- publishing

    def _publish(self, news: Sequence[Message]) -> None:
        """Records, and the rows that they change."""
        if news:
            changed = {uid for message in news for uid in message.uids}
            self.feed.publish([*news, *self._rows(changed)])

    def _rows(self, uids: Iterable[str]) -> Iterator[Message]:
        if not self.feed.wants_rows:
            return
        changed = self._with_definitions(uids)
        lives = self.state.lives
        if len(changed) > ROWS_MAX or are_wide(lives[uid] for uid in changed if uid in lives):
            yield Message(event("stale", b"{}"), is_row=True)
            return
        view = self.look()
        for uid in changed:
            life = self.state.lives.get(uid)
            if life is None or self.state.workflows.get(life.name) is not life:
                data = event("gone", msgspec.json.encode({"uid": uid}))
            else:
                data = event("row", msgspec.json.encode(row(self.state, life, view)))
            yield Message(data, frozenset([uid]), is_row=True)

    def _with_definitions(self, uids: Iterable[str]) -> dict[str, None]:
        """The row of a definition tells of its instances."""
        found: dict[str, None] = {}
        for uid in uids:
            found[uid] = None
            life = self.state.lives.get(uid)
            if life is not None and life.birth is not None:
                found[life.birth.definition] = None
        return found
