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
