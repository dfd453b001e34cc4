"""Whether jobs can be submitted from here, for `treadle doctor`.

Every call blocks, but never for ever. What only a node can know, only a job tells.
"""

import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator

import psutil

from controller.executor.calls import Answer, ask
from controller.executor.finding import Finding, LeftBehind
from controller.owners import user_name
from controller.spec.placement import OnSlurm

PROGRAMS = ("sbatch", "squeue", "scontrol", "scancel")
SECONDS = 20.0  # that a program may take to answer
SHARED_TYPES = ("nfs", "lustre", "gpfs", "ceph", "beegfs", "glusterfs", "panfs", "cifs", "9p")
_NO_JOB = "invalid job id"
ASK: Callable[[list[str]], Answer] = lambda argv: ask(argv, SECONDS)  # noqa: E731


def check(
    placements: Iterable[OnSlurm],
    left: Iterable[LeftBehind],
    say: Callable[[list[str]], Answer] = ASK,
) -> Iterator[Finding]:
    """The cluster, the partitions and shared folders that steps name; what was given up."""
    wanted = list(placements)
    contact = _contact(say)
    yield contact
    for partition in sorted({job.partition for job in wanted if job.partition}):
        if contact.fine:
            yield _partition(partition, say)
    for folder in sorted({job.shared_dir for job in wanted}):
        yield _shared(folder)
    for attempt in left:
        yield _left(attempt, say)


def _contact(say: Callable[[list[str]], Answer]) -> Finding:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        problem = f"this machine has no {', '.join(missing)}: install Slurm's client programs"
        return Finding("slurm", False, problem)
    version, answers = say(["sbatch", "--version"]), say(["squeue", "--noheader", "--me"])
    if not version.ok or not answers.ok:
        return Finding("slurm", False, version.problem or answers.problem)
    return Finding("slurm", True, f"{version.out.strip()} answers")


def _partition(name: str, say: Callable[[list[str]], Answer]) -> Finding:
    answer = say(["scontrol", "--oneliner", "show", f"partition={name}"])
    if not answer.ok:
        return Finding(f"partition {name}", False, answer.problem)
    states = [word for word in answer.out.split() if word.startswith("State=")]
    state = states[0].removeprefix("State=") if states else "there"
    return Finding(f"partition {name}", state != "DOWN", state)


def _shared(path: str) -> Finding:
    """As the engine asks for it: a folder that is this user's alone."""
    if not path:
        problem = "a step on Slurm has no sharedDir: name a folder that all nodes see"
        return Finding("sharedDir", False, problem)
    of = f"sharedDir {path}"
    try:
        found = os.stat(path)
    except FileNotFoundError:
        above = os.path.dirname(path.rstrip("/"))
        if os.path.isdir(above):
            return Finding(of, True, "is not there yet; the first step on Slurm makes it")
        return Finding(of, False, f"there is no folder {above}")
    except OSError as error:
        return Finding(of, False, error.strerror or str(error))
    if not stat.S_ISDIR(found.st_mode):
        return Finding(of, False, "is no folder")
    if found.st_uid != os.geteuid():
        problem = f"belongs to {user_name(found.st_uid)}: name a folder of your own"
        return Finding(of, False, problem)
    if found.st_mode & 0o077:
        return Finding(of, False, f"is open to other users; close it: chmod 700 {path}")
    kind = _file_system(path)
    if kind.startswith(SHARED_TYPES):
        return Finding(of, True, f"is yours alone, on {kind}")
    said = f"is yours alone, on {kind}, which other machines may not see: a job on each node tells"
    return Finding(of, True, said)


def _file_system(path: str) -> str:
    """`nfs4`: the type of the mounted file system that has this path."""
    real = os.path.realpath(path)
    holding = [
        (len(mounted.mountpoint), mounted.fstype)
        for mounted in psutil.disk_partitions(all=True)
        if os.path.commonpath([real, mounted.mountpoint]) == mounted.mountpoint
    ]
    return max(holding, default=(0, "an unknown file system"))[1]


def _left(attempt: LeftBehind, say: Callable[[list[str]], Answer]) -> Finding:
    of, job = f"given up: {attempt.whose}", attempt.handle
    if not job.isdecimal():  # it was never written down, or is no number of a job
        answer = say(["squeue", "--noheader", f"--name={attempt.name}", "--format=%A"])
        jobs = answer.out.split()
        if answer.ok and not jobs:
            return Finding(of, True, "no job of its name is in the queue")
        job = " ".join(jobs)
    else:
        answer = say(["squeue", "--noheader", f"--jobs={job}", "--format=%T"])
    if _NO_JOB in answer.problem.lower() or (answer.ok and not answer.out.strip()):
        return Finding(of, True, f"job {job} is no longer in the queue")
    if not answer.ok:
        return Finding(of, False, f"job {job}: {answer.problem}")
    return Finding(of, False, f"job {job} is still in the queue; to cancel it: scancel {job}")
