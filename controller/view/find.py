"""Which workflow a word means: a name, a uid, or a uid's first eight characters.

A name means the workflow in force, else the rejected file that tries to define it, else the newest
life that had the name. Cost: O(lives), once per command.
"""

from collections.abc import Iterable

from msgspec import Struct

from controller.errors import NotFound
from controller.model.events import FileRejected
from controller.model.state import State, Workflow
from controller.view.status import never_valid

UID_PREFIX_MIN = 8
_NOTHING_YET = ": this state folder has no records; name another one with --state"


class NeverValid(Struct, frozen=True):
    """A name that only a rejected file defines."""

    name: str
    rejected: FileRejected


def find(state: State, word: str) -> Workflow | NeverValid:
    """Raises NotFound, which suggests the most similar name."""
    if word in state.workflows:
        return state.workflows[word]
    rejected = never_valid(state).get(word)
    if rejected is not None:
        return NeverValid(word, rejected)
    lives = sorted(state.lives.values(), key=lambda life: life.order)
    named = [life for life in lives if life.name == word or is_uid_of(word, life.uid)]
    if named:
        return named[-1]
    meant = hint(word, known_names(state)) if state.seq else _NOTHING_YET
    raise NotFound(f'no workflow is named "{word}"{meant}')


def find_workflow(state: State, word: str) -> Workflow:
    """Like `find`, but raises NotFound for a workflow without a valid spec."""
    meant = find(state, word)
    if isinstance(meant, NeverValid):
        path = meant.rejected.path
        raise NotFound(
            f"{word} has no valid spec yet: `treadle validate` shows what is wrong with {path}"
        )
    return meant


def require_steps(life: Workflow | None, names: Iterable[str]) -> None:
    """Refuse a step that the spec doesn't have, if the spec is known."""
    if life is None:
        return
    for name in names:
        if name not in life.steps:
            raise NotFound(f'{life.name} has no step "{name}"{hint(name, life.steps)}')


def is_uid_of(word: str, uid: str) -> bool:
    return len(word) >= UID_PREFIX_MIN and uid.startswith(word)


def known_names(state: State) -> set[str]:
    """The names to suggest: those in force and those of rejected files."""
    return state.workflows.keys() | never_valid(state).keys()


def hint(word: str, names: Iterable[str]) -> str:
    """`; did you mean "etl"?`, or nothing."""
    from controller.spec.validate import did_you_mean  # only when something is wrong anyway

    meant = did_you_mean(word, list(names))
    return f"; {meant}" if meant else ""
