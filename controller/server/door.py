"""What every request has to pass, whatever it asks for: the one middleware of the server.

It checks the host (a name that somebody else's DNS gives this address is refused), where the
request comes from, the kind and the size of its body, and its token; and it puts the headers on
each answer that keep a browser from doing what the page does not want. A route that is not in
`_is_open` needs a token, and one that changes something needs one that may operate.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping

import msgspec
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.printing import complain
from controller.server.access import Access, Role
from controller.server.answers import int_of, told

API = "/api/v1"
SESSION = f"{API}/session"
HOOKS = f"{API}/hooks/"
BODY_BYTES_MAX = 64 << 10
BODY_SECONDS = 30.0
_CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_NOT_KEPT = (b"cache-control", b"no-store")
_LAST = (b"connection", b"close")
_AWAY = "the state folder is not there now, so nobody can tell who may do what; ask again later"
_TOO_LARGE = f"the body is larger than {BODY_BYTES_MAX:,} bytes"


class Refused(Exception):
    """The answer to a request that does not get through."""

    def __init__(self, code: int, message: str, **headers: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.headers = headers


class Door:
    """`hosts`: under which the server is reached, as `Host` says it; `origins`: of its own page."""

    def __init__(
        self, app: ASGIApp, access: Access, hosts: Collection[str], origins: Collection[str]
    ) -> None:
        self._app = app
        self._access = access
        self._hosts = frozenset(hosts)
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        begun = False
        headers = _headers(scope)
        body = _Body(receive, headers)

        async def answer(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                ours = _with_ours(message["headers"], last=body.is_left)
                message = {**message, "headers": ours}
            await send(message)

        try:
            self._check(scope, headers)
            await self._app(scope, body.receive, answer)
        except Refused as refused:
            if not begun:
                await _say(answer, refused.code, refused.message, refused.headers)
        except ClientDisconnect:
            return
        except Exception as error:  # one request can't end the server
            complain(f"{scope['method']} {scope['path']}: {type(error).__name__}: {error}")
            if not begun:
                await _say(answer, 500, "the server failed; its stderr says more")

    def _check(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Raises Refused."""
        if headers.get("host", "").lower() not in self._hosts:
            raise Refused(
                421, "this server is not known by that host name (see treadle serve --help)"
            )
        if "transfer-encoding" in headers and "content-length" in headers:
            raise Refused(400, "the body has two lengths")  # a proxy may have believed the other
        method, path = scope["method"], scope["path"]
        if method in _CHANGING:
            self._check_change(method, headers)
        role = self._role(headers)
        scope["treadle.role"] = role
        if role is None and path.startswith(API) and not self._access.can_tell:
            raise Refused(503, _AWAY)
        if _is_open(method, path):
            return
        if role is None:
            raise Refused(
                401,
                "a token is needed: `treadle serve --link` prints a link for a browser; for "
                "scripts, one lies in STATE/web/view",
                **{"www-authenticate": "Bearer"},
            )
        if method in _CHANGING and role != "operate" and path != SESSION:
            raise Refused(403, "this token is only for viewing")

    def _check_change(self, method: str, headers: Mapping[str, str]) -> None:
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in self._origins:
            raise Refused(403, "a page of another origin can't ask for changes")
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise Refused(403, "a page of another site can't ask for changes")
        if method != "DELETE" and not _is_json(headers.get("content-type", "")):
            raise Refused(415, "send application/json")
        if int_of(headers.get("content-length", "0")) > BODY_BYTES_MAX:
            raise Refused(413, _TOO_LARGE)

    def _role(self, headers: Mapping[str, str]) -> Role | None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return self._access.role_of(token.strip()) if scheme.lower() == "bearer" else None


def _is_json(content_type: str) -> bool:
    """No form of a page can send this, so a browser asks first whether it may, and may not."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (
        kind.startswith("application/") and kind.endswith("+json")
    )


def _is_open(method: str, path: str) -> bool:
    """What needs no token: the shell of the page, which holds no data; a sign of life; and what
    brings a secret of its own: a code, a webhook.
    """
    if method in ("GET", "HEAD"):
        return path in ("/", "/healthz") or path.startswith("/page/")
    return method == "POST" and (path == SESSION or path.startswith(HOOKS))


class _Body:
    """What the client sends: no more than BODY_BYTES_MAX, and in BODY_SECONDS."""

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        self._receive = receive
        self._announced = (
            "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
        )
        self._left = BODY_BYTES_MAX
        self._more = True
        self._until = asyncio.get_running_loop().time() + BODY_SECONDS

    @property
    def is_left(self) -> bool:
        """Whether some of it has not been read. Nobody will, so its connection is of no use."""
        return self._announced and self._more

    async def receive(self) -> Message:
        """Raises Refused."""
        if not self._more:
            return await self._receive()  # it waits until the client has gone
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise Refused(408, f"the body did not come within {BODY_SECONDS:.0f} s") from None
        if message["type"] == "http.request":
            self._more = message.get("more_body", False)
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise Refused(413, _TOO_LARGE)
        return message


def _headers(scope: Scope) -> dict[str, str]:
    """By lower-case name; of one that is given twice, both."""
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1"), value.decode("latin-1")
        headers[name] = f"{headers[name]}, {text}" if name in headers else text
    return headers


def _with_ours(headers: Iterable[tuple[bytes, bytes]], last: bool) -> list[tuple[bytes, bytes]]:
    """`last`: the connection ends with this answer."""
    given = [*headers]
    kept = any(name == _NOT_KEPT[0] for name, _ in given)
    return [*given, *_HEADERS, *(() if kept else (_NOT_KEPT,)), *((_LAST,) if last else ())]


async def _say(
    send: Send, code: int, message: str, headers: Mapping[str, str] | None = None
) -> None:
    body = msgspec.json.encode(told(code, message))
    more = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    more.append((b"content-type", b"application/json"))
    await send({"type": "http.response.start", "status": code, "headers": more})
    await send({"type": "http.response.body", "body": body})
