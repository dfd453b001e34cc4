"""Rules for what a step does: it runs a script, a program or a template, or asks a person.

A hook runs a script or a program.
"""

from collections.abc import Callable, Iterator

from msgspec import UNSET, UnsetType

from controller.spec.definition import scripts
from controller.spec.linked import Body
from controller.spec.models import Hook, Spec, Step, fields_of
from controller.spec.path_fault import ACTIONS, ACTIONS_OF_HOOK, PathFault, programs_of, steps_of

_WITH_ANY = {"name", *ACTIONS, "dependsOn", "when", "continueOnFailure"}
_WITH = {
    "template": _WITH_ANY | {"forEach", "key", "parallelism"},
    "approve": _WITH_ANY,
}


def actions(spec: Spec) -> Iterator[PathFault]:
    """Exactly one of `run`, `command`, `template` and `approve`, and something in it."""
    for path, step_or_hook in programs_of(spec):
        command = step_or_hook.command
        what, can = (
            ("hook", ACTIONS_OF_HOOK) if isinstance(step_or_hook, Hook) else ("step", ACTIONS)
        )
        acts = [name for name in can if getattr(step_or_hook, name) is not UNSET]
        if not acts:
            hint = "give it a script (run: …) or a program (command: [program, argument])"
            problem = f"a {what} needs {', '.join(can[:-1])} or {can[-1]}"
            yield PathFault(path=path, problem=problem, hint=hint)
        elif len(acts) > 1:
            yield PathFault(
                path=(*path, acts[1]),
                problem=f"a {what} has {acts[0]} or {acts[1]}, not both",
                hint="remove one of them",
                key=True,
            )
        elif step_or_hook.shell is not UNSET and command is not UNSET and not scripts(step_or_hook):
            yield PathFault(
                path=(*path, "shell"),
                problem="shell can't be used with command",
                hint="remove shell, or write a script with run",
                key=True,
            )
        for field, text in scripts(step_or_hook).items():
            if not text.strip():
                yield PathFault(path=(*path, field), problem="the script is empty")
        if isinstance(command, list) and not command[0]:
            yield PathFault(path=(*path, "command", 0), problem="the program's name is empty")


def messages(spec: Spec) -> Iterator[PathFault]:
    """A person is asked something."""
    for path, step in steps_of(spec):
        if not isinstance(step.approve, UnsetType) and not step.approve.message.strip():
            yield PathFault(path=(*path, "approve", "message"), problem="the message is empty")


def fields(spec: Spec) -> Iterator[PathFault]:
    """A step that runs nothing itself has no field that says how to run it."""
    written = fields_of(Step)
    for path, step in steps_of(spec):
        action = next((name for name in _WITH if getattr(step, name) is not UNSET), None)
        if action is None:
            continue
        for field, name in written.items():
            if name not in _WITH[action] and getattr(step, field) is not UNSET:
                yield PathFault(
                    path=(*path, name),
                    problem=f"{name} can't be used with {action}",
                    hint=_instead(spec, action, name),
                    key=True,
                )


def _instead(spec: Spec, action: str, field: str) -> str:
    """What to write in place of such a field."""
    if action == "template":
        return f"write {field} in the {'spec' if field == 'outputs' else 'steps'} of the template"
    if field == "timeoutSeconds":
        return "write it inside: approve: {message: …, timeoutSeconds: …}"
    if field == "forEach" and not isinstance(spec, Body):
        return "put the step into a template, and write forEach where the template is used"
    return "remove it: a step with approve asks a person and runs nothing"


ACTION_RULES: tuple[Callable[[Spec], Iterator[PathFault]], ...] = (actions, messages, fields)
