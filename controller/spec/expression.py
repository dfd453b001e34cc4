"""Expressions in a spec: where they are in a text, what they may read, and what they gave.

A text of a spec can hold `${{ … }}`, in it an expression in CEL; `$${{` writes a literal `${{`. A
value that is one expression keeps its type; among other text it becomes text. An expression is
compiled once a generation, and evaluated once for each attempt: what it gave stands in the record
of the attempt, under the text of the expression. From there on it is only filled in.

This is the only module that knows the language, `controller.cel`, which is imported only for specs
that have expressions.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from msgspec import UNSET, UnsetType

from controller.spec import params
from controller.spec.identity import Identity
from controller.spec.linked import Body, body_alone, called
from controller.spec.models import Spec, Step
from controller.spec.values import ParamType, as_text

if TYPE_CHECKING:
    from controller.cel.program import Program
    from controller.cel.types import Type

OPEN = "${{"
OF_CALLER = "@"  # begins an expression in the body of a template that its caller wrote
_QUOTES = ("'''", '"""', "'", '"')
_SPECS_MAX = 64  # whose compiled expressions are kept
_TEXTS_MAX = 4096
_SHOWN_MAX = 60  # characters of an expression in a sentence
# Fields of `run` that only hooks can read, with what others can read instead.
_OF_HOOKS = {"phase": "in a step, read steps.NAME.phase", "lastPhase": ""}
_AS_A_PARAM = "add a param to the template, and give it that value where the template is used"

Values = Mapping[str, Any]  # the text of an expression -> what it gave
Lookup = Callable[[tuple[str, ...]], object]

# Where an expression stands decides what it can read: in the spec itself, in a step, in a step with
# `forEach`, in that `forEach`, in a hook that runs at the start of a run, or in one at its end; in
# the params of a trigger, or in `concurrency`. "any": a valid expression, wherever it stands.
Scope = Literal["spec", "step", "item", "list", "start", "end", "trigger", "concurrency", "any"]


class Code(NamedTuple):
    """An expression, and where its text begins in the value that holds it."""

    text: str
    at: int


