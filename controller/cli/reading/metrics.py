"""`treadle metrics`: all metrics once, for a collector that reads files."""

import argparse

from controller.client.reading.metrics import exposition
from controller.client.replica import Replica
from controller.errors import ExitCode
from controller.log.status_file import read_status
from controller.printing import say_data


def metrics(args: argparse.Namespace) -> int:
    """treadle metrics"""
    state = Replica(args.state).catch_up()
    say_data(exposition(state, read_status(args.state)).decode())
    return ExitCode.FINE
