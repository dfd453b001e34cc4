"""The compressed files of the archive: a frame of zstd for a segment, one around a tar for outputs.

What a few kilobytes unpack to could fill the memory or the disk. So a frame says its size, and is
not unpacked if that is more than we would write; of a tar nothing is read but what the index of its
batch names, with the size that it says.

Only commands about the past, and `upkeep`, load this module.
"""

import os
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from tempfile import TemporaryFile
from typing import IO

import zstandard

from controller.errors import StorageError
from controller.log.segments import SEGMENT_BYTES_MAX, write
from controller.regular import open_below, open_regular, private, read_whole

LEVEL = 3  # of compression
OUTPUT_BYTES_MAX = 4 << 30  # of one output; a larger one stays where it is
_NAME_BYTES_MAX = 1 << 20  # of what a tar says of a file before the file itself


def pack(path: str, data: bytes) -> None:
    """Write `data` as a compressed file. Raises StorageError if it can't be read back."""
    write(path, zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(data))
    if unpacked(path) != data:
        raise StorageError(f"{path}: does not read back as it was written")


def unpacked(path: str) -> bytes:
    """What a compressed file holds. Raises StorageError."""
    try:
        packed = read_whole(path, SEGMENT_BYTES_MAX)
        size = zstandard.get_frame_parameters(packed).content_size
        if size > SEGMENT_BYTES_MAX:  # also if it isn't known: we always write it
            raise _damaged(path, f"unpacks to more than {SEGMENT_BYTES_MAX:,} bytes")
        return zstandard.ZstdDecompressor().decompress(packed)
    except OSError as error:
        raise StorageError(
            f"{path}: can't be read: {error.strerror}; put it back from a copy"
        ) from error
    except MemoryError:
        raise _damaged(path, "what it holds does not fit into the memory") from None
    except zstandard.ZstdError as error:
        raise _damaged(path, str(error)) from error


def pack_outputs(state_dir: str, names: Iterable[str], path: str) -> dict[str, int]:
    """All these outputs (paths below the state folder) in one file; the size of each as it was."""
    sizes: dict[str, int] = {}
    with open(path, "xb", opener=private) as file:
        compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        with (
            compressor.stream_writer(file, closefd=False) as packed,
            tarfile.open(fileobj=packed, mode="w|") as tar,
        ):
            for name in names:
                try:
                    source = open(open_below(state_dir, name), "rb")  # noqa: SIM115 - see below
                except OSError:
                    continue  # it is gone, or another thing now
                with source:
                    info = tar.gettarinfo(arcname=name, fileobj=source)
                    info.type = tarfile.REGTYPE  # also if it has several names
                    info.size = os.fstat(source.fileno()).st_size
                    tar.addfile(info, source)
                    sizes[name] = info.size
        file.flush()
        os.fsync(file.fileno())
    return sizes


def unpack_output(path: str, name: str, sizes: Mapping[str, int]) -> IO[bytes] | None:
    """A copy of the output `name`; None if it isn't there. Raises StorageError.

    `sizes`: of all that is packed in this file.
    """
    copy = TemporaryFile()  # noqa: SIM115 - the caller's
    try:
        with (
            open(open_regular(path), "rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file) as plain,
            tarfile.open(fileobj=plain, mode="r|", tarinfo=_Member) as tar,
        ):
            for member in tar:
                if not member.size == sizes.get(member.name, -1) <= OUTPUT_BYTES_MAX:
                    raise _damaged(path, "has what its index does not name")
                if member.name == name and (found := tar.extractfile(member)) is not None:
                    shutil.copyfileobj(found, copy)
                    copy.seek(0)
                    return copy
    except (OSError, EOFError, ValueError, tarfile.TarError, zstandard.ZstdError) as error:
        copy.close()
        raise _damaged(path, str(error)) from error
    except MemoryError:
        copy.close()
        raise _damaged(path, "what it holds does not fit into the memory") from None
    except BaseException:
        copy.close()
        raise
    copy.close()
    return None


class _Member(tarfile.TarInfo):
    """A file as we write it; before it may come a long name, which tarfile reads into memory."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type == tarfile.XHDTYPE:
            fine = self.size <= _NAME_BYTES_MAX
        else:
            fine = self.type == tarfile.REGTYPE or self.size == 0
        if not fine:
            raise tarfile.ReadError(f"has a member of type {self.type!r} that we don't write")
        return super()._proc_member(tar)  # type: ignore[misc, no-any-return]


def _damaged(path: str, problem: str) -> StorageError:
    return StorageError(f"{path}: damaged: {problem}; put it back from a copy")
