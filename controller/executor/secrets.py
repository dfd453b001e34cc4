"""Reads what the environment of an attempt only names: variables of this controller, and files.

It is read when the attempt is to start, and goes to what starts it and nowhere else. No message
here has a value in it, nor a line of a file.

A file for `envFrom` has a `KEY=VALUE` on each line, with or without `export` before it. Empty lines
and lines that begin with `#` are skipped. The value is all that follows `=`; quotes around the
whole of it are dropped, and nothing in it is expanded. Of two lines for one variable the later one
counts.
"""

import os
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from controller.executor.shim.spawn import SHORTAGES, NotNow
from controller.executor.shim.wire import readable
from controller.loop.ports import AsFile, EnvFile, EnvRefs, FromEnv, FromFile
from controller.model.phases import Reason
from controller.regular import folder_of, open_regular, read_regular
from controller.spec.values import WORD_BYTES_MAX

ENV_BYTES_MAX = 6 << 20  # the system takes no more, whatever its limits are set to
FILE_BYTES_MAX = 1 << 20  # of an `envFrom` file

Write = Callable[[str, str], str]

_ENTRY = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
_SKIPPED = re.compile(r"[ \t]*(?:#.*)?", re.DOTALL)
_NEWLINE = re.compile(rb"\r?\n\Z")
_QUOTED = re.compile(r"""(["'])(.*)\1""", re.DOTALL)
_TOO_LARGE = f"over {WORD_BYTES_MAX >> 10} KiB, too large for a variable; pass the path of a file"


class CannotPrepare(Exception):
    """The attempt must not start; `reason` is the word for programs, the text is for people."""

    def __init__(self, reason: Reason, problem: str) -> None:
        super().__init__(readable(problem))
        self.reason = reason


def resolve(layers: Iterable[EnvFile | EnvRefs], write: Write) -> dict[str, str]:
    """All layers as one environment, later ones winning. Raises CannotPrepare or NotNow.

    `write` gets the name of a variable and a text that is passed as a file; it returns the path.
    Bytes that are not UTF-8 are lone surrogates, as on the wire.
    """
    env: dict[str, str] = {}
    size = 0
    for name, value in chain.from_iterable(_pairs(layer, write) for layer in layers):
        env[name] = value
        size += len(value)
        if size > ENV_BYTES_MAX:
            problem = f"its variables are over {ENV_BYTES_MAX >> 20} MiB; pass the paths of files"
            raise CannotPrepare(Reason.VALUE_TOO_LARGE, problem)
    return env


def write_value(base: str, folder: str, name: str, text: str) -> str:
    """Write a text that is passed as a file, for the variable `name`; returns its path.

    The file is renamed into place: the attempt may have started before, and be reading it.
    `folder` is a path below `base`, and is made. Raises OSError or CannotPrepare.
    """
    from urllib.parse import quote

    try:
        content = text.encode(errors="surrogateescape")
        quoted = quote(name, safe="", errors="surrogateescape")
    except UnicodeEncodeError:
        problem = f"{name}: its text can't be written: it has a part that is no character"
        raise CannotPrepare(Reason.START_FAILED, problem) from None
    with folder_of(base, f"{folder}/{quoted}", make=True) as (inside, last):
        # No name quotes to this one.
        fd = open_regular("%", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, dir_fd=inside)
        with open(fd, "wb") as file:
            file.write(content)
        os.replace("%", last, src_dir_fd=inside, dst_dir_fd=inside)
    return f"{base}/{folder}/{quoted}"


def _pairs(layer: EnvFile | EnvRefs, write: Write) -> Iterator[tuple[str, str]]:
    match layer:
        case EnvFile(path, optional):
            return _variables(path, optional)
        case EnvRefs(refs):
            return ((name, _value(name, ref, write)) for name, ref in refs.items())


def _value(name: str, ref: str | FromEnv | FromFile | AsFile, write: Write) -> str:
    match ref:
        case FromEnv(source):
            found = os.environb.get(source.encode(errors="surrogatepass"))
            if found is None:
                raise _missing(
                    f"{name}: {source} is not set in the environment of the controller; set it, "
                    "then start the controller again"
                )
            value = _text(found)
        case FromFile(path):
            content = of_file(path, name)
            if b"\0" in content:
                raise _missing(f"{name}: {path} has a NUL byte, which no variable can hold")
            value = _text(content)
        case AsFile(text):
            value = write(name, text)
        case str():
            value = ref
    return _checked(value, name)


def of_file(path: str, name: str) -> bytes:
    """The secret in a file, without the newline at its end. `name`: what it is for.

    If it is longer than WORD_BYTES_MAX, it is cut, but not to that. Raises CannotPrepare or NotNow.
    """
    content = _read(path, WORD_BYTES_MAX + len(b"\r\n") + 1, f"{name}: ")
    if content is None:
        raise _missing(f"{name}: no file {path}")
    return _NEWLINE.sub(b"", content)


def _variables(path: str, optional: bool) -> Iterator[tuple[str, str]]:
    """What an `envFrom` file sets."""
    content = _read(path, FILE_BYTES_MAX + 1, "envFrom: ")
    if content is None:
        if optional:
            return iter(())
        raise _missing(f"envFrom: no file {path}; if it may be missing, write optional: true")
    if len(content) > FILE_BYTES_MAX:
        problem = f"envFrom: {path} is over {FILE_BYTES_MAX >> 20} MiB"
        raise CannotPrepare(Reason.VALUE_TOO_LARGE, problem)
    lines = _text(content.removeprefix(BOM_UTF8)).split("\n")
    pairs = (_entry(line.removesuffix("\r"), f"{path}:{n}") for n, line in enumerate(lines, 1))
    return (pair for pair in pairs if pair is not None)


def _entry(line: str, place: str) -> tuple[str, str] | None:
    """The variable that a line sets; None for a comment or an empty line."""
    if _SKIPPED.fullmatch(line):
        return None
    entry = _ENTRY.fullmatch(line)
    if entry is None:
        raise _missing(f"{place}: not KEY=VALUE with a name of letters, digits, _, . and -")
    name, value = entry.groups()
    if "\0" in value:
        raise _missing(f"{place}: a NUL byte, which no variable can hold")
    quoted = _QUOTED.fullmatch(value)
    return name, _checked(quoted[2] if quoted else value, place)


def _checked(value: str, place: str) -> str:
    # Bytes that are not UTF-8 are one surrogate each, and then one `?`.
    if len(value.encode(errors="replace")) > WORD_BYTES_MAX:
        raise CannotPrepare(Reason.VALUE_TOO_LARGE, f"{place}: {_TOO_LARGE}")
    return value


def _read(path: str, bytes_max: int, whose: str) -> bytes | None:
    try:
        return read_regular(path, bytes_max, follow=True)
    except FileNotFoundError:
        return None
    except OSError as fault:
        if fault.errno in SHORTAGES:
            raise NotNow(os.strerror(fault.errno)) from None
        raise _missing(f"{whose}{path} can't be read: {fault.strerror}") from None
    except ValueError:  # a NUL, or text that can't be encoded
        raise _missing(f"{whose}{path!r} is not a path") from None


def _text(value: bytes) -> str:
    return value.decode(errors="surrogateescape")


def _missing(problem: str) -> CannotPrepare:
    return CannotPrepare(Reason.SECRET_MISSING, problem)
