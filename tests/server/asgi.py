"""The server's routes without a socket: a request in, the whole answer out."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec
from starlette.types import ASGIApp, Message

HOST = "127.0.0.1:8321"


class Answer(NamedTuple):
    """`headers`: by lower-case name."""

    code: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


async def ask(
    app: ASGIApp,
    method: str,
    path: str,
    *,
    query: str = "",
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: Any = None,
    chunks: Iterable[bytes] | None = None,
) -> Answer:
    """`body` goes as JSON; `chunks` are bytes as they come. The client goes after its answer."""
    sent = [b"" if body is None else msgspec.json.encode(body)] if chunks is None else [*chunks]
    given = {"host": HOST}
    given |= {"content-type": "application/json"} if method == "POST" else {}
    length = {"content-length": str(len(sent[0]))} if sent and sent[0] else {}
    given |= length if chunks is None else {"transfer-encoding": "chunked"}
    given |= {} if token is None else {"authorization": f"Bearer {token}"}
    given |= headers or {}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(errors="replace"),
        "root_path": "",
        "query_string": query.encode(errors="replace"),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
        "client": None,
        "server": None,
        "state": {},
    }
    over = asyncio.Event()
    got: list[Message] = []

    async def receive() -> Message:
        if sent:
            part = sent.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(sent)}
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        got.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            over.set()

    await app(scope, receive, send)
    begins, *parts = got
    named = {name.decode().lower(): value.decode("latin-1") for name, value in begins["headers"]}
    return Answer(begins["status"], named, b"".join(part.get("body", b"") for part in parts))
