"""The options that every command has."""

import argparse
import os


def common() -> argparse.ArgumentParser:
    """A parent parser with `--specs` and `--state`."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(
        "--specs",
        metavar="DIR",
        default=os.environ.get("TREADLE_SPECS") or "specs",
        help="the folder of specs (default: $TREADLE_SPECS, else specs)",
    )
    parser.add_argument(
        "--state",
        metavar="DIR",
        default=os.environ.get("TREADLE_STATE") or ".treadle",
        help="the folder of the log (default: $TREADLE_STATE, else .treadle)",
    )
    return parser


def add_min_free(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("TREADLE_MIN_FREE")
    parser.add_argument(
        "--min-free",
        type=size,
        metavar="BYTES",
        default=default or None,
        help="start nothing new while less is free on the disk of the state folder "
        "(default: $TREADLE_MIN_FREE, else 1G, or 5 %% of the disk if that is less)",
    )


def add_uid(parser: argparse.ArgumentParser) -> None:
    """For commands that show one life of several that had a name, archived ones too."""
    parser.add_argument(
        "--uid", metavar="UID", help="this life of NAME, by its uid or the first 8 characters"
    )


def add_retention(parser: argparse.ArgumentParser) -> None:
    from controller.log.upkeep import KEEP_ARCHIVE_BYTES
    from controller.planner.retention import KEEP_FINISHED

    parser.add_argument(
        "--keep-finished",
        type=count,
        metavar="N",
        default=KEEP_FINISHED,
        help="so many lives that are over (their file is gone, or `run` began them) stay in the "
        f"state; older ones go to the archive (default: {KEEP_FINISHED})",
    )
    parser.add_argument(
        "--keep-archive",
        type=size,
        metavar="BYTES",
        default=KEEP_ARCHIVE_BYTES,
        help="the oldest of the archive goes when it takes more (default: 1G)",
    )


def count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("must be at least 0")
    return number


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def size(text: str) -> int:
    """`65536`, `64K`, `8M`, `0`: a number of bytes."""
    factors = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    factor = factors.get(text[-1:].upper())
    try:
        number = int(text[:-1]) * factor if factor else int(text)
        if number >= 0:
            return number
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is no size; try 8M")
