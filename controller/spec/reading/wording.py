"""jsonschema's errors in treadle's words: what was expected, what was found, how to fix it.

There is one function for each keyword of JSON Schema. A field that is planned for later is refused
as "not supported yet", not as a misspelling; `habits` says what works today.
"""

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from controller.spec import habits
from controller.spec.models import KINDS
from controller.spec.path_fault import NOT_YET, QUOTE_IT, SCRIPTS, Path, PathFault, did_you_mean
from controller.spec.rules.data import misplaced
from controller.spec.values import EXPECTED, VALUE_NAME_HINT, ParamType, found, is_name

_PARAMS: Path = ("spec", "params")
_NAMED_MAX = 12  # fields in a hint
_SHOWN_MAX = 60


def describe(error: Any) -> Iterator[PathFault]:
    """The faults behind one error: mostly one; one for each unknown field."""
    path: Path = tuple(error.absolute_path)
    yield from WORDS[error.validator](error, path)


def _unknown_fields(error: Any, path: Path) -> Iterator[PathFault]:
    title = error.schema.get("title", "")
    known = error.schema["properties"]
    for field in error.instance:
        if field in known:
            continue
        problem = "unknown field"
        calls = title == "Step" and any(map(habits.calls, error.instance))
        if calls and habits.gives_params(field):
            hint = "write it in template, as params: {NAME: value}"
        elif habit := habits.habit(title, field):
            hint = habits.advice(habit.write, error.instance[field])
            problem = NOT_YET if habit.later else problem
        elif title == "Matrix" and "matrix" not in error.instance:
            hint = f"write it under matrix: {{{field[:_SHOWN_MAX]}: [one, another]}}"
        elif title == "Call":
            hint = did_you_mean(field, known) or f"write params: {{{field[:_SHOWN_MAX]}: …}}"
        else:
            hint = did_you_mean(field, known) or _fields(path, known)
            if path[:-1] == _PARAMS and not set(error.instance) & set(known):
                hint = "to give the param a mapping as its value, write {default: {…}}"
        yield PathFault(path=(*path, field), problem=problem, hint=hint, key=True)


def _fields(path: Path, known: Collection[str]) -> str:
    """Which fields there are; of many, where they are explained."""
    if len(known) <= _NAMED_MAX:
        return f"the fields here are {', '.join(known)}"
    place = ".".join(["workflow", *(part for part in path if isinstance(part, str))])
    return f"all fields: treadle explain {place}"


def _missing(error: Any, path: Path) -> Iterator[PathFault]:
    for field in error.validator_value:
        if field not in error.instance:
            yield PathFault(path=path, problem=f"{field} is missing")


def _type(error: Any, path: Path) -> Iterator[PathFault]:
    expected = [error.validator_value]
    if error.validator != "type":
        expected = [branch.get("type", "object") for branch in error.validator_value]
    yield _mistyped(path, expected, error.instance)


def _mistyped(path: Path, expected: list[ParamType], value: object) -> PathFault:
    if isinstance(value, str) and "${{" in value:
        return misplaced(path, value)
    problem = f"expected {_either(expected)}, found {found(value)}"
    return PathFault(path=path, problem=problem, hint=_type_hint(path, expected, value))


def _either(expected: list[ParamType]) -> str:
    """`text, a number or a list`."""
    names = [name for name in expected if not (name == "integer" and "number" in expected)]
    return _listed(list(dict.fromkeys(EXPECTED[name] for name in names)))


