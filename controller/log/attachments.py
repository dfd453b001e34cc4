"""Files of the state folder that records name, because their content is too long for a record.

Their name has the SHA-256 of the content: so a file that was half written by a controller that was
killed is noticed, and is written again. Cost: two syncs a file, only where values are long.
"""

import os
from collections.abc import Mapping

from controller.errors import MEND_DISK, StorageError


def attach(state_dir: str, files: Mapping[str, bytes]) -> None:
    """Write these files durably, by path in the state folder. Raises StorageError."""
    for path, data in files.items():
        try:
            _write(os.path.join(state_dir, path), data)
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror}; {MEND_DISK}") from error


def attached(state_dir: str, path: str) -> bytes:
    """The content of such a file. Raises StorageError if it is gone or damaged."""
    try:
        with open(os.path.join(state_dir, path), "rb") as file:
            data = file.read()
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}; put it back from a copy") from error
    from hashlib import sha256  # loads OpenSSL

    if sha256(data).hexdigest() not in os.path.basename(path):
        raise StorageError(f"{path}: damaged; put it back from a copy")
    return data


def _write(path: str, data: bytes) -> None:
    folder, name = os.path.split(path)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    draft = os.path.join(folder, f".{name}.new")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    for directory in (folder, os.path.dirname(folder)):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
