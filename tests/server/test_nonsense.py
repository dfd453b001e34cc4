"""Whatever is sent to a real server: no answer is a failure of the server, and none is late.

What is tried is the same each time, unless it is to be tried at length (`make torture`).
"""

import json
import random
import string
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

from hypothesis import given, settings
from hypothesis import strategies as st
from nonsense import bent, bent_json
from server.served import Served
from story import Story

from controller.server.app import ROUTES

LONG = settings.get_current_profile_name() == "torture"
tried = settings(derandomize=not LONG)
SEEDS = st.integers(0, 2**32).map(random.Random)
LATE_SECONDS = 5.0  # a second, on a machine that does nothing else

NAMES = (
    *("etl", "etl@latest", "nope", "etl@", "@", "etl/extract", "", ".", "..", "\0", "é\u2028"),
)
WORDS: dict[str, tuple[str, ...]] = {
    "step": ("extract", "load", "nope", "onFailure/x", "extract[1]"),
    "attempt": ("1", "2", "0", "-1", "9" * 18, "9" * 19, "9" * 40, "1e9", "one"),
    "offset": ("0", "5", "-5", "9" * 18, "9" * 19, "9" * 40, "x"),
    "limit": ("1", "0", "-1", "500", "501", "9" * 19, "all"),
    "tail": ("1", "0", "9" * 19, "-3", "x"),
    "text": ("one", "\n", "\0", "(", "é", "x" * 5_000),
    "run": ("1", "0", "2", "9" * 19, "-1", "last"),
    "at": ("1", "0", "9" * 19, "-1h", "yesterday", "2023-11-14T22:13:20Z", "9999-12-31", "10:00"),
    "audit": ("2023-11-14..2023-11-15", "..", "0001-01-01..9999-12-31", "x..y", "a"),
    "next": ("1", "0", "9" * 19),
    "selector": ("a=b", "a!=b,c", "a in (b)", "==", "a=b=c", ",", "!a", "a notin (x,"),
    "instances": ("all", "none", "unfinished", "some"),
    "phase": ("Failed", "Running,Failed", ",,", "running"),
    "q": ("etl", "ETL", "\0", "=" * 3_000),
    "continue": ("etl", "nope", ""),
    "workflow": NAMES,
    "since": ("1.1", "0.0", "1." + "9" * 18, "-1.1", "x", "1.1.1"),
    "rows": ("true", "1", "x"),
    "rev": (
        "HEAD",
        "-x",
        "--output=/tmp/x",
        "\0",
        "HEAD~99",
        "a" * 5_000,
        ":/x",
        "@{-1}",
        "..",
        "",
    ),
    "staged": ("true", "0"),
    "drafts": ("true", "0"),
}
BODIES: tuple[dict[str, Any], ...] = (
    {"uid": "UID", "run": 1, "steps": ["extract"], "reason": "because", "dryRun": True},
    {"uid": "UID", "run": 1, "question": 1, "approved": False, "downstream": True, "dryRun": True},
    {"uid": "UID", "params": {"a": [1, {"b": None}]}, "key": "k", "dryRun": True},
    {"code": "x"},
)
VERBS = ("start", "retry", "cancel", "suspend", "resume", "approve", "destroy")


def some(chance: random.Random) -> str:
    """A short text of anything."""
    size = chance.choice((0, 1, 3, 8, 40))
    letters = string.printable + "\0\x7f\x85\u2028éß💩"
    return "".join(chance.choice(letters) for _ in range(size))


def a_path(chance: random.Random) -> str:
    path = chance.choice(ROUTES).path
    name = chance.choice(NAMES) if chance.random() < 0.5 else some(chance)
    for part, value in (("name", name), ("verb", chance.choice(VERBS)), ("file", some(chance))):
        path = path.replace(f"{{{part}}}", quote_from_bytes(value.encode(), safe=""))
    data = bent(path.encode(), chance) if chance.random() < 0.2 else path.encode()
    return quote_from_bytes(data, safe="/%") or "/"


def a_query(chance: random.Random) -> str:
    names = chance.sample([*WORDS], chance.randrange(5))
    words = [
        (name, chance.choice(WORDS[name]) if chance.random() < 0.7 else some(chance))
        for name in names
    ]
    # A stream has no end, so it is not read here.
    return urlencode(words) if chance.random() < 0.9 else quote_from_bytes(some(chance).encode())


def check(served: Served, ask: Callable[[], Any], told: object) -> None:
    began = time.monotonic()
    code = ask()
    assert code < 500 or code in (503, 504), (told, code)
    assert time.monotonic() - began < LATE_SECONDS, told
    assert served.process.poll() is None, told


@settings(tried, max_examples=1_000 if LONG else 250)
@given(SEEDS)
def test_any_question_has_an_answer(served: Served, chance: random.Random) -> None:
    path, query = a_path(chance), a_query(chance)
    method = chance.choice(("GET", "GET", "GET", "GET", "HEAD", "PUT", "OPTIONS"))

    def ask() -> int:
        with served.begun(method, f"{path}?{query}") as answer:
            kind = answer.getheader("content-type", "")
            if "event-stream" not in kind and "follow" not in query:
                answer.read()
            return answer.status

    check(served, ask, (method, path, query))


@settings(tried, max_examples=500 if LONG else 150)
@given(SEEDS)
def test_any_body_is_done_or_refused(served: Served, story: Story, chance: random.Random) -> None:
    text = json.dumps(chance.choice(BODIES)).replace("UID", story.life("etl").uid).encode()
    body = chance.choice((bent, bent_json, bent_json, bent_json))(text, chance)
    if chance.random() < 0.1:
        depth = chance.choice((10, 300, 490, 500, 980, 990, 1_000, 20_000))
        body = b'{"uid":"x","params":{"a":' + b"[" * depth + b"]" * depth + b'},"dryRun":true}'
    path = chance.choice((*(f"/api/v1/workflows/etl/{verb}" for verb in VERBS), "/api/v1/session"))
    if b'"dryRun": true' not in body and b'"dryRun":true' not in body:
        path = "/api/v1/session"  # nothing is done here
    check(served, lambda: served.ask("POST", path, body=body).code, (path, body[:300]))


@settings(tried, max_examples=300 if LONG else 100)
@given(SEEDS)
def test_any_bytes_end_nothing(served: Served, chance: random.Random) -> None:
    body = json.dumps(chance.choice(BODIES[:3])).encode()
    data = served.head("/api/v1/overview?limit=3") + served.head(
        f"/api/v1/workflows/etl/{chance.choice(VERBS)}",
        "POST",
        "Content-Type: application/json",
        chance.choice((f"Content-Length: {len(body)}", "Transfer-Encoding: chunked")),
    )
    data = bent(data + body, chance)
    if chance.random() < 0.2:
        data = chance.randbytes(chance.choice((1, 100, 5_000)))

    def ask() -> int:
        said = served.says_to(data, shut=True)
        assert b"HTTP/1.1 500" not in said, said
        return served.get("/healthz").code

    check(served, ask, data)
