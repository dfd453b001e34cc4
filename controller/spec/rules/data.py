"""Rules for what steps are given and hand on: params, outputs, variables, expressions, conditions.

A rule is a generator over the model, as in `validate`. Expressions are compiled only if a spec has
some. Cost: O(texts); one pass over the DAG where a step reads one on which it does not directly
depend.
"""

import re
from collections.abc import Callable, Collection, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Literal, NamedTuple

from msgspec import UNSET, UnsetType, to_builtins

from controller.spec import params as params_of
from controller.spec.definition import requires, scripts
from controller.spec.expression import (
    OPEN,
    Code,
    Malformed,
    Scope,
    Unusable,
    codes,
    program,
    step_named,
    whole,
)
from controller.spec.linked import Body
from controller.spec.models import (
    Concurrency,
    Defaults,
    Hook,
    Items,
    Matrix,
    Param,
    Reference,
    Spec,
    Step,
    Trigger,
    Use,
    given,
)
from controller.spec.path_fault import (
    Path,
    PathFault,
    containers,
    holders_of,
    is_script,
    programs_of,
    steps_of,
    triggers_of,
)
from controller.spec.rules.executor import texts_of_engines
from controller.spec.values import RESERVED_NAMES, VALUE_NAME_HINT, mismatch
from controller.spec.values import found as shown

Kind = Literal["text", "boolean", "seconds", "path", "list", "value", "output"]
_WRITE = {
    "boolean": "true or false",
    "seconds": "a number of seconds",
    "path": "text",
    "list": "a list",
}
_WHOLE = ("boolean", "seconds", "list")  # one expression and nothing else
_TYPES = {
    "boolean": ("bool", "dyn"),
    "seconds": ("int", "double", "dyn"),
    "path": ("string", "int", "double", "bool", "dyn"),
    "list": ("list", "dyn"),
}


class _Place(NamedTuple):
    """A text that may hold expressions. `of`: whose field it is; None: of the spec.

    A `value` and an `output` keep the type of what one expression gives.
    """

    path: Path
    text: str
    kind: Kind
    of: Step | Hook | None

    @property
    def scope(self) -> Scope:
        if self.path[1] == "triggers":
            return "trigger"
        if self.path[1] == "concurrency":
            return "concurrency"
        if self.kind == "output":
            return "step"  # it is read when all steps of the template have ended
        if self.of is None:
            return "spec"
        if isinstance(self.of, Hook):
            return "start" if self.path[2] == "onStart" else "end"
        if self.kind == "list":
            return "list"
        return "step" if self.of.for_each is UNSET else "item"


# ---------------------------------------- params and outputs


def params(spec: Spec) -> Iterator[PathFault]:
    """Names, types, defaults and the values of `enum`."""
    for name, param in params_of.declared(spec).items():
        path: Path = ("spec", "params", name)
        if name in RESERVED_NAMES:
            yield PathFault(
                path=path,
                problem=f'a param can\'t be named "{name}"',
                hint=VALUE_NAME_HINT,
                key=True,
            )
        if isinstance(param, Param):
            yield from _long_form(path, param)
        elif problem := mismatch(param, params_of.type_of_param(param)):
            yield PathFault(path=path, problem=problem)


def _long_form(path: Path, param: Param) -> Iterator[PathFault]:
    kind = params_of.type_of_param(param)
    if param.type is UNSET and param.default is UNSET and param.enum is UNSET:
        hint = "write its type, like {type: string}, or its default"
        yield PathFault(path=path, problem="the param has no type and no default", hint=hint)
    only = [] if isinstance(param.enum, UnsetType) else param.enum
    for index, value in enumerate(only):
        if problem := mismatch(value, kind):
            yield PathFault(path=(*path, "enum", index), problem=problem)
    if param.default is not UNSET and (problem := params_of.misfit(param, param.default)):
        hint = "remove default if a value must be given" if param.default is None else ""
        yield PathFault(path=(*path, "default"), problem=problem, hint=hint)


def needs_values(spec: Spec) -> Iterator[PathFault]:
    """Params that must be given, where nobody can give them."""
    for name in params_of.required(spec):
        hint = f"write default: … here, or keep the file elsewhere: treadle run FILE -p {name}=…"
        yield PathFault(path=("spec", "params", name), problem=f"{name} has no default", hint=hint)


