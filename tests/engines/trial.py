"""`make test-engines`: the tests of engines, with the real ones and in their long forms.

It closes with a line of counts for each engine. What can't be tested here is skipped, and its
reason is printed. 1 if anything failed.
"""

import os
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

HERE = Path(__file__).parent


class Counts:
    """How the tests of each engine ended, by the folder that they are in."""

    def __init__(self) -> None:
        self.by_engine: dict[str, Counter[str]] = defaultdict(Counter)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            engine = "slurm" if "/slurm/" in report.nodeid else "container"
            self.by_engine[engine][report.outcome] += 1

    def lines(self) -> list[str]:
        return [
            f"{engine}: {counts['passed']} passed, {counts['failed']} failed, "
            f"{counts['skipped']} skipped"
            for engine, counts in sorted(self.by_engine.items())
        ]


def main() -> int:
    os.environ["TREADLE_ENGINES"] = "long"
    counts = Counts()
    code = pytest.main([str(HERE), "-q", "-rs", *sys.argv[1:]], plugins=[counts])
    print("\n".join(counts.lines()))
    return min(int(code), 1)


if __name__ == "__main__":
    sys.exit(main())
