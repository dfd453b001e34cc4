"""Attempts as processes of this machine: asks the shim, judges what it tells, ends what has to end.

The shim starts and reaps; here is kept what each attempt has come to, until the log has it. An
attempt has ended when its first process has, and when nothing else of it lives: the shim says which
left something running, and those go the way of all endings first.

Shims may die. Their steps run on: they are watched through pidfds that were opened when the pid
became known, and the next shim reads the journal and tells what had ended before. Judging the
orphans waits for that, so an exit that was noted is never taken for lost.

`fileno()` is readable when observe() has something to do; `next_due()` covers what time alone brings.
"""

import os
import resource
import select
import time
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from controller.errors import LockHeld, StorageError
from controller.executor.ending import Endings, Stuck
from controller.executor.identity import alive, exit_status, open_process
from controller.executor.link import Link, Message, ShimGone
from controller.executor.marks import Tree, look
from controller.loop.ports import (
    AttemptId,
    Clock,
    End,
    Ended,
    EndFailed,
    Launch,
    Observation,
    Running,
    Started,
)
from controller.model.events import Usage

PROTOCOL = 1
LEFT_GRACE_US = 3_000_000
HELLO_SECONDS_MAX = 10.0
SHIM_DEATHS_MAX = 3  # in a row, before any of them said a word
UNWATCHED_PAUSE_US = 1_000_000
REBOOTED = "the machine was rebooted"
UNSEEN = "the supervisor of the step died; nobody saw how the step ended"
UNSTARTED = "the supervisor died when it was about to start the step; nobody knows whether it ran"


class Attempt(Struct, eq=False):
    """What is known of one attempt until its end is durable."""

    id: AttemptId
    mark: int
    launch: Launch | None = None  # until the shim says that it started, or can't
    order: End | None = None  # given before the shim said so
    pid: int = 0
    start: int = 0
    started: int = 0  # microseconds since boot
    pidfd: int = -1
    orphan: bool = False  # the shim that started it is dead
    outcome: Ended | None = None  # of its first process
    told: bool = False