def outputs(spec: Spec) -> Iterator[PathFault]:
    declared: list[tuple[Path, Collection[str]]] = [
        (path, given(step.outputs, {})) for path, step in steps_of(spec)
    ]
    if isinstance(spec, Body):
        declared.append((("spec",), spec.outputs))
    for path, names in declared:
        for name in RESERVED_NAMES & set(names):
            problem = f'an output can\'t be named "{name}"'
            yield PathFault(
                path=(*path, "outputs", name), problem=problem, hint=VALUE_NAME_HINT, key=True
            )


# ---------------------------------------- variables


def references(spec: Spec) -> Iterator[PathFault]:
    """A reference says exactly one thing, and what it names can exist."""
    for path, holder in holders_of(spec):
        for name, value in given(holder.env, {}).items():
            if isinstance(value, Reference):
                yield from _reference((*path, "env", name), value)
        for index, file in enumerate(given(holder.env_from, [])):
            yield from _file_name((*path, "envFrom", index, "file"), file.file)
    for path, trigger in triggers_of(spec):
        if not isinstance(trigger.webhook, UnsetType):
            at = (*path, "webhook", "secret", "fromFile")
            yield from _file_name(at, trigger.webhook.secret.from_file)


def _reference(path: Path, reference: Reference) -> Iterator[PathFault]:
    written: dict[str, str] = to_builtins(reference)
    if len(written) != 1:
        problem = f"has {len(written) or 'none'} of fromEnv, fromFile and asFile"
        yield PathFault(path=path, problem=problem, hint="write exactly one of them")
    if "fromFile" in written:
        yield from _file_name((*path, "fromFile"), written["fromFile"])
    name = written.get("fromEnv")
    if name is not None and (not name or "=" in name or "\0" in name):
        yield PathFault(path=(*path, "fromEnv"), problem="not the name of a variable")
    elif name is not None and OPEN in name:
        yield misplaced((*path, "fromEnv"), name)


def _file_name(path: Path, name: str) -> Iterator[PathFault]:
    if not name or "\0" in name:
        yield PathFault(path=path, problem="not the name of a file")
    elif OPEN in name:
        yield misplaced(path, name)


# ---------------------------------------- expressions


def expressions(spec: Spec) -> Iterator[PathFault]:
    """Each one is where it may be, compiles, gives what its field takes, reads what it may."""
    for path, text in _texts_without(spec):
        if OPEN in text:
            yield misplaced(path, text)
    reach = _Reach(spec)
    for place in _places(spec):
        if OPEN in place.text or place.kind in _WHOLE:
            yield from _expressions_at(spec, place, reach)


def _expressions_at(spec: Spec, place: _Place, reach: "_Reach") -> Iterator[PathFault]:
    try:
        found = list(codes(place.text))
        only = whole(place.text.strip()) if found else None
    except Malformed as fault:
        yield PathFault(path=place.path, problem=fault.problem, hint=fault.hint, at=fault.at)
        return
    if place.kind == "seconds" and not found:
        from controller.spec.habits import advice  # only for faults

        hint = advice("write $seconds", place.text)
        problem = f"expected a number, found {shown(place.text)}"
        yield PathFault(path=place.path, problem=problem, hint=hint)
        return
    if only is None and place.kind in _WHOLE:
        hint = _as_one_expression(place, found)
        problem = f"expected one expression that gives {_WRITE[place.kind]}"
        yield PathFault(path=place.path, problem=problem, hint=hint)
        return
    for code in found:
        yield from _expression(spec, place, code, reach)


def _as_one_expression(place: _Place, found: list[Code]) -> str:
    """What to write for a text that should be an expression."""
    if found:
        join = len(found) > 1 and place.kind != "list"
        return "join them in one ${{ }}, with && or ||" if join else ""
    text = _BRACES.sub(r"\1", place.text.strip())
    if place.kind == "list" and not _READ.fullmatch(text):
        return "write a list, like [one, another], or ${{ params.NAME }}"
    return f"write ${{{{ {text} }}}}" if len(text) <= 60 and "\n" not in text else ""


