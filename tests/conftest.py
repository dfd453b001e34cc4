"""What the tests don't take from whoever runs them."""

import os
import signal

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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite", action="store_true", help="write the answers of tests/scenarios anew"
    )
