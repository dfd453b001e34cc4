"""What the expressions of a step give, read from the state: asked once, then recorded.

A step's `when` is asked before it is ready. All other expressions are evaluated when an attempt is
scheduled; the record of the attempt has what they gave, so nothing is evaluated after that.
"""

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, NamedTuple

import msgspec
from msgspec import structs

from controller.model.children import full_name
from controller.model.events import Child
from controller.model.indexes import phase_before, phase_of_run, run_to_be
from controller.model.phases import TERMINAL, Phase, Reason
from controller.model.scope import Scope, defined, item_of, prints_of_needs, scope_of
from controller.model.state import State, Step, Workflow
from controller.spec.definition import Definition, TemplateCall, expansion_expressions, reads
from controller.spec.expression import (
    OF_CALLER,
    OPEN,
    Failed,
    NoValue,
    codes,
    evaluate,
    fill,
    fill_words,
    gives,
    quoted,
    step_named,
    steps_read,
)
from controller.spec.fingerprint import children, fingerprints, inputs, inside, version_of
from controller.spec.hooks import kind_of
from controller.spec.items import Item, check_inner_name, child_name, expand, inner_name
from controller.spec.linked import called
from controller.spec.models import SECONDS_MAX, Spec, given
from controller.spec.params import default, misfit, type_of_param
from controller.spec.template import body, template_definitions
from controller.spec.triggers.trigger import Firing, read
from controller.spec.uses import Holding, in_order, lock_fault
from controller.spec.values import VALUES_BYTES_MAX, WORD_BYTES_MAX, normal

QUESTION_BYTES_MAX = 4096
_SHOWN_MAX = 64  # characters of a value that `when` read


class Sight(NamedTuple):
    """What the expressions of a workflow can read, in one of its generations.

    `phase` and `last_phase`: what this run, and the one before, have come to. Hooks alone read it.
    """

    spec: Spec
    params: Mapping[str, Any]
    steps: Mapping[str, Step]
    name: str
    uid: str
    run: int
    phase: str
    last_phase: str  # "": there was none before
    instance: str = ""  # the name of the instance, if it is one
    firing: Firing = Firing()  # what began it
    item: Any = None  # of a child
    nth: int = -1
    piece: str = ""  # the step whose template they are in
    caller: "Sight | None" = None  # what that step sees

    def of(self, step: Step) -> "Sight":
        """What the expressions of this step see, its item as well; `self`: of the whole spec."""
        at = self._replace(item=None, nth=-1)
        if kind_of(step.name) == "onStart":  # also if the steps are done before its turn comes
            at = at._replace(phase=Phase.RUNNING)
        if step.piece:
            piece = self.steps[step.piece]
            call = piece.definition.template
            assert call is not None
            at = at.of(piece).within(piece.name, body(self.spec, call.name), piece.params)
        return at._replace(item=step.item, nth=step.nth) if step.is_of_list else at

    def within(self, piece: str, template: Spec, params: Mapping[str, Any]) -> "Sight":
        """What the steps of the template see that this step calls with these params."""
        inner = self._replace(spec=template, params=params, item=None, nth=-1)
        return inner._replace(piece=piece, caller=self)

    def full_name(self, name: str) -> str:
        """The full name of the step that has this name here."""
        return inner_name(self.piece, name) if self.piece else name

    def lookup(self, path: tuple[str, ...]) -> object:
        """The value at this path. Raises NoValue."""
        match path:
            case ("params", name):
                return self.params[name]
            case ("steps", alias, *rest):
                return self._of_step(step_named(self.spec, alias), rest)
            case ("item",):
                return self.item
            case ("index",):
                return self.nth
            case ("workflow", field):
                return {"name": self.name, "uid": self.uid, "instance": self.instance}[field]
            case ("trigger", *rest):
                return read(self.firing, rest)
            case ("run", "phase"):
                return self.phase
            case ("run", "lastPhase"):
                return self.last_phase
            case _:
                return self.run

    def _of_step(self, name: str, path: list[str]) -> object:
        step = self.steps.get(self.full_name(name))
        if step is None or step.phase not in TERMINAL:  # a timeout can be judged while it runs
            raise Failed(f'"{name}" has not finished')
        if path == ["phase"]:
            return str(step.phase)
        if path == ["failed"]:
            return step.failed_keys
        output = path[-1]
        if not step.outputs_stand:
            raise NoValue(f'"{name}" {_HAS[step.phase]}, so it has no output "{output}"')
        if output not in step.outputs:
            raise NoValue(f'"{name}" gave no output "{output}"')
        return step.outputs[output]


