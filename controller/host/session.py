"""A controller in this process: lock, log, edges, turns; shared by `up` and `run`.

This is the only place that knows every room: it opens the real edges, folds the log, and takes
turns until it is told to stop. It decides nothing about workflows.
"""

import gc
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec.structs import replace

from controller import __version__
from controller.chance import SystemChance
from controller.clock import SystemClock
from controller.errors import UsageError
from controller.executor.local.executor import LocalExecutor
from controller.executor.router import Engine, Router
from controller.executor.surroundings import Surroundings
from controller.host.news import News
from controller.host.signals import StopSignals
from controller.host.wakes import Wakes
from controller.intake.conditions import as_conditions, of_page
from controller.log import segments
from controller.log.lock import StateLock, check_end
from controller.log.reader import Place, read
from controller.log.snapshots import newest
from controller.log.space import NO_ROOM, DiskSpace
from controller.log.state_folder import prepare_state
from controller.log.status_file import ControllerStatus, Pace, status_path, write_status
from controller.log.upkeep import KEEP_ARCHIVE_BYTES, Upkeep
from controller.log.writer import LogWriter
from controller.loop.turn import Controller, Edges, Settings
from controller.model.apply.fold import replay
from controller.model.events import FiringDecided
from controller.model.state import SECOND, Condition, Move, State
from controller.planner.retention import KEEP_FINISHED
from controller.printing import complain
from controller.requests import RequestBox, os_user, requests_folder
from controller.spec.reading.load import SPEC_BYTES_MAX

if TYPE_CHECKING:
    from controller.folder.folder import OpenFolder
    from controller.folder.inbox import Inbox
    from controller.host.page import Page

PACE_EVERY = SECOND  # the figures alone are not written more often
AHEAD = 8  # starts queued in the shim beyond the slots, so that it has work while a turn syncs


def _containers(around: Surroundings) -> Engine:
    from controller.executor.container.engine import ContainerEngine

    return ContainerEngine(around)


def _jobs(around: Surroundings) -> Engine:
    from controller.executor.slurm.engine import SlurmEngine

    return SlurmEngine(around)


OPENERS = {"container": _containers, "slurm": _jobs}


class Options(msgspec.Struct, kw_only=True):
    """The options of a controller. Paths are as the user wrote them; `specs` None: no folder."""

    state: str
    specs: str | None = None
    max_parallel: int | None = None  # on this machine
    engines: dict[str, int] = {}  # of each other engine, where it is not the default
    adopt_folder: bool = False
    allow_insecure_specs: bool = False
    poll: bool = False
    max_spec_bytes: int = SPEC_BYTES_MAX
    min_free_bytes: int | None = None
    keep_finished: int = KEEP_FINISHED
    keep_archive_bytes: int = KEEP_ARCHIVE_BYTES
    only_requests: frozenset[str] | None = None
    ends_steps: bool = False  # stop running steps when the controller is stopped
    if_held: Literal["refuse", "stand by", "take over"] = "refuse"


