"""Draw the top of OUT/identifiers.tsv as a chart: printed, and kept in OUT/report.txt."""

import argparse
import math
import os
import platform
from pathlib import Path

WIDTH = 48


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--top", type=int, default=15)
    parser.add_argument("--mark", default="#")
    args = parser.parse_args()

    out = Path(os.environ["OUT"])
    lines = (out / "identifiers.tsv").read_text(encoding="utf-8").splitlines()
    top = [line.split("\t") for line in lines[: args.top]]
    most = int(top[0][0])
    chart = [f"Top identifiers of Python {platform.python_version()}'s standard library", ""]
    for count, name in top:
        # By the root, or the first would dwarf the rest.
        bar = args.mark * max(1, round(WIDTH * math.sqrt(int(count) / most)))
        chart.append(f"{name:>14} {bar} {int(count):,}")
    report = "\n".join(chart) + "\n"
    (out / "report.txt").write_text(report, encoding="utf-8")
    print(report, end="")


main()
