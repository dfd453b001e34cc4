"""Read the text of a spec from what a command was given: a file, a pipe, or `-` for stdin."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from controller.errors import NotFound, UsageError
from controller.regular import read_regular
from controller.spec.reading.load import SPEC_BYTES_MAX

_READ_BYTES = 1 << 20


class Source(NamedTuple):
    name: str  # for messages
    data: bytes


def read_source(path: str, bytes_max: int = SPEC_BYTES_MAX) -> Source:
    """Read what a person named, which may be a pipe.

    Of a larger or endless file, read only enough to see that it is too large. Raises NotFound, or
    UsageError if it can't be read.
    """
    name = "stdin" if path == "-" else path
    data = b""
    what = sys.stdin.fileno() if path == "-" else path
    with _explained(name), open(what, "rb", closefd=path != "-") as file:
        while len(data) <= bytes_max and (more := file.read(_READ_BYTES)):
            data += more
    return Source(name, data)


def read_found(path: str, bytes_max: int = SPEC_BYTES_MAX) -> bytes:
    """The same for a file that was only found in a folder: a pipe there is never waited for."""
    with _explained(path):
        return read_regular(path, bytes_max + 1, follow=True)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFound(f"{name}: no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{name}: is a folder; name the files in it") from None
    except OSError as error:
        raise UsageError(f"{name}: can't be read: {error.strerror}") from error
