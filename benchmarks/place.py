"""Where the state folders of a benchmark go: a real disk, and a spot on it where files are cheap.

On tmpfs a sync is free. And on ext4 a new file can cost twenty times the usual for some minutes if
many were deleted in the same neighbourhood of the disk: the allocator steps over every inode that
was freed lately. Test suites leave such spots in /tmp. So the candidates are tried.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

import psutil

FILES = 200
SLOW_US = 150  # a usual new file costs 20 to 60


def choose(given: Path | None) -> Path:
    """A new folder in the one that was given, else where new files cost least."""
    candidates = [given] if given else [Path(tempfile.gettempdir()), Path("/var/tmp"), Path.cwd()]
    disks = [path for path in candidates if given or file_system(path) != "tmpfs"]
    return _new_folder(min(disks or candidates, key=_file_cost_us))


def describe(folder: Path) -> str:
    kind = file_system(folder)
    cost = _file_cost_us(folder)
    text = f"{os.cpu_count()} cores; state folders in {folder} ({kind}), {cost:.0f} µs a new file"
    if kind == "tmpfs":
        text += (
            "\non tmpfs a sync is free, so treadle looks better than it is: give --dir on a disk"
        )
    if cost > SLOW_US:
        text += "\nnew files are dear there, so treadle looks worse than it is: try another --dir"
    return text


def file_system(path: Path) -> str:
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    absolute = path.resolve()
    return next((mounts[part] for part in (absolute, *absolute.parents) if part in mounts), "?")


def _new_folder(parent: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix="treadle-bench-", dir=parent))


def _file_cost_us(parent: Path) -> float:
    folder = _new_folder(parent)
    begun = time.perf_counter()
    for number in range(FILES):
        (folder / str(number)).touch()
    spent = time.perf_counter() - begun
    shutil.rmtree(folder)
    return spent / FILES * 1e6
