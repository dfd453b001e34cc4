"""Logs that an older treadle wrote are read for ever, and mean what they meant.

Each folder `schema-N` has a log as that version wrote it, and what `get -o json` showed then at
some of its points. A later version may show more, never something else.
"""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from golden.tell import shown

from controller.log.reader import read
from controller.model import events as e
from controller.model.apply.fold import replay
from controller.model.image import freeze, thaw
from controller.model.invariants import check

FOLDERS = sorted(Path(__file__).parent.glob("schema-*"))
IMAGES = sorted(Path(__file__).parent.glob("schema-*/image.json"))


def missing(then: Any, now: Any, at: str = "") -> list[str]:
    """What was shown then and is not now, or is something else."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [
            lack for key in then for lack in missing(then[key], now.get(key, "-"), f"{at}.{key}")
        ]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [
            lack
            for n, (one, other) in enumerate(zip(then, now, strict=True))
            for lack in missing(one, other, f"{at}[{n}]")
        ]
    return [] if then == now else [f"{at}: {then!r}, now {now!r}"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_older_log_means_what_it_meant(folder: Path) -> None:
    records = list(read(str(folder)))
    lines = (folder / "shown.jsonl").read_text().splitlines()
    for line in map(json.loads, lines):
        state = replay(records[: line["seq"]])
        check(state)
        assert missing(line["shown"], shown(state)) == [], f"after record {line['seq']}"
        assert freeze(thaw(freeze(state))) == freeze(state)


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.parent.name)
def test_an_older_image_means_what_it_meant(path: Path) -> None:
    """A checkpoint is one, and may be all that is left of what came before."""
    state = thaw(path.read_bytes(), by_any=True)
    check(state)
    line = json.loads((path.parent / "shown.jsonl").read_text().splitlines()[-1])
    assert missing(line["shown"], shown(state)) == []
    assert state.seq == line["seq"]


def test_the_newest_one_has_every_event_that_there_was() -> None:
    told = {type(record.event) for folder in FOLDERS for record in read(str(folder))}
    assert told == set(get_args(e.AnyEvent)), "add a golden log for what is new"
