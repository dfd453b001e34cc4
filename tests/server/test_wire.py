"""What comes over a socket and is no HTTP, too much of it, too slow, or all at once."""

import resource
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest
from server.served import Served, all_of

from controller.server.door import BODY_BYTES_MAX
from controller.server.listening import CONNECTIONS_MAX, HEADER_BYTES_MAX

POST = ("Content-Type: application/json",)


def code_of(said: bytes) -> int:
    assert said.startswith(b"HTTP/1.1 "), said[:80]
    return int(said[9:12])


GARBAGE = {
    "nothing": b"",
    "line ends": b"\r\n" * 1_000,
    "bytes": bytes(range(256)) * 10,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no version": b"GET /\r\n\r\n",
    "a version that is none": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    "a header with a line end": b"GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
    "spaces in the path": b"GET /a b c HTTP/1.1\r\nHost: x\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a length in words": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n",
    "a length below zero": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
    "another coding": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_what_is_no_request_is_refused(served: Served, data: bytes) -> None:
    said = served.says_to(data, shut=True)
    assert said == b"" or code_of(said) in (400, 401, 421, 501)
    assert served.is_fine()


CHUNKS = {
    "no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "below zero": b"-1\r\n{}\r\n0\r\n\r\n",
    "a number without an end": b"f" * 100_000,
    "a huge chunk": b"ffffffffffffffff\r\n{}",
    "an extension without an end": b"2;" + b"a" * 100_000,
    "no line end": b"2\r\n{}XX0\r\n\r\n",
    "trailers without an end": b"2\r\n{}\r\n0\r\n" + b"X-A: b\r\n" * 20_000,
    "many small ones": b"1\r\n \r\n" * (BODY_BYTES_MAX + 10),
}


@pytest.mark.parametrize("data", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("path", ["/api/v1/workflows/etl/start", "/api/v1/session"])
def test_chunks_that_are_nonsense_are_refused(served: Served, path: str, data: bytes) -> None:
    head = served.head(path, "POST", *POST, "Transfer-Encoding: chunked")
    said = served.says_to(head + data, shut=True)
    assert said == b"" or code_of(said) in (400, 413)
    assert served.is_fine()


def test_nonsense_behind_a_request_that_is_being_answered(served: Served) -> None:
    """While a stream is open, and its own body comes as chunks that are none."""
    with served.connected() as client:
        client.sendall(served.head("/api/v1/events", "GET", "Transfer-Encoding: chunked"))
        said = b""
        while b"event: hello" not in said:
            said += client.recv(1 << 16)
        client.sendall(b"zz\r\nnonsense\r\n" * 1_000)
        client.shutdown(socket.SHUT_WR)
        all_of(client)
    assert served.is_fine()


def test_a_head_has_its_limit(served: Served) -> None:
    fits = served.head(
        "/healthz", "GET", "X-Long: " + "a" * (HEADER_BYTES_MAX // 2), "Connection: close"
    )
    assert code_of(served.says_to(fits)) == 200
    before = served.rss()
    for data in (
        served.head("/healthz", "GET", "X-Long: " + "a" * (10 << 20)),
        served.head("/healthz", "GET", *(f"X-{number}: a" for number in range(500_000))),
        b"GET /" + b"a" * (10 << 20),
        b"a" * (10 << 20),
    ):
        said = served.says_to(data, shut=True)
        assert said == b"" or code_of(said) in (400, 431)
    assert served.rss() - before < 40 << 20
    assert served.is_fine()


def test_a_body_has_its_limit(served: Served) -> None:
    path = "/api/v1/workflows/etl/start"
    for size, code in ((BODY_BYTES_MAX, 400), (BODY_BYTES_MAX + 1, 413), (100 << 20, 413)):
        head = served.head(path, "POST", *POST, f"Content-Length: {size}", "Connection: close")
        assert code_of(served.says_to(head + b" " * min(size, 1 << 20))) == code
    head = served.head(path, "POST", *POST, "Transfer-Encoding: chunked")
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    assert code_of(served.says_to(head + chunk * 8)) == 413
    assert served.is_fine()


def test_a_body_that_nobody_reads_ends_its_connection(served: Served) -> None:
    """Else a client could hold it for good by a byte from time to time."""
    with served.connected() as client:
        client.sendall(served.head("/healthz", "GET", "Content-Length: 1000"))
        client.sendall(b"x")
        said = all_of(client)
    assert code_of(said) == 200
    assert b"connection: close" in said.lower()


def test_requests_that_come_at_once_are_answered_in_turn(served: Served) -> None:
    one = served.head("/healthz") + served.head("/api/v1/pools")
    said = served.says_to(
        one * 20 + served.head("/healthz", "GET", "Connection: close"), shut=False
    )
    assert said.count(b"HTTP/1.1 200 ") == 41
    said = served.says_to(served.head("/healthz") + b"nonsense\r\n\r\n")
    assert said.count(b"HTTP/1.1 200 ") == 1
    assert said.count(b"HTTP/1.1 400 ") == 1
    assert served.is_fine()


def test_a_body_can_hold_no_request(served: Served) -> None:
    """What is refused before its body was read is not followed by what stands in the body."""
    inner = served.head("/api/v1/overview")
    head = served.head("/api/v1/workflows/etl/start", "POST", f"Content-Length: {len(inner)}")
    said = served.says_to(head + inner)
    assert code_of(said) == 415
    assert said.count(b"HTTP/1.1 ") == 1
    both = ("Content-Length: 5", "Transfer-Encoding: chunked")
    said = served.says_to(
        served.head("/api/v1/session", "POST", *POST, *both) + b"0\r\n\r\n" + inner
    )
    assert code_of(said) == 400
    assert said.count(b"HTTP/1.1 ") == 1


def test_an_old_client_is_answered(served: Served) -> None:
    head = served.head("/healthz").replace(b"HTTP/1.1", b"HTTP/1.0")
    assert code_of(served.says_to(head)) == 200, "and the connection is ended"
    assert code_of(served.says_to(b"GET /healthz HTTP/1.0\r\n\r\n")) == 421


def test_a_client_that_goes_away_is_forgotten(served: Served) -> None:
    for _ in range(50):
        with served.connected() as client:
            client.sendall(served.head("/api/v1/events?rows=1"))
        with served.connected() as client:
            client.sendall(served.head("/api/v1/workflows/etl/insight"))
        with served.connected() as client:
            client.sendall(served.head("/api/v1/workflows/etl/log?step=extract&attempt=1&follow=1"))
    served.place.until(lambda: files_open(served) < 40)
    assert served.is_fine()


def files_open(served: Served) -> int:
    return len([*Path(f"/proc/{served.process.pid}/fd").iterdir()])


def test_too_many_connections_are_refused_and_the_rest_is_served(served: Served) -> None:
    """However many come: files and memory of the server stay bounded."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS_MAX + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, wanted + 200), hard), hard))
    with ExitStack() as stack:
        clients = []
        for _ in range(wanted):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", served.port), 20))
            clients.append(client)
        clients[0].sendall(served.head("/healthz", "GET", "Connection: close"))
        said = all_of(clients[0])
        assert said == b"" or code_of(said) in (200, 503)
        served.place.until(lambda: files_open(served) < 2 * CONNECTIONS_MAX + 60)
    served.place.until(lambda: served.get("/healthz").code == 200)
    assert served.is_fine()
