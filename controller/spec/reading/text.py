"""Reads YAML and JSON text as plain values, each with its place, and reports faults of the text.

Our own loop folds PyYAML's events: deep nesting can't exhaust a recursion, the size of unfolded
aliases is limited, duplicate keys are noticed, and each node has one small object for its place.
JSON is read by the same rules, because it is almost a part of YAML.

What a plain scalar means (YAML 1.2, without its surprising parts):

- `true True TRUE` and `false …` are booleans; `null Null NULL ~` and an empty value are null;
- decimal numbers without leading zeros are numbers: `3`, `-1`, `0.5`, `1e3`; an integer of more
  than 64 bits is a float;
- all else is text: `yes no on off`, `0755`, `0x1F`, `1_000`, `12:30`, `2026-11-23`, `.inf`;
- keys are text, and so are the values of a mapping named `env`: `3.10` there stays `3.10`;
- `<<` merges mappings; of the other tags only the core ones (`!!str 5`) mean anything.

Cost: some 0.4 s for 10,000 steps with 52,000 dependencies (1 MB), most of it in libyaml.
"""

import json
import re
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

import yaml
from msgspec import Struct
from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentEndEvent,
    Event,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from controller.errors import Fault
from controller.spec.reading.syntax import explain
from controller.spec.values import as_text, json_problem

DEPTH_MAX = 64
VALUES_MAX = 1_000_000  # a dozen times what 10,000 steps hold; read in 3 s

_SHOWN_MAX = 60  # characters of what was found
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_BEGINS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORD = re.compile(r"[-+.\w]*")
_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    f"{_CORE}bool": (bool,),
    f"{_CORE}int": (int,),
    f"{_CORE}float": (int, float),
    f"{_CORE}null": (type(None),),
}
# JSON writes a character beyond U+FFFF as a surrogate pair, which is an error in YAML.
_ESCAPE = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|.)")


class TextPlace(Struct, gc=False):
    """The place of a value, and of its key if it has one; lines and columns count from 1."""

    line: int
    column: int
    inside: "list[TextPlace] | dict[str, TextPlace] | None" = None
    key_line: int = 0
    key_column: int = 0

    def within(self, path: tuple[str | int, ...], key: bool = False) -> tuple[int, int]:
        """Line and column of the value at `path`, or of the nearest value around it."""
        at = self
        for part in path:
            inside: Any = at.inside
            try:
                at = inside[part]
            except (LookupError, TypeError):
                return at.line, at.column
        return (at.key_line, at.key_column) if key and at.key_line else (at.line, at.column)


class PlacedValue(Struct, frozen=True):
    """A value with its place: one document, or what could be read of it."""

    value: object
    place: TextPlace


class Text(Struct, frozen=True):
    """The documents of a file; `torn` is the one in which reading had to stop.

    `text` is what the lines and columns count in.
    """

    text: str
    documents: list[PlacedValue]
    faults: list[Fault]
    torn: PlacedValue | None = None


def read(text: str, file: str, max_cost: int) -> Text:
    """Every document of `text`. Unfolded aliases may not exceed `max_cost` characters in all."""
    written = text
    if file.endswith(".json"):
        text = _ESCAPE.sub(_joined, text)
    reader = _Reader(file, max_cost)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            reader.take(event)
    except _Stop:
        pass
    except yaml.YAMLError as error:
        fault = _json_fault(written, file)
        text = written if fault else text
        reader.faults.append(fault or explain(error, text, file))
    return Text(text, reader.documents, reader.faults, reader.torn())


