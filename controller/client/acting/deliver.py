"""Take a delivery to a webhook: find out whether its sender may, and make a request of it.

It may if it proves that it knows the secret of the hook: as a token (`Authorization: Bearer`,
`X-Gitlab-Token`), or by a signature of the body (`X-Hub-Signature-256`). The secret is read at each
delivery, so a new one counts at once, and it is kept nowhere. Who does not know it learns nothing:
a hook that is not there answers as one with another secret, and takes as long. So then another file
is read, and the headers are compared with a secret that nobody has.

A delivery that is taken is durable, with or without a controller. Cost: two reads of small files, a
listing of the waiting requests, and two syncs.
"""

import hmac
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

import controller
from controller.errors import StorageError, TreadleError
from controller.executor.secrets import CannotPrepare, of_file
from controller.executor.shim.spawn import NotNow
from controller.intake.inputs import anchored
from controller.intake.requests import started_before
from controller.model.observations import Request
from controller.model.state import State, Workflow
from controller.requests import count_waiting, drop
from controller.spec.triggers.keys import LATEST, key_by_hand
from controller.spec.triggers.trigger import BODY_BYTES_MAX, ResolvedTrigger, triggers
from controller.spec.values import WORD_BYTES_MAX, NotJson, mismatch, read_json

WAITING_MAX = 1_000  # requests that no controller has taken yet
KEY_HEADERS = (
    "idempotency-key",
    "x-github-delivery",
    "x-gitlab-event-uuid",
)  # the first one counts


class Receipt(NamedTuple):
    """What became of a delivery. `key`: "" if the sender gave none.

    `request`: the name of the request; "" if none was needed, since the key is known. `instance` is
    then the one that it has begun.
    """

    key: str
    request: str = ""
    instance: str = ""


class NotDelivered(TreadleError):
    """Nothing was done. The text is for the sender, the `note` for who runs the server."""

    status = 400  # of HTTP

    def __init__(self, said: str, note: str = "") -> None:
        super().__init__(said)
        self.note = note


class Malformed(NotDelivered):
    """It can't be understood."""


class Unauthorized(NotDelivered):
    """There is no such hook, or the sender does not know its secret."""

    status = 401


class TooLarge(NotDelivered):
    status = 413


class TooMany(NotDelivered):
    """More requests wait than anybody will look at soon."""

    status = 429


class NotWritten(NotDelivered):
    """It can't be made durable, or not now."""

    status = 503


def deliver(
    state_dir: str,
    state: State,
    name: str,
    trigger: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Receipt:
    """Take a delivery to the webhook `trigger` of the definition `name`. Raises NotDelivered.

    `state`: the fold of the log. `headers`: by their names in lower case, one character a byte, as
    ASGI servers give them. `body`: all of it, or BODY_BYTES_MAX and one more.
    """
    if len(body) > BODY_BYTES_MAX:
        raise TooLarge(f"the body has more than {BODY_BYTES_MAX:,} bytes")
    found = _hook(state, name, trigger)
    secret, note = _secret(state, found)
    if not _knows(secret, headers, body) or found is None:
        raise Unauthorized("no such webhook, or not its secret", note)
    definition, _ = found
    request = Request(
        kind="deliver",
        workflow=name,
        uid=definition.uid,
        trigger=trigger,
        key=_key(headers),
        body=_read(headers, body),
    )
    if instance := started_before(definition, request):
        return Receipt(request.key, instance=instance)
    try:
        if count_waiting(state_dir) >= WAITING_MAX:
            raise TooMany(f"{WAITING_MAX:,} requests wait already; send it again later")
        return Receipt(request.key, drop(state_dir, request))
    except StorageError as error:
        raise NotWritten("it can't be written; send it again later", str(error)) from None


def _hook(state: State, name: str, trigger: str) -> tuple[Workflow, ResolvedTrigger] | None:
    definition = state.workflows.get(name)
    if definition is None or definition.starter is None or definition.deleting:
        return None
    if definition.pending is not None:  # an edit has taken its triggers away
        return None
    found = triggers(definition.spec).get(trigger)
    return None if found is None or found.kind != "webhook" else (definition, found)


# ---------------------------------------- who may


def _secret(state: State, found: tuple[Workflow, ResolvedTrigger] | None) -> tuple[bytes, str]:
    """The secret of the hook; one that nobody knows if there is none, and why that is so."""
    nobodys = os.urandom(32)
    # In place of a secret that is not there, another small file.
    path, whose = controller.__file__, ""
    if found is not None:
        definition, trigger = found
        path = anchored(state.controller.folder, definition.path, trigger.secret)
        whose = f"the secret of webhook {trigger.name} of {definition.name}"
    try:
        secret = of_file(path, whose)
    except CannotPrepare as problem:
        return nobodys, str(problem)
    except NotNow as problem:
        raise NotWritten("it can't be taken now; send it again later", str(problem)) from None
    if found is None:
        return nobodys, ""
    if not secret:
        return nobodys, f"{whose}: {path} is empty, so nothing can be delivered"
    if len(secret) > WORD_BYTES_MAX:
        return nobodys, f"{whose}: {path} has more than {WORD_BYTES_MAX:,} bytes"
    return secret, ""


def _knows(secret: bytes, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the sender knows the secret. How long this takes tells nothing of it."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    tokens = token.strip() if scheme.lower() == "bearer" else "", headers.get("x-gitlab-token", "")
    proofs = [hmac.compare_digest(_bytes(token), secret) for token in tokens]
    if signature := headers.get("x-hub-signature-256", ""):
        right = f"sha256={hmac.new(secret, body, 'sha256').hexdigest()}"
        proofs.append(hmac.compare_digest(_bytes(signature), right.encode()))
    return any(proofs)


def _bytes(value: str) -> bytes:
    """The value of a header as it came."""
    return value.encode("latin-1", errors="replace")


# ---------------------------------------- what it says


def _key(headers: Mapping[str, str]) -> str:
    """By what the sender tells its deliveries apart; "" if it does not."""
    given = next((value for name in KEY_HEADERS if (value := headers.get(name, "").strip())), "")
    if given == LATEST:
        raise Malformed(f'"{LATEST}" can\'t be a key: it names the newest instance')
    return key_by_hand(given)


def _read(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | list[Any]:
    if not body.strip():
        return {}
    type_ = headers.get("content-type", "").partition(";")[0].strip().lower()
    if type_ != "application/json" and not type_.endswith("+json"):
        raise Malformed(
            f"the content type of the body is {type_[:100] or 'missing'}; send application/json"
        )
    try:
        value, _ = read_json(body.decode())
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8") from None
    except NotJson as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict | list):
        raise Malformed("the body is neither a mapping nor a list")
    if problem := mismatch(value, "object" if isinstance(value, dict) else "array"):
        raise Malformed(f"the body can't be taken: {problem}")
    if len(msgspec.json.encode(value)) > BODY_BYTES_MAX:
        raise TooLarge(f"the body has more than {BODY_BYTES_MAX:,} bytes when it is written out")
    return value
