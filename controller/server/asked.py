"""What a button or a script sends to have something done. What does not fit is refused at once."""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from controller.errors import UsageError

_Count = Annotated[int, Meta(ge=0, lt=1 << 62)]
_Form = TypeVar("_Form")


class _Asked(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    uid: str
    reason: str = ""
    dry_run: bool = False


class Act(_Asked, frozen=True, kw_only=True):
    """What is to be done to a life. `uid`, `run`: those that its page has shown.

    `question`: of `approve`, the number of the one that is answered.
    """

    run: _Count
    steps: list[str] = []
    downstream: bool = False
    drain: bool = False
    question: _Count | None = None
    approved: bool = True


class Start(_Asked, frozen=True, kw_only=True):
    """An instance of the definition with this `uid` is to begin."""

    params: dict[str, Any] = {}
    key: str = ""


class Code(Struct, frozen=True, forbid_unknown_fields=True):
    """What a link carries."""

    code: str


VERBS = ("retry", "cancel", "suspend", "resume", "approve")  # that take an Act


def read(body: bytes, form: type[_Form]) -> _Form:
    """Raises UsageError."""
    try:
        return msgspec.json.decode(body, type=form)
    except msgspec.ValidationError as error:
        raise UsageError(f"the body of the request: {error}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the body of the request is not JSON: {error}") from None
