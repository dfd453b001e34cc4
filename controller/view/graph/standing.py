"""How each node of a layout stands: its phase, and in words what there is to say of it.

Of a box, a bundle, or a step that stands for many, also how many of its steps are in which phase.
Cost: O(steps).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from controller.model.phases import Phase
from controller.model.state import SECOND, State, Step, Workflow
from controller.view import figures
from controller.view.failure import Printed
from controller.view.graph.shape import Layout
from controller.view.look import Look

# In the order in which they are told: what a person looks for first.
PHASES = (
    Phase.FAILED,
    Phase.RUNNING,
    Phase.SUCCEEDED,
    Phase.CANCELLED,
    Phase.SKIPPED,
    Phase.READY,
    Phase.PENDING,
)


class Standing(Struct, frozen=True, kw_only=True):
    """Of one node. `phase` is null for a bundle, which stands for no step."""

    phase: str | None
    note: str
    seconds: float | None
    counts: dict[str, int]  # steps in it or below it, by phase
    asks: bool = False  # it waits for the answer of a person


class Graph(Struct, frozen=True, kw_only=True):
    """The JSON of `graph -o json`. Without a run (the file of a spec) nothing stands anywhere."""

    workflow: str
    uid: str | None = None
    generation: int | None = None
    run: int | None = None  # null before the first one
    phase: str | None = None
    layout: Layout
    standings: dict[str, Standing] = {}  # by the id of the node


def standings(
    state: State,
    workflow: Workflow,
    look: Look,
    printed: Printed,
    steps: Mapping[str, Step],
    layout: Layout,
) -> dict[str, Standing]:
    """Of every node of the layout of these steps, by its id.

    `printed`: what the steps that failed printed last. `steps`: by full name.
    """

    def standing(step: Step) -> Standing:
        length = figures.length_of(workflow, step, look)
        has_begun = step.name in workflow.steps
        return Standing(
            phase=step.phase,
            note=figures.note(state, workflow, step, look, printed) if has_begun else "",
            seconds=None if length is None else length / SECOND,
            counts=counted(steps[name] for name in step.children if name in steps),
            asks=step.asking is not None,
        )

    bundled: dict[str, list[Step]] = {}
    for node in layout.nodes:
        if node.parent is not None:
            bundled.setdefault(node.parent, []).append(steps[node.id])
    return {
        node.id: Standing(phase=None, note="", seconds=None, counts=counted(bundled[node.id]))
        if node.kind == "bundle"
        else standing(steps[node.id])
        for node in layout.nodes
    }


def counted(steps: Iterable[Step]) -> dict[str, int]:
    """How many are in which phase, in the order of PHASES."""
    counts = Counter(step.phase for step in steps)
    return {phase: counts[phase] for phase in PHASES if counts[phase]}


def in_words(counts: Mapping[str, int], said: Sequence[str] = PHASES) -> str:
    """`2 failed, 1 running`."""
    return ", ".join(f"{counts[phase]:,} {phase.lower()}" for phase in said if counts.get(phase))