_HAS = {
    Phase.FAILED: "failed",
    Phase.SKIPPED: "was skipped",
    Phase.CANCELLED: "was cancelled",
}


def sight(state: State, workflow: Workflow) -> Sight:
    """What its expressions see now, in the present run, or in the one that they begin."""
    return Sight(
        spec=workflow.spec,
        params=workflow.params,
        steps=workflow.steps,
        name=workflow.document,
        uid=workflow.uid,
        instance="" if workflow.birth is None else workflow.name,
        firing=firing_of(workflow),
        run=run_to_be(state, workflow),
        phase=phase_of_run(workflow),
        last_phase=phase_before(state, workflow),
    )


def firing_of(workflow: Workflow) -> Firing:
    """What its expressions read as `trigger`."""
    if workflow.birth is not None:
        return workflow.birth.facts
    return Firing(kind="manual") if workflow.origin == "run" else Firing()


# ---------------------------------------- when, approve


def question(seen: Sight, definition: Definition) -> str:
    """What the step asks a person, with what its expressions give. Raises Failed."""
    asked = definition.approve
    assert asked is not None
    try:
        said = fill(
            asked.message, {code.text: _value(seen, code.text) for code in codes(asked.message)}
        )
    except Failed as failure:
        raise Failed(f"approve.message: {failure}") from None
    if (size := len(said.encode())) > QUESTION_BYTES_MAX:
        problem = f"it would have {size:,} bytes, {QUESTION_BYTES_MAX:,} is the most"
        raise Failed(f"approve.message: {problem}")
    return said


class Answer(NamedTuple):
    """What a `when` gave, and the values that it read, for people."""

    yes: bool
    read: dict[str, str]

    @property
    def sentence(self) -> str:
        """Why the step is skipped, or is not."""
        read = ", ".join(f"{path} is {text}" for path, text in self.read.items())
        answer = f"`when` is {'true' if self.yes else 'false'}"
        return f"{answer}: {read}" if read else answer


def ask(seen: Sight, definition: Definition) -> Answer:
    """What `when` of the step gives. Raises Failed."""
    read: dict[str, str] = {}

    def noted(path: tuple[str, ...]) -> object:
        name = ".".join(path)
        read[name] = "not there"  # should this raise
        value = seen.lookup(path)
        read[name] = shortened(value)
        return value

    given = evaluate(seen.spec, definition.when, noted)
    if not isinstance(given, bool):
        raise Failed(f"it gives {shortened(given)}, not true or false")
    return Answer(given, read)


# ---------------------------------------- uses


def used(seen: Sight, definition: Definition) -> list[Holding]:
    """The pools and locks of the step, with what its expressions give. Raises Failed."""
    return [*in_order(_named(seen, holding) for holding in definition.uses)]


def _named(seen: Sight, holding: Holding) -> Holding:
    if OPEN not in holding.lock:
        return holding
    try:
        name = fill(
            holding.lock, {code.text: _value(seen, code.text) for code in codes(holding.lock)}
        )
    except Failed as failure:
        raise Failed(f"uses: {failure}") from None
    if problem := lock_fault(name):
        raise Failed(f"uses: {problem}")
    return structs.replace(holding, lock=name)


# ---------------------------------------- children


STEPS_MAX = 100_000  # of one workflow


class Expansion(NamedTuple):
    """The children of a step, with their fingerprints.

    `items`: of a list. `params`: what a template is given; `within`: the scope of its steps.
    """

    children: list[Child]
    items: list[Item] = []
    params: dict[str, Any] = {}
    within: Scope | None = None


