"""Where the parts of a document are in its file, so that a fault of it gets its line."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from controller.errors import Fault
from controller.spec.expression import OPEN
from controller.spec.path_fault import QUOTE_IT, Path, PathFault
from controller.spec.reading.excerpt import after_blanks, end_in_source, lines_of

if TYPE_CHECKING:
    from controller.spec.reading.text import TextPlace

_SHOWN_MAX = 60  # characters of a key or value in a message


class FileText:
    """The text of a file. Its lines are made for a fault: most files have none."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text

    @cached_property
    def lines(self) -> list[str]:
        return lines_of(self.text)


class Places:
    """The places of one document, whose values are `raw`."""

    def __init__(self, of: FileText, raw: Any, place: "TextPlace") -> None:
        self.of = of
        self.raw = raw
        self.place = place

    def fault(self, found: PathFault) -> Fault:
        """It has no excerpt yet."""
        line, column = self.place.within(found.path, found.key)
        if found.at:
            line, column = self._place_inside(found, line, column)
        hint = found.hint
        if hint == QUOTE_IT:
            from controller.spec.reading import text

            hint = hint.replace("$text", text.written(self.of.lines[line - 1], column) or "…")
        if found.other:
            hint = f"the first is at line {self.place.within(found.other)[0]}"
        return Fault(
            file=self.of.file,
            line=line,
            column=column,
            path=written(found.path),
            problem=found.problem,
            hint=hint,
            step=self._step(found.path),
        )

    def _place_inside(self, found: PathFault, line: int, column: int) -> tuple[int, int]:
        """Line and column of an expression in a text, or of a place in it.

        The text may be written in any style of YAML, so its expressions are counted in the source.
        """
        value = self._value(found.path)
        if not isinstance(value, str):
            return line, column
        begin = value.rfind(OPEN, 0, found.at + len(OPEN))
        lines = self.of.lines
        at = sum(len(earlier) + 1 for earlier in lines[: line - 1]) + column - 1
        source = "\n".join(lines)
        for _ in range(value.count(OPEN, 0, begin + 1) + 1 if begin >= 0 else 0):
            next_at = source.find(OPEN, at)
            if next_at < 0:
                return line, column
            at = next_at + len(OPEN)
        if begin < 0:
            return line, column
        start = at - len(OPEN)
        style = lines[line - 1][column - 1 : column]
        start = end_in_source(value[begin : found.at], source, start, style) or start
        if not value[found.at : found.at + 1].isspace():
            start = after_blanks(source, start, style)
        return source.count("\n", 0, start) + 1, start - source.rfind("\n", 0, start)

    def _value(self, path: Path) -> object:
        at: Any = self.raw
        for part in path:
            try:
                at = at[part]
            except (LookupError, TypeError):
                return None
        return at

    def _step(self, path: Path) -> str:
        """The name of the step that the path leads into, if it can be read."""
        at: Any = self.raw
        for part in path if path[:2] != ("spec", "triggers") else ():
            if not isinstance(at, dict | list):
                break
            try:
                at = at[part]  # type: ignore[index]
            except (LookupError, TypeError):
                break
            if isinstance(part, int):
                name = at.get("name", at.get("id")) if isinstance(at, dict) else None
                return name[:_SHOWN_MAX] if isinstance(name, str) else ""
        return ""


def written(path: Path) -> str:
    """A path as messages show it: `spec.steps[2].dependsOn[0]`."""
    return "".join(_part(part) for part in path).removeprefix(".")


def _part(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    part = part if len(part) <= _SHOWN_MAX else f"{part[:_SHOWN_MAX]}…"
    plain = part.replace("-", "_").isidentifier()
    return f".{part}" if plain else f"[{msgspec.json.encode(part).decode()}]"