def _expression(spec: Spec, place: _Place, code: Code, reach: "_Reach") -> Iterator[PathFault]:
    try:
        compiled = program(spec, code.text, place.scope)
    except Unusable as fault:
        at = code.at + fault.at
        yield PathFault(path=place.path, problem=fault.problem, hint=fault.hint, at=at)
        return
    wanted = _TYPES.get(place.kind)
    gives = compiled.type.kind
    if wanted is not None and gives not in wanted:
        said = f"expected an expression that gives {_WRITE[place.kind]}"
        problem = f"{said}; this one gives {compiled.type}"
        yield PathFault(path=place.path, problem=problem, at=code.at)
    elif gives == "null":
        problem = "it gives null, which is no value"
        if place.kind not in ("value", "output"):
            problem = "it gives null, which has no text"
        yield PathFault(path=place.path, problem=problem, at=code.at)
    if not isinstance(place.of, Step):
        return
    for name in dict.fromkeys(path[1] for path in compiled.paths if path[0] == "steps"):
        read = step_named(spec, name)
        if not reach.sees(place.of.name, read):
            problem = f'reads steps.{name}, but this step does not depend on "{read}"'
            hint = f"add {read} to dependsOn"
            if read == place.of.name:
                problem, hint = "a step can't read its own results", ""
            yield PathFault(path=place.path, problem=problem, hint=hint, at=code.at)


def _places(spec: Spec) -> Iterator[_Place]:
    """All texts that may hold expressions."""
    for path, holder in holders_of(spec):
        yield from _places_of_holder(path, holder)
    if not isinstance(spec.defaults, UnsetType):
        yield from _places_of_defaults(spec.defaults)
    for path, step_or_hook in programs_of(spec):
        yield from _places_of_program(path, step_or_hook)
    for path, step in steps_of(spec):
        yield from _places_of_step(path, step)
    for path, text in texts_of_triggers(spec):
        yield _Place(path, text, "value" if path[1] == "triggers" else "text", None)
    for name, text in spec.outputs.items() if isinstance(spec, Body) else ():
        yield _Place(("spec", "outputs", name), text, "output", None)


def _places_of_holder(path: Path, holder: Spec | Step | Hook) -> Iterator[_Place]:
    """Those that the spec has as well as steps and hooks."""
    of = None if isinstance(holder, Spec) else holder
    for name, value in given(holder.env, {}).items():
        if isinstance(value, str):
            yield _Place((*path, "env", name), value, "text", of)
        elif isinstance(value, Reference) and isinstance(value.as_file, str):
            yield _Place((*path, "env", name, "asFile"), value.as_file, "text", of)
    if isinstance(holder.working_dir, str):
        yield _Place((*path, "workingDir"), holder.working_dir, "path", of)
    for at, container in containers(path, holder):
        if isinstance(container.image, str):
            yield _Place((*at, "image"), container.image, "text", of)


def _places_of_defaults(defaults: Defaults) -> Iterator[_Place]:
    path = ("spec", "defaults")
    if isinstance(defaults.timeout_seconds, str):
        yield _Place((*path, "timeoutSeconds"), defaults.timeout_seconds, "seconds", None)
    yield from _locks(path, defaults, None)


def _places_of_program(path: Path, of: Step | Hook) -> Iterator[_Place]:
    """Those that steps and hooks have, but not the spec."""
    for index, word in enumerate(given(of.command, [])):
        yield _Place((*path, "command", index), word, "text", of)
    if isinstance(of.timeout_seconds, str):
        yield _Place((*path, "timeoutSeconds"), of.timeout_seconds, "seconds", of)
    if isinstance(of.when, str):
        yield _Place((*path, "when"), of.when, "boolean", of)


def _places_of_step(path: Path, step: Step) -> Iterator[_Place]:
    """Those that only a step has."""
    yield from _locks(path, step, step)
    for at, items in _lists(step):
        if isinstance(items, str):
            yield _Place((*path, *at), items, "list", step)
    if isinstance(step.key, str):
        yield _Place((*path, "key"), step.key, "text", step)
    if not isinstance(step.template, UnsetType):
        for name, value in given(step.template.params, {}).items():
            if isinstance(value, str):
                yield _Place((*path, "template", "params", name), value, "value", step)
    if not isinstance(step.approve, UnsetType):
        yield _Place((*path, "approve", "message"), step.approve.message, "text", step)


def texts_of_triggers(spec: Spec) -> Iterator[tuple[Path, str]]:
    """What a firing evaluates: the texts that triggers give to params, and that of its group."""
    for path, trigger in triggers_of(spec):
        for name, value in given(trigger.params, {}).items():
            if isinstance(value, str):
                yield (*path, "params", name), value
    concurrency = spec.concurrency
    if isinstance(concurrency, Concurrency) and isinstance(concurrency.group, str):
        yield ("spec", "concurrency", "group"), concurrency.group


def _locks(path: Path, holder: Step | Defaults, step: Step | None) -> Iterator[_Place]:
    for index, use in enumerate(given(holder.uses, [])):
        if isinstance(use, Use) and isinstance(use.lock, str):
            yield _Place((*path, "uses", index, "lock"), use.lock, "text", step)