def scalar(text: str) -> str | int | float | bool | None:
    """The value of a plain scalar."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_BEGINS:
        return text
    if _INTEGER.fullmatch(text) and -(2**63) <= (integer := int(text)) < 2**63:
        return integer
    # A number that is too large for a computer (1e999) stays text, so that it goes no further.
    if _DECIMAL.fullmatch(text) and isfinite(number := float(text)):
        return number
    return text


def written(line: str, column: int) -> str:
    """The text of the number or boolean at `column` of its line, as its author wrote it.

    Empty where it has a tag or an anchor, or is an alias.
    """
    word = _WORD.match(line, column - 1)
    return word[0] if word and not isinstance(scalar(word[0]), str | None) else ""


def lossy_numbers(
    value: object, place: TextPlace, lines: Sequence[str], path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """The numbers in `value` that lose a part of their text, as `3.10` does.

    For each one its path, what happens to it, and how to keep the text. `lines` are those that
    `place` counts.
    """
    inside: Any = place.inside
    if isinstance(value, dict):
        for key, item in value.items():
            yield from lossy_numbers(item, inside[key], lines, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from lossy_numbers(item, inside[index], lines, (*path, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        text, kept = written(lines[place.line - 1], place.column), as_text(value)
        if text and text != kept:
            yield path, f"{text} is read as the number {kept}", f'write "{text}" to keep it as text'


def _joined(escape: re.Match[str]) -> str:
    high, low = escape.groups()
    if high is None:
        return escape[0]
    return f"\\U{0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00:08x}"


def _json_fault(text: str, file: str) -> Fault | None:
    """The JSON parser's own message, if the file's name says JSON but its text is not JSON."""
    if not file.endswith(".json"):
        return None
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        problem = f"not JSON: {json_problem(error.msg)}"
        return Fault(file=file, line=error.lineno, column=error.colno, problem=problem)
    except (ValueError, RecursionError):  # numbers or nesting beyond what `json` takes
        pass
    return None


class _Stop(Exception):
    """Reading can't go on after this fault; it is already noted."""


class _Open:
    """A collection that is still being read. `texts`: its plain values stay text."""

    __slots__ = ("anchor", "cost", "key", "key_at", "merge", "merges", "place", "texts", "value")

    def __init__(self, value: "list[object] | dict[str, object]", place: TextPlace, texts: bool):
        self.value = value
        self.place = place
        self.texts = texts
        self.anchor: str | None = None
        self.cost = 2
        self.key: str | None = None
        self.key_at = (0, 0)
        self.merge = False
        self.merges: list[PlacedValue] = []


