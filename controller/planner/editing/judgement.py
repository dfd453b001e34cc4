"""What a new generation does to every step: a row of the table of edits for each.

Steps with children are judged with all that is below them. The children of a list are compared by
their keys: those that stay are judged like any step, the others are new or gone. The steps of a
template are judged like those of a spec. A list that depends on what runs again is not known yet.
Cost: O(steps + dependencies).
"""

from collections.abc import Mapping
from typing import Any

from controller.model.children import is_half_gone, no_longer_in
from controller.model.events import (
    STEP_ADDED,
    STEP_UNCHANGED,
    Child,
    EffectAction,
    StepEffect,
)
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.scope import Scope
from controller.model.state import Step, Workflow, is_result
from controller.planner.editing.rows import (
    ANEW,
    ASKED_AGAIN,
    GOES_ON,
    Upstream,
    asks_otherwise,
    changed_row,
    has_result,
    is_judged_again,
    is_same,
    kept_row,
    lacking_outputs,
    params_before,
    removed_row,
    reran_row,
    row,
    say_why,
    tried_anew_row,
)
from controller.planner.resolve import Sight, expand_list, expand_template
from controller.spec.definition import (
    Definition,
    asks_each,
    definitions,
    expansion_expressions,
    reads,
)
from controller.spec.expression import Failed, params_read, steps_read
from controller.spec.fingerprint import in_order, inputs, inputs_of_children
from controller.spec.items import Item, child_name
from controller.spec.models import Spec
from controller.spec.template import child_definition, definition_named


