"""Answers: JSON by msgspec, and which status of HTTP an error is."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from controller.errors import (
    InvalidSpec,
    NotFound,
    Outdated,
    StorageError,
    TreadleError,
    UsageError,
)
from controller.server.shapes import Status


def answer(body: Any, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """As JSON."""
    return encoded(msgspec.json.encode(body), code, headers)


def encoded(body: bytes, code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """What is JSON already."""
    return Response(body, code, headers, "application/json")


def streamed(
    request: Request,
    news: AsyncIterator[bytes],
    kind: str,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """All of this as it comes; to HEAD only the head, so that nothing of it begins."""
    parts = news if request.method == "GET" else iter(())
    return StreamingResponse(parts, headers=headers, media_type=kind)


def word_of(value: Any) -> str:
    """A value as a command takes it."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def told(code: int, message: str) -> Status:
    """Why a request was not answered."""
    return Status(code=code, message=message)


def status_of(error: TreadleError) -> int:
    match error:
        case NotFound():
            return 404
        case Outdated():
            return 409
        case UsageError() | InvalidSpec():
            return 400
        case StorageError():
            return 503
    return 500


def number_in(query: Mapping[str, str], name: str, otherwise: int = 0) -> int:
    """A number of a query, or this one where it has none. Raises UsageError for another text."""
    text = query.get(name, "")
    if not text:
        return otherwise
    number = int_of(text)
    if not number and text != "0":
        raise UsageError(f"{name}: {text}: write a number")
    return number


def int_of(text: str) -> int:
    """A number without a sign; 0 where it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
