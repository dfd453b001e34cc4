"""A fault in a document, by its path, and what the rules that find them share."""

from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct, UnsetType

from controller.spec.models import (
    Call,
    Container,
    Executor,
    Hook,
    Hooks,
    Spec,
    Step,
    Trigger,
    fields_of,
)

Path = tuple[str | int, ...]

UNREADABLE = ""  # a name that has a fault of its own already
NOT_YET = "not supported yet"
ACTIONS = ("run", "command", "template", "approve")  # a step has exactly one of these fields
ACTIONS_OF_HOOK = ("run", "command")  # and a hook
SCRIPTS = ("run", "before", "after")  # the fields of a step that a shell runs
QUOTE_IT = 'put it in quotes: "$text"'  # $text: as it is written, which only its file shows

_WAY_MAX = 10  # names of a circle


class PathFault(Struct, frozen=True, kw_only=True):
    """A fault and its path in the document. `key`: the key is wrong, not its value.

    `other` is the path of a second place that the reader should see. `at` is where in the text of
    the value the fault is, if not at its beginning: characters from its first one.
    """

    path: Path
    problem: str
    hint: str = ""
    key: bool = False
    other: Path = ()
    at: int = 0


def circle_in_words(way: Sequence[str]) -> str:
    """`a -> b -> a`; of a long way the beginning."""
    if len(way) <= _WAY_MAX + 1:
        return " -> ".join(way)
    more = len(way) - 1 - _WAY_MAX  # the last is the first again
    return f"{' -> '.join(way[:_WAY_MAX])} -> … and {more:,} more"


def did_you_mean(word: str, names: Collection[str]) -> str:
    """A hint with the word that was probably meant, or nothing."""
    near = nearest(word, names)
    return f'did you mean "{near}"?' if near else ""


def nearest(word: str, names: Collection[str]) -> str:
    """Which of the names was probably meant, or nothing."""
    from difflib import get_close_matches

    folded = {name.lower(): name for name in names}
    close = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


def is_script(path: Path) -> bool:
    """Whether it is the path of a script of a step or a hook."""
    return path[-1] in SCRIPTS and (path[-3:-2] == ("steps",) or path[-4:-3] == ("hooks",))


def steps_of(spec: Spec) -> Iterator[tuple[Path, Step]]:
    """The steps, with their paths."""
    for index, step in enumerate(spec.steps):
        yield ("spec", "steps", index), step


def hooks_of(spec: Spec) -> Iterator[tuple[Path, Hook]]:
    """The hooks, with their paths; the third part of a path is the kind of the hook."""
    if isinstance(spec.hooks, UnsetType):
        return
    for field, kind in fields_of(Hooks).items():
        hooks: list[Hook] | UnsetType = getattr(spec.hooks, field)
        if not isinstance(hooks, UnsetType):
            for index, hook in enumerate(hooks):
                yield ("spec", "hooks", kind, index), hook


def triggers_of(spec: Spec) -> Iterator[tuple[Path, Trigger]]:
    """The triggers, with their paths."""
    if not isinstance(spec.triggers, UnsetType):
        for index, trigger in enumerate(spec.triggers):
            yield ("spec", "triggers", index), trigger


def programs_of(spec: Spec) -> Iterator[tuple[Path, Step | Hook]]:
    """The steps and the hooks: both may run a script or a program."""
    yield from steps_of(spec)
    yield from hooks_of(spec)


def holders_of(spec: Spec) -> Iterator[tuple[Path, Spec | Step | Hook]]:
    """The spec, its steps and its hooks: all may set shell, env and workingDir."""
    yield ("spec",), spec
    yield from programs_of(spec)


def containers(path: Path, holder: Spec | Step | Hook) -> Iterator[tuple[Path, Container]]:
    """What the spec, step or hook at `path` says of its container, with the path of that."""
    executor = holder.executor
    if isinstance(executor, Executor) and isinstance(executor.container, Container):
        yield (*path, "executor", "container"), executor.container


def calls_of(spec: Spec) -> Iterator[tuple[Path, Call]]:
    """What the steps say of the templates that they call, with its paths."""
    for path, step in steps_of(spec):
        if not isinstance(step.template, UnsetType):
            yield (*path, "template"), step.template
