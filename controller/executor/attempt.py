"""What the executor keeps of one attempt."""

from msgspec import Struct

from controller.loop.ports import AttemptId, End, Ended, Launch


class Attempt(Struct, eq=False):
    """What is known of one attempt until its end is durable."""

    id: AttemptId
    mark: int
    launch: Launch | None = None  # until the shim says that it started, or can't
    order: End | None = None  # given before the shim said so
    pid: int = 0
    start: int = 0
    started: int = 0  # microseconds since boot
    may_leave: bool = False  # what it leaves running is not ended with it
    orphan: bool = False  # the shim that started it is dead
    found: bool = False  # by its mark: whether `pid` is its first process is a likelihood
    leaving: bool = False  # ended by itself, and left processes that are being ended
    outcome: Ended | None = None  # of its first process
    told: bool = False
