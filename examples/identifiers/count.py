"""Count the identifiers in the files of one shard: OUT/shard-N.txt → OUT/counts-N.tsv."""

import keyword
import os
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path


def identifiers(path: str) -> Iterator[str]:
    with open(path, "rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
                yield token.string


def main() -> None:
    number = sys.argv[1]
    out = Path(os.environ["OUT"])
    counts: Counter[str] = Counter()
    for path in (out / f"shard-{number}.txt").read_text().splitlines():
        try:
            counts.update(identifiers(path))
        except (SyntaxError, UnicodeDecodeError, tokenize.TokenError) as error:
            print(f"{path}: passed over: {error}")  # some files are there to be broken
    (out / f"counts-{number}.tsv").write_text(
        "".join(f"{count}\t{name}\n" for name, count in counts.most_common()), encoding="utf-8"
    )
    print(f"shard {number}: {counts.total()} uses of {len(counts)} identifiers")


main()