def expand_list(
    seen: Sight,
    scope: Scope,
    definition: Definition,
    prints: Mapping[str, str],
    items: list[Item] | None = None,
) -> Expansion:
    """What a step with `forEach` becomes now. Raises Failed.

    `prints`: fingerprints of the step and of what it needs. `items`: those of its list, if known.
    """
    name = scope.full_name(definition.name)
    fan = definition.for_each
    assert fan is not None

    def key_of(value: Any, index: int) -> str:
        at = seen._replace(item=value, nth=index)
        try:
            return fill(fan.key, {code.text: _value(at, code.text) for code in codes(fan.key)})
        except Failed as failure:
            raise Failed(f"key of the item with index {index}: {failure}") from None

    def given_by(code: str) -> Any:
        try:
            return _value(seen, code)
        except Failed as failure:
            raise Failed(f"forEach: {failure}") from None

    if items is None:
        items = expand(fan, given_by, key_of)
    _check_number(seen, name, len(items), "forEach")
    found = children(scope.spec, definition.name, prints, scope.params, items, scope.before)
    made = [
        Child(key=item.key, fingerprint=text, item=item.value)
        for item, text in zip(items, found, strict=True)
    ]
    for item in items:
        child_name(name, item.key)
    return Expansion(made, items=items)


def expand_template(
    seen: Sight,
    scope: Scope,
    name: str,
    definition: Definition,
    prints: Mapping[str, str],
    item: Item | None,
    kept: Mapping[str, str],
) -> Expansion:
    """What the step with this full name becomes, which calls a template. Raises Failed.

    `prints`: as in `expand_list`. `item`: the one that the step is for. `kept`: by full names, as
    `fingerprints` takes them.
    """
    call = definition.template
    assert call is not None
    params = given_to(seen, call)
    there = inside(scope.spec, definition.name, prints, scope.params, item)
    within = Scope(*there, piece=name)
    _check_number(seen, name, len(there.spec.steps), f'template "{call.name}"')
    version, local = version_of(prints[definition.name]), within.local(kept)
    found = fingerprints(there.spec, there.params, version=version, kept=local, before=there.before)
    read, made = reads(there.spec), list[Child]()
    for step in there.spec.steps:
        check_inner_name(name, step.name)
        made.append(
            Child(key=step.name, fingerprint=found[step.name], reads=read.get(step.name, []))
        )
    return Expansion(made, params=params, within=within)


def given_to(seen: Sight, call: TemplateCall) -> dict[str, Any]:
    """The params of a template, as the step that calls it gives them. Raises Failed."""
    template = called(seen.spec)[call.name].spec
    found: dict[str, Any] = {}
    for name, param in given(template.params, {}).items():
        value = call.params.get(name, default(param))
        if isinstance(value, str) and OPEN in value and name in call.params:
            try:
                value = gives(value, lambda code: _value(seen, code))
            except Failed as failure:
                raise Failed(f"template.params.{name}: {failure}") from None
        if problem := misfit(param, value):
            raise Failed(f"template.params.{name}: {problem}")
        found[name] = normal(value, type_of_param(param))
    return _bounded("template.params", found)


def handed_on(seen: Sight, call: TemplateCall) -> dict[str, Any]:
    """What the steps of a template hand on together; `seen` by these. Raises Failed."""
    found: dict[str, Any] = {}
    for name, text in call.outputs.items():
        try:
            found[name] = gives(text, lambda code: _value(seen, code))
        except Failed as failure:
            raise Failed(f"outputs.{name} of the template: {failure}") from None
    return _bounded("outputs of the template", found)


def _bounded(what: str, values: dict[str, Any]) -> dict[str, Any]:
    """The values, if a record can hold them. Raises Failed."""
    if len(msgspec.json.encode(values)) > VALUES_BYTES_MAX:
        problem = f"they have more than {VALUES_BYTES_MAX:,} bytes; pass the path of a file"
        raise Failed(f"{what}: {problem}")
    return values


def _check_number(seen: Sight, name: str, count: int, what: str) -> None:
    step = seen.steps.get(name)
    others = len(seen.steps) - (0 if step is None else len(step.children))
    if others + count > STEPS_MAX:
        problem = f"{count:,} children are too many"
        raise Failed(f"{what}: {problem}: a workflow has {STEPS_MAX:,} steps at most")


def expansion(state: State, workflow: Workflow, step: Step) -> Expansion:
    """What a step with children becomes now. Raises Failed. Cost: that of the list."""
    seen = sight(state, workflow).of(step)
    scope, defining = scope_of(workflow, step), defined(workflow, step)
    prints = prints_of_needs(workflow, defining)
    prints[step.definition.name] = step.fingerprint
    if step.definition.for_each is not None:
        return expand_list(seen, scope, step.definition, prints)
    item = item_of(step)
    return expand_template(seen, scope, step.name, step.definition, prints, item, workflow.kept)


