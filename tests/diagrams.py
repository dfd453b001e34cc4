"""Draws docs/states.md from the tables of moves, and the pictures of DAGs:
`PYTHONPATH=tests python -m diagrams --write`.

`--check` compares instead and ends with 1 if a file is another.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from pictures import pictures

from controller.model.phases import (
    ATTEMPT_LIVE,
    ATTEMPT_MOVES,
    RUN_MOVES,
    STEP_MOVES,
    WORKFLOW_MOVES,
    Moves,
)

PAGE = Path(__file__).parents[1] / "docs" / "states.md"

_HEAD = """\
# States

`make diagrams` draws this page from the tables in `controller/model/phases.py`, and `make check`
fails if the two differ. Each arrow names the events of the log that make the change. Any other
change is refused by an assertion, which shows all events of the object.
"""

_WORKFLOW = """\
A workflow begins as `Pending`. Beside its phase there is the stage of its run. A run begins when
its first step starts, and ends with the next terminal phase. While a run is `ending`, its result
is decided and only its [hooks](hooks.md) are left.
"""

_STEP = """\
A step begins as `Pending`. A `Ready` step waits for a slot. A step is `Running` until it is
decided what follows from the end of its attempt. An edit or a request can lead back from a
terminal phase.
"""

_ATTEMPT = """\
An attempt is one execution of a step. It begins as `Scheduled`: it is in the log, and its process
is started at most once. If nobody saw it start, it can still be seen to have ended.
"""


def page() -> str:
    """The whole file."""
    parts = [
        _HEAD,
        f"## A step\n\n{_STEP}",
        drawn(STEP_MOVES, "Pending"),
        f"## A workflow and its run\n\n{_WORKFLOW}",
        drawn(WORKFLOW_MOVES, "Pending"),
        drawn(RUN_MOVES, "none"),
        f"## An attempt\n\n{_ATTEMPT}",
        drawn(ATTEMPT_MOVES, "Scheduled", over=ATTEMPT_MOVES.keys() - ATTEMPT_LIVE),
    ]
    return "\n".join(parts)


def drawn(table: Moves, first: str, over: set[str] | frozenset[str] = frozenset()) -> str:
    """A table as a Mermaid diagram; from the phases in `over` no way leads on."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {first}", *_arrows(table)]
    lines += [f"    {phase} --> [*]" for phase in table if phase in over]
    return "\n".join([*lines, "```", ""])


def _arrows(table: Moves) -> Iterator[str]:
    for was, row in table.items():
        for to, events in row.items():
            yield f"    {was} --> {to}: {', '.join(events)}"


def files() -> dict[Path, str]:
    """What is drawn, by its file."""
    return {PAGE: page(), **dict(pictures())}


def main(words: list[str]) -> int:
    """What `make diagrams` and `make check` run."""
    if words == ["--write"]:
        for path, text in files().items():
            path.write_text(text, encoding="utf-8")
        return 0
    if words != ["--check"]:
        print("--write or --check", file=sys.stderr)
        return 2
    stale = [path for path, text in files().items() if _text(path) != text]
    for path in stale:
        print(f"{path.name} is not what the code draws: make diagrams", file=sys.stderr)
    return 1 if stale else 0


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
