"""The parent of all steps: a small process that outlives its controller.

It starts the attempts that it is asked for, each at most once, and reaps them. It notes in its
journal what it does, before and after, and tells the connected controller. Starts beyond the free
slots wait here, so that a free slot is filled at once, without a turn of the controller in between.
Without a controller it starts nothing. It stops when nothing runs and nobody was connected for
IDLE_SECONDS.

It imports little, has one thread, and expects any attempt or connection to misbehave. Every message
to it can be repeated. It ends no process and decides nothing about attempts: the controller does
that, and may be killed and replaced at any time.

SIGTERM tells it to end as soon as nothing runs. A service manager that stops a group, or a machine
that shuts down, sends it to the steps as well, in any order. An exit by SIGTERM at such a time says
nothing about the step, so after `exited` comes `lost`, which corrects it.

The wire, both ways: a line is a JSON list of messages, a message a list that begins with a verb.

    from a controller
    ["hello", {protocol, epoch, slots, env, umask, limits}]
    ["start", ID, MARK, ARGV, ENV, FOLDER, LOG, LEAVE, PRIORITY]
                                again: while it is queued, this is how it will be started
    ["start", …, INHERIT]       false, or a list: of the env of the `hello` it gets only these
    ["withdraw", ID]            never start it; answer: `withdrawn`, or its notes if it has started
    ["forget", ID, …]           its end is durable
    ["ping"]                    no answer; if nobody reads it, this process hangs

    to the controller
    ["hello", {protocol, pid, journal}]  then the notes of all attempts not forgotten, ["told"]
    ["short", WHY]              nothing can start now, something is missing; empty: it can again
    ["returned", ID, …]         it hangs up, and has not started these
    ["refused", EPOCH]          to one that is older than EPOCH; then it hangs up
    ["rejected", WHY]           to one that may not connect, or said what makes no sense; as well
    each new note of the journal about attempts, except `starting` and `forget`
"""

import contextlib
import gc
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from controller.executor.shim.checks import Refused, check, check_peer, hello_of
from controller.executor.shim.children import Children, become_subreaper, own_peak_kib
from controller.executor.shim.door import Door, handed_over
from controller.executor.shim.journal import Journal
from controller.executor.shim.slots import Slots
from controller.executor.shim.spawn import (
    OWN_UMASK,
    CannotStart,
    NotNow,
    Order,
    Spawner,
    boottime_us,
)
from controller.executor.shim.wire import Message, Wire, encode

PROTOCOL = 4
IDLE_SECONDS = 5.0
RETRY_SECONDS = 0.1  # after a start that the system had no room for
ACCEPT_PAUSE_SECONDS = 0.01
CONNECTIONS_MAX = 16  # beside that of the controller; the oldest gives way
ALONE_SECONDS = 1.0  # without a controller: then check that one could connect
SPAWNS_IN_A_ROW = 16  # then look at exits and orders again
REAPS_IN_A_ROW = 256
TALK_US = 2_000  # news that is not urgent may wait so long for more
GROUP_STOP_US = 500_000  # a signal for all processes of a group has reached each within this time
STOP_PAUSE_US = 5_000_000  # after SIGTERM: the controller, told as well, hangs up within this time
TERMINATED = frozenset({signal.SIGTERM, 128 + signal.SIGTERM << 8})  # shells exit with 143
STOPPED = "SIGTERM stopped it together with the supervisor of the steps"


