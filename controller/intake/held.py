"""Can the folder be believed at all? An unmounted disk or a moved checkout deletes nothing.

It is not believed if it is missing, unreadable or not a folder, if somebody else can change it, or
if it has no specs and another device or inode than the log knows. Then the last specs stay in
force.
"""

from controller.model.observations import FolderSight
from controller.model.state import State


def why_held(state: State, sight: FolderSight) -> str:
    """Why the folder can't be believed, or "" if it can."""
    shown = sight.shown or sight.path
    if sight.root == "insecure":
        return sight.danger
    if sight.root == "file":
        return f"{shown} is not a folder"
    if sight.root != "ok":
        return f"the specs folder {shown} is {sight.root}"
    if is_another(state, sight) and not sight.files:
        return f"the specs folder {shown} was replaced by another one, which has no specs"
    return ""


def is_another(state: State, sight: FolderSight) -> bool:
    """Whether its device or inode differ from those in the log."""
    known = (state.controller.folder_device, state.controller.folder_inode)
    return known[1] != 0 and known != (sight.device, sight.inode)


def identity(state: State, sight: FolderSight) -> tuple[int, int]:
    """Device and inode to record at a start: the known ones, until `judge` adopts others."""
    known = state.controller
    if known.folder_inode:
        return known.folder_device, known.folder_inode
    return sight.device, sight.inode
