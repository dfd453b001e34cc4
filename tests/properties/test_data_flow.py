"""Values through a DAG, against a reference written differently: recursive, without a state.

Controllers are replaced at random moments by one that knows the log alone, and specs are edited.
"""

from collections import Counter
from collections.abc import Iterable
from random import Random

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from properties.data_flow import Plan, Reference, Texts, a_plan, an_edit, fate
from story import Story

from controller.loop.effects import Places, effects
from controller.model.apply import replay
from controller.model.events import Record, StepReady, StepSkipped
from controller.model.image import freeze, thaw
from controller.model.indexes import touch_all

PLACES = Places("/state", "/specs")
ATTEMPTS_MAX = 200  # of a story


class Flow(Story):
    """A story whose attempts do what the texts say that they got."""

    def __init__(self, random: Random, seed: int) -> None:
        super().__init__(checked=False)
        self.random, self.seed = random, seed
        self.tries: dict[str, list[Texts]] = {}  # of each step, since it was reset

    def numbers(self) -> dict[str, int]:
        """How many attempts each step has had."""
        return {name: step.numbered for name, step in self.life().steps.items()}

    def mark_early(self, steps: Iterable[str]) -> None:
        """A marker that waits for its workflow."""
        self.mark(steps=sorted(steps))

    def take(self, plan: Plan) -> None:
        self.accept(plan.written(), params=dict(plan.params))

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
        does = fate(self.seed, name, step.retries + 1, self.tries[name][-1])
        self.exit(name, does.code, outputs=does.data)

    def texts(self, name: str) -> Texts:
        """What the executor is told of the attempt that is to start."""
        key = (self.life().uid, name)
        told = effects(self.state, [key], self.now, PLACES, self.attached.__getitem__)
        launch = told.launches[0]
        env = {name: text for name, text in launch.env.items() if not name.startswith("TREADLE_")}
        return launch.argv, tuple(sorted(env.items()))

    def restart(self) -> None:
        """A new controller knows what the log says, from its begin or through an image."""
        lines = [msgspec.json.encode(record) for record in self.records]
        state = replay(msgspec.json.decode(line, type=Record) for line in lines)
        image = freeze(state)
        assert image == freeze(self.state), "memory and log differ"
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


# A seed is a story: to make it shorter would only make it another one.
SEED = given(seed=st.integers(0, 1 << 32))
AS_DRAWN = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(max_examples=200, phases=AS_DRAWN)
@SEED
def test_each_step_gets_what_the_steps_before_it_gave(seed: int) -> None:
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


@settings(max_examples=300, phases=AS_DRAWN)
@SEED
def test_an_edit_runs_again_what_the_reference_says(seed: int) -> None:
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
    flow.tries = {}
    flow.take(edited)
    flow.go_on()
    after = Reference(edited, seed, before=before)
    flow.compare(after)
    for name, number in flow.numbers().items():
        outcome = after.outcome(name)
        ran = len(outcome.tries) if outcome.again else 0
        assert (name, number - attempts.get(name, 0)) == (name, ran)


@settings(max_examples=200, phases=AS_DRAWN)
@SEED
def test_edits_on_the_way_end_where_the_last_one_would_have_begun(seed: int) -> None:
    """Whatever comes and when: as long as no policy changes, only the last generation counts."""
    random = Random(seed)
    plan = a_plan(random)
    flow = Flow(random, seed)
    flow.take(plan)
    for _ in range(random.randint(1, 3)):
        flow.go_on(random.randint(0, 4))
        plan = an_edit(random, plan, policies=False)
        flow.take(plan)
    flow.go_on()
    flow.compare(Reference(plan, seed), tries=False)
