"""Where the server listens, and under which names it lets itself be reached."""

import os
import socket
import stat
from pathlib import Path

import pytest

from controller.errors import UsageError
from controller.server.listening import Address, listen, parse_address, reached


@pytest.mark.parametrize(
    ("text", "address", "shown"),
    [
        ("127.0.0.1:8321", Address("127.0.0.1", 8321), "127.0.0.1:8321"),
        (":8321", Address("127.0.0.1", 8321), "127.0.0.1:8321"),
        ("localhost:0", Address("localhost", 0), "localhost:0"),
        ("[::1]:80", Address("::1", 80), "[::1]:80"),
        ("[::]:80", Address("::", 80), "[::]:80"),
        ("0.0.0.0:65535", Address("0.0.0.0", 65_535), "0.0.0.0:65535"),
        ("unix:/run/x.sock", Address(path="/run/x.sock"), "unix:/run/x.sock"),
        ("unix:a:1", Address(path="a:1"), "unix:a:1"),
    ],
)
def test_an_address_is_read_and_shown(text: str, address: Address, shown: str) -> None:
    assert parse_address(text) == address
    assert str(address) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", "8321", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1", "unix:"),
        *("127.0.0.1:65536", "::1:80", "[::1]", "[::1]:", "127.0.0.1:٣", "http://127.0.0.1:80/"),
        *("127.0.0.1: 80", f"127.0.0.1:{'9' * 5_000}"),
    ],
)
def test_another_text_is_no_address(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        parse_address(text)


LOCAL = ["127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1", ":1"]
ANY = ["0.0.0.0:1", "[::]:1"]
REACHED = [*ANY, "10.0.0.1:1", "example.org:1", "127.1:1", "localhost.evil:1"]


@pytest.mark.parametrize("text", LOCAL)
def test_this_machine_alone_reaches_it(text: str) -> None:
    address = parse_address(text)
    assert address.is_local
    known = reached(address, "", insecure=False)
    assert {"localhost:1", "127.0.0.1:1", "[::1]:1"} <= known.hosts
    assert known.url == f"http://{address}"
    assert known.origins == {f"http://{host}" for host in known.hosts}


@pytest.mark.parametrize("text", REACHED)
@pytest.mark.parametrize("proxy", ["", "https://ci.example.org"])
def test_others_reach_it_only_where_its_user_says_so(text: str, proxy: str) -> None:
    with pytest.raises(UsageError, match="--insecure-http"):
        reached(parse_address(text), proxy, insecure=False)
    host = text.rpartition(":")[0].lower()
    assert f"{host}:1" in reached(parse_address(text), proxy, insecure=True).hosts


@pytest.mark.parametrize("text", ANY)
def test_whoever_listens_everywhere_is_reached_from_here_too(text: str) -> None:
    known = reached(parse_address(text), "", insecure=True)
    here = {"localhost:1", "127.0.0.1:1", "[::1]:1", f"{socket.gethostname().lower()}:1"}
    assert here <= known.hosts
    assert known.origins == {f"http://{host}" for host in known.hosts}


def test_messages_name_the_option_that_its_user_has_written() -> None:
    """`up --serve` has no other option of `serve`."""
    with pytest.raises(UsageError, match=r"^--serve x: write HOST:PORT"):
        parse_address("x", "--serve")
    for text in ("10.0.0.1:1", "unix:/x"):
        with pytest.raises(UsageError, match=rf"^--serve {text}: .*`treadle serve --behind-proxy`"):
            reached(parse_address(text, "--serve"), "", insecure=False)
    with listen(Address("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(UsageError, match=r"in use; name another with --serve$"):
            listen(parse_address(f":{port}", "--serve"))


def test_clients_leave_out_the_port_of_http() -> None:
    known = reached(parse_address("127.0.0.1:80"), "", insecure=False)
    assert {"127.0.0.1", "127.0.0.1:80", "localhost"} <= known.hosts
    assert "http://127.0.0.1" in known.origins


@pytest.mark.parametrize(
    ("proxy", "url"),
    [
        ("https://ci.example.org", "https://ci.example.org"),
        ("https://CI.Example.org/", "https://ci.example.org"),
        ("https://ci.example.org:443", "https://ci.example.org"),
        ("https://ci.example.org:8443", "https://ci.example.org:8443"),
        ("http://[::1]:81", "http://[::1]:81"),
    ],
)
def test_behind_a_proxy_it_has_the_origin_that_it_was_told(proxy: str, url: str) -> None:
    known = reached(parse_address(":1"), proxy, insecure=False)
    assert known.url == url
    assert url in known.origins
    assert url.partition("//")[2] in known.hosts
    assert "127.0.0.1:1" in known.hosts, "scripts on this machine go past the proxy"
    socket_only = reached(parse_address("unix:/x"), proxy, insecure=False)
    assert socket_only.hosts == {url.partition("//")[2], "localhost"}


@pytest.mark.parametrize(
    "proxy",
    [
        *("ci.example.org", "ftp://ci.example.org", "https://", "https://ci.example.org/treadle"),
        *("https://ci.example.org:x", "https://[::1", "https://ci.example.org:99999", "//x"),
    ],
)
def test_what_is_no_origin_is_refused(proxy: str) -> None:
    with pytest.raises(UsageError, match="--behind-proxy"):
        reached(parse_address(":1"), proxy, insecure=False)


def test_a_browser_reaches_no_unix_socket() -> None:
    with pytest.raises(UsageError, match="--behind-proxy"):
        reached(parse_address("unix:/x"), "", insecure=False)


def test_a_taken_port_is_told() -> None:
    with listen(Address("127.0.0.1", 0)) as first:
        port = first.getsockname()[1]
        with pytest.raises(UsageError, match=f"--listen 127.0.0.1:{port}: .*in use"):
            listen(Address("127.0.0.1", port))


@pytest.mark.parametrize(
    "address",
    [
        pytest.param(Address("x" * 300, 1), id="no name can be so long"),
        pytest.param(Address(path="/no/such/folder/x.sock"), id="no such folder"),
        pytest.param(Address(path="/tmp/" + "x" * 200), id="no socket can have so long a path"),
    ],
)
def test_where_nobody_can_listen_the_reason_is_told(address: Address) -> None:
    with pytest.raises(UsageError, match="--listen") as refused:
        listen(address)
    assert "None" not in str(refused.value)


def test_a_socket_file_is_for_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with listen(Address(path=str(path))):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with pytest.raises(UsageError, match="in use"):
            listen(Address(path=str(path)))
    assert path.exists(), "as a killed server leaves it"
    with listen(Address(path=str(path))), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch, os.mkfifo])
def test_nothing_but_a_dead_socket_is_replaced(tmp_path: Path, make: object) -> None:
    path = tmp_path / "x"
    make(path)  # type: ignore[operator]
    before = path.lstat().st_ino
    with pytest.raises(UsageError, match="in use"):
        listen(Address(path=str(path)))
    assert path.lstat().st_ino == before
