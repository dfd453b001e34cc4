"""Stories in which values flow through a DAG, told to the end and compared with the reference.

Controllers are replaced at random moments by one that knows the log alone, and specs are edited.
One seed is one story.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any, NamedTuple

import msgspec
from properties.data_flow import Plan, Reference, Texts, a_plan, a_step, an_edit, fate
from story import Story, document, orders

from controller.loop.effects import RootFolders, effects
from controller.model.apply.fold import replay
from controller.model.events import Record, StepReady, StepSkipped
from controller.model.image import freeze, thaw
from controller.model.indexes import touch_all
from controller.model.phases import Phase, Reason
from controller.planner.permission import Limits
from controller.rehearsal.foresee import of_document
from controller.spec.fingerprint import same
from controller.spec.reading.load import Document

PLACES = RootFolders("/state", "/specs")
ATTEMPTS_MAX = 1_000  # of a story


class Files(NamedTuple):
    """What a log has beside its records."""

    files: Mapping[str, bytes]

    def attached(self, path: str) -> bytes:
        return self.files[path]

    def last_line(self, log: str) -> str:
        return f"the last line of {log}"


class Flow(Story):
    """A story whose attempts do what the texts say that they got."""

    fate = staticmethod(fate)

    def __init__(
        self, random: Random, seed: int, limits: Limits | None = None, checked: bool = False
    ) -> None:
        super().__init__(limits, checked)
        self.random, self.seed = random, seed
        self.tries: dict[str, list[Texts]] = {}  # of each step, since it was reset

    def numbers(self) -> dict[str, int]:
        """How many attempts each step has had."""
        return {name: step.numbered for name, step in self.life().steps.items()}

    def mark_early(self, steps: Iterable[str]) -> None:
        """A marker that waits for its workflow."""
        self.mark(steps=sorted(steps))

    def take(self, plan: Plan, **policies: Any) -> None:
        self.accept(plan.written(), params=dict(plan.params), **policies)

    def go_on(self, times: int = ATTEMPTS_MAX) -> None:
        """Let so many attempts come to their ends; by default, all."""
        for _ in range(times):
            while not self.live() and self.state.timers:
                self.wait(60)
            if not self.live():
                return
            self.one_ends(self.random.choice(sorted(self.live())))
            if self.random.random() < 0.2:
                self.restart()

    def one_ends(self, name: str) -> None:
        step, attempt = self.step(name), self.attempt(name)
        if attempt.ending is not None:
            self.end(name)
            return
        if attempt.started is None:
            texts = self.texts(name)
            if not step.retries:
                self.tries[name] = []
            self.tries[name].append(texts)
            if self.random.random() < 0.2:
                self.start(name)
                return
        does = self.fate(self.seed, name, step.retries + 1, self.tries[name][-1])
        self.exit(name, does.code, outputs=does.data)

    def texts(self, name: str) -> Texts:
        """What the executor is told of the attempt that is to start."""
        key = (self.life().uid, name)
        told = effects(self.state, [key], self.now, PLACES, Files(self.attached))
        launch = told.launches[0]
        env = {name: text for name, text in launch.env.items() if not name.startswith("TREADLE_")}
        return launch.argv, tuple(sorted(env.items()))

    def restart(self) -> None:
        """A new controller knows what the log says, from its begin or through an image."""
        lines = [msgspec.json.encode(record) for record in self.records]
        state = replay(msgspec.json.decode(line, type=Record) for line in lines)
        image = freeze(state)
        assert image == freeze(self.state), "memory and log differ"
        assert orders(thaw(image)) == orders(self.state), "an image has another order"
        self.state = thaw(image) if self.random.random() < 0.5 else state
        touch_all(self.state)
        self.settle()

    def compare(self, wanted: Reference, tries: bool = True) -> None:
        for name in wanted.plan.steps:
            step, outcome = self.step(name), wanted.outcome(name)
            assert (name, str(step.phase)) == (name, outcome.phase), step.message
            if outcome.phase == "Succeeded":
                assert step.outputs == outcome.outputs, name
            if tries and outcome.again:
                assert tuple(self.tries.get(name, [])) == outcome.tries, name
        assert str(self.life().phase) == wanted.phase


def whole_run(seed: int) -> None:
    """Each step gets what the steps before it gave."""
    random = Random(seed)
    plan = a_plan(random)
    cancelled = frozenset(name for name in plan.steps if random.random() < 0.1)
    flow = Flow(random, seed)
    if cancelled:
        flow.mark_early(cancelled)
    flow.take(plan)
    flow.go_on()
    flow.compare(Reference(plan, seed, cancelled))
    asked = Counter(
        event.step
        for event in (record.event for record in flow.records)
        if isinstance(event, StepReady | StepSkipped) and event.when is not None
    )
    assert not asked or max(asked.values()) == 1, "a `when` is asked once"


def one_edit(seed: int) -> None:
    """What runs again after an edit is what the reference says."""
    random = Random(seed)
    plan = a_plan(random)
    cancelled = frozenset(name for name in plan.steps if random.random() < 0.1)
    flow = Flow(random, seed)
    if cancelled:
        flow.mark_early(cancelled)
    flow.take(plan)
    flow.go_on()
    if cancelled:
        flow.unmark()
    before, attempts = Reference(plan, seed, cancelled), flow.numbers()
    edited = an_edit(random, plan, policies=True)
    flow.tries, flow.seed = {}, seed + 1  # what runs again may come to something else
    flow.take(edited)
    once = random.random() < 0.5
    if not once:  # an edit elsewhere, on the way
        flow.go_on(random.randint(0, 3))
        edited = Plan(
            {**edited.steps, "z": a_step(random, Plan({}, edited.params), "z")}, edited.params
        )
        flow.take(edited)
    flow.go_on()
    after = Reference(edited, flow.seed, before=before)
    flow.compare(after)
    if not once:
        return
    for name, number in flow.numbers().items():
        outcome = after.outcome(name)
        ran = len(outcome.tries) if outcome.again else 0
        assert (name, number - attempts.get(name, 0)) == (name, ran)


def foretold(seed: int) -> None:
    """`diff` says of each step what happens then, at rest or on the way."""
    random = Random(seed)
    plan = a_plan(random).with_keepers(random)
    flow = Flow(random, seed)
    flow.take(plan)
    at_rest = random.random() < 0.7
    flow.go_on(*(() if at_rest else (random.randint(0, 4),)))
    edited = an_edit(random, plan, policies=True).with_keepers(random)
    wanted = document(edited.written(), params=dict(edited.params))
    if same(flow.life().spec, wanted.spec):
        return
    told = of_document(flow.state, Document(workflow=wanted, line=1)).steps
    was, attempts = flow.phases(), flow.numbers()
    flow.seed = seed + 1
    flow.take(edited)
    effects_ = flow.life().effects
    assert {name: told[name] for name in effects_} == effects_
    if not at_rest:
        return
    flow.go_on()
    for name, number in flow.numbers().items():
        effect, step = told[name], flow.step(name)
        ran = number > attempts.get(name, 0)
        if effect.action == "keep":
            assert not ran and str(step.phase) == was[name], (name, effect)
        elif effect.reason != Reason.NOT_KNOWN_YET:
            judged = step.phase is Phase.SKIPPED or step.reason == Reason.EXPRESSION_FAILED
            assert ran or judged, (name, effect)


def edits_on_the_way(seed: int) -> None:
    """Whatever comes and when: as long as no policy changes, only the last generation counts."""
    random = Random(seed)
    plan = a_plan(random)
    plans, flow = [plan], Flow(random, seed)
    flow.take(plan)
    for _ in range(random.randint(1, 3)):
        flow.go_on(random.randint(0, 4))
        taken_back = random.random() < 0.3
        plan = random.choice(plans) if taken_back else an_edit(random, plan, policies=False)
        plans.append(plan)
        if random.random() < 0.2:
            flow.take(plan, suspend=True)
            flow.go_on(random.randint(0, 2))
        flow.take(plan)
        if random.random() < 0.3:
            flow.retry(random.choice(list(plan.steps)))
    flow.go_on()
    flow.compare(Reference(plan, seed), tries=False)
