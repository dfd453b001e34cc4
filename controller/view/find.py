"""Which workflow a word means: a name, a uid, or a uid's first eight characters.

A name means its present life, else the file that tries to define it, else the newest life that had
it. Cost: O(lives), once a command.
"""

from collections.abc import Iterable

from msgspec import Struct

from controller.errors import NotFound
from controller.model.events import FileRejected
from controller.model.state import State, Workflow
from controller.view.status import never_valid

UID_PREFIX_MIN = 8
_NOTHING_YET = ": nothing was recorded there; another state folder is named by --state"


class NeverValid(Struct, frozen=True):
    """A name that only a rejected file defines."""

    name: str
    rejected: FileRejected


def find(state: State, word: str) -> Workflow | NeverValid:
    """Raises NotFound, with the name that was probably meant."""
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
    """As `find`, for what only a workflow with a valid spec can do."""
    found = find(state, word)
    if isinstance(found, NeverValid):
        path = found.rejected.path
        raise NotFound(f"{word} has no valid spec yet: `treadle validate` says what {path} lacks")
    return found


def is_uid_of(word: str, uid: str) -> bool:
    return len(word) >= UID_PREFIX_MIN and uid.startswith(word)


def known_names(state: State) -> set[str]:
    """Names that can be found; those of ended lives are left to who remembers them."""
    return state.workflows.keys() | never_valid(state).keys()


def hint(word: str, names: Iterable[str]) -> str:
    """`; did you mean "etl"?`, or nothing."""
    from controller.spec.validate import did_you_mean  # only when something is wrong anyway

    meant = did_you_mean(word, list(names))
    return f"; {meant}" if meant else ""
