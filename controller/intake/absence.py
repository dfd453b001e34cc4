"""When an absence is believed. A half-written file often parses as a smaller one, git and editors
delete files to create them anew, and an unmounted disk looks like a folder that somebody emptied.

So whatever an edit takes away (a workflow, a step, a marker, a rejected file) first waits: one
settle time, counted from when it was first seen so, and started anew when it changes meanwhile.
Workflows that vanish one after the other settle together, so that a slow `rm -rf` adds up to the
mass deletion that it is; then, and after the folder itself was away, everything has to stand still
for longer. In the end a full scan that began after the wait has to confirm it.
Cost: O(what waits) a call.
"""

from typing import Literal

from msgspec import Struct

from controller.model.state import SECOND

MASS_MIN = 10  # workflows; up to so many may vanish at once like any other

Kind = Literal["workflow", "edit", "path"]
Key = tuple[Kind, str]


class Settings(Struct, frozen=True, kw_only=True):
    """How long an absence has to last."""

    settle_seconds: float = 1.0
    mass_settle_seconds: float = 10.0


class Wait(Struct, frozen=True):
    """Since when it is seen so, and the content that says so: another content is another wait."""

    since: int
    digest: str


class Absences(Struct):
    """All that waits to be believed.

    `cautious`: the folder itself was away, or became another. `confirmed`: somebody confirms that
    the workflows which are absent now are to go. `mass`: so many are that it may be an accident.
    """

    waits: dict[Key, Wait] = {}
    moved: int = 0  # when a spec last came, went or changed
    vanished: int = 0  # when a workflow last vanished
    cautious: bool = False
    confirmed: bool = False
    mass: bool = False

    def see(self, kind: Kind, name: str, now: int, digest: str = "") -> None:
        """It is absent; asked again, its wait goes on."""
        wait = self.waits.get((kind, name))
        if wait is None or wait.digest != digest:
            self.waits[kind, name] = Wait(now, digest)
            if kind == "workflow":
                self.vanished = now

    def forget(self, kind: Kind, name: str) -> None:
        """It is back, or what follows has been done."""
        self.waits.pop((kind, name), None)

    def workflows(self) -> list[str]:
        return sorted(name for kind, name in self.waits if kind == "workflow")

    def count(self, in_force: int) -> None:
        """Judge whether this is a mass deletion among so many workflows."""
        gone = len(self.workflows())
        self.mass = not self.confirmed and gone > MASS_MIN and gone * 2 > in_force

    def believed(self, kind: Kind, name: str, settings: Settings, scanned: int) -> bool:
        """Whether it is absent for good, as the full scan that began at `scanned` confirms."""
        if self.confirmed and kind == "workflow":
            return True
        return (kind, name) in self.waits and self._due((kind, name), settings) <= scanned

    def due(self, settings: Settings, scanned: int) -> int | None:
        """When a full scan can confirm the next of them."""
        times = (self._due(key, settings) for key in self.waits)
        return min((time for time in times if time > scanned), default=None)

    def calm(self, settings: Settings, now: int) -> None:
        """Cease to be cautious once everything has stood still for long enough."""
        if not self.waits and now >= self.moved + round(settings.mass_settle_seconds * SECOND):
            self.cautious = False

    def _due(self, key: Key, settings: Settings) -> int:
        since = self.waits[key].since
        settle = round(settings.settle_seconds * SECOND)
        stillness = round(settings.mass_settle_seconds * SECOND)
        if self.cautious or (self.mass and key[0] == "workflow"):
            return max(self.moved, since) + stillness
        if key[0] == "workflow":
            return min(max(self.vanished, since) + settle, since + stillness)
        return since + settle