class Malformed(Exception):
    """The `${{` at `at` has no end, or nothing in it."""

    def __init__(self, at: int, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.at, self.problem, self.hint = at, problem, hint


class Unusable(Exception):
    """What an expression can't be: `at` in its text; in words for people."""

    def __init__(self, at: int, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.at, self.problem, self.hint = at, problem, hint


class Failed(Exception):
    """An expression gave no value; the text says why, and does not name the expression."""


class NoValue(Failed):
    """There is no value at the path that was looked up. `has()` of it is false."""


# ---------------------------------------- texts


@lru_cache(_TEXTS_MAX)
def parts(text: str) -> tuple[str | Code, ...]:
    """Plain pieces and expressions of a text, in order. Raises Malformed."""
    found: list[str | Code] = []
    plain, at = "", 0
    while (begin := text.find(OPEN, at)) >= 0:
        if text[begin - 1 : begin] == "$" and begin > at:
            plain += text[at : begin - 1] + OPEN
            at = begin + len(OPEN)
            continue
        plain += text[at:begin]
        end = _end(text, begin)
        inside = text[begin + len(OPEN) : end]
        code = inside.strip()
        if not code:
            raise Malformed(begin, "the expression is empty", "write a value between ${{ and }}")
        found += [plain] if plain else []
        found.append(Code(code, begin + len(OPEN) + len(inside) - len(inside.lstrip())))
        plain, at = "", end + len("}}")
    plain += text[at:]
    return (*found, plain) if plain else tuple(found)


def _end(text: str, begin: int) -> int:
    """Where the `}}` of the expression is: not in a text of it, nor the end of a map in a map."""
    at, depth = begin + len(OPEN), 0
    while at < len(text):
        if quote := next((quote for quote in _QUOTES if text.startswith(quote, at)), ""):
            raw = text[at - 1 : at] in ("r", "R") and not text[at - 2 : at - 1].isalnum()
            at = _after(text, at + len(quote), quote, raw)
            continue
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            if not depth and text.startswith("}}", at):
                return at
            depth = max(0, depth - 1)
        at += 1
    raise Malformed(begin, "the expression has no end", "close it with }}")


def _after(text: str, at: int, quote: str, raw: bool) -> int:
    while at < len(text) and not text.startswith(quote, at):
        at += 2 if text[at] == "\\" and not raw else 1
    return at + len(quote)


def whole(text: str) -> Code | None:
    """The expression, if the text is one and nothing else. Raises Malformed."""
    found = parts(text)
    return found[0] if len(found) == 1 and isinstance(found[0], Code) else None


def alone(text: str) -> str:
    """The text of the expression that a valid `when` or `timeoutSeconds` is; "" of none."""
    code = whole(text.strip()) if text else None
    return "" if code is None else code.text


def codes(text: str) -> Iterator[Code]:
    """The expressions of a text. Raises Malformed."""
    if OPEN in text:
        yield from (part for part in parts(text) if isinstance(part, Code))


def fill(text: str, values: Values) -> str:
    """The text with what its expressions gave. Raises Failed for null, which has no text."""
    if OPEN not in text:
        return text
    return "".join(
        part if isinstance(part, str) else _text(part.text, values[part.text])
        for part in parts(text)
    )


def gives(text: str, value_of: Callable[[str], Any]) -> Any:
    """What a text gives: a value of any type if it is one expression, else text. Raises Failed."""
    code = whole(text)
    if code is not None:
        return value_of(code.text)
    return fill(text, {code.text: value_of(code.text) for code in codes(text)})


def fill_words(words: Iterable[str], values: Values) -> tuple[str, ...]:
    """The words of a command. A list that is a whole word takes the place of that word."""
    filled: list[str] = []
    for word in words:
        code = whole(word) if OPEN in word else None
        given = None if code is None else values[code.text]
        if code is not None and isinstance(given, list):
            filled += [_text(code.text, item) for item in given]
        else:
            filled.append(fill(word, values))
    return tuple(filled)


def _text(code: str, value: object) -> str:
    try:
        return as_text(value)
    except ValueError:
        raise Failed(f"{quoted(code)} gives null, which has no text") from None


def marked_as_callers(text: str) -> str:
    """A valid text of a caller, as it stands in the body of a template that it calls."""
    if OPEN not in text:
        return text
    return "".join(
        part.replace(OPEN, f"${OPEN}")
        if isinstance(part, str)
        else f"{OPEN} {OF_CALLER}{part.text} }}}}"
        for part in parts(text)
    )


def quoted(code: str) -> str:
    """An expression in a sentence."""
    code = code.removeprefix(OF_CALLER)
    shown = code if len(code) <= _SHOWN_MAX else f"{code[:_SHOWN_MAX]}…"
    return f"${{{{ {shown} }}}}"


# ---------------------------------------- meaning


def alias(name: str) -> str:
    """The name of a step in expressions."""
    return name.replace("-", "_")


def program(spec: Spec, code: str, scope: Scope = "any") -> "Program":
    """The compiled expression. Raises Unusable. A valid one can be asked for without its scope."""
    if code.startswith(OF_CALLER) and isinstance(spec, Body) and spec.caller is not None:
        return program(spec.caller, code.removeprefix(OF_CALLER), "spec")
    return _programs(Identity(spec)).get(code, scope)


def steps_read(spec: Spec, expressions: Iterable[str]) -> list[str]:
    """The names of the steps that these valid expressions read."""
    return [step_named(spec, name) for name in _second(spec, expressions, "steps")]


def params_read(spec: Spec, expressions: Iterable[str]) -> list[str]:
    """The names of the params that these valid expressions read; of a caller, with OF_CALLER."""
    return _second(spec, expressions, "params")


def is_settled(spec: Spec, expression: str) -> bool:
    """Whether params, item and index alone decide what this valid expression gives."""
    settled = ("params", "item", "index")
    return all(path[0] in settled for path in program(spec, expression).paths)


def items_read(spec: Spec, expressions: Iterable[str]) -> set[str]:
    """Which of `item` and `index` these valid expressions read."""
    of_item = {("item",), ("index",)}
    return {
        path[0]
        for expression in expressions
        for path in program(spec, expression).paths
        if path in of_item
    }


def reads_item(spec: Spec, code: str) -> bool:
    """Whether this valid expression reads `item` or `index`."""
    return bool(items_read(spec, [code]))


def _second(spec: Spec, expressions: Iterable[str], first: str) -> list[str]:
    found = dict.fromkeys(
        f"{OF_CALLER}{path[1]}" if expression.startswith(OF_CALLER) else path[1]
        for expression in expressions
        for path in program(spec, expression).paths
        if path[0] == first
    )
    return list(found)


def step_named(spec: Spec, alias_: str) -> str:
    """The step that expressions call so."""
    return _programs(Identity(spec)).aliases[alias_][0]


def evaluate(spec: Spec, code: str, lookup: Lookup) -> Any:
    """What the expression gives. `lookup` finds the value at a path, or raises Failed."""
    from controller.cel.program import EvaluationFailed, Missing

    def look(path: tuple[str, ...]) -> object:
        try:
            return lookup(path)
        except NoValue as failure:
            raise Missing(str(failure)) from None
        except Failed as failure:
            raise EvaluationFailed(str(failure)) from None

    try:
        return program(spec, code).evaluate(look)
    except EvaluationFailed as failure:
        raise Failed(failure.problem) from None


class _Programs:
    """The compiled expressions of one spec."""

    def __init__(self, spec: Spec) -> None:
        self.aliases: dict[str, list[str]] = {}
        for step in spec.steps:
            self.aliases.setdefault(alias(step.name), []).append(step.name)
        self._spec = spec
        self._by_name = {step.name: step for step in spec.steps}
        # Once for each template, which may have thousands of callers.
        self._handed_on = {
            name: _handed_on(body_alone(template.spec)) for name, template in called(spec).items()
        }
        self._of_steps = self._known(spec)
        self._found: dict[tuple[str, Scope], Program] = {}

    def get(self, code: str, scope: Scope) -> "Program":
        known = self._found.get((code, scope))
        if known is None:
            known = self._found[code, scope] = self._compiled(code, scope)
            # What is valid somewhere means the same everywhere.
            self._found.setdefault((code, "any"), known)
        return known

    def _compiled(self, code: str, scope: Scope) -> "Program":
        from controller.cel import program as cel

        try:
            return cel.compile(code, self._names(scope))
        except cel.ExpressionFault as fault:
            from controller.spec.habits import in_expression

            in_hook = scope in ("start", "end")
            unknown = "unknown" in fault.problem
            hint = in_expression(code, fault.offset, in_hook) if unknown else ""
            raise Unusable(fault.offset, fault.problem, hint or fault.hint) from None

    def _names(self, scope: Scope) -> dict[str, "Type"]:
        """The names that an expression may read that stands there."""
        names = {**self._of_steps, **_only_in(scope, isinstance(self._spec, Body))}
        if scope == "trigger":
            names["params"] = self._defaults()
        return names

    def _defaults(self) -> "Type":
        """A trigger gives values to params, so it sees only their defaults."""
        from controller.cel.types import record, unavailable

        none = {
            name: unavailable(f"params.{name} has no default, so a trigger can't read it")
            for name in params.required(self._spec)
        }
        return record({**self._of_steps["params"].fields, **none})

    def _known(self, spec: Spec) -> Mapping[str, "Type"]:
        """The names that an expression may read wherever it stands."""
        from controller.cel.types import INT, STRING, record, unavailable

        only_hooks = {
            name: unavailable(f"run.{name} can be read only in hooks", hint)
            for name, hint in _OF_HOOKS.items()
        }
        status = unavailable("workflow has no status", "a hook reads run.phase")
        common = {
            "workflow": record(
                {"name": STRING, "uid": STRING, "instance": STRING, "status": status}
            ),
            "run": record({"number": INT, **only_hooks}),
            "trigger": _of_trigger(),
        }
        if isinstance(spec, Body):
            only = "a template reads only its own params and steps"
            common = {name: unavailable(only, _AS_A_PARAM) for name in common}
        declared = params.declared(spec).items()
        types = {name: _type(params.type_of_param(param)) for name, param in declared}
        steps = record({name: self._step(name) for name in self.aliases})
        return {"params": record(types), **common, "steps": steps}

    def _step(self, name: str) -> "Type":
        from controller.cel.types import DYN, STRING, Type, list_of, record, unavailable

        names = self.aliases[name]
        if len(names) > 1:
            shown = " and ".join(f'"{step_name}"' for step_name in names[:2])
            return unavailable(f"{name} could be {shown}", "rename one of the steps")
        step = self._by_name[names[0]]
        failed = unavailable(
            "failed can be read only of a step with forEach",
            f'write steps.{name}.phase == "Failed"',
        )
        outputs = self._outputs(step)
        if outputs is not None and step.for_each is not UNSET:
            # An item that gave no output has null in the list, so any value must be expected.
            outputs = dict.fromkeys(outputs, list_of(DYN))
        if step.for_each is not UNSET:
            failed = list_of(STRING)
        known = Type("dyn") if outputs is None else record(outputs)
        if outputs == {}:
            problem, hint = f'"{step.name}" declares no outputs', "add outputs: {NAME: type} to it"
            if not isinstance(step.approve, UnsetType):
                problem = f'"{step.name}" asks a person, so it has no outputs'
                hint = f"read steps.{name}.phase"
            if not isinstance(step.template, UnsetType):
                problem = f'the template "{step.template.name}" has no outputs'
                hint = "add outputs: {NAME: ${{ … }}} to its spec"
            known = unavailable(problem, hint)
        return record({"outputs": known, "phase": STRING, "failed": failed})

    def _outputs(self, step: Step) -> dict[str, "Type"] | None:
        """The types of its outputs; None if it calls a template that has not been found yet."""
        if isinstance(step.template, UnsetType):
            declared = {} if isinstance(step.outputs, UnsetType) else step.outputs
            return {name: _type(kind) for name, kind in declared.items()}
        return self._handed_on.get(step.template.name)


def _handed_on(template: Body) -> "dict[str, Type]":
    """The types of the outputs of a valid template."""
    from controller.cel.types import STRING

    wholes = {name: whole(text) for name, text in template.outputs.items()}
    return {
        name: STRING if code is None else program(template, code.text).type
        for name, code in wholes.items()
    }


@lru_cache(_SPECS_MAX)
def _programs(of: Identity) -> _Programs:
    return _Programs(of.spec)


@cache
def _only_in(scope: Scope, in_template: bool) -> Mapping[str, "Type"]:
    """The names that depend on where the expression stands."""
    from controller.cel.types import DYN, INT, STRING, record, unavailable

    of_item = {"item": DYN, "index": INT}
    if scope in ("trigger", "concurrency"):
        where = "in the params of a trigger" if scope == "trigger" else f"in {scope}"
        hint = "trigger and params can be read here"
        others = ("steps", "run", "workflow", *of_item)
        return {name: unavailable(f"{name} can't be read {where}", hint) for name in others}
    of_hook = {"run": record({"number": INT, **dict.fromkeys(_OF_HOOKS, STRING)})}
    if scope == "any":
        return of_item | of_hook
    if scope == "item":
        return of_item
    only, hint = "can be read only in a step with forEach", _AS_A_PARAM if in_template else ""
    if scope == "list":
        only, hint = "can't be read in forEach", "read it in the other fields of the step"
    names = {name: unavailable(f"{name} {only}", hint) for name in of_item}
    if scope in ("start", "end"):
        names |= of_hook
    if scope == "spec":
        only, hint = "only fields of a step can read steps", "write this in the steps that need it"
        names["steps"] = unavailable(only, hint)
    if scope == "start":
        only, hint = "when onStart runs, no step has finished", "read steps in another kind of hook"
        names["steps"] = unavailable(only, hint)
    return names


@cache
def _of_trigger() -> "Type":
    """What can be read of the firing that began an instance; `trigger.Firing` has the values."""
    from controller.cel.types import DYN, STRING, list_of, map_of, record

    texts = dict.fromkeys(("name", "kind", "key", "due", "previous", "date"), STRING)
    values = {"files": list_of(STRING), "body": DYN, "params": map_of(DYN)}
    workflow = dict.fromkeys(("name", "uid", "instance", "phase"), STRING)
    return record({**texts, **values, "workflow": record(workflow)})


@cache
def _type(kind: ParamType) -> "Type":
    from controller.cel.types import BOOL, DOUBLE, DYN, INT, STRING, list_of, map_of

    types: dict[ParamType, Type] = {
        "string": STRING,
        "integer": INT,
        "number": DOUBLE,
        "boolean": BOOL,
        "array": list_of(DYN),
        "object": map_of(DYN),
    }
    return types[kind]
