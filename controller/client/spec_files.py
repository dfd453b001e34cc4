"""Which file of the specs folder defines a workflow, and how a command may change that file.

It looks into the folder, not into the log, because a change would replace the present file. A file
is parsed only if the name occurs in it. Cost: to read the folder once.
"""

import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from stat import S_ISREG

from msgspec import Struct

from controller.client.source import read_source
from controller.errors import UsageError
from controller.folder.scan import Walk
from controller.spec.load import load
from controller.view.status import name_from

_NEW_FILE_MODE = 0o644


class SpecFile(Struct, frozen=True):
    """A file of the folder, and the workflows that it defines or tries to define."""

    path: str  # begins with the folder as it was given
    names: tuple[str, ...]

    def others(self, names: Collection[str]) -> list[str]:
        """The other workflows that it defines."""
        return [name for name in self.names if name not in names]


def files_defining(
    specs: str, names: Collection[str], last_known: Mapping[str, tuple[str, ...]]
) -> list[SpecFile]:
    """The files that define any of `names`.

    `last_known`: by relative path, what each file defined when it could last be read.
    """
    files = _files(specs, names, last_known)
    return sorted(
        (file for file in files if set(file.names) & set(names)), key=lambda file: file.path
    )


def read_names(path: str, last_known: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """The workflows that the file at `path` defines; None if it is not a treadle file."""
    return _names_in(read_source(path).data, path, last_known)


def _names_in(data: bytes, path: str, last_known: tuple[str, ...]) -> tuple[str, ...] | None:
    loaded = load(data, path)
    if loaded.foreign:
        return None
    return loaded.names or last_known or (name_from(path),)


def write_file(path: str, data: bytes) -> None:
    """Replace the file by rename: a reader sees the old or the new content, never a part."""
    path = os.path.realpath(path)
    folder, name = os.path.split(path)
    try:
        mode = os.stat(path).st_mode & 0o7777 if os.path.exists(path) else _NEW_FILE_MODE
        descriptor, draft = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                os.fchmod(descriptor, mode)
                file.flush()
                os.fsync(descriptor)
            os.replace(draft, path)
        except BaseException:
            os.unlink(draft)
            raise
    except OSError as error:
        raise UsageError(f"{path}: can't be written: {error.strerror}") from error


def _files(
    specs: str, names: Collection[str], last_known: Mapping[str, tuple[str, ...]]
) -> Iterator[SpecFile]:
    wanted = [name.encode() for name in names]
    try:
        for entry in Walk(specs).below():
            if entry.kind != "spec" or entry.status is None or not S_ISREG(entry.status.st_mode):
                continue
            path, known = os.path.join(specs, entry.path), last_known.get(entry.path, ())
            data = read_source(path).data
            if set(known) & set(names) or name_from(path) in names or _mentions(data, wanted):
                defined = _names_in(data, path, known)
                if defined is not None:
                    yield SpecFile(path, defined)
    except OSError as error:
        raise UsageError(f"{error.filename or specs}: {error.strerror}") from error


def _mentions(data: bytes, names: list[bytes]) -> bool:
    """Might the file define one of these? Older specs write names with capitals and `_`."""
    text = data.lower().replace(b"_", b"-")
    return any(name in text for name in names)
