"""The specs folder as git has it: of a revision, or of the index. The repository is only read."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.errors import UsageError


@contextmanager
def committed(specs: str, revision: str | None) -> Iterator[str]:
    """A folder with what `revision`, or, if it is None, the next commit has of `specs`."""
    prefix = _git(specs, "rev-parse", "--show-prefix").decode().strip()
    with tempfile.TemporaryDirectory(prefix="treadle-diff-") as place:
        if revision is None:
            # Paths are relative to the folder; they come out below their prefix.
            _git(specs, "checkout-index", "--all", "--force", f"--prefix={place}/")
        else:
            _git(specs, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
            files = _git(specs, "ls-tree", "-r", "--name-only", "-z", revision, ".")
            if files:
                archive = _git(specs, "archive", "--format=tar", revision, ".")
                subprocess.run(["tar", "-x", "-C", place], input=archive, check=True)
        found = Path(place, prefix) if revision is None else Path(place)
        found.mkdir(parents=True, exist_ok=True)
        yield os.fspath(found)


def _git(folder: str, *words: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", folder, *words], capture_output=True, check=False)
    except FileNotFoundError:
        raise UsageError("diff --rev and --staged need git, which is not installed") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or f"git knows no {words[-1]}"
        raise UsageError(f"{folder}: {said}")
    return done.stdout