class Judgement:
    """The rows of all steps; and what the accepted generation records of those with children.

    By the full names of steps. `prints`: their fingerprints by the new spec, those of items aside.
    `expansions`: the children of what stays expanded, parents first; `params`: what templates are
    given, where that changed. `each`: lists of templates whose `when` is asked for each child.
    `seen`: how the new spec defines a step, and what it sees.
    """

    def __init__(self, workflow: Workflow, spec: Spec, kept: Mapping[str, str]) -> None:
        """`kept` has what dependents see of the steps that are to keep their results."""
        self.workflow = workflow
        self.spec = spec
        self.kept = kept
        self.rows: dict[str, StepEffect] = {}
        self.prints: dict[str, str] = {}
        self.expansions: dict[str, list[Child]] = {}
        self.params: dict[str, dict[str, Any]] = {}
        self.each: list[str] = []
        self.seen: dict[str, tuple[Definition, Sight]] = {}
        self._children: dict[str, list[str]] = {}
        self._judged: set[str] = set()

    def judge(self, scope: Scope, seen: Sight, prints: Mapping[str, str], after: list[str]) -> None:
        """Every step of this scope, which has these fingerprints.

        `after`: what those run after that depend on no other here.
        """
        new, read = definitions(scope.spec), reads(scope.spec)
        self.prints |= {scope.full_name(name): fingerprint for name, fingerprint in prints.items()}
        made_of = {**prints, **scope.local(self.kept)}
        for name in in_order(scope.spec):
            full = scope.full_name(name)
            step = self.workflow.steps.get(full)
            if step is None:
                self.rows[full] = STEP_ADDED
                continue
            needs = [need.step for need in new[name].requires]
            names = [scope.full_name(needed) for needed in (*needs, *read.get(name, []))]
            upstream = Upstream(names if needs else [*after, *names], self.rows, self._judged)
            own = {need: made_of[need] for need in needs} | {name: prints[name]}
            self._step(scope, seen, step, new[name], own, upstream)

    def stands(self, name: str) -> bool:
        """Whether a step that is to keep its result does."""
        return name in self.prints and self.rows[name].action not in ANEW

    def in_order_of_spec(self, steps: Mapping[str, Definition]) -> dict[str, StepEffect]:
        """The rows: of each step, then of all below it; at the end those of steps that go."""
        ordered: dict[str, StepEffect] = {}
        for name in steps:
            self._add_with_children(name, ordered)
        gone = [step for name, step in self.workflow.steps.items() if name not in ordered]
        return ordered | {
            step.name: self.rows.get(step.name) or removed_row(step)
            for step in gone
            if not step.leaving
        }

    def _add_with_children(self, name: str, ordered: dict[str, StepEffect]) -> None:
        ordered[name] = self.rows[name]
        for child in self._children.get(name, ()):
            self._add_with_children(child, ordered)

    # ---------------------------------------- one step

    def _step(
        self,
        scope: Scope,
        seen: Sight,
        step: Step,
        definition: Definition,
        prints: Mapping[str, str],
        upstream: Upstream,
        item: Item | None = None,
    ) -> None:
        """A step, or the child for `item` that has children of its own.

        `prints` has its own fingerprint, and those of what it needs, by the names here.
        """
        same_children = True
        self.seen[step.name] = definition, seen
        if definition.is_parent:
            effect, same_children = self._parent(
                scope, seen, step, definition, prints, upstream, item
            )
        else:
            effect = self._alone(step, definition, seen, prints[definition.name], upstream)
        if is_judged_again(step, effect):
            self._judged.add(step.name)
        if step.name in self.kept and same_children and effect.reason == Reason.SPEC_CHANGED:
            effect = kept_row(step, upstream)
        if effect == STEP_UNCHANGED and item is None and self.is_to_be_asked(step):
            effect = StepEffect("keep", Reason.NOT_KNOWN_YET, ASKED_AGAIN)
        if effect.reason == Reason.SPEC_CHANGED:
            name = definition.name
            after = inputs(scope.spec, name, prints, scope.params, item, scope.before)
            effect = say_why(self.workflow, step, effect, after, definition)
        self.rows[step.name] = effect

    def _alone(
        self,
        step: Step,
        definition: Definition,
        seen: Sight,
        fingerprint: str,
        upstream: Upstream,
    ) -> StepEffect:
        """The row of a step without regard to what is below it."""
        effect = row(self.workflow, step, definition, seen, fingerprint, upstream)
        if step.phase is Phase.READY and step.definition.has_attempts != definition.has_attempts:
            return changed_row("run") if effect.action == "keep" else effect
        return effect

    def is_to_be_asked(self, step: Step) -> bool:
        """It waits, its dependencies are satisfied, and the edit changed what its `when` asks."""
        if step.series_from is not None or step.phase in TERMINAL or step.expanded:
            return False
        if step.name not in self.seen:
            return False
        if step.phase is not Phase.READY and step.answer is None:
            return False
        definition, seen = self.seen[step.name]
        return bool(definition.when) and asks_otherwise(self.workflow, step, definition, seen)

    # ---------------------------------------- steps with children

    def _parent(
        self,
        scope: Scope,
        seen: Sight,
        step: Step,
        definition: Definition,
        prints: Mapping[str, str],
        upstream: Upstream,
        item: Item | None,
    ) -> tuple[StepEffect, bool]:
        """Its row, and whether its children are the same; with the rows of all below it."""
        fingerprint = prints[definition.name]
        if not step.expanded:
            self._collapsed(step, definition, seen)
            return self._alone(step, definition, seen, fingerprint, upstream), True
        if step.definition.kind != definition.kind:
            return changed_row("run"), False  # other children
        if upstream.anew:
            self._all_anew(scope, step, definition, upstream)
            return reran_row(upstream, "run"), True
        try:
            if definition.for_each is not None:
                self._list(scope, seen, step, definition, prints, upstream)
            else:
                self._template(scope, seen, step, definition, prints, upstream, item)
        except Failed as failure:
            self._stay_as_they_are(step)
            return StepEffect("run", Reason.SPEC_CHANGED, str(failure)), True
        children = self._children[step.name]
        found = self._of_parent(step, definition, fingerprint, children)
        return found, children == step.children

    def _list(
        self,
        scope: Scope,
        seen: Sight,
        step: Step,
        definition: Definition,
        prints: Mapping[str, str],
        upstream: Upstream,
    ) -> None:
        """The children of the items that stay, of new ones, of those that are gone."""
        items = self._same_items(step, definition, seen)
        found = expand_list(seen, scope, definition, prints, items)
        self.expansions[step.name] = found.children
        each = asks_each(scope.spec, definition)
        if each and scope.piece:
            self.each.append(step.name)
        inner, names = child_definition(definition, each), list[str]()
        changed: list[Item] = []
        for item, child in zip(found.items, found.children, strict=True):
            name = child_name(step.name, child.key)
            names.append(name)
            there = self.workflow.steps.get(name)
            if there is None or is_half_gone(there):
                self.rows[name] = STEP_ADDED
                continue
            at = seen._replace(item=item.value, nth=item.index)
            if inner.is_parent:
                own = {**prints, definition.name: child.fingerprint}
                self._step(scope, at, there, inner, own, upstream, item)
                continue
            self.seen[name] = inner, at
            effect = self._alone(there, inner, at, child.fingerprint, upstream)
            if effect.reason == Reason.SPEC_CHANGED and _keeps(there, inner):
                effect = kept_row(there, upstream)
            if effect.reason == Reason.SPEC_CHANGED:
                changed.append(item)
            self.rows[name] = effect
        self._say_why_each(scope, step, inner, prints, changed)
        self._set_children(step, names)

    def _say_why_each(
        self,
        scope: Scope,
        parent: Step,
        inner: Definition,
        prints: Mapping[str, str],
        items: list[Item],
    ) -> None:
        """What changed in these children: at once, since there can be many."""
        if not items:
            return
        afters = inputs_of_children(
            scope.spec, inner.name, prints, scope.params, items, scope.before
        )
        for item, after in zip(items, afters, strict=True):
            child = self.workflow.steps[child_name(parent.name, item.key)]
            effect = self.rows[child.name]
            self.rows[child.name] = say_why(self.workflow, child, effect, after, inner)

    def _template(
        self,
        scope: Scope,
        seen: Sight,
        step: Step,
        definition: Definition,
        prints: Mapping[str, str],
        upstream: Upstream,
        item: Item | None,
    ) -> None:
        """The steps of its template."""
        found = expand_template(seen, scope, step.name, definition, prints, item, self.kept)
        within = found.within
        assert within is not None
        self.expansions[step.name] = found.children
        if not is_same(found.params, step.params):
            self.params[step.name] = found.params
        self._set_children(step, [within.full_name(child.key) for child in found.children])
        inner = {child.key: child.fingerprint for child in found.children}
        sight = seen.within(step.name, within.spec, found.params)
        self.judge(within, sight, inner, upstream.names)

    def _set_children(self, parent: Step, names: list[str]) -> None:
        self._children[parent.name] = names
        stay = set(names)
        for name in parent.children:
            if name not in stay and name in self.workflow.steps:
                gone = self.workflow.steps[name]
                for removed in (gone, *self.workflow.below(gone)):
                    self.rows[removed.name] = removed_row(removed, no_longer_in(parent))

    def _of_parent(
        self, parent: Step, definition: Definition, fingerprint: str, children: list[str]
    ) -> StepEffect:
        """It completes anew if its list or a child did; its dependents compare its hash."""
        over = parent.phase in TERMINAL
        if parent.fingerprint != fingerprint:
            going: EffectAction = "continue" if parent.phase is Phase.RUNNING else "keep"
            return changed_row("run" if over else going)
        anew = [name for name in children if self.rows[name].action in ANEW]
        if over and anew:
            those = anew[0] if len(anew) == 1 else f"{anew[0]} and {len(anew) - 1:,} more"
            message = f"{those} {'runs' if len(anew) == 1 else 'run'} again"
            return StepEffect("run", Reason.TRIED_ANEW, message)
        if parent.phase is Phase.FAILED and definition.for_each is None:
            if parent.reason == Reason.STEP_FAILED:
                message = "what failed in it is tolerated now"  # else that would run again
                return StepEffect("run", Reason.TRIED_ANEW, message)
            if not definition.continue_on_failure:
                return tried_anew_row(parent)
        return GOES_ON if parent.phase is Phase.RUNNING else STEP_UNCHANGED

    def _same_items(self, parent: Step, definition: Definition, seen: Sight) -> list[Item] | None:
        """The items that it has, if the edit can't have changed them; else None."""
        if parent.definition.for_each != definition.for_each:
            return None
        before = params_before(self.workflow, parent)
        read = params_read(seen.spec, expansion_expressions(definition.for_each))
        if any(not is_same(seen.params[name], before.get(name)) for name in read):
            return None
        children = [self.workflow.steps[name] for name in parent.children]
        return [Item(child.key, child.item, child.nth) for child in children]

    def _all_anew(
        self, scope: Scope, parent: Step, definition: Definition, upstream: Upstream
    ) -> None:
        """All below it, if something that they all ran after runs again."""
        hangs = False
        if definition.for_each is not None:
            lists = expansion_expressions(definition.for_each)
            hangs = bool(steps_read(scope.spec, lists))
        for step, _ in self._stay_as_they_are(parent):
            runs = step.phase is Phase.RUNNING and not step.is_parent
            action: EffectAction = "restart" if runs else "run"
            self.rows[step.name] = reran_row(upstream, action)
            if hangs:
                message = f"its list is made again, since it {self.rows[step.name].message}"
                self.rows[step.name] = StepEffect(action, Reason.NOT_KNOWN_YET, message)

    def _collapsed(self, parent: Step, definition: Definition, seen: Sight) -> None:
        """All below it wait until it is expanded again; what still runs of them is to end."""
        again = StepEffect("restart", Reason.DEPENDENCY_RERAN, f"{parent.name} is expanded again")
        inner = None
        if definition.for_each is not None:
            inner = child_definition(definition, asks_each(seen.spec, definition))
        for step, becomes in self._stay_as_they_are(parent):
            if step.live:
                self.rows[step.name] = again
            elif step.phase in TERMINAL and not is_result(step.phase, becomes):
                self.rows[step.name] = tried_anew_row(step)
            if inner is not None and step.parent == parent.name:
                self.seen[step.name] = inner, seen._replace(item=step.item, nth=step.nth)

    def _stay_as_they_are(self, parent: Step) -> list[tuple[Step, Definition]]:
        """All below it that the spec can still have, with what they do by it; the others go, and
        may be added again.
        """
        stay: list[tuple[Step, Definition]] = []
        lose = set[str]()
        self._children[parent.name] = []
        for step in self.workflow.below(parent):
            becomes = definition_named(self.spec, step.name)
            if becomes is None:
                self.rows[step.name] = removed_row(step)
                lose.add(step.parent or "")
                continue
            stay.append((step, becomes))
            other = becomes.is_parent != step.is_parent
            self.rows[step.name] = changed_row("run") if other else STEP_UNCHANGED
            self._children[step.name] = []
            self._children[step.parent or ""].append(step.name)
        for step, _ in stay:
            if step.name in lose:
                self.rows[step.name] = changed_row("run")
        return stay


def _keeps(step: Step, definition: Definition) -> bool:
    """Whether a child keeps its result, or what runs, although it does something else now."""
    if definition.on_changed != "KeepResult" or step.is_parent:
        return False  # what steps of a template came to is no result of its own
    if lacking_outputs(step, definition):
        return False
    return has_result(step, definition) or step.phase is Phase.RUNNING
