"""How a view is shown to a person: at which moment, in which zone, how wide, in which colours."""

from datetime import UTC, tzinfo

from msgspec import Struct

from controller.view.ink import paint, visible
from controller.view.table import mark_cell, shorten, wrap
from controller.view.times import local

_TEXT_MIN = 8  # columns of text beside what hangs


class Look(Struct, frozen=True, kw_only=True):
    """Times are microseconds since 1970.

    `zone` None: the zone of this machine. `width` None: not a terminal, so nothing is cut and times
    are in full. `stood`: no controller runs, and this is the last moment that anything is known of;
    the clocks of what ran then stand there.
    """

    now: int
    zone: tzinfo | None = UTC
    width: int | None = None
    colour: bool = False
    stood: int | None = None

    @property
    def clock(self) -> int:
        """The moment up to which what runs has run."""
        return self.now if self.stood is None else self.stood

    def moment(self, time: int) -> str:
        """`13:08:15`, with the date unless it is today; in full where the line is kept."""
        moment, today = local(time, self.zone), local(self.now, self.zone)
        if self.width is None:
            return moment.isoformat("T", "seconds")
        if moment.date() == today.date():
            return f"{moment:%H:%M:%S}"
        if moment.year == today.year:
            return f"{moment:%b} {moment.day} {moment:%H:%M:%S}"
        return f"{moment:%Y-%m-%d %H:%M:%S}"

    def zone_name(self, time: int | None = None) -> str:
        """`CET`, for the one place of a view that names the zone."""
        return local(self.now if time is None else time, self.zone).tzname() or "local time"

    def headed(self, title: str) -> str:
        """The title of a column of moments: it names the zone, unless each moment does."""
        return title if self.width is None else f"{title} ({self.zone_name()})"

    def paint(self, text: str, style: str) -> str:
        """The text in this style, if the view has colours."""
        return paint(text, style if self.colour else "")

    def fit(self, line: str) -> str:
        """One line, without control characters and no wider than the view."""
        line = visible(line)
        return line if self.width is None else shorten(line, self.width)

    def wrapped(self, line: str, hang: int) -> list[str]:
        """All that the line says, in as many lines as it needs.

        From the second on, `hang` spaces are in front.
        """
        line = visible(line)
        if self.width is None:
            return [line]
        text = line.lstrip()
        lead = line[: len(line) - len(text)]
        width = max(self.width, hang + _TEXT_MIN)
        first, *others = wrap(text.rstrip(), width - hang, len(lead) - hang)
        return [lead + first, *(" " * hang + other for other in others)]

    def marked(self, phase: str, said: str) -> list[str]:
        """The mark of the phase, and behind it all that is said."""
        mark = mark_cell(phase)
        first, *others = self.wrapped(f"{mark.text} {said}", hang=4)
        return [self.paint(mark.text, mark.style) + first[len(mark.text) :], *others]
