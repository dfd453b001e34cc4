"""Where the server listens, under which names it is reached, and how long it waits for a client.

It listens on loopback or on a unix socket; elsewhere only if its user says that everybody on the
way may read along. Behind a proxy it is told under which origin people reach it; what a proxy or
anybody else says of that in a request is not believed.
"""

import asyncio
import ipaddress
import logging
import os
import socket
import stat
from types import FrameType
from typing import NamedTuple
from urllib.parse import urlsplit

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from controller.errors import UsageError
from controller.printing import complain
from controller.server.feed import Feed

HEADER_SECONDS = 10.0
HEADER_BYTES_MAX = 64 << 10
CONNECTIONS_MAX = 256
REFUSED_MAX = 256  # more, which are told so; those beyond are just ended
IDLE_SECONDS = 30  # between two requests on a connection
STALLED_SECONDS = 60.0  # in which a client reads nothing of what waits for it
STOP_SECONDS = 2
_UNIX = "unix:"
_PORTS = {"http": 80, "https": 443}


class Address(NamedTuple):
    """Where to listen. `path`: of a unix socket; else `host` and `port` count.

    `option`: where its user has written it, for messages.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    option: str = "--listen"

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.path:
            return f"{_UNIX}{self.path}"
        return f"{_in_url(self.host)}:{self.port}"


class Reached(NamedTuple):
    """`url`: its origin in a browser. `hosts`, `origins`: those that a request may name."""

    url: str
    hosts: frozenset[str]
    origins: frozenset[str]


def parse_address(text: str, option: str = "--listen") -> Address:
    """`HOST:PORT`, `[V6]:PORT`, `:PORT` (loopback) or `unix:PATH`. Raises UsageError."""
    if text.startswith(_UNIX) and len(text) > len(_UNIX):
        return Address(path=text[len(_UNIX) :], option=option)
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    is_port = port.isascii() and port.isdecimal() and len(port) < 6 and int(port) < 65_536
    if not colon or not is_port or (":" in host and not text.startswith("[")):
        raise UsageError(f"{option} {text}: write HOST:PORT, [IPV6]:PORT or unix:PATH")
    return Address(host or "127.0.0.1", int(port), option=option)


def reached(address: Address, proxy: str, *, insecure: bool) -> Reached:
    """Under which names. `proxy`: the origin of a proxy in front of it; "": there is none.

    Raises UsageError if others on the way could read along and nobody has said that they may.
    """
    if not address.is_local and not insecure:
        raise UsageError(
            f"{address.option} {address}: on the way to there, others can read the tokens and "
            "change what is shown; listen on 127.0.0.1 behind a proxy that speaks HTTPS (`treadle "
            "serve --behind-proxy`), or take the risk with `treadle serve --insecure-http`"
        )
    names = _names(address)
    if proxy:
        origin = _origin(proxy)
        host = urlsplit(origin).netloc
        return Reached(origin, frozenset({host, *names}), frozenset({origin, *_origins(names)}))
    if address.path:
        raise UsageError(
            f"{address.option} {address}: a browser can't reach a socket; put a proxy in front of "
            "it, with `treadle serve --behind-proxy`"
        )
    return Reached(f"http://{address}", frozenset(names), _origins(names))


def _names(address: Address) -> set[str]:
    """As the header `Host` says them. The port of http is left out by clients."""
    if address.path:
        return {"localhost"}
    hosts = {_in_url(address.host).lower()}
    is_any = address.host in ("0.0.0.0", "::")  # noqa: S104 - its user has chosen it
    if address.is_local or is_any:
        hosts |= {"localhost", "127.0.0.1", "[::1]"}
    if is_any:
        hosts |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    ports = {f":{address.port}"} | ({""} if address.port == _PORTS["http"] else set())
    return {f"{host}{port}" for host in hosts for port in ports}


def _origins(names: set[str]) -> frozenset[str]:
    return frozenset(f"http://{name}" for name in names)


def _origin(text: str) -> str:
    """Raises UsageError."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/"):
        raise UsageError(f"--behind-proxy {text}: write an origin, like https://ci.example.org")
    shown = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{_in_url(parts.hostname)}{shown}"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


# ---------------------------------------- the socket


def listen(address: Address) -> socket.socket:
    """From here on clients can connect. Raises UsageError, for example if the port is taken."""
    try:
        listener = _unix_socket(address.path) if address.path else _tcp_socket(address)
        listener.listen(CONNECTIONS_MAX)
    except (OSError, ValueError, TypeError) as error:  # the latter: no host can be so
        why = (error.strerror if isinstance(error, OSError) else "") or error
        raise UsageError(
            f"{address.option} {address}: {why}; name another with {address.option}"
        ) from error
    return listener


def _tcp_socket(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # With its protocol named, asyncio sends small answers at once (TCP_NODELAY), else 40 ms later.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address.host, address.port))
    return listener


def _unix_socket(path: str) -> socket.socket:
    """For its owner and group. One that a killed server left behind is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode) and not _answers(path):
            os.unlink(path)
    except FileNotFoundError:
        pass
    before = os.umask(0o117)
    try:
        listener.bind(path)
    finally:
        os.umask(before)
    return listener


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        return client.connect_ex(path) == 0


# ---------------------------------------- the server


class Server(uvicorn.Server):
    """`stop` ends it: no stream that is open delays that. A signal calls it, and is no failure."""

    def __init__(self, config: uvicorn.Config, feed: Feed) -> None:
        super().__init__(config)
        self._feed = feed

    def stop(self) -> None:
        self._feed.close()
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.should_exit = True
        asyncio.get_running_loop().call_soon_threadsafe(self.stop)


def server_of(app: ASGIApp, feed: Feed) -> Server:
    logger = logging.getLogger("uvicorn.error")
    logger.addHandler(_Complaints())
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    config = uvicorn.Config(
        app,
        http=Patient,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        h11_max_incomplete_event_size=HEADER_BYTES_MAX,
    )
    return Server(config, feed)


class _Complaints(logging.Handler):
    """What uvicorn has to say goes the way of all other messages."""

    def emit(self, record: logging.LogRecord) -> None:
        complain(record.getMessage())


class Patient(H11Protocol):
    """HTTP/1.1 that does not wait for good: neither for the head of a request, nor for a reader."""

    _late: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > REFUSED_MAX + CONNECTIONS_MAX:
            transport.abort()  # each is a file of the process, which may have only so many
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        try:
            super().data_received(data)
        except h11.LocalProtocolError:  # its body is nonsense, and the answer has begun already
            self.transport.abort()
            return
        if self.conn.their_state is not h11.IDLE:
            self._no_longer()  # its head is complete
        elif self._late is None:
            self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._goes_on()

    def _watch(self) -> None:
        left = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(STALLED_SECONDS, self._look, left)

    def _look(self, before: int) -> None:
        """Who reads slowly may go on, who reads nothing may not."""
        if self.transport.get_write_buffer_size() < before:
            self._watch()
        else:
            self.transport.abort()

    def _goes_on(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_longer()
        self._goes_on()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._late = self.loop.call_later(HEADER_SECONDS, self._give_up)

    def _no_longer(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        self.transport.close()
