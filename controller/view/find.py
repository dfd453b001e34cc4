"""Which workflow and which steps the words of a command mean.

A workflow: a name, a uid, or a uid's first eight characters. A name means the workflow in force,
else the rejected file that tries to define it, else the newest life that had the name.
`NAME@latest` is the instance of NAME that was born last, backfills aside. A step: a
name, or a pattern. `etl load` and `etl/load` mean the same. A hook is named like a step, with its
kind: `onFailure/page-me`, `onFailure/*`; `onFailure` alone means all of this kind. No other pattern
means hooks. Cost: O(lives), once per command.
"""

from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from shlex import quote

from msgspec import Struct

from controller.errors import NoRecords, NotFound, UsageError
from controller.model.events import FileRejected
from controller.model.phases import TERMINAL
from controller.model.state import State, Workflow, document_of
from controller.spec.hooks import is_hook
from controller.spec.items import names_above
from controller.spec.linked import called
from controller.spec.triggers.keys import LATEST
from controller.view.status import never_valid
from controller.view.words import hooks_run, listed

UID_PREFIX_MIN = 8


class NeverValid(Struct, frozen=True):
    """A name that only a rejected file defines."""

    name: str
    rejected: FileRejected


def find(state: State, word: str) -> Workflow | NeverValid:
    """Raises NotFound, which suggests the most similar name; NoRecords if there is nothing yet."""
    word = meant_by(state, word)
    if word in state.workflows:
        return state.workflows[word]
    rejected = never_valid(state).get(word)
    if rejected is not None:
        return NeverValid(word, rejected)
    lives = sorted(state.lives.values(), key=lambda life: life.order)
    named = [life for life in lives if life.name == word or is_uid_of(word, life.uid)]
    if named:
        return named[-1]
    problem = f'no workflow is named "{word}"'
    if not state.seq:
        raise NoRecords(problem)
    raise NotFound(f"{problem}{_meant(state, word)}")


def meant_by(state: State, word: str) -> str:
    """Of `NAME@latest` the name of that instance, which may be archived; another word as it is.

    Raises NotFound.
    """
    name = definition_in(word)
    if not name:
        return word
    definition = find_workflow(state, name)
    if definition.starter is None:
        raise NotFound(f"{name} has no triggers, so it has no instances: write {name} alone")
    if not definition.starter.latest:
        raise NotFound(f"{name} has no instance yet; to start one: treadle start {name}")
    return definition.starter.latest


def definition_in(word: str) -> str:
    """Of `NAME@latest`, NAME; of any other word, nothing."""
    name, at, key = word.rpartition("@")
    return name if at and key == LATEST else ""


def find_workflow(state: State, word: str) -> Workflow:
    """Like `find`, but raises NotFound for a workflow without a valid spec."""
    meant = find(state, word)
    if isinstance(meant, NeverValid):
        path = meant.rejected.path
        raise NotFound(
            f"{word} has no valid spec yet: `treadle validate` shows what is wrong with {path}"
        )
    return meant


def word_for(state: State, life: Workflow) -> str:
    """What a command calls this life: its name, or its uid where the name means another one."""
    return life.name if find(state, life.name) is life else life.uid[:UID_PREFIX_MIN]


def name_and_steps(word: str, more: Sequence[str]) -> tuple[str, list[str]]:
    """Of `etl load`, `etl/load` or `etl/load etl/report`: the workflow and the steps.

    After a name without a step, all words are names of steps, which may contain a slash.
    """
    name, slash, step = word.partition("/")
    if not slash:
        return name, [*more]
    return name, [step, *(other.removeprefix(f"{name}/") for other in more)]