def inputs_of(workflow: Workflow, step: Step) -> dict[str, str]:
    """What its fingerprint is made of, by the spec in force."""
    scope, name = scope_of(workflow, step), step.definition.name
    prints = prints_of_needs(workflow, defined(workflow, step))
    prints[name] = step.fingerprint
    return inputs(scope.spec, name, prints, scope.params, item_of(step), scope.before)


def children_to_be(state: State, workflow: Workflow, parent: Step) -> list[str] | None:
    """The children of a step that is not expanded. None: its list depends on unfinished steps.

    Raises Failed if it can't be expanded. Cost: that of the list.
    """
    if parent.definition.for_each is None:
        names = template_definitions(workflow.spec, parent.definition)
        return [full_name(parent, name) for name in names]
    if makers_of_list(workflow, parent):
        return None
    return [full_name(parent, item.key) for item in expansion(state, workflow, parent).items]


def makers_of_list(workflow: Workflow, parent: Step) -> list[str]:
    """The unfinished steps whose outputs its list is made from."""
    spec = scope_of(workflow, parent).spec
    read = steps_read(spec, expansion_expressions(parent.definition.for_each))
    names = map(parent.sibling, read)
    return [name for name in names if workflow.steps[name].phase not in TERMINAL]


# ---------------------------------------- an attempt


class Refused(Exception):
    """The step can't start: a reason for programs, and its text for people."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Resolved(NamedTuple):
    """What the expressions gave: those that make the attempt, by their text, and its timeout."""

    values: dict[str, Any]
    timeout: float | None


def resolve(seen: Sight, definition: Definition) -> Resolved:
    """What an attempt of the step is made with. Raises Refused."""
    try:
        values = {code: _value(seen, code) for code in definition.expressions}
        _check(definition, values)
        return Resolved(values, timeout(seen, definition))
    except Failed as failure:
        raise Refused(Reason.EXPRESSION_FAILED, str(failure)) from None


def _value(seen: Sight, code: str) -> Any:
    if code.startswith(OF_CALLER) and seen.caller is not None:
        return _value(seen.caller, code.removeprefix(OF_CALLER))
    try:
        return evaluate(seen.spec, code, seen.lookup)
    except Failed as failure:
        raise Failed(f"{quoted(code)} failed: {failure}") from None


def timeout(seen: Sight, definition: Definition) -> float | None:
    """Its timeout in seconds, if an expression gives it. Raises Failed."""
    code = definition.timeout_seconds
    if not isinstance(code, str):
        return None
    given = _value(seen, code)
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not number or not isfinite(given) or not 0 < given <= SECONDS_MAX:
        said = f"timeoutSeconds: {quoted(code)} gives {shortened(given)}"
        raise Failed(f"{said}; it must be more than 0 and at most {SECONDS_MAX:,} seconds")
    return float(given)


def _check(definition: Definition, values: Mapping[str, Any]) -> None:
    """A process can be given these texts. Raises Failed or Refused."""
    if not values:
        return
    for place, text in _filled(definition, values):
        if "\0" in text:
            raise Failed(f"{place} would hold a NUL byte, which no process can be given")
        size = len(text) if text.isascii() else len(text.encode())
        if size > WORD_BYTES_MAX:
            name = place.removeprefix("env.") if place.startswith("env.") else "NAME"
            hint = f"pass it as a file: env: {{{name}: {{asFile: …}}}}"
            message = f"{place} would have {size:,} bytes, {WORD_BYTES_MAX:,} is the most; {hint}"
            raise Refused(Reason.VALUE_TOO_LARGE, message)
    if not "".join(fill_words(definition.argv, values)[:1]):
        raise Failed("the name of the program is empty")


def _filled(definition: Definition, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The texts with expressions, and where they are. Raises Failed for those that have none."""
    for word in definition.argv:
        if OPEN in word:
            yield from (("an argument", text) for text in fill_words((word,), values))
    for layer in (*(layer.env for layer in definition.env_from), definition.env):
        for name, value in layer.items():
            if isinstance(value, str) and OPEN in value:
                yield f"env.{name}", fill(value, values)
            elif not isinstance(value, str) and isinstance(value.as_file, str):
                fill(value.as_file, values)
    if OPEN in definition.working_dir:
        yield "workingDir", fill(definition.working_dir, values)


def shortened(value: object) -> str:
    """A value as people see it: JSON, cut after 64 characters."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"
