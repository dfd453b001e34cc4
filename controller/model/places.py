"""Where the files of attempts and lives are, as paths relative to the state folder.

Records, and the index of an archive, have such paths. Whoever could write there could name any
other file; so what reads, writes or removes one of these asks here first whether it is ours.
"""

import re

_UID = r"[0-9A-Za-z_-]+"
_LOG = re.compile(rf"runs/({_UID})/[^/]+\.[0-9]+\.log", re.DOTALL)
_VALUES = re.compile(rf"runs/({_UID})/[0-9a-f]{{64}}\.values")
_OF_ENGINE = re.compile(r"/.*/treadle-[a-z0-9-]+/output", re.DOTALL)
_LEFT = re.compile(rf"runs/{_UID}/[^/]+|work/{_UID}", re.DOTALL)


def is_log(path: str, uid: str | None = None) -> bool:
    """Whether an attempt (of this life) can print to this file."""
    return _is(_LOG, path, uid)


def is_log_of_engine(path: str) -> bool:
    """Whether an engine can have this file for what an attempt prints, in a folder of its own."""
    return _OF_ENGINE.fullmatch(path) is not None


def is_values_file(path: str, uid: str | None = None) -> bool:
    """Whether what expressions gave (in this life) can be in this file."""
    return _is(_VALUES, path, uid)


def may_go(path: str) -> bool:
    """Whether this is of an attempt or a life, and goes with it."""
    return _LEFT.fullmatch(path) is not None


def _is(pattern: re.Pattern[str], path: str, uid: str | None) -> bool:
    found = pattern.fullmatch(path)
    return found is not None and uid in (None, found[1])


def log_file(uid: str, step: str, attempt: int) -> str:
    """What an attempt prints. The event that schedules it has this path, so this may change."""
    return f"runs/{uid}/{step.replace('/', ':')}.{attempt}.log"


def values_file(uid: str, digest: str) -> str:
    """What the expressions of an attempt gave, if a record is too short for it.

    The record has this path, so it may change.
    """
    return f"runs/{uid}/{digest}.values"


def output_file(log: str) -> str:
    """What an attempt hands on: the file that `TREADLE_OUTPUT` names. The attempt makes it."""
    return f"{log.removesuffix('.log')}.out"


def parts_file(log: str) -> str:
    """How `before`, the command and `after` of an attempt ended; its runner makes it."""
    return f"{log.removesuffix('.log')}.parts"


def files_folder(log: str) -> str:
    """Values that an attempt gets as files (`asFile`)."""
    return f"{log.removesuffix('.log')}.files"


def env_file(log: str) -> str:
    """The variables of a container that would mean something to its client, too."""
    return f"{log.removesuffix('.log')}.env"


def shared_folder(log: str) -> str:
    """What a container may write besides its mounts; what it hands on is a file in it."""
    return f"{log.removesuffix('.log')}.shared"


def work_folder(uid: str) -> str:
    """The folder that `TREADLE_WORK_DIR` names: one for all steps and runs of a life."""
    return f"work/{uid}"
