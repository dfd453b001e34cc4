"""The generations of a workflow as the log tells them, for `history` and `diff --from --to`."""

from typing import NamedTuple

from controller.client.past import recall
from controller.client.replica import Replica
from controller.errors import NotFound
from controller.model.events import EditTakenBack, GenerationAccepted
from controller.model.state import Workflow
from controller.view.explain import pending_words
from controller.view.find import find_workflow
from controller.view.generations import Generation, accepted, taken_back


class History(NamedTuple):
    """The life that a name means, and its generations as far as they are kept, oldest first."""

    life: Workflow
    generations: list[Generation]

    def pick(self, number: int) -> Generation:
        """Raises NotFound."""
        for one in self.generations:
            if one.number == number:
                return one
        if number == self.life.latest:
            raise NotFound(f"{self.life.name}: {pending_words(self.life)}; `treadle diff` shows it")
        known = ", ".join(str(one.number) for one in self.generations) or "none"
        raise NotFound(f"{self.life.name} has no generation {number}; history has {known}")

    def before(self, number: int) -> Generation:
        found = self.pick(number).before
        if found is None:
            raise NotFound(f"{self.life.name}: history has no generation before {number}")
        return found

    def after(self, number: int) -> Generation:
        first = self.pick(number)
        for one in self.generations:
            if one.before is first:
                return one
        raise NotFound(f"{self.life.name} has no generation after {number}")


def read_history(state_dir: str, name: str) -> History:
    replica = Replica(state_dir, whole=True)
    told = [
        change.record
        for change in replica.news()
        if isinstance(change.record.event, GenerationAccepted | EditTakenBack)
    ]
    recall(state_dir, replica.state, name)
    life = find_workflow(replica.state, name)
    found: list[Generation] = []
    for record in told:
        event, before = record.event, found[-1] if found else None
        if isinstance(event, GenerationAccepted) and event.uid == life.uid:
            found.append(accepted(record, event, before))
        elif isinstance(event, EditTakenBack) and event.uid == life.uid and before is not None:
            found.append(taken_back(record, event, before))
    return History(life, found)