def pick_steps(
    life: Workflow | None, words: Iterable[str], removed: Collection[str] = ()
) -> list[str]:
    """The steps that these names and patterns mean, each once. Raises NotFound.

    Without a life (no controller has seen its spec yet) any name may be right. `removed`: steps
    that it had, and that count, too. Hooks are those of the present run, and of the last one.
    """
    picked: dict[str, None] = {}
    for word in words:
        if life is not None:
            picked |= dict.fromkeys(_meant_steps(life, [*life.steps, *removed], word))
        elif is_pattern(word):
            raise NotFound(f'"{word}": no controller has seen the steps yet; write their names')
        else:
            picked[word] = None
    return list(picked)


def pick_step(life: Workflow, words: Iterable[str]) -> str | None:
    """The one step that these words mean; None if there are no words.

    Raises NotFound; UsageError if there are several.
    """
    picked = pick_steps(life, words)
    if len(picked) > 1:
        raise UsageError(f"choose one step of {life.name}: {listed(picked)}")
    return picked[0] if picked else None


def is_pattern(word: str) -> bool:
    return "*" in word or "?" in word


def matches(name: str, pattern: str) -> bool:
    """Only `*` and `?` are special. `[` is not, as it will be part of names: `load[eu]`."""
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def _meant_steps(life: Workflow, steps: Collection[str], word: str) -> list[str]:
    """A name that exists is never read as a pattern."""
    if word in steps or word in life.hooks:
        return [word]
    if is_hook(word):
        return _meant_hooks(life, [*life.hooks, *filter(is_hook, steps)], word)
    if not is_pattern(word):
        why = _to_come(life, word) or hint(word, steps)
        raise NotFound(f'{life.name} has no step "{word}"{why}')
    found = [step for step in steps if matches(step, word)]
    if not found:
        raise NotFound(f'no step of {life.name} matches "{word}"{hint(word, steps)}')
    among = set(found)  # one that matches stands for all below it
    return [step for step in found if among.isdisjoint(names_above(step))]


def _meant_hooks(life: Workflow, hooks: Sequence[str], word: str) -> list[str]:
    kind, slash, _ = word.partition("/")
    found = [hook for hook in hooks if matches(hook, word if slash else f"{kind}/*")]
    if found:
        return found
    run = f"run {life.run}" if life.run else "a run yet"
    why = hint(word, hooks) or f"; {hooks_run(kind)}"
    raise NotFound(f'{life.name} had no hook "{word}" in {run}{why}')


def _to_come(life: Workflow, word: str) -> str:
    """Of a step that may be made later, what it is made by; else nothing."""
    step = next((life.steps[name] for name in names_above(word) if name in life.steps), None)
    if step is None or not step.is_parent or step.expanded or step.phase in TERMINAL:
        return ""
    return f" yet; what {step.name} becomes: treadle explain {life.name} {quote(step.name)}"


def is_uid_of(word: str, uid: str) -> bool:
    return len(word) >= UID_PREFIX_MIN and uid.startswith(word)


def known_names(state: State) -> set[str]:
    """The names to suggest: those in force and those of rejected files."""
    return state.workflows.keys() | never_valid(state).keys()


def _meant(state: State, word: str) -> str:
    """What to write instead of a name that does not exist."""
    name, slash, _step = word.partition("/")
    if slash and name in state.workflows:
        return f"; {name} is one, but this command takes no step"
    if users := [life.name for life in state.workflows.values() if word in called(life.spec)]:
        return f"; it is a template, which {listed(sorted(users))} {'use' if users[1:] else 'uses'}"
    name = document_of(word)
    life = state.workflows.get(name)
    if name != word and life is not None and life.starter is not None:
        return f"; the instances of {name}: treadle runs {name} --all"
    if word in state.pools:
        return f"; it is a pool, of {state.pools[word].path}: `treadle pools` shows it"
    return hint(word, known_names(state))


def hint(word: str, names: Iterable[str]) -> str:
    """`; did you mean "etl"?`, or nothing."""
    from controller.spec.path_fault import did_you_mean  # only when something is wrong anyway

    meant = did_you_mean(word, list(names))
    return f"; {meant}" if meant else ""
