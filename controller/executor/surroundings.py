"""What an engine is given: the processes of this machine, a clock, and calls beside the loop."""

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from controller.loop.ports import Clock, End, Executor

if TYPE_CHECKING:
    from controller.executor.calls import Calls


class Machine(Executor, Protocol):
    """Processes of this machine. `fileno()` is readable when observe() has something to do."""

    def sweep(self, orders: Sequence[End]) -> None:
        """As end(), also for what an attempt may leave running. Its end is told after that."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class Surroundings:
    """What an engine is given: the machine's processes, its clock, and calls beside the loop."""

    def __init__(self, machine: Machine, state_dir: str, clock: Clock) -> None:
        self.machine = machine
        self.state_dir = state_dir
        self.clock = clock
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    @cached_property
    def calls(self) -> "Calls":
        from controller.executor.calls import Calls

        return Calls(self.wake)

    def wake(self) -> None:
        """Have the loop call observe(); from any thread."""
        os.eventfd_write(self._wake, 1)

    def fileno(self) -> int:
        return self._wake

    def rest(self) -> None:
        """All that woke the loop is about to be looked at."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
