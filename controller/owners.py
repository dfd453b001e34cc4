"""Whose a file or folder is, and who else may write there: who that is can run commands as us.

Trusted are the user that we run as, and root. A group is trusted if it is the owner's own: of his
name, with nobody else in it, as Debian and Fedora make one for each user.
"""

import os
import pwd
import stat
from typing import NamedTuple

ROOT = 0
STATE_FOLDERS = ("log", "requests", "runs", "shim", "snapshots", "archive", "work")
_NO_NAMES = (KeyError, OSError)  # no such user, or the names can't be had


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except _NO_NAMES:
        return f"user {uid}"


def group_name(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except _NO_NAMES:
        return f"group {gid}"


def others_may_write(status: os.stat_result) -> bool:
    return bool(status.st_mode & stat.S_IWOTH) and not stat.S_ISLNK(status.st_mode)


def group_may_write(status: os.stat_result) -> bool:
    """Whether a group may write that has anybody but the owner in it."""
    if not status.st_mode & stat.S_IWGRP or stat.S_ISLNK(status.st_mode):
        return False
    return not _is_own_group(status.st_gid, status.st_uid)


def _is_own_group(gid: int, uid: int) -> bool:
    import grp

    try:
        group = grp.getgrgid(gid)
    except _NO_NAMES:
        return gid == uid  # as in a container that knows no names
    try:
        user = pwd.getpwuid(uid)
    except _NO_NAMES:
        return False
    return (
        user.pw_gid == gid and group.gr_name == user.pw_name and {*group.gr_mem} <= {user.pw_name}
    )


# ---------------------------------------- the state folder


class Doubt(NamedTuple):
    """What is wrong with a folder, with its path, and how to mend it."""

    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.mend}"


def doubt_of_state(path: str) -> Doubt | None:
    """Why we should not write into this state folder, if somebody else can.

    One that is missing is fine: who makes it owns it. Raises OSError if it can't be looked at.
    """
    for folder in (path, *(os.path.join(path, name) for name in STATE_FOLDERS)):
        try:
            seen = [os.lstat(folder), os.stat(folder)]
        except (FileNotFoundError, NotADirectoryError):
            continue
        for status in seen:
            if doubt := _doubt_of(folder, status):
                return doubt
    return None


def _doubt_of(path: str, status: os.stat_result) -> Doubt | None:
    owner, caller = user_name(status.st_uid), user_name(os.geteuid())
    if status.st_uid != os.geteuid():
        return Doubt(
            f"{path}: belongs to {owner}, not to {caller}, so {owner} could run commands as you",
            f"work as {owner}, or name a folder of your own with --state",
        )
    if others_may_write(status):
        who, mode = "others", "o-w"
    elif group_may_write(status):
        who, mode = f"the group {group_name(status.st_gid)}", "g-w"
    else:
        return None
    return Doubt(
        f"{path}: {who} can write to this folder, so they could run commands as you",
        f"remove what is not yours in it, then run `chmod {mode} {path}`, or name another with "
        "--state",
    )
