"""What is installed is what was tested, and nothing of it calls out."""

import re
from pathlib import Path

import pytest

import controller

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_package_is_pinned_by_hash(name: str) -> None:
    text = re.sub(r"\\\n", " ", (ROOT / name).read_text())
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert lines
    for line in lines:
        assert re.match(r"[a-z0-9._\[\]-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line


def test_what_builds_treadle_is_pinned_too() -> None:
    project, makefile = (ROOT / "pyproject.toml").read_text(), (ROOT / "Makefile").read_text()
    (needed,) = re.findall(r'^requires = \["([a-z]+)\W', project, re.MULTILINE)
    assert re.search(rf"^{needed}==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    installs = [line for line in makefile.splitlines() if line.startswith("\t@$(PIP)")]
    assert installs
    for line in installs:
        assert "--require-hashes" in line or "--no-deps --no-build-isolation" in line, line


def test_all_sockets_are_of_this_machine() -> None:
    package = Path(controller.__file__).parent
    opened = [
        (path.name, call)
        for path in package.rglob("*.py")
        for call in re.findall(r"socket\.(?:socket|create_connection)\([^)]*\)", path.read_text())
    ]
    assert opened
    for name, call in opened:
        listens = name == "listening.py"  # of the page: on loopback, unless its user wants another
        assert "AF_UNIX" in call or "fileno=" in call or listens, (name, call)
    listening = (package / "server" / "listening.py").read_text()
    assert ".connect(" not in listening
