"""The specs folder of a git revision or of the git index. The repository is only read."""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from controller.errors import UsageError


@contextmanager
def committed(specs: str, revision: str | None) -> Iterator[str | None]:
    """A temporary copy of `specs` as `revision` has it, or as the next commit has it if None.

    None if that commit has no such folder. `specs` itself need not exist.
    """
    inside = _nearest(specs)
    prefix = _git(inside, "rev-parse", "--show-prefix").decode().strip()
    prefix = os.path.join(prefix, os.path.relpath(specs, inside))
    specs = inside
    with tempfile.TemporaryDirectory(prefix="treadle-diff-") as place:
        index = {}
        if revision is not None:
            index = {"GIT_INDEX_FILE": f"{place}/index"}  # leave the repository's own index alone
            known = f"{revision}^{{commit}}"
            _git(specs, "rev-parse", "--verify", "--quiet", known, what=revision)
            _git(specs, "read-tree", revision, env=index)
        elif _git(specs, "ls-files", "--unmerged", "."):
            raise UsageError(f"{specs}: there are unmerged files, so there is no next commit yet")
        _git(specs, "checkout-index", "--all", "--force", f"--prefix={place}/tree/", env=index)
        folder = Path(place, "tree", prefix)
        yield os.fspath(folder) if folder.is_dir() else None


def _nearest(folder: str) -> str:
    """The folder, or the nearest folder above it that exists."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(os.path.abspath(folder))
    return folder


def _git(folder: str, *words: str, env: Mapping[str, str] | None = None, what: str = "") -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", folder, *words],
            env={**os.environ, **(env or {})},
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("diff --rev and --staged need git, which is not installed") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        if "not a git repository" in said:
            said = "is not in a git repository, and --rev and --staged need one"
        raise UsageError(f"{folder}: {said or f'git knows no revision {what}'}")
    return done.stdout
