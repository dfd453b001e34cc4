"""Deal the sources of the standard library out into N shards of about the same size.

Writes OUT/shard-1.txt … OUT/shard-N.txt, a path a line.
"""

import os
import sys
import sysconfig
from pathlib import Path

SKIPPED = {"__pycache__", "dist-packages", "idlelib", "lib2to3", "site-packages", "test", "tests"}


def main() -> None:
    shards = int(sys.argv[1])
    library = Path(sysconfig.get_path("stdlib"))
    files = [
        path
        for path in library.rglob("*.py")
        if SKIPPED.isdisjoint(path.relative_to(library).parts)
    ]
    if not files:
        sys.exit(f"{library}: no sources here; run this with a Python that has them")

    # Largest first, and each to the shard that has least: no shard ends long after the others.
    deck: list[list[Path]] = [[] for _ in range(shards)]
    sizes = [0] * shards
    for path in sorted(files, key=lambda path: (-path.stat().st_size, path)):
        least = sizes.index(min(sizes))
        deck[least].append(path)
        sizes[least] += path.stat().st_size

    out = Path(os.environ["OUT"])
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*-*.*"):
        old.unlink()  # of an earlier split, perhaps into more shards
    for number, paths in enumerate(deck, start=1):
        (out / f"shard-{number}.txt").write_text("".join(f"{path}\n" for path in paths))
    print(f"{len(files)} files, {sum(sizes) / 1e6:.1f} MB, in {shards} shards")


main()
