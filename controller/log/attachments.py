"""Files of the state folder that records name, because their content is too long for a record.

Their name has the SHA-256 of the content: so a file that was half written by a controller that was
killed is noticed, and is written again. Cost: two syncs a file, only where values are long.
"""

import os
from collections.abc import Mapping

from controller.errors import MEND_DISK, StorageError
from controller.model.places import is_values_file
from controller.regular import folder_of, open_regular, read_below

ATTACHED_BYTES_MAX = 256 << 20


def attach(state_dir: str, files: Mapping[str, bytes]) -> None:
    """Write these files durably, by path in the state folder. Raises StorageError."""
    for path, data in files.items():
        try:
            _write(state_dir, path, data)
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror}; {MEND_DISK}") from error


def attached(state_dir: str, path: str) -> bytes:
    """The content of such a file. Raises StorageError if it is gone or damaged."""
    if not is_values_file(path):
        raise StorageError(
            f"{path}: a record of the log names this file, and none of ours has such a name; put "
            "the log back from a copy"
        )
    try:
        data = read_below(state_dir, path, ATTACHED_BYTES_MAX)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror}; put it back from a copy") from error
    from hashlib import sha256  # loads OpenSSL

    if sha256(data).hexdigest() not in os.path.basename(path):
        raise StorageError(f"{path}: damaged; put it back from a copy")
    return data


def _write(state_dir: str, path: str, data: bytes) -> None:
    with folder_of(state_dir, path, make=True) as (folder, name):
        draft = f".{name}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with open(open_regular(draft, flags, dir_fd=folder), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    with folder_of(state_dir, os.path.dirname(path)) as (above, _):
        os.fsync(above)