def _listed(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _type_hint(path: Path, expected: list[ParamType], value: object) -> str:
    if value is None and path[:-1] == _PARAMS:
        return "write {type: string} for a param that must be given"
    if value is None:
        return "give it a value, or remove it"
    if hint := _as_expression(path, value):
        return hint
    if "string" in expected and isinstance(value, bool | int | float):
        return QUOTE_IT
    if {"number", "integer"} & set(expected) and isinstance(value, str):
        return _as_number(path, value)
    if "boolean" in expected and isinstance(value, str):
        return "write true or false, without quotes"
    for hints in (_as_hooks, _in_executor, _habit_of_value):
        if hint := hints(path, value):
            return hint
    if "array" in expected and isinstance(value, str):
        if path[-1] == "command":
            return habits.advice("write run: $value, or [program, argument, …]", value)
        return f"write [{value}]" if len(value) <= _SHOWN_MAX else ""
    return ""


def _as_number(path: Path, text: str) -> str:
    """What to write in a field that takes a number."""
    if _is_number(text):
        return "write it without quotes and leading zeros"
    if str(path[-1]).endswith("Seconds"):
        return habits.advice("write $seconds", text)
    if path[-2:] == ("resources", "cpu") and text[-1:] == "m" and _is_number(text[:-1]):
        return f"write {float(text[:-1]) / 1000:g}, in cores"
    return ""


def _as_expression(path: Path, value: object) -> str:
    """What to write in a field that takes an expression."""
    if path[-1] == "forEach" or path[-2:-1] == ("matrix",):
        return "write a list, like [one, another], or ${{ params.NAME }}"
    if path[-1] == "when" and isinstance(value, bool):
        return habits.advice("write ${{ $value }}", value)
    return ""


def _habit_of_value(path: Path, value: object) -> str:
    """How to write a value that another tool takes in this form."""
    field = path[-1] if path else ""
    if path[:2] == ("spec", "triggers"):
        return _in_triggers(path, value)
    if field == "retry" and isinstance(value, int | float):
        return habits.advice("write {limit: $value}", value)
    if field in _AS_TEXT:
        write, instead = _AS_TEXT[field]
        return habits.advice(write, value if isinstance(value, str) else instead)
    if field == "dependsOn":
        return habits.advice("write $list", value)
    if field == "env" and isinstance(value, list):
        return f"write a mapping, like {_as_mapping(value)}"
    if path == ("spec", "steps") and isinstance(value, dict):
        name = next(iter(value), "a")
        return f"write a list: - name: {name[:_SHOWN_MAX]}"
    if isinstance(value, str) and path[-2:] == ("template", "params"):
        return f"write a mapping, like {{{_as_mapping([*value.split()[:1]])}}}"
    if isinstance(value, list) and field in ("params", "outputs"):
        return f"write a mapping, like {{{_named_value(path, value)}}}"
    if field == "matrix":
        return "write a mapping, like {NAME: [one, another]}"
    if field in ("exclude", "include") or path[-2:-1] in (("exclude",), ("include",)):
        return "write a list of mappings, like [{NAME: one}]"
    if field in SCRIPTS and isinstance(value, list):
        return f"write {field}: | and below it a line for each command"
    return ""


def _in_triggers(path: Path, value: object) -> str:
    """How to write this in `triggers`."""
    field = path[-1]
    if len(path) == 2 and isinstance(value, dict):
        return f"write a list: - {str(next(iter(value), 'schedule'))[:_SHOWN_MAX]}: …"
    if len(path) in (2, 3) and isinstance(value, str):
        as_trigger = habits.advice('{schedule: "$cron"}', value)
        return f"write [{as_trigger}]" if len(path) == 2 else f"write {as_trigger}"
    if "schedule" in path[-2:] and isinstance(value, dict):
        return habits.advice('write "$cron"', value)
    if field in ("files", "after") and isinstance(value, str):
        name = "path" if field == "files" else "workflow"
        return habits.advice(f"write {{{name}: $value}}", value)
    if field == "webhook":
        return "write {secret: {fromFile: PATH}}"
    if field == "secret":
        return "write {fromFile: PATH}, and the secret into that file"
    if field == "params" and isinstance(value, list):
        return f"write a mapping, like {{{_as_mapping(value)}}}"
    return ""


def _in_executor(path: Path, value: object) -> str:
    """How to write this in `executor`."""
    if "executor" not in path[-5:]:
        return ""
    field, text = path[-1], value if isinstance(value, str) else "NAME"
    if field == "executor":
        return "write {container: {image: NAME}} or {slurm: {}}"
    if field == "container":
        return habits.advice("write {image: $value}", text)
    if field == "slurm":
        return habits.advice("write {partition: $value}", text)
    if "mounts" in path[-2:] and isinstance(value, str):
        source, _, target = value.partition(":")
        mount = habits.advice("{from: $value, ", source or "data")
        mount += habits.advice("to: $value", target.partition(":")[0] or "/data")
        mount += ", readOnly: true}" if target.endswith(":ro") else "}"
        return f"write [{mount}]" if field == "mounts" else f"write {mount}"
    if field == "mounts":
        return "write a list: - {from: data, to: /data}"
    return ""


_AS_TEXT = {
    "approve": ("write {message: $value}", "…"),
    "template": ("write {name: $value}", "NAME"),
    "uses": (habits.TEMPLATE_OR_POOL, ""),
}


def _as_hooks(path: Path, value: object) -> str:
    """What to write where hooks are expected, those of a kind, or one of them."""
    if path[:2] != ("spec", "hooks") or len(path) > 4:
        return ""
    script = habits.advice("$value", value) if isinstance(value, str) else "…"
    hook = f"{{name: NAME, run: {script}}}"
    if len(path) == 2:
        return f"write a mapping, like {{onFailure: [{hook}]}}"
    if len(path) == 3:
        return "write a list: - name: NAME" if isinstance(value, dict) else f"write [{hook}]"
    return f"write {hook}"


def _named_value(path: Path, items: list[object]) -> str:
    """The first of these params or outputs, as treadle takes it."""
    name = _first_name(items)
    if path[-2:] == ("template", "params"):
        return _as_mapping(items)
    if path == ("spec", "outputs"):
        return f"{name}: ${{{{ steps.NAME.outputs.{name} }}}}"
    return f"{name}: the default value" if path[-1] == "params" else f"{name}: string"


def _first_name(items: list[object]) -> str:
    first = items[0] if items else None
    name = first.get("name") if isinstance(first, dict) else first
    return name if isinstance(name, str) and is_name(name) else "NAME"


def _as_mapping(pairs: list[object]) -> str:
    """The first of `[{name: A, value: b}, …]` or `[A=b, …]`, as treadle takes it."""
    first = pairs[0] if pairs else None
    if isinstance(first, dict) and isinstance(first.get("name"), str):
        return habits.advice(f"{first['name'][:_SHOWN_MAX]}: $value", first.get("value", "value"))
    if isinstance(first, dict) and first:
        name, value = next(iter(first.items()))
        return habits.advice(f"{name[:_SHOWN_MAX]}: $value", value)
    name, _, text = first.partition("=") if isinstance(first, str) else ("", "", "")
    return habits.advice(f"{name[:_SHOWN_MAX] or 'A'}: $value", text or "b")


def _enum(error: Any, path: Path) -> Iterator[PathFault]:
    value, allowed = error.instance, [str(word) for word in error.validator_value]
    if value == "Replace" and "concurrency" in path:
        yield PathFault(
            path=path, problem=f"Replace is {NOT_YET}", hint=f"write {_listed(allowed)}"
        )
        return
    if path == ("kind",):
        allowed = [*KINDS]  # what is none of them is judged as a workflow
    shown = _listed([_plain_text(word) for word in allowed])
    hint = _meant_by(path, value, allowed) if isinstance(value, str) else ""
    yield PathFault(path=path, problem=f"expected {shown}, found {found(value)}", hint=hint)


def _meant_by(path: Path, value: str, allowed: list[str]) -> str:
    meant = habits.TYPES.get(value.lower())
    if meant in allowed:
        return f"write {meant}"
    if path[-1] == "executor":
        return did_you_mean(value, allowed) or _engine(value)
    if "phase" in path[-2:] and value.lower() in _ANY_END:
        return f"write phase: [{', '.join(allowed)}]"
    if "outputs" in path[-2:-1] and "${{" in value:
        return f'write its type, and in the script: echo "{path[-1]}=…" >> "$TREADLE_OUTPUT"'
    return did_you_mean(value, allowed)


def _engine(word: str) -> str:
    """What to write for an engine that has settings."""
    if habits.plain(word) == "slurm":
        return "write {slurm: {}}"
    return "write local, {container: {image: NAME}} or {slurm: {}}"


_ANY_END = ("finished", "completed", "complete", "done", "ended", "any", "all", "always")


def _pattern(error: Any, path: Path) -> Iterator[PathFault]:
    value = error.instance
    if "propertyNames" in error.relative_schema_path:
        # The error has the path of the mapping, and the key as its value.
        of = {"params": "param", "outputs": "output", "matrix": "list"}.get(str(path[-1]), "")
        yield PathFault(
            path=(*path, value),
            problem=f"{found(value)} is not a valid {of or 'variable'} name",
            hint=VALUE_NAME_HINT if of else _VARIABLE_HINT,
            key=True,
        )
        return
    if "${{" in value:
        yield misplaced(path, value)
        return
    problem, hint = f"{found(value)} is not a valid name", _NAME_HINT
    if "uses" in path or path[-1] == "workflow_id" or path[-2:] in _SLUGS:
        hint = "use lower-case letters, digits and - (at most 63; no - at the start or end)"
        slug = _slug(value)
        hint += f', like "{slug}"' if slug else ""
    elif "dependsOn" in path and (above := _STEP_ABOVE.match(value)):
        hint = f'write "{above[1]}": a step can depend on all of it, not on a part'
    elif path[-2:] == ("resources", "memory"):
        problem, hint = f"{found(value)} is no amount of memory", "write bytes, or 512Mi, 8Gi, 2G"
    elif "inheritEnv" in path:
        problem, hint = f"{found(value)} is not a valid variable name", _VARIABLE_HINT
    elif {"exitCodes", "exceptExitCodes", "successExitCodes", "skipExitCodes"} & set(path):
        problem, hint = f"{found(value)} is not an exit code", 'write 75, or a range "100-110"'
    yield PathFault(path=path, problem=problem, hint=hint)


_SLUGS = (("metadata", "name"), ("template", "name"), ("after", "workflow"))  # names in lower case
_STEP_ABOVE = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,62})[/\[]")
_VARIABLE_HINT = "use letters, digits and _; the first can't be a digit"
_NAME_HINT = "use letters, digits, _ and -, at most 63; it must start with a letter or digit"


def _bound(words: str) -> Callable[[Any, Path], Iterator[PathFault]]:
    def bound(error: Any, path: Path) -> Iterator[PathFault]:
        limit = f"{error.validator_value:,}"
        problem = f"must be {words} {limit}, not {_plain_text(error.instance)}"
        yield PathFault(path=path, problem=problem)

    return bound


def _empty(error: Any, path: Path) -> Iterator[PathFault]:
    yield PathFault(path=path, problem="the list is empty")


def _nothing(error: Any, path: Path) -> Iterator[PathFault]:
    """`oneOf` is for editors; a rule of `validate` says the same in better words."""
    yield from ()


WORDS: dict[str, Callable[[Any, Path], Iterator[PathFault]]] = {
    "additionalProperties": _unknown_fields,
    "required": _missing,
    "type": _type,
    "anyOf": _type,
    "oneOf": _nothing,
    "enum": _enum,
    "pattern": _pattern,
    "minimum": _bound("at least"),
    "exclusiveMinimum": _bound("more than"),
    "maximum": _bound("at most"),
    "minItems": _empty,
}


def _plain_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _slug(text: str) -> str:
    """A valid name made from the usable parts of `text`, or nothing."""
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in text.lower()).split()
    return "-".join(words)[:63].strip("-")
