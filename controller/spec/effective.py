"""The policy of a workflow: what its spec says, over what the Defaults of the folders above say.

The nearest wins field by field: `retry` and its `backoff` field by field too, a list as a whole.
This is policy alone, so it is in no fingerprint and in no generation.
"""

from functools import reduce
from typing import Any, TypeVar

from msgspec import UNSET, Struct, structs

from controller.spec.linked import Linked
from controller.spec.models import DefaultsSpec, Retry, Spec

T = TypeVar("T", bound=Struct)

_CODES = ("exit_codes", "except_exit_codes")


def effective(spec: Spec) -> Spec:
    """The spec as if it said itself what it takes from the Defaults above it."""
    if not isinstance(spec, Linked) or not spec.above:
        return spec
    return reduce(over, (defaults.spec for defaults in spec.above), structs.replace(spec, above=()))


def over(nearer: T, farther: Struct) -> T:
    """`nearer`, and the fields of `farther` that it leaves out."""
    left_out = {*farther.__struct_fields__}
    if isinstance(nearer, Retry) and any(getattr(nearer, name) is not UNSET for name in _CODES):
        left_out -= {*_CODES}  # they exclude each other, so one also replaces the other
    taken = {name: _over(getattr(nearer, name), getattr(farther, name)) for name in left_out}
    return structs.replace(nearer, **taken)


def _over(nearer: Any, farther: Any) -> Any:
    if nearer is UNSET:
        return farther
    both = isinstance(nearer, Struct) and isinstance(farther, Struct)
    return over(nearer, farther) if both else nearer


def spec_of_defaults(policy: DefaultsSpec) -> Spec:
    """A spec without steps that says the same, for the rules that judge specs."""
    return over(Linked(steps=[]), policy)
