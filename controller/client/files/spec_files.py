"""Which file of the specs folder defines a name, and how a command may change that file.

It looks into the folder, not into the log, because a change would replace the present file. A file
is parsed only if the name occurs in it. Cost: to read the folder once.
"""

import os
import tempfile
from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct

from controller.client.files.source import read_found
from controller.errors import UsageError
from controller.folder.scan import Walk
from controller.spec.reading.load import load
from controller.view.status import name_from

_NEW_FILE_MODE = 0o644


class SpecFile(Struct, frozen=True):
    """A file of the folder, and what it defines or tries to define, in words as `Loaded` has it."""

    path: str  # begins with the folder as it was given
    defines: tuple[str, ...]

    def others(self, names: Collection[str]) -> list[str]:
        """What else it defines."""
        return [name for name in self.defines if name not in names]


def files_defining(
    specs: str, names: Collection[str], last_known: Mapping[str, tuple[str, ...]]
) -> list[SpecFile]:
    """The files that define any of these.

    `last_known`: by relative path, the workflows of each file when it could last be read.
    """
    found = [file for file in _files(specs, names, last_known) if {*file.defines} & {*names}]
    return sorted(found, key=lambda file: file.path)


def read_spec_file(path: str) -> SpecFile | None:
    """What the file at `path` defines; None if it is not a treadle file."""
    return _spec_file(read_found(path), path, ())


def _spec_file(data: bytes, path: str, last_known: tuple[str, ...]) -> SpecFile | None:
    loaded = load(data, path)
    if loaded.foreign:
        return None
    known = () if loaded.names else last_known
    return SpecFile(path, (*known, *loaded.defines) or (name_from(path),))


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
    wanted = [name.rpartition(" ")[2].encode() for name in names]
    try:
        for relative in Walk(specs).specs():
            path, known = os.path.join(specs, relative), last_known.get(relative, ())
            data = read_found(path)
            if set(known) & set(names) or name_from(path) in names or _mentions(data, wanted):
                file = _spec_file(data, path, known)
                if file is not None:
                    yield file
    except OSError as error:
        raise UsageError(f"{error.filename or specs}: {error.strerror}") from error


def _mentions(data: bytes, names: list[bytes]) -> bool:
    """Might the file define one of these? Older specs write names with capitals and `_`."""
    text = data.lower().replace(b"_", b"-")
    return any(name in text for name in names)
