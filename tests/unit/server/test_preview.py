"""A preview reads a whole revision of a repository; it may take too long."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from cli.place import document
from server.served import runs

from controller.server.beside.worker import Worker
from controller.server.door import Refused

from .conftest import Houses

SLOW = """#!/bin/sh
case "$*" in
    *cat-file*) echo $$ > {note}; exec sleep 600 ;;
    *) exec {git} "$@" ;;
esac
"""


@pytest.fixture
def slow_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """It hands over no file. Returns where it notes its pid."""
    git, note = shutil.which("git"), tmp_path / "pid"
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(SLOW.format(note=note, git=git))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return note


def test_one_that_is_killed_for_its_time_leaves_nothing(
    houses: Houses, slow_git: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (houses.specs / "etl.yaml").write_text(document("etl", a="true"))
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
    for words in (("init", "-q", "-b", "main"), ("add", "."), (*who, "commit", "-qm", "first")):
        subprocess.run(["git", *words], cwd=houses.specs, check=True)

    async def test() -> None:
        worker = Worker("questions", houses.folders(), 2.0)
        code = 503  # as long as it is not ready
        while code == 503:
            with pytest.raises(Refused) as refused:
                await worker.ask("diff", revision="main", staged=False, drafts=False)
            code = refused.value.code
        assert code == 504
        assert [*(tmp_path / "tmp").iterdir()] == []
        while runs(int(slow_git.read_text())):
            await asyncio.sleep(0.01)
        await worker.stop()

    asyncio.run(asyncio.wait_for(test(), 60))
