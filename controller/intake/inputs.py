"""Files that triggers wait for: what their folders show against what the log knows.

A file is decided only when its instance can be born; until then it waits where it is, the oldest
first. So nothing has to be remembered of it: each look finds it again. What a firing has consumed
is in the log, with the time when it went, for a file may come back as it was. While its folder is
away, or has become another one without such files, nothing is decided.
Cost: O(files) of a trigger when its folder shows something else; O(triggers) while files wait.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from posixpath import dirname, join, normpath

from msgspec import Struct

from controller.intake.conditions import Said, listed
from controller.model.events import (
    DeletionAccepted,
    FileTaken,
    GenerationAccepted,
    InputsSeen,
    LifeArchived,
    LifeEnded,
    MarkerRemoved,
    RequestApplied,
    SourceChanged,
)
from controller.model.observations import InputSight, SeenInput
from controller.model.state import (
    LOOP_FIRINGS,
    LOOP_TIME,
    SECOND,
    Armed,
    State,
    StepKey,
    Workflow,
    starter_of,
)
from controller.planner.actions import Action, Fire
from controller.planner.firings.birth import has_room, line_of
from controller.spec.triggers.keys import key_of_file
from controller.spec.triggers.trigger import Firing, ResolvedTrigger, triggers

STILL = 10 * SECOND  # before another folder counts as this one
WAITING_MAX = 10_000  # more than this is told
AT_ONCE = 100  # firings of one trigger in one look


class Line(Struct):
    """The files of one trigger that are not decided. `groups`: by group, each the oldest first.

    `looped`: when a path that has fired too often may fire again. `another`: since when its folder
    is another one, with the same files.
    """

    generation: int
    sight: InputSight | None = None
    groups: dict[str, deque[SeenInput]] = {}
    count: int = 0
    looped: int | None = None
    another: int | None = None
    away: str = ""


class InputMemory(Struct):
    """What `judge` remembers between calls; a controller starts with an empty one."""

    lines: dict[StepKey, Line] = {}
    patterns: dict[StepKey, tuple[str, int, str]] = {}  # path and generation, what follows of them
    again: bool = False  # there may be more to decide at once
    busy: bool = False  # files wait, so the end of any instance may concern them
    due: int | None = None  # when to look again although the folders show the same; microseconds
    waiting: dict[str, dict[str, int]] = {}  # how many files, by definition and trigger

    def note(self, state: State) -> None:
        """Note what follows from all lines. Cost: O(them)."""
        looped = [line.looped for line in self.lines.values() if line.looped is not None]
        others = [line.another for line in self.lines.values() if line.another is not None]
        self.due = min([*looped, *(since + STILL for since in others)], default=None)
        self.busy = any(line.count for line in self.lines.values())
        self.waiting = {}
        for (uid, name), line in self.lines.items():
            if line.sight is not None:
                self.waiting.setdefault(state.lives[uid].name, {})[name] = line.count

    def settled(self, state: State) -> bool:
        """Whether no file will be decided by itself."""
        return not self.again and all(
            _is_held(state.lives[uid])
            for (uid, _), line in self.lines.items()
            if uid in state.lives and (line.count or (line.sight and line.sight.unsteady))
        )


def concerns(event: object) -> bool:
    """Whether there may be other triggers after this, or may they decide what they could not."""
    return isinstance(event, _CONCERNS)


_CONCERNS = (
    GenerationAccepted,
    SourceChanged,
    DeletionAccepted,
    LifeEnded,
    LifeArchived,
    MarkerRemoved,
    RequestApplied,
)


def anchored(folder: str, path: str, pattern: str) -> str:
    """The absolute pattern of a trigger. `path`: of its spec file, in the specs folder `folder`."""
    return normpath(join(dirname(join(folder, path)), pattern))


def patterns(state: State, folder: str, memory: InputMemory) -> list[str]:
    """The absolute patterns of all files that are waited for. `folder`: of the specs, absolute."""
    for key in memory.patterns.keys() - state.inboxes.keys():
        del memory.patterns[key]
    found: list[str] = []
    for uid, name in state.inboxes:
        definition = state.lives[uid]
        known = memory.patterns.get((uid, name))
        if known is None or known[:2] != (definition.path, definition.generation):
            whole = anchored(folder, definition.path, triggers(definition.spec)[name].files)
            known = definition.path, definition.generation, whole
            memory.patterns[uid, name] = known
        found.append(known[2])
    return found


def judge(
    state: State, sights: Mapping[str, InputSight], now: int, memory: InputMemory
) -> Iterator[Action]:
    """What follows from what the folders show, one action at a time: each is to be recorded before
    the next is asked for. Updates `memory`.
    """
    memory.again = False
    for key in memory.lines.keys() - state.inboxes.keys():
        del memory.lines[key]
    yield from _judge_all(state, sights, now, memory)
    memory.note(state)


def _judge_all(
    state: State, sights: Mapping[str, InputSight], now: int, memory: InputMemory
) -> Iterator[Action]:
    for key in list(state.inboxes):
        definition, pattern = state.lives[key[0]], memory.patterns[key][2]
        sight, line = sights.get(pattern), memory.lines.get(key)
        if sight is None:
            continue
        if line is None or line.generation != definition.generation:
            line = memory.lines[key] = Line(definition.generation)
        if line.sight is not sight or _is_over(line, now):
            yield from _see(state, definition, key[1], sight, line, now)
        if line.count and not _is_held(definition):
            yield from _fire(state, definition, key[1], line, memory)


def _is_over(line: Line, now: int) -> bool:
    looped = line.looped is not None and line.looped <= now
    return looped or (line.another is not None and line.another + STILL <= now)


def _is_held(definition: Workflow) -> bool:
    return definition.starter is None or definition.starter.hold != ""


def _see(
    state: State, definition: Workflow, name: str, sight: InputSight, line: Line, now: int
) -> Iterator[InputsSeen]:
    """Sort what the folder shows: known files, and those that are to be decided."""
    armed, changed = starter_of(definition).triggers[name], line.sight is not sight
    line.sight, line.groups, line.count, line.looped = sight, {}, 0, None
    line.away = "" if sight.root == "ok" else f"is {sight.root}"
    if sight.root != "ok":
        line.another = None
        return
    if armed.device not in (0, sight.device):
        if changed or line.another is None:
            line.another = now
        if not sight.files or line.another + STILL > now:
            line.away = "has become another one"
            if not sight.files:
                line.another = None
            return
    line.another = None
    gone = [
        path
        for path in armed.consumed
        if path not in sight.files and path not in sight.restless and path not in armed.gone
    ]
    if sight.unreadable:
        gone = []  # they may be where nobody can look
    back = [path for path in armed.gone if _is_known(armed, sight.files.get(path))]
    if gone or back or armed.device != sight.device:
        yield InputsSeen(
            uid=definition.uid, trigger=name, gone=gone, back=back, device=sight.device
        )
    _line_up(definition, name, armed, line, now)


def _is_known(armed: Armed, file: SeenInput | None) -> bool:
    """Whether the trigger has fired for it as it is."""
    known = None if file is None else armed.consumed.get(file.path)
    if file is None or known is None:
        return False
    return (known.size, known.mtime) == (file.size, file.mtime)


def _line_up(definition: Workflow, name: str, armed: Armed, line: Line, now: int) -> None:
    assert line.sight is not None
    trigger = triggers(definition.spec)[name]
    new = [seen for seen in line.sight.files.values() if not _is_known(armed, seen)]
    for file in sorted(new, key=lambda seen: (seen.mtime, seen.path)):
        line.count += 1
        until = _looped_until(armed, file.path)
        if until is not None and until > now:
            line.looped = until if line.looped is None else min(line.looped, until)
            continue
        group = line_of(definition, trigger, _facts(trigger, file))
        line.groups.setdefault(group, deque()).append(file)


def _looped_until(armed: Armed, path: str) -> int | None:
    """Until when the path is held, since it has fired too often."""
    known = armed.consumed.get(path)
    if known is None or len(known.times) < LOOP_FIRINGS:
        return None
    return known.times[0] + LOOP_TIME


def _fire(
    state: State, definition: Workflow, name: str, line: Line, memory: InputMemory
) -> Iterator[Fire]:
    trigger, left = triggers(definition.spec)[name], AT_ONCE
    for group, files in list(line.groups.items()):
        while files and has_room(definition, group, "files"):
            if not left:
                memory.again = True
                return
            left -= 1
            file = files.popleft()
            line.count -= 1
            facts = _facts(trigger, file)
            yield Fire(
                uid=definition.uid,
                trigger=name,
                key=facts.key,
                file=FileTaken(file.path, file.size, file.mtime),
                facts=facts,
            )
        if not files:
            del line.groups[group]


def _facts(trigger: ResolvedTrigger, file: SeenInput) -> Firing:
    key = key_of_file(file.path, file.size, file.mtime)
    return Firing(name=trigger.name, kind="files", key=key, files=[file.path])


# ---------------------------------------- what to say


def said(state: State, memory: InputMemory) -> Said:
    """What keeps files from being decided, for people."""
    whose: dict[str, list[str]] = {kind: [] for kind in _SAID}
    for (uid, name), line in memory.lines.items():
        if uid in state.lives and line.sight is not None:
            for kind, what in _troubles(line, line.sight):
                whose[kind].append(f"{state.lives[uid].name}/{name}{what}")
    return {
        kind: (reason, message.format(listed(whose[kind])))
        for kind, (reason, message) in _SAID.items()
        if whose[kind]
    }


_SAID = {
    "InboxAway": (
        "FolderNotThere",
        "no file starts anything for {}; bring the folder back",
    ),
    "ManyFilesWait": ("TooMany", "very many files wait for {}"),
    "TriggerLoops": (
        "TooOften",
        "the same file has fired 10 times in 10 minutes, so it waits: {}; does a step write to it?",
    ),
    "InboxUnreadable": (
        "NotReadable",
        "some files can't be read, or their names are not UTF-8: {}",
    ),
    "InboxInState": (
        "StateFolder",
        "files in the state folder start nothing: {}; use another folder",
    ),
}


def _troubles(line: Line, sight: InputSight) -> Iterator[tuple[str, str]]:
    """The conditions that a trigger has a part in, and what is to be said of it after its name."""
    if line.away:
        yield "InboxAway", f": the folder of {sight.pattern} {line.away}"
    if line.count > WAITING_MAX:
        yield "ManyFilesWait", f" ({line.count:,})"
    if line.looped is not None:
        yield "TriggerLoops", ""
    if sight.not_utf8 or sight.unreadable:
        yield "InboxUnreadable", f": {sight.pattern}"
    if sight.in_state:
        yield "InboxInState", f": {sight.pattern}"
