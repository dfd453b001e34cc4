"""What somebody who has no token, or a page of another site, tries on a real server."""

import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from cli.place import Place
from server.served import Served
from server.stories import output_of
from story import Story

from controller.server.access import _hash

LOG = "workflows/etl/log?step=extract&attempt=1"
SEARCH = "workflows/etl/search?step=extract&attempt=1"


def test_a_link_is_good_once(served: Served) -> None:
    refused = served.trade(served.code)
    assert refused.code == 401
    assert "treadle serve --link" in refused.json["message"]


def test_of_two_who_use_a_link_at_once_one_gets_in(served: Served) -> None:
    for _ in range(2):
        code = served.place.says("serve", "--link").strip().rpartition("#")[2]
        with ThreadPoolExecutor(8) as pool:
            codes = [answer.code for answer in pool.map(served.trade, [code] * 8)]
        assert sorted(codes) == [200] + [401] * 7


def test_a_link_that_is_too_old_is_good_for_nothing(served: Served, place: Place) -> None:
    code = place.says("serve", "--link", "--view").strip().rpartition("#")[2]
    path = place.state / "web/codes" / _hash(code)
    path.write_text(path.read_text().replace('"until":', '"until":1,"was":'))
    assert served.trade(code).code == 401


def test_a_link_for_viewing_changes_nothing(served: Served, place: Place) -> None:
    link = place.says("serve", "--link", "--view").strip()
    assert link.startswith(served.url)
    session = served.trade(link.rpartition("#")[2]).json
    assert session["role"] == "view"
    assert served.get("overview", token=session["token"]).code == 200
    for verb in ("start", "retry", "cancel", "suspend", "resume", "approve"):
        answer = served.post(f"workflows/etl/{verb}", {"uid": "x"}, token=session["token"])
        assert answer.code == 403
    assert served.ask("DELETE", "session", token=session["token"]).code == 200
    assert served.get("overview", token=session["token"]).code == 401


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Host": "evil.example"}, id="a name that somebody's DNS gave us"),
        pytest.param({"Host": "127.0.0.1"}, id="another port"),
        pytest.param(
            {"Host": "evil.example", "X-Forwarded-Host": "127.0.0.1"}, id="a forged header"
        ),
        pytest.param({"Origin": "https://evil.example"}, id="a page of another site"),
        pytest.param({"Origin": "null"}, id="a file, or a frame without an origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, id="what a browser says of it"),
        pytest.param({"Content-Type": "text/plain"}, id="what a form sends without asking"),
        pytest.param({"Content-Type": "application/x-www-form-urlencoded"}, id="a form"),
    ],
)
def test_a_hostile_page_gets_nothing_done_even_with_a_token(
    served: Served, story: Story, headers: dict[str, str]
) -> None:
    body = {"uid": story.life("etl").uid, "run": 1, "reason": "hacked"}
    answer = served.post("workflows/etl/cancel", body, headers=headers)
    assert answer.code in (403, 415, 421)
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert not (served.place.specs / "etl.cancel").exists()


