"""Add up the counts of all shards: OUT/counts-*.tsv → OUT/identifiers.tsv, the most used first."""

import os
from collections import Counter
from pathlib import Path


def main() -> None:
    out = Path(os.environ["OUT"])
    total: Counter[str] = Counter()
    for part in sorted(out.glob("counts-*.tsv")):
        for line in part.read_text(encoding="utf-8").splitlines():
            count, _, name = line.partition("\t")
            total[name] += int(count)
    (out / "identifiers.tsv").write_text(
        "".join(f"{count}\t{name}\n" for name, count in total.most_common()), encoding="utf-8"
    )
    print(f"{total.total()} uses of {len(total)} identifiers")


main()