class Shim:
    def __init__(self, door: Door, journal: Journal, spawner: Spawner) -> None:
        self.door = door
        self.journal = journal
        self.spawner = spawner
        self.wakes = Wakes()
        self.children = Children()
        self.connections: dict[int, Wire] = {}
        self.controller: Wire | None = None
        self.running: dict[int, str] = {}  # pid → attempt
        self.marks: dict[str, int] = {}  # of the running
        self.may_leave: set[str] = set()  # of the running, those that may leave processes
        # An attempt that left processes, or that a dead shim started, keeps its slot until its end
        # is durable.
        self.slots = Slots(
            {attempt for attempt, notes in journal.entries.items() if notes[-1][0] == "orphaned"}
        )
        self.terminated: dict[str, int] = {}  # attempt → when SIGTERM ended it, if not long ago
        self.told_to_end: int | None = None  # when
        self.own_peak_kib = 0
        self.not_before = 0
        self.shortage = ""
        self.news_since = 0  # when the oldest unsent news happened
        self.urgent = False  # is there more in the news than starts?
        self.idle_since = boottime_us()
        self.idle_seconds = IDLE_SECONDS
        self.poll = select.poll()
        self.poll.register(door.listener, select.POLLIN)
        self.poll.register(self.wakes.out, select.POLLIN)
        self.verbs: dict[str, Callable[..., None]] = {
            "start": self.start,
            "withdraw": self.withdraw,
            "forget": self.forget,
            "ping": lambda: None,
        }

    def run(self) -> None:
        while not self.is_over():
            for fd, _ in self.poll.poll(self.patience_ms()):
                if fd == self.door.listener.fileno():
                    self.accept()
                elif fd in self.connections:
                    self.hear(self.connections[fd])
            if not self.connections:
                self.stay_reachable()
            self.reap()
            self.excuse()
            self.fill()
            self.journal.flush()
            if not self.may_wait():
                self.talk()

    # ------------------------------------------------------------------------------------- waiting
    def may_wait(self) -> bool:
        """May the unsent news wait? Waking the controller is expensive compared with a short step.

        A start alone may wait, because its end may follow soon. All news may wait while the queue
        here keeps all slots busy.
        """
        if self.controller is None or not self.controller.waiting:
            return False
        if self.urgent and not (self.slots.queue and self.slots.free <= 0):
            return False
        return boottime_us() - self.news_since < TALK_US

    def patience_ms(self) -> float | None:
        if self.controller is not None and self.controller.waiting:
            return TALK_US / 1000
        if self.slots.queue and self.slots.free > 0:
            return max(0.0, (self.not_before - boottime_us()) / 1000)
        if self.connections:
            return None
        # Told to end, it has no time to be idle; but the end of a step wakes it.
        seconds = ALONE_SECONDS if self.running else min(self.idle_seconds, ALONE_SECONDS)
        return seconds * 1000

    def is_over(self) -> bool:
        if self.running or self.connections:
            self.idle_since = boottime_us()
            return False
        return boottime_us() - self.idle_since >= self.idle_seconds * 1_000_000

    def hasten(self) -> None:
        """SIGTERM: stop as soon as our steps have ended.

        A step that began now would miss the signal, if it was one for all.
        """
        self.told_to_end = boottime_us()
        self.idle_seconds = 0.0
        self.not_before = self.told_to_end + STOP_PAUSE_US

    # --------------------------------------------------------------------------------- connections
    def accept(self) -> None:
        try:
            sock = self.door.accept()
        except OSError:  # it stays in the socket's queue and would wake us again and again
            time.sleep(ACCEPT_PAUSE_SECONDS)
            return
        if sock is None:
            return
        others = [each for each in self.connections.values() if each is not self.controller]
        if len(others) >= CONNECTIONS_MAX:
            reject(others[0], "there are too many connections")
            self.part(others[0])
        connection = self.connections[sock.fileno()] = Wire(sock)
        self.poll.register(sock, select.POLLIN)
        try:
            check_peer(sock, set(map(self.journal.mark, self.journal.entries)))
        except (Refused, OSError) as fault:
            reject(connection, str(fault))
            self.part(connection)

    def hear(self, connection: Wire) -> None:
        try:
            messages = connection.receive()
            for message in messages:
                check(message)
            for verb, *rest in messages:
                if verb == "hello":
                    self.hello(connection, rest[0])
                elif connection is self.controller:
                    self.verbs[verb](*rest)
            if connection.problem:
                raise Refused(connection.problem)
        except Refused as fault:
            reject(connection, str(fault))
        except Exception as fault:  # whatever it is, steps must not lose their parent
            reject(connection, f"it can't be carried out: {type(fault).__name__}")
        if connection.closed:  # now, before an exit at the same moment frees a slot
            self.part(connection)

    def hello(self, connection: Wire, hello: dict[str, Any]) -> None:
        """Serve the newest controller with the highest epoch, and tell it everything."""
        if connection is self.controller:
            raise Refused("it has said hello before")
        epoch, slots, env, umask, limits = hello_of(hello)
        if epoch < self.journal.epoch:
            refuse(connection, self.journal.epoch)
            return
        if not self.journal.believes(epoch):
            raise Refused(f"its epoch is far above {self.journal.epoch}, the last one")
        if self.controller is not None and self.controller is not connection:
            refuse(self.controller, epoch)
            self.slots.clear()
        self.controller = connection
        self.journal.note(["epoch", epoch])
        self.slots.total = slots
        self.spawner.inherit(env, umask, limits)
        about = {"protocol": PROTOCOL, "pid": os.getpid(), "journal": self.journal.name}
        connection.say(["hello", about])
        for notes in self.journal.entries.values():
            connection.waiting += map(encode, notes)
        connection.say(["told"])
        connection.say(["short", self.shortage])
        self.urgent = True

    def talk(self) -> None:
        self.urgent = False
        for fd, connection in list(self.connections.items()):
            connection.flush()
            if connection.closed:
                self.part(connection)
            else:
                writable = select.POLLOUT if connection.unsent else 0
                self.poll.modify(fd, select.POLLIN | writable)

    def part(self, connection: Wire) -> None:
        fd = connection.sock.fileno()
        self.poll.unregister(fd)
        del self.connections[fd]
        connection.close()
        if connection is self.controller:
            self.controller = None
            self.slots.clear()

    def tell(self, note: Message) -> None:
        line = self.journal.note(note)
        if self.controller is not None:
            if not self.controller.waiting:
                self.news_since = boottime_us()
            self.controller.waiting.append(line)
            self.urgent = self.urgent or note[0] != "started"

    def stay_reachable(self) -> None:
        old = self.door.listener.fileno()
        if self.door.mend():
            self.poll.unregister(old)
            self.poll.register(self.door.listener, select.POLLIN)

    def dismiss(self) -> None:
        """Hang up: the controller will find or start the shim of the folder."""
        if self.controller is not None:
            self.controller.say(["returned", *self.slots.queue])
            self.controller.flush()  # only this shim can report this, and what it did here
            self.part(self.controller)

    def say_short(self, why: str) -> None:
        if why != self.shortage:
            self.shortage = why
            if self.controller is not None:
                self.controller.say(["short", why])
                self.urgent = True

    # -------------------------------------------------------------------------------------- orders
    def start(self, attempt: str, *order: Any) -> None:
        if attempt in self.journal.entries:
            self.retell(attempt)
        else:
            self.slots.put(Order(attempt, *order))

    def withdraw(self, attempt: str) -> None:
        """Never start it; if it has started or ended, send its notes again instead."""
        self.slots.drop(attempt)
        if attempt in self.journal.entries:
            self.retell(attempt)
        else:
            self.tell(["withdrawn", attempt, boottime_us()])

    def retell(self, attempt: str) -> None:
        if self.controller is not None:
            self.controller.waiting += map(encode, self.journal.entries[attempt])
            self.urgent = True

    def forget(self, *attempts: str) -> None:
        """Drop those that have ended. One that still runs is never dropped."""
        ended = [
            attempt
            for attempt in attempts
            if attempt in self.journal.entries and attempt not in self.marks
        ]
        for attempt in ended:
            self.slots.give_back(attempt)
            self.spawner.cgroups.drop(self.journal.mark(attempt))
        if ended:
            self.journal.note(["forget", *ended])

    # ----------------------------------------------------------------------------------- processes
    def fill(self) -> None:
        """Start those of the queue whose turn it is while slots are free."""
        orders = self.slots.in_turn()
        for _ in range(SPAWNS_IN_A_ROW):
            if not self.slots.queue or self.slots.free <= 0 or boottime_us() < self.not_before:
                return
            if not self.door.is_ours():  # there may be another shim: leave the work to that one
                self.dismiss()
                return
            order = next(orders)
            if not self.launch(order):
                self.not_before = boottime_us() + int(RETRY_SECONDS * 1_000_000)
                return
            self.slots.drop(order.id)

    def launch(self, order: Order) -> bool:
        """Start it, or report why it can't start; False: the system has no room for it now."""
        self.journal.note(["starting", order.id, order.mark, boottime_us()])
        if not self.journal.flush():
            self.journal.note(["forget", order.id])
            self.say_short(f"the journal in {os.getcwd()}/shim can't be written")
            return False
        try:
            process = self.spawner.spawn(order)
        except CannotStart as problem:
            self.tell(["failed", order.id, boottime_us(), str(problem)])
        except NotNow as shortage:
            self.journal.note(["forget", order.id])
            self.say_short(str(shortage))
            return False
        else:
            self.say_short("")
            self.running[process.pid] = order.id
            self.slots.take(order.id, order.priority)
            self.marks[order.id] = order.mark
            if order.leave:
                self.may_leave.add(order.id)
            self.tell(["started", order.id, process.pid, process.start, process.at])
        return True

    def reap(self) -> None:
        """Note every exit, and whether the attempt has left processes running."""
        self.wakes.drain()
        ended = []
        for _ in range(REAPS_IN_A_ROW):
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self.running:  # else an orphan that became our child
                ended.append((self.running.pop(pid), status, boottime_us(), usage))
        else:
            self.wakes.ring()
        if not ended:
            return
        leavers = self.children.leavers(self.running, self.marks.values())
        for attempt, status, at, usage in ended:
            mark = self.marks.pop(attempt)
            left = attempt not in self.may_leave and (leavers is None or mark in leavers)
            self.may_leave.discard(attempt)
            if not left and not self.slots.outranks(attempt):
                self.slots.give_back(attempt)
            cpu_us = int((usage.ru_utime + usage.ru_stime) * 1_000_000)
            self.tell(["exited", attempt, status, at, cpu_us, self.peak(usage.ru_maxrss), left])
            if status in TERMINATED:
                self.terminated[attempt] = at

    def excuse(self) -> None:
        """Tell which steps got SIGTERM when this process did.

        That is over when a controller serves on, or again: it was no stop of the whole group.
        """
        told = self.told_to_end
        if told is not None and self.controller and boottime_us() - told > STOP_PAUSE_US:
            self.told_to_end = None
        for attempt, at in list(self.terminated.items()):
            if boottime_us() - at > GROUP_STOP_US:
                del self.terminated[attempt]
            elif self.told_to_end is not None:
                del self.terminated[attempt]
                if attempt in self.journal.entries:
                    self.tell(["lost", attempt, at, STOPPED])

    def peak(self, kib: int) -> int:
        """Peak memory of a step; 0 if nobody can know.

        A process begins as a copy of this one, so a value below our own peak says nothing.
        """
        if kib > self.own_peak_kib:
            self.own_peak_kib = own_peak_kib()
        return kib if kib > self.own_peak_kib else 0


