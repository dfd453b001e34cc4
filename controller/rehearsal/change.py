"""What becomes of the workflows of a folder, of its pools and of its Defaults: plain values."""

from typing import Literal

from msgspec import Struct

from controller.errors import Fault
from controller.model.events import StepEffect
from controller.model.phases import Reason
from controller.spec.models import DefaultsSpec, PoolSpec, Spec

Effects = dict[str, StepEffect]

NEW = StepEffect("run", Reason.STEP_ADDED, "new")


TriggerAction = Literal["new", "gone", "moved", "keep"]


class TriggerChange(Struct, frozen=True, kw_only=True):
    """What becomes of a trigger. Times: its next due time, seconds since 1970; None: it has none.

    `kind`: what it waits for. `why`: in words. `pattern`: all files that match it are new for the
    trigger; `lying`: how many, if somebody has looked.
    """

    name: str
    kind: str
    action: TriggerAction
    before: int | None
    after: int | None
    why: str
    pattern: str = ""
    lying: int | None = None


class Change(Struct, frozen=True, kw_only=True):
    """What becomes of one workflow. Generations: 0 before its life, None after its end.

    Of a definition, whose steps are those of its instances, it has the triggers. Each unfinished
    instance has a change of its own.
    """

    workflow: str
    before: int
    after: int | None
    was: Spec | None
    becomes: Spec | None
    steps: Effects
    note: str = ""  # what else there is to know: that it waits, or a marker
    waiting: frozenset[str] = frozenset()  # steps that had no result yet, and did not run
    path: str = ""  # of the file of a definition
    triggers: list[TriggerChange] | None = None  # of a definition, before or after
    is_instance: bool = False

    @property
    def is_change(self) -> bool:
        return self.before != self.after or bool(self.note)


class PolicyChange(Struct, frozen=True, kw_only=True):
    """What an edit does to a pool, or to the Defaults of a folder. None: it is not there.

    `workflows`: for how many workflows the Defaults hold, or held.
    """

    name: str  # in words
    path: str
    was: DefaultsSpec | PoolSpec | None
    becomes: DefaultsSpec | PoolSpec | None
    workflows: int = 0


class Foresight(Struct, frozen=True):
    changes: list[Change]
    faults: list[Fault]
    policies: list[PolicyChange] = []
    warnings: list[Fault] = []  # of the files that change something