class Session:
    """A running controller. `news` is what its last turn brought."""

    def __init__(
        self,
        controller: Controller,
        wakes: Wakes,
        space: DiskSpace,
        state_dir: str,
        keep_archive_bytes: int,
        pace: Pace,
    ) -> None:
        self.controller = controller
        self.wakes = wakes
        self.state_dir = state_dir
        self.moves: list[Move] = []
        self.firings: list[FiringDecided] = []
        self._space = space
        self._status = ControllerStatus(phase="Starting")
        self._status_problem = ""
        self._pace = pace
        self._written = 0  # when the status file was
        self._happened = False  # anything since then
        self._upkeep = Upkeep(state_dir, keep_archive_bytes)
        self._page: Page | None = None
        self._of_page: list[Condition] = []

    @property
    def conditions(self) -> list[Condition]:
        """What the controller sees of itself."""
        return [*self.controller.conditions, *self._of_page]

    def serve(self, words: Sequence[str]) -> "Page":
        """Keep a page beside this controller. `words`: the arguments of `treadle serve`."""
        from controller.host.page import Page

        self._page = Page(words, self.wakes.wake)
        return self._page

    def _look_at_page(self, page: "Page") -> None:
        while page.lines:
            self.controller.notes.append(f"the page: {page.lines.popleft()}")
        said = of_page(page.problem)
        self._of_page = as_conditions(said, self._of_page, self.controller.edges.clock.now())

    def turn(self) -> None:
        """Take one turn; afterwards `moves`, `firings` and `notes` show what happened."""
        state = self.controller.state
        state.moves.clear()
        begun = time.perf_counter_ns()
        self._happened |= self.controller.turn()
        self._pace.turns.add((time.perf_counter_ns() - begun) // 1000)
        self.moves = list(state.moves)
        batch = self.controller.passes.batch
        self.firings = [record.event for record in batch if isinstance(record.event, FiringDecided)]
        if self._page is not None:
            self._look_at_page(self._page)
        self._write_status("Running")
        if problem := self._upkeep.consider(state.seq):
            self.controller.notes.append(problem)

    def wait(self, seconds_max: float | None = None, keys: int | None = None) -> None:
        """Wait until there may be something to do, or a key can be read from the file `keys`.

        At most `seconds_max`.
        """
        due = self.controller.due()
        if seconds_max is not None:
            later = self.controller.edges.clock.now() + round(seconds_max * SECOND)
            due = later if due is None else min(due, later)
        self.wakes.wait(due, keys)

    def news(self, only: frozenset[str] | None = None) -> News:
        """What the last turn brought. Notes are in it only once."""
        notes, self.controller.notes = self.controller.notes, []
        return News(
            state=self.controller.state,
            state_dir=self.state_dir,
            now=self.controller.edges.clock.now(),
            moves=self.moves,
            firings=self.firings,
            conditions=self.conditions,
            notes=notes,
            limits=self.controller.limits(),
            only=only,
        )

    def stopped(self) -> None:
        self._write_status("Stopped")

    def _write_status(self, phase: str) -> None:
        """Keep the status file correct for readers; write it only when it changes.

        Its figures change with every turn. They are written if something has happened since the
        last time, and once in PACE_EVERY at most. So a controller that only waits writes nothing.

        If it can't be written, the work goes on, and the next turn tries again. But for want of
        room nothing new is started: else starts would wait for a disk that nobody calls full.
        """
        controller = self.controller
        status = ControllerStatus(
            phase=phase,  # type: ignore[arg-type]
            version=__version__,
            pid=os.getpid(),
            epoch=controller.epoch,
            since=controller.state.controller.time,
            limits=controller.limits(),
            conditions=self.conditions,
            files_waiting=controller.inputs.waiting,
        )
        before, self._status_problem, self._space.refused = self._status_problem, "", ""
        now = controller.edges.clock.now()
        pace_due = self._happened and now - self._written >= PACE_EVERY
        if status == self._status and not pace_due:
            return
        try:
            write_status(self.state_dir, replace(status, pace=self._pace), now)
            self._status, self._written, self._happened = status, now, False
        except FileNotFoundError:
            pass  # the state folder is gone, which ends this controller when it looks
        except OSError as error:
            self._status_problem = f"{status_path(self.state_dir)}: {error.strerror}"
            if error.errno in NO_ROOM:
                self._space.refused = self._status_problem
            elif self._status_problem != before:
                known = "other commands may show old conditions of this controller"
                controller.notes.append(f"{self._status_problem}: can't be written, so {known}")


@contextmanager
def open_session(options: Options, signals: StopSignals) -> Iterator[Session]:
    """Open everything in order, and close it in reverse. Raises TreadleError if it can't."""
    state_dir = os.path.abspath(options.state)
    if not segments.firsts(state_dir):
        _check_folder(options, known=False)  # first, so that no state folder is made in vain
    prepare_state(state_dir)
    clock = SystemClock()
    with ExitStack() as stack:
        lock = stack.enter_context(_lock(options, state_dir, signals))
        state, place = newest(state_dir)
        log = LogWriter(state_dir, place)
        stack.callback(log.close)
        if log.cut:
            complain(log.cut)
            lock.note_end(log.seq)
        else:
            check_end(state_dir, log.seq, lock.holder.seq)
        _replay(state_dir, state, place)
        _check_folder(options, known=state.controller.folder != "")
        settings = _settings(options, state_dir, state)
        epoch = lock.begin_epoch(log.epoch)
        folder, inputs = _open_folder(options, state_dir, stack)
        machine = LocalExecutor(state_dir, epoch, settings.max_parallel, clock)
        executor = Router(machine, OPENERS, state_dir, clock)
        stack.callback(executor.close)
        space = DiskSpace(state_dir, options.min_free_bytes)

        def note(text: str) -> None:
            controller.notes.append(text)  # printed, it would stand across the live view

        edges = Edges(
            log=log,
            executor=executor,
            requests=RequestBox(state_dir, note),
            clock=clock,
            space=space,
            chance=SystemChance(),
            folder=folder,
            inputs=inputs,
        )
        files = [*executor.filenos(), *(folder.filenos() if folder is not None else ())]
        wakes = Wakes(clock, files)
        stack.callback(wakes.close)
        controller = Controller(state, epoch, edges, settings)
        pace = Pace(syncs=log.syncs)
        session = Session(controller, wakes, space, state_dir, options.keep_archive_bytes, pace)
        session.controller.start()
        lock.note_end(log.seq)
        yield session
        session.stopped()
        lock.note_end(log.seq)


def _lock(options: Options, state_dir: str, signals: StopSignals) -> StateLock:
    """Take the lock of the state folder, in the way of `if_held`."""
    command = " ".join(["treadle", *sys.argv[1:]])

    def acquire() -> StateLock:
        return StateLock(state_dir, command, ends_steps=options.ends_steps)

    if options.if_held == "refuse":
        return acquire()
    from controller.log.takeover import stand_by, take_over

    if options.if_held == "stand by":
        return stand_by(acquire, lambda: signals.seen > 0, complain)
    return take_over(state_dir, acquire, complain)


def _replay(state_dir: str, state: State, place: Place) -> None:
    """Fold the rest of the log. All its objects stay, so garbage collection would find nothing."""
    gc.disable()
    try:
        replay(read(state_dir, place=place), state)
    finally:
        gc.freeze()
        gc.enable()


def _check_folder(options: Options, *, known: bool) -> None:
    """Refuse a folder that can't be used. A folder that is known may be missing for a while."""
    if options.specs is not None:
        from controller.folder.folder import check_folder

        check_folder(
            options.specs,
            options.state,
            known=known,
            allow_insecure=options.allow_insecure_specs,
        )


def _settings(options: Options, state_dir: str, state: State) -> Settings:
    folder = os.path.abspath(options.specs) if options.specs is not None else ""
    before = state.controller.folder
    other = os.path.realpath(folder) != os.path.realpath(before)
    if folder and before and other and not options.adopt_folder:
        missing = "" if os.path.isdir(folder) else " (which is missing)"
        raise UsageError(
            f"{state_dir}: this state folder belongs to the specs in {before}, not in {folder}"
            f"{missing}; use another --state, or take the new folder with --adopt-folder"
        )
    return Settings(
        version=__version__,
        pid=os.getpid(),
        user=os_user(),
        host=os.uname().nodename,
        state_dir=state_dir,
        max_parallel=options.max_parallel or os.cpu_count() or 1,
        engines=options.engines,
        ahead=AHEAD,
        folder=folder,
        only_requests=options.only_requests,
        keep_finished=options.keep_finished,
    )


def _open_folder(
    options: Options, state_dir: str, stack: ExitStack
) -> "tuple[OpenFolder, Inbox] | tuple[None, None]":
    """The specs, and the files that triggers wait for."""
    if options.specs is None:
        return None, None
    from controller.folder.folder import OpenFolder
    from controller.folder.inbox import Inbox

    folder = OpenFolder(
        options.specs,
        spec_bytes_max=options.max_spec_bytes,
        poll=options.poll,
        allow_insecure=options.allow_insecure_specs,
    )
    stack.callback(folder.close)
    folder.watch_also(requests_folder(state_dir))
    return folder, Inbox(state_dir)
