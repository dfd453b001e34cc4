"""Who gets through the door: every route, with every kind of token, and with none."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from server.asgi import HOST, Answer, ask
from starlette.routing import Route
from story import Story

from controller.server import door
from controller.server.access import _hash
from controller.server.app import ROUTES
from controller.server.door import BODY_BYTES_MAX

from .conftest import House, Houses, Write

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")
OURS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
OPEN = {
    *((method, path) for method in ("GET", "HEAD") for path in ("/", "/page/x", "/healthz")),
    ("POST", "/api/v1/session"),
}


def walked() -> Iterator[tuple[str, str]]:
    """Each route with each method, whether it has that or not."""
    for route in ROUTES:
        assert isinstance(route, Route)
        path = route.path.replace("{file}", "x").replace("{name}", "etl").replace("{verb}", "retry")
        for method in METHODS:
            yield method, path


def check_headers(answer: Answer) -> None:
    assert OURS.items() <= answer.headers.items()
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= {*policy}
    assert not any("unsafe" in rule or "*" in rule for rule in policy)
    assert "cache-control" in answer.headers
    assert not any(name.startswith("access-control-") for name in answer.headers)


def forged(house: House, token: str, until: int, role: str = "operate") -> str:
    path = Path(house.context.mirror.state_dir, "web", "sessions", _hash(token))
    path.write_text(json.dumps({"role": role, "until": until}))
    return token


def test_no_route_answers_who_has_no_token_with_data(
    houses: Houses, write: Write, story: Story
) -> None:
    write(story)

    async def test(house: House) -> None:
        expired = forged(house, "an old session", until=1)
        for method, path in walked():
            for token in (None, "", "wrong", expired, house.view[:-1], f"{house.view}x", "é"):
                answer = await ask(house.app, method, path, token=token, query="workflow=etl")
                check_headers(answer)
                assert b"extract" not in answer.body, (method, path)
                if path.startswith(door.HOOKS):
                    assert answer.code in (401, 415), "it brings a secret of its own"
                elif (method, path) not in OPEN:
                    assert answer.code == 401 or answer.json["code"] in (401, 415), (method, path)
                    assert "www-authenticate" in answer.headers or answer.code == 415
                elif path == "/page/x":
                    assert answer.code == 404
                elif path == door.SESSION:
                    assert answer.code == 400, "it has no code in it"
                else:
                    assert answer.code == 200

    houses.within(test)


def test_a_token_for_viewing_changes_nothing(houses: Houses, write: Write, story: Story) -> None:
    write(story)

    async def test(house: House) -> None:
        for method, path in walked():
            session = forged(house, "a session", until=1 << 40, role="view")
            for token in (house.view, session):
                answer = await ask(
                    house.app,
                    method,
                    path,
                    token=token,
                    headers={"content-type": "application/json"},
                    query="workflow=etl&since=7",
                )
                check_headers(answer)
                if path.startswith(door.HOOKS):
                    assert answer.code == 401 or method != "POST", "it is not its secret"
                elif method in ("POST", "PUT", "PATCH", "DELETE") and path != door.SESSION:
                    assert answer.code == 403, (method, path)
                assert answer.code < 500, (method, path, answer.body)
            ended = (method, path) == ("DELETE", door.SESSION)
            assert house.context.access.role_of(session) == (None if ended else "view")
            assert house.context.access.role_of(house.view) == "view", "that of scripts stays"

    houses.within(test)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({}, 404, id="a script"),
        pytest.param({"origin": f"http://{HOST}"}, 404, id="its own page"),
        pytest.param({"origin": f"HTTP://{HOST}".upper()}, 404, id="its own page in capitals"),
        pytest.param({"origin": "http://evil.example"}, 403, id="another site"),
        pytest.param({"origin": "null"}, 403, id="a sandboxed frame or a file"),
        pytest.param({"origin": ""}, 403, id="an empty origin"),
        pytest.param({"origin": "http://127.0.0.1:9999"}, 403, id="another port of this machine"),
        pytest.param({"origin": f"https://{HOST}"}, 403, id="another scheme"),
        pytest.param({"origin": f"http://{HOST}.evil.example"}, 403, id="a longer name"),
        pytest.param({"sec-fetch-site": "same-origin"}, 404, id="fetched by its own page"),
        pytest.param({"sec-fetch-site": "cross-site"}, 403, id="fetched by another site"),
        pytest.param({"sec-fetch-site": "same-site"}, 403, id="fetched by another port"),
        pytest.param({"sec-fetch-site": "Same-Origin, x"}, 403, id="nonsense"),
        pytest.param({"content-type": "application/cloudevents+json"}, 404, id="a kind of JSON"),
        pytest.param({"content-type": "text/x+json"}, 415, id="a text that says that it is JSON"),
        pytest.param({"content-type": "text/plain"}, 415, id="what a form can send"),
        pytest.param({"content-type": "application/x-www-form-urlencoded"}, 415, id="a form"),
        pytest.param({"content-type": "multipart/form-data; boundary=x"}, 415, id="a file form"),
        pytest.param({"content-type": ""}, 415, id="no type"),
        pytest.param({"content-type": "application/json; charset=utf-8"}, 404, id="with charset"),
        pytest.param({"content-type": "text/plain; application/json"}, 415, id="as a parameter"),
        pytest.param({"content-length": str(BODY_BYTES_MAX + 1)}, 413, id="it says it is large"),
        pytest.param({"content-length": "-1"}, 404, id="a length that is none"),
        pytest.param({"host": "evil.example:8321"}, 421, id="a name that was bound to us"),
        pytest.param({"host": "127.0.0.1"}, 421, id="without its port"),
        pytest.param({"host": f"{HOST}."}, 421, id="with a dot"),
        pytest.param({"host": f"{HOST}, evil.example"}, 421, id="two hosts"),
        pytest.param({"host": f"user@{HOST}"}, 421, id="with a user"),
        pytest.param({"host": ""}, 421, id="no host"),
        pytest.param(
            {"host": "evil.example", "x-forwarded-host": HOST, "forwarded": f"host={HOST}"},
            421,
            id="what a proxy would say is not believed",
        ),
    ],
)
def test_where_a_request_comes_from(houses: Houses, headers: dict[str, str], code: int) -> None:
    async def test(house: House) -> None:
        answer = await ask(
            house.app,
            "POST",
            "/api/v1/workflows/etl/start",
            token=house.operate,
            headers=headers,
            body={"uid": "x"},
        )
        assert ("connection" in answer.headers) == (code != 404), "its body was not read"
        assert answer.code == code, answer.body
        assert answer.json["code"] == code
        check_headers(answer)

    houses.within(test)


@pytest.mark.parametrize("scheme", ["Basic", "bearer:", "", "Token", "Bearer\t"])
def test_a_token_comes_as_a_bearer(houses: Houses, scheme: str) -> None:
    async def test(house: House) -> None:
        for good, code in ((scheme, 401), ("bearer", 200), ("BEARER ", 200)):
            said = {"authorization": f"{good} {house.view}"}
            answer = await ask(house.app, "GET", "/api/v1/overview", headers=said)
            assert answer.code == code, said
        query = f"token={house.view}&access_token={house.view}"
        assert (await ask(house.app, "GET", "/api/v1/overview", query=query)).code == 401
        said = {"cookie": f"token={house.view}"}
        assert (await ask(house.app, "GET", "/api/v1/overview", headers=said)).code == 401

    houses.within(test)


def test_a_body_is_read_up_to_its_limit(houses: Houses) -> None:
    async def test(house: House) -> None:
        path, part = "/api/v1/workflows/etl/start", b" " * 1024
        fits = [b"{}", *[part] * (BODY_BYTES_MAX // 1024 - 1)]
        asked = {"token": house.operate}
        assert (await ask(house.app, "POST", path, chunks=fits, **asked)).code == 400
        answer = await ask(house.app, "POST", path, chunks=[*fits, part, b"x"], **asked)
        assert (answer.code, answer.headers["connection"]) == (413, "close")

    houses.within(test)


def test_a_body_that_does_not_come_is_not_waited_for(
    houses: Houses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "BODY_SECONDS", 0.05)

    async def test(house: House) -> None:
        answer = await ask(
            house.app, "POST", "/api/v1/workflows/etl/start", token=house.operate, chunks=[]
        )
        assert (answer.code, answer.headers["connection"]) == (408, "close")

    houses.within(test)


def test_a_route_that_fails_ends_nothing_and_tells_nothing(
    houses: Houses, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def test(house: House) -> None:
        monkeypatch.setattr(house.context.mirror, "look", lambda: 1 / 0)
        answer = await ask(house.app, "GET", "/api/v1/overview", token=house.view)
        assert answer.code == 500
        assert b"division" not in answer.body
        check_headers(answer)
        assert "division by zero" in capsys.readouterr().err

    houses.within(test)


def test_nothing_leads_elsewhere(houses: Houses) -> None:
    """The server does not know under which scheme a proxy is reached."""

    async def test(house: House) -> None:
        for path in ("/api/v1/overview/", "/page/index.html/", "//evil.example/", "/page//x/"):
            answer = await ask(house.app, "GET", path, token=house.view)
            assert (answer.code, "location" in answer.headers) == (404, False), path

    houses.within(test)
