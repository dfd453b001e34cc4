"""What the controller reports about its surroundings: a folder that can't be trusted, a full disk.

These are observations, not events: they are not in the log, and end with the controller. The text
stays the same while nothing changes, so that it is printed once.
"""

from collections.abc import Iterable

from controller.errors import bounded
from controller.intake.absence import AbsenceSettings
from controller.model.observations import FolderSight, Trouble
from controller.model.state import Condition

NAMED_MAX = 5  # names in a message

Said = dict[str, tuple[str, str]]  # type -> (reason, message)


def of_hold(why: str, mend: str = "") -> Said:
    message = (
        f"{why}: the last specs stay in force, and nothing in it is started; "
        f"{mend or 'bring it back'}, or confirm with `treadle delete --all` that they are deleted"
    )
    return {"FolderHeld": ("FolderNotBelieved", message)}


def of_mass_deletion(gone: list[str], in_force: int, settings: AbsenceSettings) -> Said:
    message = (
        f"{len(gone)} of {in_force} specs are gone ({listed(gone)}): their workflows are cancelled "
        f"when the folder has not changed for {settings.mass_settle_seconds:g} s; "
        "put them back, or confirm with `treadle delete --all`"
    )
    return {"MassDeletion": ("ManyVanished", message)}


def of_page(problem: str) -> Said:
    return {"PageUnavailable": ("ServerEnded", problem)} if problem else {}


def of_polling(sight: FolderSight) -> Said:
    if sight.watching == "events":
        return {}
    return {"FolderPolled": ("NotWatched", sight.problem)}


def of_sharing(sight: FolderSight) -> Said:
    if not sight.shared:
        return {}
    message = (
        f"another controller, with another state folder, runs the specs in {sight.shown} too: "
        "each of the two runs every step; stop one of them"
    )
    return {"FolderShared": ("AnotherController", message)}


def note_of_loose(sight: FolderSight) -> str:
    """What somebody else can change in a folder that only we should change."""
    return (
        f"{sight.shown or sight.path}: others can change specs, and so run commands as you: "
        f"{listed(sight.loose)}; `chown` or `chmod go-w` prevents that. If it is intended: "
        "--allow-insecure-specs"
    )


def of_space(why: str) -> Said:
    if not why:
        return {}
    message = f"{why}: nothing new is started until there is more; running steps continue"
    return {"DiskPressure": ("DiskNearlyFull", message)}


def of_executor(troubles: Iterable[Trouble]) -> Said:
    """What keeps attempts from starting or ending, by the type of the condition."""
    said: Said = {}
    for trouble in troubles:
        _, before = said.get(trouble.condition, ("", ""))
        message = f"{before}; {trouble.message}" if before else trouble.message
        said[trouble.condition] = (trouble.reason, message)
    return said


def as_conditions(said: Said, before: list[Condition], now: int) -> list[Condition]:
    """A condition that held before keeps the time when it began."""
    since = {condition.type: condition.last_transition_time for condition in before}
    return [
        Condition(
            type=kind,
            status="True",
            reason=reason,
            message=bounded(message),
            last_transition_time=since.get(kind, now),
            observed_generation=0,
        )
        for kind, (reason, message) in said.items()
    ]


def listed(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - NAMED_MAX} more" if len(names) > NAMED_MAX else ""
    return ", ".join(names[:NAMED_MAX]) + more
