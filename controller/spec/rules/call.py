"""Rules for a step that calls a template, before that template is known; and for its outputs.

What the template takes and gives, `link` compares with the step.
"""

from collections.abc import Callable, Iterator

from controller.spec.expression import OPEN
from controller.spec.linked import Body
from controller.spec.models import Spec, given
from controller.spec.path_fault import Path, PathFault, calls_of
from controller.spec.rules.param import impossible
from controller.spec.values import found


def calls(spec: Spec) -> Iterator[PathFault]:
    """A template calls no other, and what it is given can be a value."""
    for path, call in calls_of(spec):
        if isinstance(spec, Body):
            problem = "templates can't use templates yet"
            hint = "write the steps of that template here"
            yield PathFault(path=path, problem=problem, hint=hint, key=True)
            continue
        for name, value in given(call.params, {}).items():
            yield from impossible((*path, "params", name), value)


def outputs(spec: Spec) -> Iterator[PathFault]:
    """Each output of a template says where its value comes from."""
    for name, text in spec.outputs.items() if isinstance(spec, Body) else ():
        if OPEN not in text:
            problem = f"expected text with an expression, found {found(text)}"
            hint = f"write ${{{{ steps.NAME.outputs.{name} }}}}"
            yield PathFault(path=("spec", "outputs", name), problem=problem, hint=hint)


def texts_of_calls(spec: Spec) -> Iterator[tuple[Path, str]]:
    """The texts that templates are given, with their paths."""
    for path, call in calls_of(spec):
        for name, value in given(call.params, {}).items():
            if isinstance(value, str):
                yield (*path, "params", name), value


CALL_RULES: tuple[Callable[[Spec], Iterator[PathFault]], ...] = (calls, outputs)