def _lists(step: Step) -> Iterator[tuple[Path, Items]]:
    """The lists of `forEach`, literal or by an expression."""
    if isinstance(step.for_each, Matrix):
        for name, items in step.for_each.matrix.items():
            yield ("forEach", "matrix", name), items
    elif not isinstance(step.for_each, UnsetType):
        yield ("forEach",), step.for_each


def _texts_without(spec: Spec) -> Iterator[tuple[Path, str]]:
    """The texts that may not hold expressions."""
    for path, holder in holders_of(spec):
        words = [holder.shell] if isinstance(holder.shell, str) else given(holder.shell, [])
        for word in words:
            yield (*path, "shell"), word
    for path, step_or_hook in programs_of(spec):
        for field, text in scripts(step_or_hook).items():
            yield (*path, field), text
    for name, param in params_of.declared(spec).items():
        default = params_of.default(param)
        if isinstance(default, str):
            yield ("spec", "params", name), default
    for path, trigger in triggers_of(spec):
        yield from _plain_texts(path, trigger)
    yield from texts_of_engines(spec)


def _plain_texts(path: Path, trigger: Trigger) -> Iterator[tuple[Path, str]]:
    """Those that say when the trigger fires: nothing is evaluated before it does."""
    lists = {"schedule": trigger.schedule, "at": trigger.at, "exclude": trigger.exclude}
    for field, texts in lists.items():
        if isinstance(texts, str):
            yield (*path, field), texts
        for index, text in enumerate(texts if isinstance(texts, list) else ()):
            yield (*path, field, index), text
    if isinstance(trigger.time_zone, str):
        yield (*path, "timeZone"), trigger.time_zone
    if not isinstance(trigger.files, UnsetType):
        yield (*path, "files", "path"), trigger.files.path


def misplaced(path: Path, text: str) -> PathFault:
    """An expression where none can be."""
    at = max(0, text.find(OPEN))
    if not is_script(path):
        problem = "an expression can't be used here"
        return PathFault(path=path, problem=problem, hint=_OTHERWISE, at=at)
    problem = "an expression can't be used in a script: its value would become part of the program"
    return PathFault(path=path, problem=problem, hint=_env_line(text), at=at)


_OTHERWISE = "write the value itself"
_READ = re.compile(r"(?:params|steps)\.[\w.]+")
_BRACES = re.compile(r"\{\{\s*(.*?)\s*\}\}")
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _env_line(script: str) -> str:
    """How to pass the first expression of a script by a variable."""
    from controller.spec.habits import as_ours  # only for faults

    try:
        code = next(codes(script[script.find(OPEN) :])).text
    except (Malformed, StopIteration):
        return 'set a variable in env, and write "$NAME" here'
    if code.startswith("secrets."):
        name = code.removeprefix("secrets.")
        return f'write env: {{{name}: {{fromEnv: {name}}}}}, and "${name}" here'
    name = (_WORD.findall(code) or ["value"])[-1].upper()
    quoted = (as_ours(code) or code).replace("\\", "\\\\").replace('"', '\\"')
    return f'write env: {{{name}: "${{{{ {quoted} }}}}"}}, and "${name}" here'


class _Reach:
    """Which steps a step depends on, directly or through others."""

    def __init__(self, spec: Spec) -> None:
        self._direct = {step.name: {need.step for need in requires(step)} for step in spec.steps}
        self._masks: dict[str, int] | None = None

    def sees(self, name: str, other: str) -> bool:
        if other in self._direct.get(name, ()):
            return True
        if self._masks is None:
            self._masks = self._reached()
        return bool(self._masks.get(name, 0) & self._bits.get(other, 0))

    def _reached(self) -> dict[str, int]:
        """For each step a set of steps as the bits of a number: fast for 10,000 steps."""
        self._bits = {name: 1 << index for index, name in enumerate(self._direct)}
        masks: dict[str, int] = {}
        try:
            for name in TopologicalSorter(self._direct).static_order():
                mask = 0
                for need in self._direct.get(name, ()):
                    mask |= masks.get(need, 0) | self._bits.get(need, 0)
                masks[name] = mask
        except CycleError:
            return dict.fromkeys(self._direct, -1)  # that is a fault already
        return masks


DATA_RULES: tuple[Callable[[Spec], Iterator[PathFault]], ...] = (
    params,
    outputs,
    references,
    expressions,
)
