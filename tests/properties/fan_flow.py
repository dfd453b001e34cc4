"""Stories of steps that run for each item of a list, told to the end and compared with a reference.

One seed is one story.
"""

from collections import Counter
from random import Random
from typing import Any

from properties.fan_out import Plan, Reference, a_plan, an_edit, covered, fate
from properties.flow import Flow
from story import document

from controller.model.events import AttemptScheduled, AttemptStarted, StepExpanded
from controller.model.invariants import check
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.state import Step
from controller.rehearsal.foresee import of_document
from controller.spec.fingerprint import same
from controller.spec.items import top_name
from controller.spec.reading.load import Document


class FanFlow(Flow):
    """As the other flow, and each limit on children is looked at."""

    edited_on_the_way = False

    def take(self, plan: Plan, **policies: Any) -> None:  # type: ignore[override]
        self.accept(plan.written(), **plan.of_spec(), **policies)

    def one_ends(self, name: str) -> None:
        if not self.edited_on_the_way:
            self.keeps_limits()
        super().one_ends(name)

    fate = staticmethod(fate)

    def keeps_limits(self) -> None:
        """A child with steps of its own counts as long as one of these lives."""
        life = self.life()
        for step in life.steps.values():
            leaves = [life.leaves(life.steps[child]) for child in step.children]
            live = sum(any(one.live for one in of_child) for of_child in leaves)
            assert step.limit is None or live <= step.limit, step.name

    def started(self, since: int = 0) -> list[str]:
        """The step of each attempt that was scheduled after this record."""
        events = (record.event for record in self.records[since:])
        return [event.step for event in events if isinstance(event, AttemptScheduled)]

    def begun(self) -> list[str]:
        """The steps that have started or become several, in the order in which they first did."""
        events = (record.event for record in self.records)
        kinds = AttemptScheduled | StepExpanded
        return list(dict.fromkeys(event.step for event in events if isinstance(event, kinds)))

    def ran(self, since: int) -> list[str]:
        """The step of each attempt that started after this record."""
        events = (record.event for record in self.records[since:])
        return [event.step for event in events if isinstance(event, AttemptStarted)]

    def compare_all(self, wanted: Reference, tries: bool = True) -> None:
        shown = {name: str(step.phase) for name, step in self.life().steps.items()}
        outcomes = wanted.outcomes
        assert shown == {name: one.phase for name, one in outcomes.items()}
        for name, outcome in outcomes.items():
            step = self.step(name)
            if outcome.gives:
                assert step.outputs == outcome.outputs, name
            if outcome.children is not None:
                assert step.children == [*outcome.children], name
                assert step.failed_keys == list(outcome.failed), name
            if tries and outcome.again:
                assert tuple(self.tries.get(name, [])) == outcome.tries, name
        assert str(self.life().phase) == wanted.phase


def begin(seed: int, templates: bool) -> tuple[Random, Plan, frozenset[str], FanFlow]:
    random = Random(seed)
    plan = a_plan(random, templates)
    names = Reference(plan, seed).outcomes
    cancelled = frozenset(name for name in names if random.random() < 0.04)
    flow = FanFlow(random, seed)
    if cancelled:
        flow.mark_early(cancelled)
    flow.take(plan)
    return random, plan, cancelled, flow


def whole_run(seed: int, templates: bool = False) -> None:
    """All that the first generation comes to, and in which order its children start."""
    _, plan, cancelled, flow = begin(seed, templates)
    flow.go_on()
    wanted = Reference(plan, seed, cancelled)
    flow.compare_all(wanted)
    begun = flow.begun()
    for one in wanted.outcomes.values():
        if one.collects:
            children = [child for child in one.children or {} if child in begun]
            assert children == [child for child in begun if child in children]
    assert Counter(flow.started()) == {name: len(one) for name, one in wanted.tries.items()}


