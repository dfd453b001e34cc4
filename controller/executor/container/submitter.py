"""The way of an attempt to its start: a program, an image, its record, and then its client.

Whatever is missing is waited for: a program, an image that can't be pulled, room for its files.
"""

from collections.abc import Collection

from controller.executor.container import program
from controller.executor.container.attempt import Attempts, ContainerAttempt
from controller.executor.container.client import client_of
from controller.executor.container.contact import Contact
from controller.executor.container.images import Images, News, Ready, Refused, Waits, Wanted
from controller.executor.secrets import CannotPrepare
from controller.executor.shim.spawn import NotNow
from controller.executor.surroundings import Surroundings
from controller.loop.ports import AttemptId, End, Launch, Queued, Submitted, Trouble
from controller.spec.placement import InContainer, Placement

TRY_AGAIN_US = 5_000_000
ANY_PROGRAM = " or ".join(program.PROGRAMS)


class Submitter:
    def __init__(self, attempts: Attempts, around: Surroundings, contact: Contact) -> None:
        self._attempts = attempts
        self._around = around
        self._images = Images(around.calls, self._of_image, contact.note)
        self._missing: dict[AttemptId, str] = {}  # programs that are not installed
        self._expected: dict[str, set[str]] = {}  # programs that lives name, by uid
        self._shortage = ""  # of what, so that a client can't be prepared now
        self._try_again_at: int | None = None

    def submit(self, attempt: ContainerAttempt, launch: Launch) -> None:
        """Tell when it can be let go, or why it never can."""
        placement = launch.placement
        assert isinstance(placement, InContainer)
        if launch.in_parts or launch.leave_processes:
            field = "before or after" if launch.in_parts else "leaveProcesses"
            problem = f"a step with {field} can't run in a container"
            self._attempts.refuse(attempt, problem, self._around.clock.now())
        elif whose := program.choose(placement.program):
            attempt.program = whose
            self._images.want(attempt.id, Wanted(whose, placement.image, placement.pull))
        else:
            wanted = self._missing[attempt.id] = _in_words(placement.program)
            reason = f"{wanted} is not installed on this machine"
            self._attempts.tell(Queued(id=attempt.id, reason=reason))
            self._again_soon()

    def let_go(self, attempt: ContainerAttempt, launch: Launch) -> None:
        """Have the shim start its client, unless that was started before."""
        attempt.unprepared = False
        try:
            self._around.machine.start([client_of(self._attempts.state, launch)])
        except CannotPrepare as refusal:
            attempt.refusal = refusal
            self.withdraw(attempt)
        except NotNow as shortage:
            attempt.unprepared, self._shortage = True, str(shortage)
            self._again_soon()

    def expect(self, uid: str, placements: Collection[Placement]) -> None:
        """The programs that a life may need."""
        wanted = {place.program for place in placements if isinstance(place, InContainer)}
        self._expected.pop(uid, None)
        if wanted:
            self._expected[uid] = wanted

    def withdraw(self, attempt: ContainerAttempt) -> None:
        """Its client must not start; but an earlier controller may have told the shim to."""
        never = End(id=attempt.id, mark=attempt.mark, grace_seconds=0.0, withdraw_only=True)
        self._around.machine.end([never])

    def drop(self, attempt: ContainerAttempt) -> None:
        """It waits for nothing any more."""
        self._images.drop(attempt.id)
        self._missing.pop(attempt.id, None)
        attempt.unprepared = False

    def advance(self, now: int) -> None:
        """Look again for what was missing."""
        if self._try_again_at is not None and now >= self._try_again_at:
            self._try_again_at, self._shortage = None, ""
            for attempt in list(self._attempts.by_id.values()):
                if attempt.launch is not None and self._missing.pop(attempt.id, ""):
                    self.submit(attempt, attempt.launch)
                elif attempt.launch is not None and attempt.unprepared:
                    self.let_go(attempt, attempt.launch)
        self._images.advance(now)

    def next_due(self) -> int | None:
        dues = self._try_again_at, self._images.next_due()
        return min((due for due in dues if due is not None), default=None)

    def troubles(self) -> list[Trouble]:
        named = {wanted for programs in self._expected.values() for wanted in programs}
        missing = {_in_words(wanted) for wanted in named if not program.choose(wanted)}
        found = [_not_installed(name) for name in sorted({*missing, *self._missing.values()})]
        if self._shortage:
            message = f"no container can be started: {self._shortage}; it is tried again"
            found.append(Trouble("OutOfResources", message))
        return found

    def _again_soon(self) -> None:
        self._try_again_at = self._try_again_at or self._around.clock.now() + TRY_AGAIN_US

    def _of_image(self, attempt_id: AttemptId, news: News) -> None:
        attempt = self._attempts.by_id[attempt_id]
        match news:
            case Ready(image):
                attempt.submitted = Submitted(
                    id=attempt_id,
                    handle=attempt.name,
                    place={"program": attempt.program, "image": image},
                    site=attempt.program,
                )
                self._attempts.tell(attempt.submitted)
            case Refused(problem):
                self._attempts.refuse(attempt, problem, self._around.clock.now())
            case Waits(reason):
                self._attempts.tell(Queued(id=attempt_id, reason=reason))


def _in_words(wanted: str) -> str:
    return ANY_PROGRAM if wanted == "auto" else wanted


def _not_installed(wanted: str) -> Trouble:
    """Steps that want another program than this one go on."""
    return Trouble(
        "NotInstalled",
        f"{wanted} is not installed: steps that run in containers by it wait; install it, or write "
        "executor: local",
        "EngineUnreachable",
        engine="container" if wanted == ANY_PROGRAM else "",
    )
