"""jsonschema's errors in treadle's words: what was expected, what was found, how to fix it.

There is one function for each keyword of JSON Schema. A field that is planned for later is refused
as "not supported yet", not as a misspelling.
"""

from collections.abc import Callable, Iterator
from typing import Any

from controller.spec.validate import Path, PathFault, did_you_mean

NOT_YET = "not supported yet"

# By the title of the schema, which is the name of the model.
_FIELDS_NOT_YET = {
    "Spec": {"params", "hooks"},
    "Step": {"forEach", "when", "outputs", "approve", "before", "after", "key", "parallelism"},
}
# Words from other tools that difflib can't guess.
_MEANT = {
    "Step": {
        "id": "name",
        "needs": "dependsOn",
        "requires": "dependsOn",
        "script": "run",
        "cmd": "command",
        "args": "command",
        "cwd": "workingDir",
        "retries": "retry: {limit: …}",
        "timeout": "timeoutSeconds",
        "environment": "env",
        "condition": "when",
    },
    "Spec": {"tasks": "steps", "jobs": "steps", "environment": "env", "cwd": "workingDir"},
    "Retry": {"retries": "limit", "attempts": "limit", "maxAttempts": "limit"},
    "OlderStep": {"name": "id", "run": "command", "dependsOn": "depends_on"},
}
_TYPES = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
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
        if field in _FIELDS_NOT_YET.get(title, ()):
            yield PathFault(path=(*path, field), problem=NOT_YET, key=True)
            continue
        meant = _MEANT.get(title, {}).get(field)
        hint = f'did you mean "{meant}"?' if meant else did_you_mean(field, known)
        hint = hint or f"the fields here are {', '.join(known)}"
        yield PathFault(path=(*path, field), problem="unknown field", hint=hint, key=True)


def _missing(error: Any, path: Path) -> Iterator[PathFault]:
    for field in error.validator_value:
        if field not in error.instance:
            yield PathFault(path=path, problem=f"{field} is missing")


def _type(error: Any, path: Path) -> Iterator[PathFault]:
    expected = [error.validator_value]
    if error.validator != "type":
        expected = [branch.get("type", "object") for branch in error.validator_value]
    yield _mistyped(path, expected, error.instance)


def _mistyped(path: Path, expected: list[str], value: object) -> PathFault:
    if isinstance(value, dict) and "env" in path[-2:-1] and value.keys() & {"fromEnv", "fromFile"}:
        return PathFault(path=path, problem=f"fromEnv and fromFile are {NOT_YET}")
    if isinstance(value, str) and "${{" in value:
        return PathFault(path=path, problem=f"expressions (${{{{ }}}}) are {NOT_YET}")
    problem = f"expected {_either(expected)}, found {_found(value)}"
    return PathFault(path=path, problem=problem, hint=_type_hint(path, expected, value))


def _either(expected: list[str]) -> str:
    """`text, a number or a list`."""
    names = [name for name in expected if not (name == "integer" and "number" in expected)]
    return _listed(list(dict.fromkeys(_TYPES[name] for name in names)))


def _listed(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _type_hint(path: Path, expected: list[str], value: object) -> str:
    if value is None:
        return "give it a value, or remove it"
    if "string" in expected and isinstance(value, bool | int | float):
        return f'put it in quotes: "{_plain_text(value)}"'
    if {"number", "integer"} & set(expected) and isinstance(value, str):
        if _is_number(value):
            return "write it without quotes and leading zeros"
        return "write seconds, like 90" if str(path[-1]).endswith("Seconds") else ""
    if "boolean" in expected and isinstance(value, str):
        return "write true or false, without quotes"
    if "array" in expected and isinstance(value, str):
        if path[-1] == "command":
            return "write [program, argument, …], or a shell script with run"
        return f"write [{value}]" if len(value) <= _SHOWN_MAX else ""
    return ""


def _enum(error: Any, path: Path) -> Iterator[PathFault]:
    value, allowed = error.instance, [str(word) for word in error.validator_value]
    shown = _listed([_plain_text(word) for word in error.validator_value])
    hint = did_you_mean(value, allowed) if isinstance(value, str) else ""
    yield PathFault(path=path, problem=f"expected {shown}, found {_found(value)}", hint=hint)


def _pattern(error: Any, path: Path) -> Iterator[PathFault]:
    value = error.instance
    if "propertyNames" in error.relative_schema_path:
        # The error has the path of the mapping, and the key as its value.
        yield PathFault(
            path=(*path, value),
            problem=f"{_found(value)} is not a valid variable name",
            hint="use letters, digits and _; the first can't be a digit",
            key=True,
        )
        return
    if "${{" in value:
        yield PathFault(path=path, problem=f"expressions (${{{{ }}}}) are {NOT_YET}")
        return
    problem, hint = f"{_found(value)} is not a valid name", _NAME_HINT
    if path[-1] == "workflow_id" or path == ("metadata", "name"):
        hint = "use lower-case letters, digits and - (at most 63; no - at the start or end)"
        slug = _slug(value)
        hint += f', like "{slug}"' if slug else ""
    elif {"exitCodes", "exceptExitCodes"} & set(path):
        problem, hint = f"{_found(value)} is not an exit code", 'write 75, or a range "100-110"'
    yield PathFault(path=path, problem=problem, hint=hint)


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


def _found(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return _plain_text(value)
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        shown = value if len(value) <= _SHOWN_MAX else f"{value[:_SHOWN_MAX]}…"
        return f'"{shown}"'.replace("\n", "\\n")
    return "a list" if isinstance(value, list) else "a mapping"


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
