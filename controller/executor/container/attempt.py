"""What the engine knows of its attempts.

The client and the container of an attempt are two: the client may die, then the container counts;
the container may never come to be, then the client says why. The end is told when both are gone.
"""

from msgspec import Struct
from msgspec.structs import replace

from controller.executor.container.client import take_output
from controller.executor.container.ending import ContainerEnding
from controller.executor.names import name_of
from controller.executor.secrets import CannotPrepare
from controller.loop.ports import AttemptId, End, Ended, Launch, Observation, Running, Submitted

LOOK_US_MIN, LOOK_US_MAX = 200_000, 10_000_000  # pauses between looks at what runs


class ContainerAttempt(Struct, eq=False):
    """Times are microseconds of the controller's clock."""

    id: AttemptId
    mark: int
    name: str
    program: str = ""
    log: str = ""
    launch: Launch | None = None
    submitted: Submitted | None = None
    refusal: CannotPrepare | None = None
    unprepared: bool = False  # for want of something that becomes free again
    ordered: bool = False  # it is to be withdrawn, or ended
    rebooted: bool = False  # it was started before the machine was rebooted
    started: int | None = None  # its client
    client: Ended | None = None  # how its client ended
    ran: bool = False  # its container was seen to run
    doubts: int = 0  # looks in a row that showed a running container without its processes
    given_up: bool = False  # podman was told so
    swept: bool = False  # what carries its mark was ended, when no container of it ran
    removed: bool = False  # its program was told to remove a container that never ran
    ending: ContainerEnding | None = None
    busy: bool = False  # a program was asked about it, and has not answered
    stale: bool = False  # its client has ended meanwhile
    due: int | None = None  # when to look at it
    pause: int = LOOK_US_MIN
    hangs_at: int | None = None  # from then on its client hangs: no container of it runs
    outcome: Ended | None = None


class Attempts:
    """All that the log does not know as over, and what there is to tell of them."""

    def __init__(self, state: str) -> None:
        self.state = state  # the state folder, absolute
        self.by_id: dict[AttemptId, ContainerAttempt] = {}
        self.news: list[Observation] = []

    def of(self, about: Launch | Running | End) -> ContainerAttempt:
        attempt = self.by_id.get(about.id)
        if attempt is None:
            name = about.handle or name_of(about.id.step, about.mark)
            whose = about.place.get("program", "")
            attempt = ContainerAttempt(about.id, about.mark, name, whose)
            self.by_id[about.id] = attempt
        return attempt

    def tell(self, news: Observation) -> None:
        self.news.append(news)

    def finish(self, attempt: ContainerAttempt, outcome: Ended) -> None:
        """No process of it lives any more."""
        if attempt.log and (note := take_output(self.state, attempt.log)):
            outcome = replace(outcome, notes=(*outcome.notes, note))
        attempt.outcome, attempt.due = outcome, None
        self.tell(outcome)

    def refuse(self, attempt: ContainerAttempt, problem: str, at: int) -> None:
        """It can never start."""
        ended = Ended(id=attempt.id, how="start-failed", at=at, problem=problem)
        self.finish(attempt, ended)