class LocalExecutor:
    """Implements `ports.Executor` on this machine."""

    def __init__(self, state_dir: Path, epoch: int, slots: int, clock: Clock) -> None:
        self.clock = clock
        reading = clock.read()
        self.boot_id = reading.boot_id
        self.boot_to_now = clock.now() - reading.boottime
        self.hello = greeting(epoch, slots)
        self.attempts: dict[str, Attempt] = {}
        self.seen: list[Observation] = []
        self.started: list[Attempt] = []  # since the last look for pidfds
        self.waiting: list[Message] = []
        self.orphans: dict[int, Attempt] = {}  # by pidfd
        self.unwatched: list[Attempt] = []  # orphans without one
        self.shim_pid = 0
        self.synced = False  # has the shim told all it knew when we came?
        self.deaths = 0
        self.poll = select.epoll()
        self.endings = Endings(lambda: {os.getpid(), self.shim_pid})
        self.link = Link(state_dir, self.boot_id)
        self.greet()
        self.wait_for_shim()

    # ------------------------------------------------------------------------------- the four calls
    def start(self, launches: Sequence[Launch]) -> None:
        for launch in launches:
            known = self.attempts.get(str(launch.id))
            if known is not None:
                self.retell(known)
                continue
            self.attempts[str(launch.id)] = Attempt(launch.id, launch.mark, launch)
            self.waiting.append(start_message(launch))
        self.flush()

    def end(self, orders: Sequence[End]) -> None:
        for order in orders:
            attempt = self.attempt(order.id, order.mark)
            if attempt.told:
                self.retell(attempt)
            elif attempt.pid or attempt.outcome:
                self.carry_out(attempt, order)
            else:
                attempt.order = order
                self.waiting.append(["withdraw", str(order.id)])
        self.flush()

    def observe(self) -> list[Observation]:
        self.listen()
        self.watch_new()
        if self.synced:
            self.look_at_orphans()
        for news in self.endings.advance(self.clock.now()):
            if isinstance(news, Stuck):
                self.seen.append(EndFailed(id=news.id, pids=news.pids))
            else:
                self.proven(self.attempts[str(news.id)], news.found)
        self.flush()
        seen, self.seen = self.seen, []
        return seen

    def adopt(self, attempts: Collection[Running]) -> None:
        """Take these over from an earlier controller.

        Nothing is said of one that was never started: start() it, that is safe in any case.
        """
        known = {(each.id, each.pid) for each in attempts}
        self.seen = [
            each
            for each in self.seen
            if not (isinstance(each, Started) and (each.id, each.pid) in known)
        ]
        strangers = [each for each in attempts if str(each.id) not in self.attempts]
        for running in strangers:
            attempt = self.attempt(running.id, running.mark)
            attempt.orphan = True
            if running.boot_id not in ("", self.boot_id):
                self.finish(attempt, self.lost(attempt, REBOOTED))
            elif running.pid is not None:
                attempt.pid, attempt.start = running.pid, running.start_ticks or 0
                self.watch(attempt)
        self.find_unrecorded([self.attempts[str(each.id)] for each in strangers])

    def forget(self, ids: Collection[AttemptId]) -> None:
        known = [text for each in ids if (text := str(each)) in self.attempts]
        dropped = [self.attempts.pop(text) for text in known]
        if dropped:
            self.waiting.append(["forget", *known])
        for attempt in dropped:
            self.unwatch(attempt)
            self.endings.drop(attempt.id)
        if any(each.outcome and each.outcome.left_processes for each in dropped):
            self.flush()  # a slot was kept for it

    def next_due(self) -> int | None:
        dues = [self.endings.next_due()]
        if self.seen:
            dues.append(self.clock.now())
        if self.unwatched:
            dues.append(self.clock.now() + UNWATCHED_PAUSE_US)
        return min((due for due in dues if due is not None), default=None)

    def fileno(self) -> int:
        return self.poll.fileno()

    def close(self) -> None:
        """Let go of the shim; the steps run on."""
        self.flush()
        for attempt in self.attempts.values():
            self.unwatch(attempt)
        self.poll.close()
        self.link.close()

    # ------------------------------------------------------------------------------------- the shim
    def greet(self) -> None:
        self.synced = False
        self.poll.register(self.link.fileno(), select.EPOLLIN)
        self.link.send([["hello", self.hello]])

    def wait_for_shim(self) -> None:
        """Only at the start: a controller that has not heard what runs can't decide anything."""
        enough = time.monotonic() + HELLO_SECONDS_MAX
        while not self.synced:
            self.poll.poll(0.1)
            self.listen()
            if time.monotonic() > enough:
                raise StorageError(
                    f"{self.link.folder}: the supervisor of the steps does not answer"
                )

    def flush(self) -> None:
        done = self.link.send(self.waiting)
        self.waiting = []
        self.poll.modify(self.link.fileno(), select.EPOLLIN | (0 if done else select.EPOLLOUT))

    def listen(self) -> None:
        try:
            for verb, *rest in self.link.receive():
                getattr(self, f"on_{verb}")(*rest)
        except ShimGone:
            self.find_another_shim()

    def find_another_shim(self) -> None:
        """No step ends because a shim did: those that run are watched from here on."""
        self.deaths += 1
        if self.deaths > SHIM_DEATHS_MAX:
            raise StorageError(
                f"the supervisor of the steps does not start; {self.link.folder}/errors says why"
            )
        self.poll.unregister(self.link.fileno())
        self.link.close()
        for attempt in self.attempts.values():
            attempt.orphan = attempt.orphan or (attempt.pid != 0 and attempt.outcome is None)
        self.link.open()
        self.greet()

    def on_hello(self, about: dict[str, int]) -> None:
        self.shim_pid = about["pid"]

    def on_refused(self, epoch: int) -> None:
        raise LockHeld(f"another controller (epoch {epoch}) has taken over the running steps")

    def on_told(self) -> None:
        """The shim knows nothing more: ask again for what got lost, judge what it does not run."""
        self.synced = True
        self.deaths = 0
        for text, attempt in self.attempts.items():
            if attempt.launch is not None:
                self.waiting.append(start_message(attempt.launch))
            if attempt.order is not None:
                self.waiting.append(["withdraw", text])
        orphans = [each for each in self.attempts.values() if each.orphan and not each.outcome]
        for attempt in orphans:
            if attempt.pid:
                self.watch(attempt)
        for attempt in self.find_unrecorded(orphans):
            self.finish(attempt, self.lost(attempt, UNSTARTED))

    # ----------------------------------------------------------------------------- what it tells us
    def on_starting(self, text: str, mark: int, at: int) -> None:
        attempt = self.attempt(AttemptId.parse(text), mark)
        attempt.mark = mark
        attempt.started = at

    def on_started(self, text: str, pid: int, start: int, at: int) -> None:
        attempt = self.attempt(AttemptId.parse(text), 0)
        if attempt.pid:
            return
        attempt.launch = None
        attempt.pid, attempt.start, attempt.started = pid, start, at
        self.started.append(attempt)
        self.retell(attempt)
        if attempt.order is not None:
            self.carry_out(attempt, attempt.order)

    def on_exited(
        self, text: str, status: int, at: int, cpu_us: int, rss_kib: int, left: bool
    ) -> None:
        attempt = self.attempts[text]
        usage = Usage(
            wall_seconds=(at - attempt.started) / 1_000_000,
            cpu_seconds=cpu_us / 1_000_000,
            max_rss_bytes=rss_kib * 1024 or None,
        )
        self.first_process_ended(attempt, self.exited(attempt, status, at, usage), left)

    def on_failed(self, text: str, at: int, problem: str) -> None:
        attempt = self.attempts[text]
        at += self.boot_to_now
        self.finish(attempt, Ended(id=attempt.id, how="start-failed", at=at, problem=problem))

    def on_withdrawn(self, text: str, at: int) -> None:
        attempt = self.attempt(AttemptId.parse(text), 0)
        self.finish(attempt, Ended(id=attempt.id, how="withdrawn", at=at + self.boot_to_now))

    def on_orphaned(self, text: str) -> None:
        self.attempts[text].orphan = True

    def on_lost(self, text: str, _at: int, problem: str) -> None:
        attempt = self.attempt(AttemptId.parse(text), 0)
        self.finish(attempt, self.lost(attempt, problem))

    # -------------------------------------------------------------------------------- one attempt's
    def attempt(self, id: AttemptId, mark: int) -> Attempt:
        return self.attempts.setdefault(str(id), Attempt(id, mark))

    def retell(self, attempt: Attempt) -> None:
        if attempt.told and attempt.outcome is not None:
            self.seen.append(attempt.outcome)
        elif attempt.pid:
            at = attempt.started + self.boot_to_now
            self.seen.append(
                Started(id=attempt.id, pid=attempt.pid, start_ticks=attempt.start, at=at)
            )

    def carry_out(self, attempt: Attempt, order: End) -> None:
        attempt.order = None
        if not order.withdraw_only:
            self.begin_ending(attempt, int(order.grace_seconds * 1_000_000))

    def begin_ending(self, attempt: Attempt, grace_us: int) -> None:
        tree = Tree(
            id=attempt.id,
            mark=attempt.mark,
            since=attempt.start,
            members={attempt.pid: attempt.start} if attempt.pid else {},
        )
        self.endings.begin(tree, grace_us, self.clock.now())

    def first_process_ended(self, attempt: Attempt, outcome: Ended, left: bool) -> None:
        """What else there is of the attempt has to go before its end is told."""
        if attempt.outcome is not None:
            return
        self.unwatch(attempt)
        attempt.outcome = outcome
        if attempt.id in self.endings:
            self.endings.hurry(attempt.id, self.clock.now())
        elif left:
            self.begin_ending(attempt, LEFT_GRACE_US)
        else:
            self.finish(attempt, outcome)

    def proven(self, attempt: Attempt, found: int) -> None:
        """Nothing of it lives; if its first process ended in this, the shim is about to say how."""
        if attempt.outcome is not None:
            self.finish(attempt, replace(attempt.outcome, left_processes=found))

    def finish(self, attempt: Attempt, outcome: Ended) -> None:
        if attempt.told:
            return
        self.unwatch(attempt)
        attempt.launch = attempt.order = None
        attempt.outcome = outcome
        attempt.told = True
        self.seen.append(outcome)

    def exited(self, attempt: Attempt, status: int, at: int, usage: Usage) -> Ended:
        code = os.waitstatus_to_exitcode(status)
        return Ended(
            id=attempt.id,
            how="exited",
            at=at + self.boot_to_now,
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            usage=usage,
        )

    def lost(self, attempt: Attempt, problem: str) -> Ended:
        return Ended(id=attempt.id, how="lost", at=self.clock.now(), problem=problem)

    # ------------------------------------------------------------------------------------- orphans
    def watch_new(self) -> None:
        """Keep hold of what outlives the message about it, in case its shim dies."""
        for attempt in self.started:
            if attempt.outcome is None and attempt.pidfd < 0 and not attempt.orphan:
                try:
                    pidfd = open_process(attempt.pid, attempt.start)
                except OSError:
                    continue
                attempt.pidfd = -1 if pidfd is None else pidfd
        self.started.clear()

    def watch(self, attempt: Attempt) -> None:
        """Wait for the end of a process that no shim will tell us about."""
        if attempt.pidfd in self.orphans or attempt in self.unwatched:
            return
        try:
            if attempt.pidfd < 0:
                pidfd = open_process(attempt.pid, attempt.start)
                if pidfd is None:
                    self.first_process_ended(attempt, self.lost(attempt, UNSEEN), left=True)
                    return
                attempt.pidfd = pidfd
        except OSError:  # no descriptor to be had
            self.unwatched.append(attempt)
            return
        self.orphans[attempt.pidfd] = attempt
        self.poll.register(attempt.pidfd, select.EPOLLIN)

    def unwatch(self, attempt: Attempt) -> None:
        if attempt in self.unwatched:
            self.unwatched.remove(attempt)
        if attempt.pidfd < 0:
            return
        if self.orphans.pop(attempt.pidfd, None) is not None:
            # First, since a child on its way to exec may keep the description alive.
            self.poll.unregister(attempt.pidfd)
        os.close(attempt.pidfd)
        attempt.pidfd = -1

    def look_at_orphans(self) -> None:
        if self.orphans:
            for fd, _ in self.poll.poll(0):
                if fd in self.orphans:
                    self.orphan_ended(self.orphans[fd])
        for attempt in list(self.unwatched):
            if not alive(attempt.pid, attempt.start):
                self.first_process_ended(attempt, self.lost(attempt, UNSEEN), left=True)

    def orphan_ended(self, attempt: Attempt) -> None:
        status = exit_status(attempt.pidfd, attempt.pid, attempt.start)
        outcome = self.lost(attempt, UNSEEN)
        if status is not None:
            at = self.clock.now() - self.boot_to_now
            usage = Usage(wall_seconds=(at - attempt.started) / 1_000_000)
            outcome = self.exited(attempt, status, at, usage)
        self.first_process_ended(attempt, outcome, left=True)

    def find_unrecorded(self, attempts: Collection[Attempt]) -> list[Attempt]:
        """Of those without a pid, look for the living by their marks; returns the others."""
        sought = [each for each in attempts if not each.pid and not each.outcome]
        if not sought:
            return []
        trees = [Tree(id=each.id, mark=each.mark, members={}) for each in sought]
        members = look(trees, self.endings.spared()).members
        for attempt in sought:
            found = members[attempt.id]
            if found:
                first = min(found, key=lambda process: (process.start, process.pid))
                attempt.launch = None
                attempt.pid, attempt.start = first.pid, first.start
                self.retell(attempt)
                self.watch(attempt)
        return [each for each in sought if not each.pid]


@cache
def step_limits() -> dict[int, int]:
    """The soft limits that this controller was started with: those that its steps get.

    Its own are lifted then: it holds a descriptor for each running step.
    """
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    limits = {kind: resource.getrlimit(kind)[0] for kind in {getattr(resource, n) for n in names}}
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return limits


def greeting(epoch: int, slots: int) -> dict[str, object]:
    """What a shim has to know of its controller: above all, what the steps inherit from it."""
    env = {
        name.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape")
        for name, value in os.environb.items()
    }
    umask = os.umask(0o077)
    os.umask(umask)
    limits = {str(kind): soft for kind, soft in step_limits().items()}
    about = {"protocol": PROTOCOL, "epoch": epoch, "slots": slots}
    return {**about, "env": env, "umask": umask, "limits": limits}


def start_message(launch: Launch) -> Message:
    text = str(launch.id)
    return [
        "start", text, launch.mark, launch.argv, launch.env, launch.working_dir, launch.log
    ]  # fmt: skip
