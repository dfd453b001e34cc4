"""Runs attempts as processes on this machine: starts them by the shim, reports them, ends them.

The shim starts and reaps processes. This executor keeps the result of each attempt until the log
has it. An attempt has ended when its first process has ended and none of its other processes
lives. The shim says which attempts left processes running; these are ended first.

A shim may die. Its steps go on: they are watched through pidfds that were opened when the pid
became known, and the next shim reads the journal and reports what had ended before. Orphans are
judged only after that, so a noted exit is never taken for lost. In the same way, what a shim
reports at the start is judged only after adopt() has said what the log knows.

An exit by SIGTERM that nobody here asked for is kept back for a moment: if the shim gets the signal
too, it was a stop of the whole group, and the shim corrects what it said.

`fileno()` is readable when observe() has something to do; `next_due()` says when it has something
to do although nothing is readable.
"""

import os
import select
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from signal import SIGALRM, SIGTERM, Signals
from typing import Any

from msgspec.structs import replace

from controller.executor.local import parts
from controller.executor.local.attempt import (
    REBOOTED,
    UNSEEN,
    UNSTARTED,
    TrackedAttempt,
    exited,
    lost,
    terminated,
)
from controller.executor.local.client import ShimClient, out_of_resources
from controller.executor.local.ending import Endings, RunnerProcess, Stuck
from controller.executor.local.identity import start_of, ticks_to_us
from controller.executor.local.link import start_message
from controller.executor.local.missing import missing_folder, missing_program
from controller.executor.local.orphans import Orphans
from controller.executor.preparation import prepare
from controller.executor.secrets import CannotPrepare
from controller.executor.shim.spawn import NotNow
from controller.executor.shim.wire import Message, readable
from controller.loop.ports import (
    AttemptId,
    Clock,
    End,
    Ended,
    EndFailed,
    Found,
    Launch,
    Observation,
    Part,
    PartEnd,
    Running,
    Sites,
    Started,
    Trouble,
)
from controller.model.events import Usage
from controller.model.places import output_file
from controller.model.state import SECOND
from controller.regular import read_below
from controller.spec.placement import Placement
from controller.spec.values import VALUES_BYTES_MAX

NO_SITES = Sites("", {})  # processes leave nothing at other places
TRY_AGAIN_US = 1_000_000
DOUBT_US = 1_000_000  # the shim corrects an exit within half of it