def test_no_browser_is_told_that_another_site_may_ask(served: Served) -> None:
    said = {
        "Origin": "https://evil.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = served.ask("OPTIONS", "workflows/etl/cancel", headers=said)
    assert answer.code in (401, 405)
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_what_a_proxy_says_is_not_believed(served: Served) -> None:
    said = {"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "Forwarded": "for=1.2.3.4"}
    assert served.get("overview", headers=said).code == 200
    said |= {"X-Forwarded-User": "root", "Authorization": "Basic cm9vdDpyb290"}
    assert served.get("overview", headers=said).code == 401


TRAVERSALS = [
    *("../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "....//etc"),
    *("%00", "etl%00", "%ff%fe", "%c0%ae%c0%ae%2f", "a" * 30_000, "%F0%9F%92%A9" * 500, "..", "."),
    *("file:///etc/passwd", "//evil.example/", "\\..\\..\\x", "~root", "-rf", "$(id)", "`id`", "%"),
    *("etl@../../x", "etl@%00", "etl/../etl", ";", "%0d%0aX-Evil:%201", "%u002e", "*", "?", "#"),
]


@pytest.mark.parametrize("evil", TRAVERSALS, ids=lambda text: text[:20])
def test_nothing_that_is_asked_for_is_a_path(served: Served, evil: str) -> None:
    secret = Path("/etc/passwd").read_bytes()[:20]
    raw = quote(evil, safe="/%.~:;*@$()`-\\")
    paths = [
        *(f"/{raw}", f"/page/{raw}", f"/api/v1/{raw}", f"/page/..%2f{raw}", f"/page/../{raw}"),
        *(f"workflows/{raw}{part}" for part in ("", "/log", "/graph", "/insight", "/instances")),
        f"workflows/{raw}/log?step=extract&attempt=1",
        f"workflows/etl/log?step={raw}&attempt=1",
        f"workflows/etl/log?step=extract&attempt={raw}",
        f"workflows/etl/log?step=extract&attempt=1&offset={raw}&limit={raw}",
        f"workflows/etl/log?step=extract&attempt=1&tail={raw}",
        f"workflows/etl/search?step=extract&attempt=1&text={raw}&offset={raw}",
        f"workflows/etl?run={raw}",
        f"workflows/etl?at={raw}",
        f"workflows/etl/schedule?audit={raw}",
        f"workflows/etl/schedule?next={raw}",
        f"workflows/etl/changes?run={raw}",
        f"workflows?selector={raw}",
        f"workflows?at={raw}",
        f"overview?q={raw}&phase={raw}&limit={raw}",
        f"overview?continue={raw}",
        f"overview?instances={raw}",
        f"explain?workflow={raw}",
        f"explain?workflow=etl&step={raw}",
        f"diff?rev={raw}",
        f"events?since={raw}",
        f"events?since=9&workflow={raw}",
    ]
    for path in paths:
        with served.begun("GET", path) as answer:
            assert answer.status < 500, (path[:200], answer.read())
            kind = answer.getheader("content-type", "")
            body = b"" if kind.startswith("text/event-stream") else answer.read()
        assert secret not in body, path
        assert b"X-Evil" not in bytes(str(answer.getheaders()), "utf-8")
    assert served.is_fine()


@pytest.mark.parametrize(
    "put",
    [
        pytest.param(lambda path: path.symlink_to("/etc/passwd"), id="a link"),
        pytest.param(os.mkfifo, id="a pipe"),
        pytest.param(Path.mkdir, id="a folder"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), id="a link to a device"),
        pytest.param(lambda path: path.symlink_to(path), id="a link to itself"),
        pytest.param(None, id="nothing"),
    ],
)
def test_something_else_in_place_of_an_output_is_not_read(
    served: Served, place: Place, story: Story, put: Callable[[Path], object] | None
) -> None:
    path = output_of(place.state, story)
    aside = path.rename(path.with_name("aside"))
    if put is not None:
        put(path)
    try:
        for what in (LOG, f"{LOG}&tail=5", f"{SEARCH}&text=root", f"{LOG}&follow=1"):
            answer = served.get(what)
            assert answer.code == (404 if put is None else 503), (what, answer)
            assert b"root:" not in answer.body
        assert served.get("workflows/etl/insight").code == 200, "which shows its last lines"
        assert served.is_fine()
    finally:
        if put is not None:
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        aside.rename(path)


def test_a_folder_of_outputs_that_is_a_link_is_not_followed(
    served: Served, place: Place, story: Story, tmp_path: Path
) -> None:
    folder = output_of(place.state, story).parent
    os.rename(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    answer = served.get(LOG)
    folder.unlink()
    os.rename(tmp_path / "elsewhere", folder)
    assert answer.code == 503
    assert b"three" not in answer.body
    assert served.get(LOG).body == b"one\ntwo\nthree\n"


def test_an_output_is_bytes_and_no_page(served: Served, place: Place, story: Story) -> None:
    data = b"<script>alert(1)</script>\x1b[31m\xff\xfe\x00\r\n\xe2\x80\xa8"
    path = output_of(place.state, story)
    before = path.read_bytes()
    path.write_bytes(data)
    answer = served.get(LOG)
    path.write_bytes(before)
    assert (answer.code, answer.body) == (200, data)
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_who_asks_for_a_websocket_gets_none(served: Served) -> None:
    more = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    head = served.head(
        "/api/v1/events", "GET", *more, "Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw=="
    )
    with served.connected() as client:
        client.sendall(head)
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 "), "a stream as for all others"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "CONNECT", "PUT", "get", "X" * 500])
def test_other_methods_do_nothing(served: Served, method: str) -> None:
    said = served.says_to(served.head("/api/v1/overview", method, "Connection: close"))
    code = int(said.split(b" ", 2)[1])
    assert code == 200 if method == "HEAD" else code in (400, 405, 415)
    assert b"etl" not in said.partition(b"\r\n\r\n")[2]
    if method == "TRACE":
        assert (served.token or "").encode() not in said


def test_a_token_is_found_nowhere_but_in_the_answer_to_its_code(
    served: Served, place: Place
) -> None:
    token = served.token or ""
    for path in (path for path in place.root.rglob("*") if path.is_file()):
        assert token.encode() not in path.read_bytes(), path
    listed = Path(f"/proc/{served.process.pid}/cmdline").read_bytes()
    listed += Path(f"/proc/{served.process.pid}/environ").read_bytes()
    for secret in (token, served.code):
        assert secret.encode() not in listed


def test_the_socket_is_on_loopback_alone(served: Served) -> None:
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)}
    for address in {str(other) for other in others if not str(other).startswith(("127.", "::1"))}:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as client:
            assert client.connect_ex((address, served.port)) != 0
