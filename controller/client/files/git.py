"""The specs folder of a git revision or of the git index. The repository is only read.

Its content is read as git keeps it, object by object. So nothing runs that a repository may bring
along: no hook, no filter, no file system monitor. What a checkout would change (line ends, files
of Git LFS) stays as it was committed.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from controller.errors import UsageError

_FILE, _LINK = ("100644", "100755"), "120000"
# No program of the repository runs, nothing is fetched, nobody is asked, no file is touched.
_OPTIONS = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
_ENVIRONMENT = {
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
}


class _Blob(NamedTuple):
    path: str  # relative to the specs folder
    mode: str
    object: str


@contextmanager
def committed(specs: str, revision: str | None) -> Iterator[str | None]:
    """A temporary copy of `specs` as `revision` has it, or as the next commit has it if None.

    None if that commit has no such folder. `specs` itself need not exist.
    """
    inside = _nearest(specs)
    prefix = _git(inside, "rev-parse", "--show-prefix").decode().strip()
    prefix = os.path.normpath(os.path.join(prefix, os.path.relpath(specs, inside)))
    root = _git(inside, "rev-parse", "--show-toplevel").decode().removesuffix("\n")
    if revision is None:
        blobs = _staged(root, prefix, specs)
    else:
        known = ("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        commit = _git(inside, *known, what=revision).decode().strip()
        blobs = _in_tree(root, prefix, commit)
    if not blobs:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="treadle-diff-") as place:
        folder = Path(place, "tree", prefix)
        folder.mkdir(parents=True)
        _write(root, blobs, folder)
        yield os.fspath(folder)


def in_repository(folder: str) -> bool:
    """Whether git knows it, so that revisions of it can be compared."""
    try:
        _git(_nearest(folder), "rev-parse", "--git-dir")
    except UsageError:
        return False
    return True


def _nearest(folder: str) -> str:
    """The folder, or the nearest folder above it that exists."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(os.path.abspath(folder))
    return folder


def _in_tree(root: str, prefix: str, commit: str) -> list[_Blob]:
    """The files below `prefix`, which is relative to `root`, in this commit."""
    below = [] if prefix == "." else ["--", f"{prefix}/"]
    listed = _git(root, "ls-tree", "-r", "-z", "--full-tree", commit, *below)
    return [*_blobs(listed, prefix, at=(0, 2))]


def _staged(root: str, prefix: str, specs: str) -> list[_Blob]:
    """The files below `prefix` in the next commit."""
    listed = _git(root, "ls-files", "--stage", "-z", "--", prefix)
    if any(head.split()[2] != "0" for head, _ in _entries(listed)):
        raise UsageError(f"{specs}: there are unmerged files, so there is no next commit yet")
    return [*_blobs(listed, prefix, at=(0, 1))]


def _blobs(listed: bytes, prefix: str, at: tuple[int, int]) -> Iterator[_Blob]:
    """`at`: where mode and object are among the words of an entry."""
    for head, path in _entries(listed):
        words = head.split()
        mode, name = (words[place] for place in at)
        inside = path if prefix == "." else os.path.relpath(path, prefix)
        if ".." in path.split("/") or inside in (".", "..") or os.path.isabs(path):
            raise UsageError(f"{path}: git has a file whose path is not valid")
        if mode in (*_FILE, _LINK) and (prefix == "." or path.startswith(f"{prefix}/")):
            yield _Blob(inside, mode, name)


def _entries(listed: bytes) -> Iterator[tuple[str, str]]:
    """What comes before the tab, and the path behind it."""
    for entry in listed.split(b"\0"):
        if entry:
            head, _, path = entry.partition(b"\t")
            yield head.decode(), os.fsdecode(path)


def _write(root: str, blobs: Sequence[_Blob], folder: Path) -> None:
    """Files before links, so that none is written through a link."""
    ordered = sorted(blobs, key=lambda blob: blob.mode == _LINK)
    with tempfile.TemporaryFile() as asked:
        asked.writelines(f"{blob.object}\n".encode() for blob in ordered)
        asked.seek(0)
        with subprocess.Popen(
            _command(root, "cat-file", "--batch"),
            env=_environment(),
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as reader:
            assert reader.stdout is not None
            for blob in ordered:
                data = _content(reader.stdout, blob)
                try:
                    _put(folder / blob.path, blob.mode, data)
                except (OSError, ValueError) as error:  # two of one name, a link to nowhere
                    raise UsageError(f"{blob.path}: can't be read from git: {error}") from None


def _put(path: Path, mode: str, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode == _LINK:
        path.symlink_to(os.fsdecode(data))
    else:
        path.write_bytes(data)


def _content(stream: IO[bytes], blob: _Blob) -> bytes:
    """The next object that git hands over: a line about it, its bytes, a line end."""
    words = stream.readline().split()
    if len(words) != 3 or words[1] != b"blob":
        raise UsageError(f"{blob.path}: git does not have its content here (a partial clone?)")
    size = int(words[2])
    data = stream.read(size + 1)
    if len(data) <= size:
        raise UsageError(f"{blob.path}: git did not hand over all of its content")
    return data[:-1]


def _git(folder: str, *words: str, what: str = "") -> bytes:
    try:
        done = subprocess.run(
            _command(folder, *words), env=_environment(), capture_output=True, check=False
        )
    except FileNotFoundError:
        raise UsageError("diff --rev and --staged need git, which is not installed") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
        if "not a git repository" in said:
            said = "is not in a git repository, and --rev and --staged need one"
        raise UsageError(f"{folder}: {said or f'git knows no revision {what}'}")
    return done.stdout


def _command(folder: str, *words: str) -> list[str]:
    return ["git", *_OPTIONS, "-C", folder, *words]


def _environment() -> Mapping[str, str]:
    return {**os.environ, **_ENVIRONMENT}
