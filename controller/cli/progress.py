"""How a command shows what happens: a live view on a terminal, else lines."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING

from controller.cli.output import can_draw

if TYPE_CHECKING:
    from controller.host.lines import Progress
    from controller.view.live.choice import Leaving


@contextmanager
def progress(
    args: argparse.Namespace, leaving: "Leaving", specs: str = "", title: str = ""
) -> "Iterator[Progress]":
    """`specs`: the folder that is run; "" if it is only some workflows, which `title` names."""
    zone = UTC if args.utc else None
    if args.log_format == "json":
        from controller.host.lines import JsonLines

        yield JsonLines()
    elif can_draw() and args.show_output in ("failed", "none"):
        from controller.host.live import LiveView

        folders = ["--state", args.state, *(["--specs", specs] if specs else [])]
        with LiveView(specs, folders, args.show_output, leaving, title, zone) as live:
            yield live
    else:
        from controller.host.lines import Lines

        yield Lines(specs, args.show_output, zone)
