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
from typing import NamedTuple

import psutil

FILES = 200
SLOW_US = 150  # a usual new file costs 20 to 60


class Place(NamedTuple):
    folder: Path
    file_us: float  # what a new file costs there

    def __str__(self) -> str:
        kind = file_system(self.folder)
        text = f"{os.cpu_count()} cores; state folders in {self.folder} ({kind}), "
        text += f"{self.file_us:.0f} µs a new file"
        if kind == "tmpfs":
            text += "\na sync is free there, so treadle looks better than it is: give --dir"
        if self.file_us > SLOW_US:
            text += "\nnew files are dear there, so treadle looks worse than it is: give --dir"
        return text


def choose(given: Path | None) -> Place:
    """A new folder in the one that was given, else where new files cost least."""
    candidates = [given or Path(tempfile.gettempdir())]
    if given is None:
        candidates += [Path("/var/tmp"), Path("build")]
    disks = [path for path in candidates if file_system(path) != "tmpfs"]
    best, *others = sorted(map(_try, disks or candidates), key=lambda place: place.file_us)
    for other in others:
        shutil.rmtree(other.folder)
    return best


def _try(parent: Path) -> Place:
    """The files stay: deleting them is what makes a spot slow."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="treadle-bench-", dir=parent.resolve()))
    (folder / "tried").mkdir()
    begun = time.perf_counter()
    for number in range(FILES):
        (folder / "tried" / str(number)).touch()
    return Place(folder, (time.perf_counter() - begun) / FILES * 1e6)


def file_system(path: Path) -> str:
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    absolute = path.resolve()
    return next((mounts[part] for part in (absolute, *absolute.parents) if part in mounts), "?")
