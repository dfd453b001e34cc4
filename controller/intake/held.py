"""Can the folder be believed at all? An unmounted disk or a moved checkout deletes nothing.

A folder that is missing, unreadable or no folder is not; nor is one of another device or inode than
the log knows that holds no specs. Then the last desired state stays in force.
"""

from controller.model.observations import FolderSight
from controller.model.state import State


def why_held(state: State, sight: FolderSight) -> str:
    """Why nothing that the folder shows can be believed, or nothing."""
    shown = sight.shown or sight.path
    if sight.root == "file":
        return f"{shown} is no folder"
    if sight.root != "ok":
        return f"the specs folder {shown} is {sight.root}"
    if is_another(state, sight) and not sight.files:
        return f"the specs folder {shown} has become another one, and holds no specs"
    return ""


def is_another(state: State, sight: FolderSight) -> bool:
    """Whether it has another identity than the log knows."""
    known = (state.controller.folder_device, state.controller.folder_inode)
    return known[1] != 0 and known != (sight.device, sight.inode)


def identity(state: State, sight: FolderSight) -> tuple[int, int]:
    """Device and inode for the record of a start: those known, until `judge` adopts others."""
    known = state.controller
    if known.folder_inode:
        return known.folder_device, known.folder_inode
    return sight.device, sight.inode
