"""Where text goes and how it looks: terminal or file, colour, JSON, YAML."""

import os
import sys
from collections.abc import Iterable
from typing import Any

import msgspec

from controller.view.table import Table, render


def terminal_width() -> int | None:
    """How wide stdout is, if it is a terminal: elsewhere nothing is cut."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def in_colour() -> bool:
    dumb = os.environ.get("TERM") == "dumb" or os.environ.get("NO_COLOR")
    return sys.stdout.isatty() and not dumb


def show_table(table: Table) -> None:
    show_lines(render(table, terminal_width(), in_colour()))


def show_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def show(value: Any, form: str) -> None:
    """`value`, some shape, as JSON or YAML."""
    if form == "yaml":
        import yaml

        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        plain = msgspec.to_builtins(value)
        yaml.dump(plain, sys.stdout, Dumper=dumper, sort_keys=False, allow_unicode=True)
    else:
        print(msgspec.json.format(msgspec.json.encode(value)).decode())


def show_line(value: Any) -> None:
    """`value` as one line of JSON."""
    print(msgspec.json.encode(value).decode())


def tell(text: str) -> None:
    """A line for people, beside the data."""
    print(text, file=sys.stderr)


def say_if_nobody_listens(state_dir: str, dry_run: bool) -> None:
    """A file was changed; who is going to see that?"""
    from controller.client.replica import is_live

    if not dry_run and not is_live(state_dir):
        tell("no controller is running: the next `treadle up` takes it")
