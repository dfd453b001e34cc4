"""When to believe that something is gone. A half-written file often parses as a smaller one, git
and editors delete files and create them again, and an unmounted disk looks like an empty folder.

So whatever an edit removes (a document, a step, a marker, a rejected file) first waits for one
settle time. The wait begins when the absence is first seen, and begins again if it changes.
Documents that vanish one after the other wait together, so a slow `rm -rf` counts as one mass
deletion. After a mass deletion, and after the folder itself was away, nothing may change for a
longer time. At the end, a full scan that began after the wait must confirm the absence.
Cost: O(what waits) a call.
"""

from typing import Literal

from msgspec import Struct

from controller.model.state import SECOND

MASS_MIN = 10  # documents; up to so many may vanish at once like any other

Kind = Literal["document", "edit", "path"]
Key = tuple[Kind, str]


class AbsenceSettings(Struct, frozen=True, kw_only=True):
    """How long an absence has to last."""

    settle_seconds: float = 1.0
    mass_settle_seconds: float = 10.0


class Wait(Struct, frozen=True):
    """Since when the absence is seen, and in which content: a new content begins a new wait."""

    since: int
    digest: str


class Absences(Struct):
    """Everything that is absent and not believed to be gone yet.

    `cautious`: the folder itself was away, or was replaced by another. `confirmed`: a user confirms
    the deletion of the documents that are absent now. `mass`: so many are absent that it may be an
    accident.
    """

    waits: dict[Key, Wait] = {}
    moved: int = 0  # when a spec last came, went or changed
    vanished: int = 0  # when a document last vanished
    cautious: bool = False
    confirmed: bool = False
    mass: bool = False

    def see(self, kind: Kind, name: str, now: int, digest: str = "") -> None:
        """Note that it is absent. If that was known, its wait continues."""
        wait = self.waits.get((kind, name))
        if wait is None or wait.digest != digest:
            self.waits[kind, name] = Wait(now, digest)
            if kind == "document":
                self.vanished = now

    def forget(self, kind: Kind, name: str) -> None:
        """End the wait: it is back, or its removal has been handled."""
        self.waits.pop((kind, name), None)

    def documents(self) -> list[str]:
        return sorted(name for kind, name in self.waits if kind == "document")

    def count(self, in_force: int) -> None:
        """Decide whether this is a mass deletion. `in_force`: how many documents there are."""
        gone = len(self.documents())
        self.mass = not self.confirmed and gone > MASS_MIN and gone * 2 > in_force

    def believed(self, kind: Kind, name: str, settings: AbsenceSettings, scanned: int) -> bool:
        """Whether it is really gone: its wait was over when the scan of `scanned` began."""
        if self.confirmed and kind == "document":
            return True
        return (kind, name) in self.waits and self._due((kind, name), settings) <= scanned

    def due(self, settings: AbsenceSettings, scanned: int) -> int | None:
        """The next time at which a full scan can confirm one of them."""
        times = (self._due(key, settings) for key in self.waits)
        return min((time for time in times if time > scanned), default=None)

    def calm(self, settings: AbsenceSettings, now: int) -> None:
        """Stop being cautious once nothing has changed for long enough."""
        if not self.waits and now >= self.moved + round(settings.mass_settle_seconds * SECOND):
            self.cautious = False

    def _due(self, key: Key, settings: AbsenceSettings) -> int:
        since = self.waits[key].since
        settle = round(settings.settle_seconds * SECOND)
        stillness = round(settings.mass_settle_seconds * SECOND)
        if self.cautious or (self.mass and key[0] == "document"):
            return max(self.moved, since) + stillness
        if key[0] == "document":
            return min(max(self.vanished, since) + settle, since + stillness)
        return since + settle