class _Reader:
    """Folds events into values and places. `open`: the collections from the root to this place."""

    def __init__(self, file: str, max_cost: int) -> None:
        self.file = file
        self.max_cost = max_cost
        self.documents: list[PlacedValue] = []
        self.faults: list[Fault] = []
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[PlacedValue, int] | None] = {}  # None: not complete yet
        self.unfolded = 0
        self.values = 0

    def take(self, event: Event) -> None:
        if isinstance(event, ScalarEvent):
            self._scalar(event)
        elif isinstance(event, CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, CollectionEndEvent):
            self._end()
        elif isinstance(event, AliasEvent):
            self._alias(event)
        elif isinstance(event, DocumentEndEvent):
            self.anchors = {}

    def torn(self) -> PlacedValue | None:
        """The document that was being read when reading stopped, with what it has so far."""
        if not self.open:
            return None
        for inner, outer in zip(reversed(self.open), reversed(self.open[:-1]), strict=False):
            if isinstance(outer.value, dict) and outer.key is not None:
                outer.value.setdefault(outer.key, inner.value)
        return PlacedValue(self.open[0].value, self.open[0].place)

    # ------------------------------------------------------------------------------------- events

    def _scalar(self, event: ScalarEvent) -> None:
        mark: Any = event.start_mark
        at = self.open[-1] if self.open else None
        if at is not None and at.key is None and isinstance(at.value, dict):
            self._key(at, event.value, mark.line + 1, mark.column + 1)
            # Only a plain `<<` merges; as a key in quotes it is an ordinary one.
            at.merge = event.value == "<<" and event.implicit[0]
            return
        value: object = event.value
        if event.tag is None:
            if event.implicit[0]:
                value = scalar(event.value)
                if at is not None and at.texts and value is not None:
                    value = event.value
        else:
            value = self._tagged(event)
        place = TextPlace(mark.line + 1, mark.column + 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = (PlacedValue(value, place), len(event.value) + 1)
        self._put(value, place, len(event.value) + 1)

    def _begin(self, event: CollectionStartEvent) -> None:
        mark: Any = event.start_mark
        place = TextPlace(mark.line + 1, mark.column + 1)
        at = self.open[-1] if self.open else None
        if len(self.open) >= DEPTH_MAX:
            self._fault(event, f"nested more than {DEPTH_MAX} deep")
            raise _Stop
        mapping = isinstance(event, MappingStartEvent)
        if event.tag not in (None, "!", f"{_CORE}map" if mapping else f"{_CORE}seq"):
            self._tag_fault(event)
        if at is not None and at.key is None and isinstance(at.value, dict):
            self._fault(event, "a list or mapping can't be a key")
            self._key(at, "", place.line, place.column)
        texts = mapping and at is not None and at.key == "env"
        place.inside = {} if mapping else []
        begun = _Open({} if mapping else [], place, texts)
        begun.anchor = event.anchor
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        self.open.append(begun)

    def _end(self) -> None:
        done = self.open.pop()
        if isinstance(done.value, dict):
            self._merge(done)
        if done.anchor is not None:
            self.anchors[done.anchor] = (PlacedValue(done.value, done.place), done.cost)
        self._put(done.value, done.place, done.cost)

    def _alias(self, event: AliasEvent) -> None:
        anchor = str(event.anchor)
        found = self.anchors.get(anchor)
        if found is None:
            known, shown = anchor in self.anchors, anchor[:_SHOWN_MAX]
            problem = f"*{shown} is inside &{shown} itself"
            self._fault(event, problem if known else f"no anchor &{shown} in front of this")
            found = (PlacedValue(None, TextPlace(0, 0)), 0)
        node, cost = found
        self.unfolded += cost
        if self.unfolded > self.max_cost:
            problem = f"written out, its aliases make the file larger than {self.max_cost:,} bytes"
            self._fault(event, problem, "repeat less, or split the file")
            raise _Stop
        mark: Any = event.start_mark
        at = self.open[-1] if self.open else None
        if at is not None and at.key is None and isinstance(at.value, dict):
            self._fault(event, "an alias can't be a key")
            self._key(at, "", mark.line + 1, mark.column + 1)
            return
        self._put(node.value, TextPlace(mark.line + 1, mark.column + 1, node.place.inside), cost)

    # ------------------------------------------------------------------------------------- values

    def _key(self, at: _Open, key: str, line: int, column: int) -> None:
        at.key = key
        at.key_at = (line, column)

    def _put(self, value: object, place: TextPlace, cost: int) -> None:
        self.values += 1
        if self.values > VALUES_MAX:
            self._note(
                place.line, place.column, f"more than {VALUES_MAX:,} values", "split the file"
            )
            raise _Stop
        if not self.open:
            self.documents.append(PlacedValue(value, place))
            return
        at = self.open[-1]
        at.cost += cost
        inside: Any = at.place.inside
        if isinstance(at.value, list):
            at.value.append(value)
            inside.append(place)
            return
        key, at.key = str(at.key), None
        place.key_line, place.key_column = at.key_at
        if at.merge:
            at.merge = False
            at.merges.append(PlacedValue(value, place))
        elif key in at.value:
            self._doubled(key, place, inside[key])
        else:
            at.value[key] = value
            inside[key] = place

    def _merge(self, into: _Open) -> None:
        """Add the keys of `<<`. Own keys win, then the mapping that is named first."""
        inside: Any = into.place.inside
        for node in _flat(into.merges):
            if not isinstance(node.value, dict) or not isinstance(node.place.inside, dict):
                problem = "`<<` takes a mapping, or a list of mappings"
                self._note(node.place.line, node.place.column, problem)
                continue
            for key, value in node.value.items():
                if key not in into.value:
                    into.value[key] = value
                    inside[key] = node.place.inside[key]

    def _tagged(self, event: ScalarEvent) -> object:
        if event.tag in ("!", f"{_CORE}str"):
            return event.value
        value = scalar(event.value)
        if event.tag not in _SCALAR_TAGS:
            self._tag_fault(event)
        elif not isinstance(value, _SCALAR_TAGS[event.tag]):
            tag = str(event.tag).removeprefix(_CORE)
            self._fault(event, f'"{event.value[:_SHOWN_MAX]}" is not a valid !!{tag}')
        return value

    # ------------------------------------------------------------------------------------- faults

    def _doubled(self, key: str, second: TextPlace, first: TextPlace) -> None:
        self._note(
            second.key_line,
            second.key_column,
            f'the key "{key[:_SHOWN_MAX]}" appears here a second time',
            f"the first is at line {first.key_line}",
        )

    def _tag_fault(self, event: NodeEvent) -> None:
        tag = str(event.tag).replace(_CORE, "!!")[:_SHOWN_MAX]  # type: ignore[attr-defined]
        self._fault(event, f"the tag {tag} is not known here", "remove it")

    def _fault(self, event: Event, problem: str, hint: str = "") -> None:
        mark: Any = event.start_mark
        self._note(mark.line + 1, mark.column + 1, problem, hint)

    def _note(self, line: int, column: int, problem: str, hint: str = "") -> None:
        self.faults.append(
            Fault(file=self.file, line=line, column=column, problem=problem, hint=hint)
        )


def _flat(merges: list[PlacedValue]) -> Iterator[PlacedValue]:
    for node in merges:
        if isinstance(node.value, list) and isinstance(node.place.inside, list):
            yield from map(PlacedValue, node.value, node.place.inside)
        else:
            yield node