class LocalExecutor:
    """Implements `ports.Executor` on this machine."""

    def __init__(self, state_dir: str, epoch: int, slots: int, clock: Clock) -> None:
        self.state = os.path.abspath(state_dir)
        self.clock = clock
        reading = clock.read()
        self.boot_id = reading.boot_id
        self.boot_to_now = clock.now() - reading.boottime
        self.attempts: dict[str, TrackedAttempt] = {}
        self.seen: list[Observation] = []
        self.started: list[TrackedAttempt] = []  # since the last observe()
        self.doubted: dict[str, TrackedAttempt] = {}  # over, but the shim may correct how
        self.shortage = ""  # of what, so that an attempt can't be prepared now
        self.try_again_at = 0
        self.verbs: dict[str, Callable[..., None]] = {
            "hello": self.on_hello,
            "told": self.on_told,
            "starting": self.on_starting,
            "started": self.on_started,
            "exited": self.on_exited,
            "failed": self.on_failed,
            "withdrawn": self.on_withdrawn,
            "orphaned": self.on_orphaned,
            "lost": self.on_lost,
            "returned": self.on_returned,
            "short": lambda _: None,
        }
        self.poll = select.epoll()
        self.orphans = Orphans(self.poll)
        self.shim = ShimClient(state_dir, self.boot_id, epoch, slots, self.poll)
        self.shims: dict[int, int | None] = {}  # that we have met: pid → start
        self.endings = Endings(lambda: {os.getpid(), self.shim.pid}, self.living_shims)
        self.early = self.shim.all_it_knows(self.poll)  # heard by adopt()

    # ------------------------------------------------------------------------------- the four calls
    def start(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            attempt = self.attempts.get(str(launch.id))
            if attempt is not None and attempt.launch is None:
                self.retell(attempt)
                continue
            attempt = self.attempt(launch.id, launch.mark)
            attempt.launch, attempt.may_leave = launch, launch.leave_processes
            attempt.grace_us = int(launch.grace_seconds * SECOND)
            self.offer(attempt, launch)

    def end(self, orders: Sequence[End]) -> None:
        for order in orders:
            attempt = self.attempt(order.id, order.mark)
            if attempt.told:
                self.retell(attempt)
            elif str(order.id) in self.doubted:
                pass  # it is over, and will be told
            elif attempt.pid or attempt.outcome:
                self.carry_out(attempt, order)
            else:
                attempt.order = order
                self.shim.say(["withdraw", str(order.id)])

    def sweep(self, orders: Sequence[End]) -> None:
        """As end(), also for what an attempt may leave running. Its end is told after that."""
        for order in orders:
            attempt = self.attempt(order.id, order.mark)
            if attempt.outcome is None:
                self.end([order])
            else:
                attempt.told, attempt.ordered = False, True
                self.begin_ending(attempt, int(order.grace_seconds * SECOND))

    def observe(self) -> list[Observation]:
        self.hear(self.shim.listen())
        for attempt in self.started:
            if attempt.outcome is None:
                self.orphans.hold(attempt.id, attempt.pid, attempt.start)
        self.started.clear()
        if self.shim.synced:
            for orphan, status in self.orphans.ended():
                self.orphan_ended(self.attempts[str(orphan)], status)
        for news in self.endings.advance(self.clock.now()):
            if isinstance(news, Stuck):
                self.seen.append(EndFailed(id=news.id, pids=news.pids))
            else:
                self.proven(self.attempts[str(news.id)], news.found, news.strangers)
        for attempt in list(self.doubted.values()):
            self.settle(attempt)
        if self.shortage and self.clock.now() >= self.try_again_at:
            self.try_again()
        if self.attempts:
            self.shim.ping()
        self.shim.flush()
        if self.shim.outdated and not self.attempts:
            self.shim.replace()
        seen, self.seen = self.seen, []
        return seen

    def adopt(self, attempts: Collection[Running], sites: Sites = NO_SITES) -> None:
        """Take over the attempts of an earlier controller. Call it first, even without attempts.

        It reports nothing about an attempt that never started: call start(), which is always safe.
        """
        for running in attempts:
            attempt = self.attempt(running.id, running.mark)
            attempt.may_leave = running.leave_processes
            attempt.grace_us = int(running.grace_seconds * SECOND)
            if running.boot_id not in ("", self.boot_id):
                self.finish(attempt, lost(attempt, self.clock.now(), REBOOTED))
            elif running.pid is not None:
                attempt.pid, attempt.start = running.pid, running.start_ticks or 0
                attempt.started = ticks_to_us(attempt.start)
                attempt.found = running.found
        early, self.early = self.early, []
        self.hear(early)

    def forget(self, ids: Collection[AttemptId]) -> None:
        # If its start and its end were reported together, it is named twice.
        known = [text for text in dict.fromkeys(map(str, ids)) if text in self.attempts]
        dropped = [self.attempts.pop(text) for text in known]
        if dropped:
            self.shim.say(["forget", *known])
        for attempt in dropped:
            self.orphans.release(attempt.id)
            self.endings.drop(attempt.id)

    def release(self, launches: Sequence[Launch]) -> None:
        self.start(launches)  # here an attempt exists when it has started

    def expect(self, uid: str, placements: Collection[Placement]) -> None:
        """This machine is always there."""

    def disown(self, found: Sequence[Found]) -> None:
        """What the shim has, the log will know again."""

    def abandon(self, ids: Collection[AttemptId]) -> None:
        self.forget(ids)

    def flush(self) -> None:
        self.shim.flush()

    def outputs(self, log: str) -> bytes | None:
        try:
            # Some steps keep it elsewhere, and make a link.
            return read_below(self.state, output_file(log), VALUES_BYTES_MAX + 1, follow=True)
        except FileNotFoundError:
            return None

    def parts(self, log: str) -> dict[Part, PartEnd]:
        return parts.reported(self.state, log)

    def troubles(self) -> list[Trouble]:
        trouble = self.shim.trouble() or out_of_resources(self.shortage)
        return [] if trouble is None else [trouble]

    def next_due(self) -> int | None:
        now = self.clock.now()
        dues = [
            self.endings.next_due(),
            min(map(doubted_until, self.doubted.values()), default=None),
            self.orphans.next_due(now),
            now if self.seen else None,
            self.try_again_at if self.shortage else None,
            now + int(self.shim.look_again_seconds() * SECOND) if self.attempts else None,
        ]
        return min((due for due in dues if due is not None), default=None)

    def fileno(self) -> int:
        """Readable when observe() has something to do. It never changes."""
        return self.poll.fileno()

    def close(self) -> None:
        """Disconnect from the shim; the steps go on."""
        self.shim.flush()
        self.orphans.close()
        self.shim.link.close()
        self.poll.close()

    # --------------------------------------------------------------------------- what the shim says
    def hear(self, messages: Sequence[Message]) -> None:
        for verb, *rest in messages:
            self.verbs[verb](*rest)

    def on_hello(self, about: dict[str, Any]) -> None:
        self.shims[about["pid"]] = start_of(about["pid"])
        for attempt in self.attempts.values():
            attempt.noted = False

    def on_told(self) -> None:
        """The shim has reported everything: judge what it doesn't run, ask again for the rest."""
        self.judge(
            [
                attempt
                for attempt in self.attempts.values()
                if attempt.outcome is None
                and (attempt.orphan or not (attempt.noted or attempt.order))
            ]
        )
        for text, attempt in self.attempts.items():
            if attempt.launch is not None:
                self.offer(attempt, attempt.launch)
            if attempt.order is not None:
                self.shim.say(["withdraw", text])

    def on_returned(self, *texts: str) -> None:
        """It hangs up, and has certainly not started these."""
        for text in texts:
            self.named(text).offered = False

    def on_starting(self, text: str, mark: int, at: int) -> None:
        attempt = self.named(text)
        attempt.mark = mark
        attempt.started = at

    def on_started(self, text: str, pid: int, start: int, at: int) -> None:
        attempt = self.named(text)
        if not attempt.pid:
            attempt.pid, attempt.start, attempt.started = pid, start, at
            self.runs(attempt)
        self.started.append(attempt)

    def on_exited(
        self, text: str, status: int, at: int, cpu_us: int, rss_kib: int, left: bool
    ) -> None:
        attempt = self.named(text)
        usage = Usage(
            wall_seconds=(at - attempt.started) / SECOND,
            cpu_seconds=cpu_us / SECOND,
            max_rss_bytes=rss_kib * 1024 or None,
        )
        outcome = exited(attempt, status, at + self.boot_to_now, usage)
        self.first_process_ended(attempt, outcome, left)

    def on_failed(self, text: str, at: int, problem: str) -> None:
        """`problem` is readable, but for the journals of older shims: the log refuses those."""
        attempt = self.named(text)
        self.finish(
            attempt,
            Ended(
                id=attempt.id,
                how="start-failed",
                at=at + self.boot_to_now,
                problem=_why_not(attempt.launch) or readable(problem),
            ),
        )

    def on_withdrawn(self, text: str, at: int) -> None:
        attempt, at = self.named(text), at + self.boot_to_now
        if attempt.refusal is None or attempt.order is not None:
            self.finish(attempt, Ended(id=attempt.id, how="withdrawn", at=at))
        else:
            outcome = Ended(
                id=attempt.id,
                how="start-failed",
                at=at,
                problem=str(attempt.refusal),
                reason=attempt.refusal.reason,
            )
            self.finish(attempt, outcome)

    def on_orphaned(self, text: str) -> None:
        self.named(text).orphan = True

    def on_lost(self, text: str, _at: int, problem: str) -> None:
        attempt, problem = self.named(text), readable(problem)
        if attempt.outcome is None:
            self.finish(attempt, lost(attempt, self.clock.now(), problem))
        elif not attempt.told:  # its exit says nothing about it
            attempt.outcome = replace(attempt.outcome, how="lost", problem=problem)

    # -------------------------------------------------------------------------------- one attempt's
    def attempt(self, name: AttemptId, mark: int) -> TrackedAttempt:
        return self.attempts.setdefault(str(name), TrackedAttempt(name, mark))

    def named(self, text: str) -> TrackedAttempt:
        """The attempt that the shim reports; the log may not know it, or have its end already."""
        attempt = self.attempts.get(text) or self.attempt(AttemptId.parse(text), 0)
        attempt.noted = True
        return attempt

    def offer(self, attempt: TrackedAttempt, launch: Launch) -> None:
        """Tell the shim to start it, with all that it needs, or never to start it.

        An earlier controller may have told it too, so only the shim knows whether it has started.
        """
        attempt.unprepared = False
        try:
            if attempt.refusal is None:
                env = prepare(self.state, launch)
        except CannotPrepare as refusal:
            attempt.refusal = refusal
        except NotNow as shortage:
            attempt.unprepared = True
            self.shortage = str(shortage)
            self.try_again_at = self.clock.now() + TRY_AGAIN_US
            return
        if attempt.refusal is not None:
            self.shim.say(["withdraw", str(attempt.id)])
        else:
            attempt.offered = self.shim.synced
            self.shim.say(start_message(launch, parts.command(self.state, launch), env))

    def try_again(self) -> None:
        """Prepare what could not be prepared for want of something."""
        self.shortage = ""
        for attempt in self.attempts.values():
            if attempt.unprepared and attempt.launch is not None:
                self.offer(attempt, attempt.launch)

    def retell(self, attempt: TrackedAttempt) -> None:
        if attempt.told and attempt.outcome is not None:
            self.seen.append(attempt.outcome)
        elif attempt.pid:
            self.seen.append(
                Started(
                    id=attempt.id,
                    pid=attempt.pid,
                    start_ticks=attempt.start,
                    at=attempt.started + self.boot_to_now,
                    found=attempt.found,
                )
            )

    def runs(self, attempt: TrackedAttempt) -> None:
        """Its pid has become known."""
        attempt.launch = None
        self.retell(attempt)
        if attempt.order is not None:
            self.carry_out(attempt, attempt.order)

    def carry_out(self, attempt: TrackedAttempt, order: End) -> None:
        attempt.order = None
        if not order.withdraw_only:
            attempt.ordered = True
            notice = SIGALRM if order.timed_out else SIGTERM
            in_parts = order.in_parts and not attempt.found
            grace_us = int(order.grace_seconds * SECOND)
            self.begin_ending(attempt, grace_us, notice if in_parts else None)

    def begin_ending(
        self, attempt: TrackedAttempt, grace_us: int, notice: Signals | None = None
    ) -> None:
        """`notice`: the signal for its runner, if it has one."""
        from controller.executor.local.marks import Tree, named

        tree = Tree(id=attempt.id, mark=attempt.mark, since=attempt.start)
        runner = None
        with suppress(OSError):  # out of descriptors: it is found by its mark
            if attempt.pid and (first := named(attempt.pid, attempt.start)):
                tree.members = [first]
                if notice is not None:
                    runner = RunnerProcess(first, notice)
        self.endings.begin(tree, grace_us, self.clock.now(), runner)

    def first_process_ended(self, attempt: TrackedAttempt, outcome: Ended, left: bool) -> None:
        """The attempt's other processes must be gone before its end is reported."""
        if attempt.outcome is not None:
            return
        self.orphans.release(attempt.id)
        attempt.outcome = outcome
        if attempt.id in self.endings:
            self.endings.hurry(attempt.id, self.clock.now())
        elif left and not attempt.may_leave:
            attempt.leaving = True
            self.begin_ending(attempt, attempt.grace_us)
        else:
            self.settle(attempt)

    def proven(self, attempt: TrackedAttempt, found: int, strangers: tuple[int, ...]) -> None:
        """No process of it lives. If its first process just ended, the shim will soon say how.

        If its shim lives, strangers are certainly none of its processes, and not worth a word.
        """
        if attempt.outcome is not None:
            left = found if attempt.leaving else 0
            unproven = strangers if attempt.orphan else ()
            attempt.outcome = replace(attempt.outcome, left_processes=left, unproven=unproven)
            self.settle(attempt)

    def settle(self, attempt: TrackedAttempt) -> None:
        """It ended by itself, or by a signal of somebody else: report it, unless in doubt."""
        assert attempt.outcome is not None
        by_others = terminated(attempt.outcome) and not attempt.ordered
        if by_others and self.clock.now() < doubted_until(attempt):
            self.doubted[str(attempt.id)] = attempt
        else:
            self.finish(attempt, attempt.outcome)

    def finish(self, attempt: TrackedAttempt, outcome: Ended) -> None:
        if attempt.told:
            return
        self.orphans.release(attempt.id)
        attempt.launch = attempt.order = None
        attempt.outcome = outcome
        attempt.told = True
        self.doubted.pop(str(attempt.id), None)
        self.seen.append(outcome)

    def living_shims(self) -> set[int]:
        """All that is below these comes from our steps; one that was sent away may live on."""
        return {pid for pid, start in self.shims.items() if start and start_of(pid) == start}

    # ------------------------------------------------------------------------------------- orphans
    def judge(self, orphans: Collection[TrackedAttempt]) -> None:
        """No shim will report their ends, so find and watch them here."""
        self.find([attempt for attempt in orphans if not attempt.pid])
        for attempt in orphans:
            attempt.orphan = True
            if attempt.pid:
                if not self.orphans.watch(attempt.id, attempt.pid, attempt.start):
                    self.orphan_ended(attempt, None)
            elif attempt.noted or (attempt.offered and self.shim.forgetful):
                outcome = lost(attempt, self.clock.now(), UNSTARTED)
                self.finish(attempt, replace(outcome, unproven=attempt.unproven))
            elif attempt.launch is None:  # it never started; start() may come later
                del self.attempts[str(attempt.id)]
            else:
                attempt.orphan = False

    def orphan_ended(self, attempt: TrackedAttempt, status: int | None) -> None:
        now = self.clock.now()
        outcome = lost(attempt, now, UNSEEN)
        if status is not None and not attempt.found:
            wall_seconds = (now - self.boot_to_now - attempt.started) / SECOND
            outcome = exited(attempt, status, now, Usage(wall_seconds=wall_seconds))
        self.first_process_ended(attempt, outcome, left=True)

    def find(self, attempts: Collection[TrackedAttempt]) -> None:
        """Find out which of these live, by the signs in `marks`."""
        if not attempts:
            return
        from controller.executor.local.marks import Tree, first_process, look, ticks

        trees = [Tree(id=attempt.id, mark=attempt.mark) for attempt in attempts]
        sight = look(trees, self.endings.spared(), shims=self.living_shims())
        for attempt in attempts:
            strangers = sight.strangers[attempt.id]
            attempt.unproven = tuple(sorted(process.pid for process in strangers))
            if found := sight.members[attempt.id]:
                first = first_process(found)
                attempt.found = True
                attempt.pid, attempt.start = first.pid, ticks(first)
                attempt.started = attempt.started or ticks_to_us(attempt.start)
                self.runs(attempt)


def doubted_until(attempt: TrackedAttempt) -> int:
    assert attempt.outcome is not None
    return attempt.outcome.at + DOUBT_US


def _why_not(launch: Launch | None) -> str:
    """What is missing, and where it is instead; "" if nothing is, or nobody knows."""
    if launch is None:
        return ""
    folder, home = launch.working_dir, launch.home or launch.working_dir
    path = launch.env.get("PATH", os.environ.get("PATH", os.defpath))
    try:
        found = missing_folder(folder, home)
        if found is None and not launch.in_parts and not _looks_elsewhere(launch):
            found = missing_program(launch.argv[0], path, folder, home)
    except ValueError:  # a NUL, or text that can't be encoded
        return ""
    return readable(str(found)) if found else ""


def _looks_elsewhere(launch: Launch) -> bool:
    """Whether its program is looked up in a PATH that `env_from` may set: that one is not told."""
    return bool(launch.env_from) and "PATH" not in launch.env and "/" not in launch.argv[0]
