"""The generations of a workflow, from the log, for `history` and `diff --from --to`."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from controller.client.past import recall
from controller.client.replica import Replica
from controller.errors import NotFound
from controller.model.apply.defaults import folders_above
from controller.model.events import (
    AnyEvent,
    DefaultsAccepted,
    DefaultsRemoved,
    DeletionAccepted,
    EditTakenBack,
    FiringDecided,
    GenerationAccepted,
    GenerationFollowed,
    Record,
    SourceChanged,
    StepExpanded,
)
from controller.model.state import Workflow, document_of
from controller.view.changes.edits import pending_words
from controller.view.changes.generations import Generation, accepted, expanded, followed, taken_back
from controller.view.changes.policy import PolicyEdit, edited
from controller.view.find import find_workflow


class History(NamedTuple):
    """A life of a workflow and those of its generations that are kept, oldest first.

    `policies`: the edits of Defaults that held for it when they were made.
    """

    life: Workflow
    generations: list[Generation]
    policies: list[PolicyEdit]

    def pick(self, number: int) -> Generation:
        """Raises NotFound."""
        for generation in self.generations:
            if generation.number == number:
                return generation
        if number == self.life.latest:
            raise NotFound(f"{self.life.name}: {pending_words(self.life)}; `treadle diff` shows it")
        numbers = [str(generation.number) for generation in self.generations]
        known = ", ".join(numbers) or "none"
        raise NotFound(f"{self.life.name} has no generation {number}; history has {known}")

    def before(self, number: int) -> Generation:
        before = self.pick(number).before
        if before is None:
            raise NotFound(f"{self.life.name}: history has no generation before {number}")
        return before

    def after(self, number: int) -> Generation:
        first = self.pick(number)
        for generation in self.generations:
            if generation.before is first:
                return generation
        raise NotFound(f"{self.life.name} has no generation after {number}")


def read_history(state_dir: str, name: str) -> History:
    """Of an instance: the generations of its definition that it has had."""
    replica = Replica(state_dir, whole=True)
    records = [
        folded.record
        for folded in replica.news()
        if isinstance(folded.record.event, _TOLD) or _may_concern(folded.record.event, name)
    ]
    recall(state_dir, replica.state, name)
    life = find_workflow(replica.state, name)
    if life.birth is None:
        return History(life, _generations(records, life.uid), list(_policies(records, life)))
    return History(life, _followed(records, life, life.birth.definition), [])


def _generations(records: Iterable[Record], uid: str) -> list[Generation]:
    generations: list[Generation] = []
    for record in records:
        event, before = record.event, generations[-1] if generations else None
        if isinstance(event, GenerationAccepted) and event.uid == uid:
            generations.append(accepted(record, event, before))
        elif isinstance(event, EditTakenBack) and event.uid == uid and before is not None:
            generations.append(taken_back(record, event, before))
        elif isinstance(event, StepExpanded) and event.uid == uid and before is not None:
            generations[-1] = expanded(before, event)
    return generations


def _may_concern(event: AnyEvent, word: str) -> bool:
    """Whether this is the birth, or another generation, of an instance that the word may mean."""
    if isinstance(event, GenerationFollowed):
        return "@" in word or event.uid.startswith(word)
    if not isinstance(event, FiringDecided) or not event.life:
        return False
    document, at, _ = word.partition("@")
    return event.life.startswith(word) or (bool(at) and document_of(event.instance) == document)


def _followed(records: Sequence[Record], life: Workflow, definition: str) -> list[Generation]:
    """Each generation of the definition is known from its own record, which the log may not have
    any more; then there is none of the instance either.
    """
    known = _generations(records, definition)
    found: list[Generation] = []
    for record in records:
        event, before = record.event, found[-1] if found else None
        if isinstance(event, FiringDecided) and event.life == life.uid:
            of = next((one for one in reversed(known) if one.seq < record.seq), None)
        elif isinstance(event, GenerationFollowed) and event.uid == life.uid:
            of = next((one for one in reversed(known) if one.number == event.generation), None)
        else:
            if isinstance(event, StepExpanded) and event.uid == life.uid and before is not None:
                found[-1] = expanded(before, event)
            continue
        if of is not None:
            found.append(followed(record, event, of, life.name, before))
    return found


_TOLD = (
    GenerationAccepted
    | EditTakenBack
    | StepExpanded
    | SourceChanged
    | DefaultsAccepted
    | DefaultsRemoved
    | DeletionAccepted
)


def _policies(records: Iterable[Record], life: Workflow) -> Iterator[PolicyEdit]:
    """The edits of Defaults above the file of the life, while that was in the folder."""
    known: dict[str, DefaultsAccepted] = {}
    above: tuple[str, ...] = ()
    for record in records:
        event = record.event
        if isinstance(event, DefaultsAccepted | DefaultsRemoved):
            before = known.pop(event.folder, None)
            after = event if isinstance(event, DefaultsAccepted) else None
            if after is not None:
                known[event.folder] = after
            if event.folder in above and (said := edited(record, before, after)) is not None:
                yield said
        elif isinstance(event, DeletionAccepted) and event.uid == life.uid:
            return
        elif isinstance(event, GenerationAccepted | SourceChanged) and event.uid == life.uid:
            above = tuple(folders_above(event.path)) if life.origin == "folder" else ()
