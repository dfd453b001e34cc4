"""`treadle version`."""

import argparse

from controller.errors import ExitCode
from controller.printing import say


def version(args: argparse.Namespace) -> int:
    """treadle version [-v]"""
    from controller import __version__

    say(f"treadle {__version__}")
    if args.verbose:
        for name, value in _details(args.state):
            say(f"{name:<12} {value}")
    return ExitCode.FINE


def _details(state_dir: str) -> list[tuple[str, str]]:
    import platform
    import sys
    from importlib.metadata import version as installed

    from controller.client.replica import controller_shape
    from controller.model.events import SCHEMA
    from controller.spec.models import API_VERSION

    controller = controller_shape(state_dir)
    pid = f", pid {controller.pid}" if controller.pid else ""
    return [
        ("spec", API_VERSION),
        ("log schema", str(SCHEMA)),
        ("controller", f"{controller.phase}{pid} ({state_dir})"),
        ("python", f"{platform.python_version()} ({sys.executable})"),
        ("system", platform.platform()),
        *_marks(),
        *((name, installed(name)) for name in ("msgspec", "psutil", "PyYAML", "watchdog")),
    ]


def _marks() -> list[tuple[str, str]]:
    """How treadle recognises the processes of a step on this machine, and what stays unknown."""
    from controller.executor.local.probe import available

    here = available()
    marks = {
        "resource limit": here.resource_limit,
        "descendants": here.descendants,
        "environment": here.environment,
        "cgroup": here.cgroup,
    }
    return [
        (
            "marks",
            ", ".join(f"{name} {'yes' if is_there else 'no'}" for name, is_there in marks.items()),
        ),
        ("proof", f"newest pid {'known' if here.newborns else 'unknown'}"),
        ("leftovers", "known at once" if here.leftovers else "looked for after each attempt"),
        ("exit codes", f"{'known' if here.foreign_exits else 'lost'} where the shim was killed"),
    ]
