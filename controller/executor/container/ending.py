"""Ends containers: the stop signal of the image, the grace, SIGKILL, until the program says so.

Each step is a call that returns at once. `stop` of the programs would do all of it, but holds a
process and a thread through the grace of each container, which programs that are pid 1 and heed no
signal always use up.
"""

from msgspec import Struct

from controller.executor.calls import Answer
from controller.executor.container import program
from controller.executor.container.reading import Container

FAILED_US = 30_000_000  # after the first SIGKILL
PAUSE_US, PAUSE_US_MAX = 100_000, 1_000_000


class ContainerEnding(Struct, eq=False):
    """An ending that was ordered. Times are microseconds of the controller's clock."""

    kill_at: int
    killed_at: int | None = None
    told: bool = False  # the container got its stop signal
    pause: int = PAUSE_US
    problem: str = ""  # of the last call
    failed: bool = False

    def next_call(self, whose: str, seen: Container, now: int) -> list[str] | None:
        """What to ask the program while the container runs; None: wait."""
        if now >= self.kill_at:
            self.killed_at = self.killed_at or now
            return program.kill(whose, seen.id, "KILL")
        if self.told:
            return None
        self.told = True
        return program.kill(whose, seen.id, seen.stop_signal)

    def heard(self, answer: Answer) -> None:
        self.problem = answer.problem

    def look_again(self, now: int) -> int:
        """When to look what came of it."""
        due = now + self.pause
        self.pause = min(self.pause * 3 // 2, PAUSE_US_MAX)
        return due if self.killed_at is not None else min(due, max(now, self.kill_at))

    def has_failed(self, now: int) -> bool:
        """Whether it is time to say so; once."""
        if self.failed or self.killed_at is None or now < self.killed_at + FAILED_US:
            return False
        self.failed = True
        return True