def one_edit(seed: int, templates: bool = False) -> None:
    """An edit of what is at rest runs again what the reference says, and nothing else."""
    random, plan, cancelled, flow = begin(seed, templates)
    flow.go_on()
    if cancelled:
        flow.unmark()
    before = Reference(plan, seed, cancelled)
    edited = an_edit(random, plan, policies=True)
    flow.tries, flow.seed = {}, seed + 1  # what runs again may come to something else
    since = len(flow.records)
    flow.take(edited)
    flow.go_on()
    after = Reference(edited, flow.seed, before=before)
    flow.compare_all(after)
    assert Counter(flow.started(since)) == {name: len(one) for name, one in after.tries.items()}


def edits_on_the_way(seed: int, templates: bool = False) -> None:
    """As long as no policy changes, only the last generation counts, whatever ran meanwhile."""
    random = Random(seed)
    plan = covered(a_plan(random, templates))
    plans, flow = [plan], FanFlow(random, seed)
    flow.take(plan)
    for _ in range(random.randint(1, 3)):
        flow.go_on(random.randint(0, 6))
        flow.edited_on_the_way = True
        taken_back = random.random() < 0.3
        plan = random.choice(plans) if taken_back else an_edit(random, plan, policies=False)
        plan = covered(plan)
        plans.append(plan)
        flow.take(plan)
    flow.go_on()
    flow.compare_all(Reference(plan, seed), tries=False)


def taken_back(seed: int, templates: bool = False) -> None:
    """What stands is restored and costs nothing, however far the edit had come."""
    random = Random(seed)
    plan = covered(a_plan(random, templates))
    flow = FanFlow(random, seed)
    flow.take(plan)
    flow.go_on()
    wanted = Reference(plan, seed)
    flow.compare_all(wanted)
    flow.edited_on_the_way = True
    suspended = random.random() < 0.3
    since = len(flow.records)
    moved = set[str]()  # steps that lose children, or get another result without an attempt
    for _ in range(random.randint(1, 2)):
        edited = covered(an_edit(random, plan, policies=False))
        there = Reference(edited, seed)
        moved |= {top_name(name) for name in unlike(there.lists, wanted.lists)}
        for name, end in there.outcomes.items():
            was = wanted.outcomes.get(name)
            if not end.tries and (not end.children or was is None or end.outputs != was.outputs):
                moved.add(top_name(name))
        flow.take(edited, suspend=suspended)
        flow.go_on(random.choice((0, 0, 0, 1, 2, 4)))
    ran, since = flow.ran(since), len(flow.records)
    flow.take(plan)
    flow.go_on()
    flow.compare_all(wanted, tries=False)
    if ran:
        return
    for name in flow.ran(since):
        step = plan.steps[top_name(name)]
        before = {step.name, *plan.before(step.name), *step.after}
        failed = any(wanted.outcomes[one].phase == "Failed" for one in before)
        assert failed or before & moved, f"{name} was restored"


def unlike(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)]


def foretold(seed: int, templates: bool = False) -> None:
    """`diff` says of each step and child what happens then, at rest or on the way."""
    random = Random(seed)
    plan = a_plan(random, templates).with_keepers(random)
    flow = FanFlow(random, seed)
    flow.take(plan)
    at_rest = random.random() < 0.7
    flow.go_on(*(() if at_rest else (random.randint(0, 6),)))
    edited = an_edit(random, plan, policies=True).with_keepers(random)
    wanted = document(edited.written(), **edited.of_spec())
    if same(flow.life().spec, wanted.spec):
        return
    told = of_document(flow.state, Document(workflow=wanted, line=1)).steps
    was, since = flow.phases(), len(flow.records)
    flow.seed, flow.edited_on_the_way = seed + 1, True
    flow.take(edited)
    # Of a list that will be made again, it says already which children that will not have.
    exact = {
        name: one for name, one in flow.life().effects.items() if told[name].action != "remove"
    }
    assert {name: told[name] for name in exact} == exact
    if not at_rest:
        return
    flow.go_on()
    ran = flow.ran(since)
    for name, effect in told.items():
        if effect.action == "remove" or name not in flow.life().steps:
            assert name not in ran, (name, effect)
            continue
        step = flow.step(name)
        if step.is_parent or effect.reason == Reason.NOT_KNOWN_YET:
            continue
        if effect.action == "keep":
            assert name not in ran, (name, effect)
            assert str(step.phase) == was[name], (name, effect)
        else:
            judged = step.phase is Phase.SKIPPED or step.reason == Reason.EXPRESSION_FAILED
            assert name in ran or judged, (name, effect)


