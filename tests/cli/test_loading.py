"""What commands do not load, because it is most of the time that a short command takes."""

import subprocess
import sys
from collections.abc import Collection
from importlib.util import find_spec

import pytest
from cli.place import Place, document

LOADED = """
import sys
from controller.cli.main import main
code = main()
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""

# What only some commands need, or only some cases of a command.
SELDOM = {
    "asyncio", "cronsim", "jsonschema", "logging", "psutil", "re2", "rich", "subprocess",
    "tempfile", "tenacity", "watchdog", "zstandard",
    "controller.cel", "controller.folder.inbox", "controller.folder.scan", "controller.log.archive",
    "controller.model.image", "controller.rehearsal", "controller.spec.habits",
    "controller.view.changes", "controller.view.live", "controller.view.pages",
    "controller.view.why",
}  # fmt: skip
OF_A_CONTROLLER = {
    "hashlib", "socket", "threading", "yaml",
    "controller.executor", "controller.folder", "controller.host", "controller.intake",
    "controller.loop", "controller.spec.reading",
}  # fmt: skip
COMMANDS = {
    "--help": {
        *SELDOM,
        *OF_A_CONTROLLER,
        "controller.model",
        "controller.spec",
        "controller.view.look",
    },
    "get": {*SELDOM, *OF_A_CONTROLLER},
    "run one.yaml": {*SELDOM, "controller.view.lists", "controller.view.story"},
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_loads_no_more_than_it_needs(place: Place, command: str) -> None:
    (place.root / "one.yaml").write_text(document("one", step="true"))
    place.treadle("run", "one.yaml")
    shown = place.begin(*command.split(), program=(sys.executable, "-c", LOADED))
    loaded = shown.communicate(timeout=30)[1].decode().splitlines()[-1].split()
    assert shown.returncode == 0
    assert not below(COMMANDS[command], loaded)


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_not_loaded_is_there(command: str) -> None:
    assert all(find_spec(name) for name in COMMANDS[command] if name.startswith("controller."))


def test_the_shim_is_told_to_load_before_what_reads_the_files() -> None:
    program = "import sys; import controller.cli.acting.run; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = done.stdout.decode().split()
    assert "controller.executor.local.starting" in loaded
    assert not below(["controller.model", "controller.spec", "controller.view.look"], loaded)


def below(names: Collection[str], loaded: Collection[str]) -> list[str]:
    """Which of the loaded modules have these names, or are in packages that have them."""
    return [each for each in loaded if any(f"{each}.".startswith(f"{name}.") for name in names)]
