"""`python -m benchmarks`: treadle against bare processes and make, side by side in one run.

It prints ratios and judges nothing: numbers of a shared machine are for people to read.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import costs, endings, page, past, triggers
from benchmarks.measure import Contender, race, table
from benchmarks.ours import Treadle
from benchmarks.place import choose
from benchmarks.rivals import Make, Missing, PosixSpawn
from benchmarks.shapes import Shape, chain, fan, layers, recorded

FORMS = ("command", "run")
SHAPES = {"fan": fan(1000), "chain": chain(300), "layers": layers(10, 100, 3)}
OTHERS = (
    "startup",
    "data",
    "pools",
    "children",
    "templates",
    "large",
    "huge",
    "past",
    "endings",
    "triggers",
    "page",
    "breakdown",
)


def main() -> None:
    args = _arguments()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed treadle is compiled
    place = choose(args.dir)
    folder = place.folder
    print(place)
    try:
        shapes = [shape for key, shape in SHAPES.items() if _wanted(args, key)]
        _race(folder, shapes, FORMS, args)
        if args.corpora:
            found = [s for s in recorded(args.corpora) if _wanted(args, s.name)]
            _race(folder, found, ("command",), args)
        for title, lines in _others(folder, args):
            print(f"\n{title}")
            for line in lines:
                print(line, flush=True)
    finally:
        shutil.rmtree(folder)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--corpora", type=Path, metavar="DIR", help="race recorded DAGs as well")
    parser.add_argument("--quick", action="store_true", help="one round instead of five")
    parser.add_argument("--jobs", type=_numbers, default=[2, 16], metavar="N,N")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help=f"{', '.join([*SHAPES, *OTHERS])}, or a recorded DAG",
    )
    parser.add_argument("--dir", type=Path, help="where state folders go: a real disk")
    args = parser.parse_args()
    args.rounds = 1 if args.quick else 5
    return args


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def _wanted(args: argparse.Namespace, name: str) -> bool:
    return args.only is None or name in args.only


def _race(
    folder: Path, shapes: list[Shape], forms: tuple[str, ...], args: argparse.Namespace
) -> None:
    contenders = list(_contenders(folder)) if shapes else []
    for shape in shapes:
        for form in forms:
            for jobs in args.jobs:
                laps = race(contenders, shape, form, jobs, args.rounds)
                print(f"\n{shape.name}, {form}:, {jobs} jobs, {len(laps)} rounds")
                print(table(laps), flush=True)


def _contenders(folder: Path) -> Iterator[Contender]:
    for kind in (PosixSpawn, Make, Treadle):
        try:
            yield kind(folder)
        except Missing as missing:
            print(f"skipped: {kind.name}: {missing}", file=sys.stderr)


def _others(folder: Path, args: argparse.Namespace) -> Iterator[tuple[str, Iterator[str]]]:
    """What was asked for, each with its title."""
    rounds, processes = args.rounds, endings.PROCESSES
    fans = "1 → 1,000 → 1, each step"
    items = "2,500 items, a template of 4 steps for each"
    known = {
        "startup": ("start-up of commands", costs.startup(folder, 4 * rounds)),
        "data": (f"{fans} reads a param and an output", costs.data(folder, rounds)),
        "pools": (f"{fans} uses a pool, 2 jobs", costs.pools(folder, rounds)),
        "children": (
            "10,000 children beside 1 → 9,998 → 1, 2 jobs",
            costs.children(folder, rounds),
        ),
        "templates": (f"{items}, beside chains, 2 jobs", costs.templates(folder, rounds)),
        "large": ("10,000 steps, command:, 2 jobs", costs.large(folder)),
        "huge": ("100,000 steps, three dependencies each, JSON", costs.huge(folder)),
        "past": ("a log of 1,000,000 records", past.replaying(folder)),
        "triggers": ("definitions that wait", triggers.waiting(folder, rounds)),
        "page": ("the page", page.serving(folder, rounds)),
        "endings": (f"ending a tree of {processes:,} processes", endings.ending(folder, rounds)),
    }
    yield from (of for name, of in known.items() if _wanted(args, name))
    if _wanted(args, "breakdown"):
        for key in ("fan", "chain"):
            for form in FORMS:
                title = f"where the time goes: {SHAPES[key].name}, {form}:, 2 jobs"
                yield title, costs.breakdown(folder, SHAPES[key], form, 2)


main()
