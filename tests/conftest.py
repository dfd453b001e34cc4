"""What the tests don't take from whoever runs them."""

import os
import signal
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import settings

# However little room there is on the disk, steps are started.
os.environ["TREADLE_MIN_FREE"] = "0"

# Commands are compiled, as an installed treadle is. Else each of their many starts takes twice as
# long.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A job in the background, or under nohup, ignores these, and would hand that on.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How long one example takes says nothing on a machine that does other things as well.
settings.register_profile("any machine", deadline=None)
settings.register_profile("torture", deadline=None, max_examples=1_000)  # see `make torture`
settings.load_profile("any machine")


HERE = Path(__file__).parent

# The folders whose tests take milliseconds.
QUICK = ("expressions", "golden", "scenarios", "unit")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each worker begin with files that take long, and end with tests that take no time.

    At first each gets an equal share of the list, one after the other. Who is done takes from the
    ends of the others, so that nobody is left alone with tests that take minutes.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    quick: list[pytest.Item] = []
    slow: list[pytest.Item] = []
    for item in items:
        folder, *_ = item.path.relative_to(HERE).parts
        (quick if folder in QUICK else slow).append(item)
    hands: list[list[pytest.Item]] = [[] for _ in range(workers)]
    files = groupby(slow, key=lambda item: item.path)
    for number, (_, tests) in enumerate(files):
        hands[number % workers].extend(tests)
    dealt: list[pytest.Item] = []
    for number, hand in enumerate(hands, 1):
        share = len(items) * number // workers
        dealt += hand
        room = max(0, share - len(dealt))
        dealt += quick[:room]
        del quick[:room]
    items[:] = dealt + quick


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="write the answers of tests/scenarios anew"
    )
