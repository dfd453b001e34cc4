"""What the name of a file in the specs folder says: whether it counts, and as what."""

import os
from typing import Literal

SPEC_SUFFIXES = (".yaml", ".yml", ".json")
MARKER_SUFFIX = ".cancel"

Kind = Literal["spec", "marker"]


def kind_of(name: str) -> Kind | None:
    """The kind of a file by its name. Editors' temporary files have another suffix, or a dot."""
    if name.startswith("."):
        return None
    if name.endswith(SPEC_SUFFIXES):
        return "spec"
    return "marker" if name.endswith(MARKER_SUFFIX) and name != MARKER_SUFFIX else None


def within(path: str, folder: str) -> bool:
    """Whether this is the folder or lies in it; both without symlinks."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def hidden(path: str) -> bool:
    """Whether a part of this relative path starts with a dot."""
    return path.startswith(".") or "/." in path


def is_utf8(name: str) -> bool:
    """Whether the log can hold this name as it is."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def printable(path: str) -> str:
    """The path as text that a log can hold."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
