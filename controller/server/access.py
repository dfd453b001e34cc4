"""Who may use the page and the API, and for what. All of it lies in STATE/web, for its owner alone.

`view` and `operate` hold a token each, for scripts. `codes` are what a link carries: each is good
once, and for ten minutes. The page trades one for a session, which `sessions` remembers for 30
days. Codes and sessions are found by their hash, so reading the folder gives nobody a session, and
comparing needs no care. Who may operate may view.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Literal, NamedTuple

import msgspec

from controller.errors import StorageError
from controller.owners import doubt_of_state
from controller.regular import make_below, open_below, read_below, remove_below

Role = Literal["view", "operate"]
ROLES: tuple[Role, ...] = ("view", "operate")
CODE_SECONDS, SESSION_SECONDS = 600, 30 * 86_400
FOLDER = "web"
_CODES, _SESSIONS, _SERVING = f"{FOLDER}/codes", f"{FOLDER}/sessions", f"{FOLDER}/serving.json"
_BYTES_MAX = 4_096
_TOKEN_BYTES, _CODE_BYTES = 32, 20
_DRAFT = ".tmp"
_UNREADABLE = (OSError, ValueError, RecursionError)


class Session(NamedTuple):
    """`until`: seconds since 1970."""

    token: str
    role: Role
    until: int


class Serving(msgspec.Struct, frozen=True):
    """The server that was started last on this state folder: its address in a browser."""

    url: str
    pid: int

    @property
    def is_there(self) -> bool:
        """Whether a process of ours has this number: it is not known more exactly."""
        try:
            os.kill(self.pid, 0)
        except OSError:
            return False
        return True


class _Grant(msgspec.Struct, frozen=True):
    role: Role
    until: int  # seconds since 1970


class Access:
    """The tokens, codes and sessions of one state folder."""

    def __init__(self, state_dir: str) -> None:
        self._state_dir = state_dir

    def prepare(self) -> None:
        """Make the folder and the tokens where they are missing, and remove what is too old.

        Raises StorageError if that can't be written, or if others could write there.
        """
        if doubt := doubt_of_state(self._state_dir):
            raise StorageError(str(doubt))
        try:
            for folder in (FOLDER, _CODES, _SESSIONS):
                make_below(self._state_dir, folder)
            os.chmod(os.path.join(self._state_dir, FOLDER), 0o700)
            for role in ROLES:
                if not self._token(role):
                    self._write(f"{FOLDER}/{role}", f"{secrets.token_urlsafe(_TOKEN_BYTES)}\n")
            self._sweep()
        except OSError as error:
            path = os.path.join(self._state_dir, FOLDER)
            raise StorageError(
                f"{path}: {error.strerror}; tokens are kept there, so it must be writable"
            ) from error

    @property
    def can_tell(self) -> bool:
        """Whether there is what tells who may do what: not while the state folder is away."""
        return os.path.isdir(os.path.join(self._state_dir, FOLDER))

    def make_code(self, role: Role) -> str:
        """What a link carries. Raises OSError."""
        self._sweep()
        return self._grant(_CODES, role, CODE_SECONDS, _CODE_BYTES).token

    def trade(self, code: str) -> Session | None:
        """A session for a code that is still good; it is used up. Raises OSError.

        The session is written first: where that can't be done, the code stays good.
        """
        place = f"{_CODES}/{_hash(code)}"
        grant = self._read(place)
        if grant is None:
            return None
        session = self._grant(_SESSIONS, grant.role, SESSION_SECONDS, _TOKEN_BYTES)
        try:
            remove_below(self._state_dir, place)
        except OSError as error:
            self.end(session.token)
            if isinstance(error, FileNotFoundError):
                return None  # another was faster
            raise
        return session

    def role_of(self, token: str) -> Role | None:
        """What this token is good for; None: for nothing."""
        given = _hash(token)
        for role in ROLES:
            if (known := self._token(role)) and _hash(known) == given:
                return role
        grant = self._read(f"{_SESSIONS}/{given}")
        return None if grant is None else grant.role

    def end(self, token: str) -> None:
        """End a session, if this token is one of a session."""
        with suppress(OSError):
            remove_below(self._state_dir, f"{_SESSIONS}/{_hash(token)}")

    def note_serving(self, url: str) -> None:
        """Let `serve --link` know where the server is. Raises OSError."""
        serving = Serving(url, os.getpid())
        self._write(_SERVING, msgspec.json.encode(serving).decode())

    def serving(self) -> Serving | None:
        """The server that was started last, if anything is known of one."""
        try:
            data = read_below(self._state_dir, _SERVING, _BYTES_MAX)
            return msgspec.json.decode(data, type=Serving)
        except _UNREADABLE:
            return None

    # ---------------------------------------- files

    def _token(self, role: Role) -> str:
        try:
            return read_below(self._state_dir, f"{FOLDER}/{role}", _BYTES_MAX).decode().strip()
        except _UNREADABLE:
            return ""

    def _grant(self, folder: str, role: Role, seconds: int, size: int) -> Session:
        token, until = secrets.token_urlsafe(size), int(time.time()) + seconds
        text = msgspec.json.encode(_Grant(role, until)).decode()
        self._write(f"{folder}/{_hash(token)}", text)
        return Session(token, role, until)

    def _read(self, path: str) -> _Grant | None:
        try:
            data = read_below(self._state_dir, path, _BYTES_MAX)
            grant = msgspec.json.decode(data, type=_Grant)
        except _UNREADABLE:
            return None
        return grant if time.time() < grant.until else None

    def _write(self, path: str, text: str) -> None:
        """Whole or not at all: readers may come at any moment."""
        draft = f"{path}.{secrets.token_hex(4)}{_DRAFT}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(open_below(self._state_dir, draft, flags), "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(os.path.join(self._state_dir, draft), os.path.join(self._state_dir, path))

    def _sweep(self) -> None:
        for path in self._grants():
            with suppress(OSError):
                if self._is_over(path):
                    remove_below(self._state_dir, path)

    def _is_over(self, path: str) -> bool:
        """Another process may be writing a draft at this moment. Raises OSError."""
        if path.endswith(_DRAFT):
            written = os.lstat(os.path.join(self._state_dir, path)).st_mtime
            return time.time() - written > CODE_SECONDS
        return self._read(path) is None

    def _grants(self) -> Iterator[str]:
        for folder in (_CODES, _SESSIONS):
            for name in os.listdir(os.path.join(self._state_dir, folder)):
                yield f"{folder}/{name}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
