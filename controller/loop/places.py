"""Where the files of attempts and lives are, as paths relative to the state folder."""


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


def work_folder(uid: str) -> str:
    """The folder that `TREADLE_WORK_DIR` names: one for all steps and runs of a life."""
    return f"work/{uid}"