def refuse(connection: Wire, epoch: int) -> None:
    """Tell it that another controller is newer, and hang up."""
    hang_up(connection, ["refused", epoch])


def reject(connection: Wire, why: str) -> None:
    """Tell it what is wrong with it, and hang up."""
    hang_up(connection, ["rejected", why])


def hang_up(connection: Wire, word: Message) -> None:
    connection.say(word)
    connection.flush()
    connection.closed = True


class Wakes:
    """A pipe that a signal writes to, so that the poll of the main loop returns."""

    def __init__(self) -> None:
        self.out, self.into = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.into, warn_on_full_buffer=False)

    def ring(self) -> None:
        os.write(self.into, b"!")

    def drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.out, 4096)


def main(state: str) -> None:
    """Run until there is nothing left to do. `state` is absolute."""
    boot_id = handed_over()
    if not boot_id:
        return
    os.umask(OWN_UMASK)
    os.chdir(state)
    door = Door()
    become_subreaper()
    try:
        journal = Journal("shim", boot_id, boottime_us())
    except OSError as error:
        sys.exit(
            f"{state}/shim/{error.filename}: {error.strerror}: the journal of the running steps "
            "can't be used, so none is started; put it back from a copy, or remove it if none runs"
        )
    shim = Shim(door, journal, Spawner())
    for number in (
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGPIPE,
        signal.SIGXFSZ,
        signal.SIGXCPU,
    ):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: shim.hasten())
    gc.freeze()
    shim.run()
    door.close()