def whatever_happens(seed: int, templates: bool = False) -> None:
    """Edits, retries, marks, cancellations and suspensions, in the end all has settled.

    Nothing is foretold here. But each step is what its children have come to.
    """
    random = Random(seed)
    plans, flow = [a_plan(random, templates)], FanFlow(random, seed)
    flow.edited_on_the_way = True
    flow.take(plans[-1])
    for _ in range(random.randint(1, 7)):
        flow.go_on(random.choice((0, 1, 3, 9, 30)))
        plans.append(_deed(flow, random, plans))
        check(flow.state)
    plan = plans[-1]
    flow.ask("resume")
    if flow.life().spec.suspend is True:
        flow.take(plan)
    flow.go_on()
    life = flow.life()
    assert life.finished, life.message
    of_children = {name for step in life.steps.values() for name in step.children}
    assert life.steps.keys() == plan.steps.keys() | of_children
    for step in life.steps.values():
        assert step.phase in TERMINAL, step.name
        if step.expanded:
            comes_to = together(step, [life.steps[name] for name in step.children])
            assert (str(step.phase), step.outputs, step.failed_keys) == comes_to, step.name
        else:
            assert not step.children, step.name


def together(step: Step, children: list[Step]) -> tuple[str, dict[str, Any], list[str]]:
    """What a step comes to; where an output of a template fails, it fails as well."""
    is_list = step.definition.for_each is not None
    lost = [child for child in children if child.phase is Phase.FAILED]
    keys = [child.key for child in lost]
    ends = [str(child.phase) for child in children if is_list or child not in lost]
    ends += ["Failed" for child in lost if not child.tolerated]
    phase = next((end for end in ("Failed", "Cancelled") if end in ends), "Succeeded")
    if not is_list:
        failed = phase == "Failed" or step.reason == Reason.EXPRESSION_FAILED
        return "Failed" if failed else phase, step.outputs, keys
    given = [child.outputs if child.phase is Phase.SUCCEEDED else {} for child in children]
    outputs = {name: [one.get(name) for one in given] for name in step.definition.hands_on}
    return phase, outputs, keys


def _deed(flow: FanFlow, random: Random, plans: list[Plan]) -> Plan:
    plan = plans[-1]
    some = random.sample(list(flow.life().steps), min(2, len(flow.life().steps)))
    match random.choice(("edit", "edit", "edit", "retry", "mark", "cancel", "suspend", "restart")):
        case "edit":
            edited = an_edit(random, plan, policies=True).with_keepers(random)
            plan = random.choice(plans) if random.random() < 0.4 else edited
            flow.take(plan, suspend=random.random() < 0.2)
        case "retry":
            downstream, steps = random.random() < 0.5, random.choice((some, some[:1], []))
            flow.ask("retry", *steps, downstream=downstream and bool(steps))
        case "mark":
            outputs = {"n": 1, "names": ["a"]}
            given = outputs if flow.step(some[0]).definition.outputs else {}
            flow.ask("mark", *some[:1], outputs=given)
        case "cancel":
            flow.mark(steps=random.choice((some, [])), drain=random.random() < 0.3)
            flow.go_on(random.choice((0, 2)))
            flow.unmark()
        case kind:
            flow.ask(kind)
    return plan
