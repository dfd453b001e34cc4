"""Whose a file or folder is, and who else may write there: who that is can run commands as us.

Trusted are the user that we run as, and root. A group is trusted if it is the owner's own: of his
name, with nobody else in it, as Debian and Fedora make one for each user.
"""

import errno
import os
import pwd
import stat
from collections.abc import Iterator
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
        return str(gid)


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


def is_strangers(status: os.stat_result) -> bool:
    """Whether it belongs to a third user, who is neither us nor root."""
    return status.st_uid not in (os.geteuid(), ROOT)


def who_else(status: os.stat_result) -> str:
    """How somebody else can change this file or folder; "" if nobody can."""
    if is_strangers(status):
        return f"belongs to {user_name(status.st_uid)}"
    if others_may_write(status):
        return "others can write to it"
    if group_may_write(status):
        return f"the group {group_name(status.st_gid)} can write to it"
    return ""


class Doubt(NamedTuple):
    """What is wrong with a folder, with its path, and how to mend it."""

    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.problem}; {self.mend}"


# ---------------------------------------- the state folder


_ANOTHER = "name another with --state"


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
    leads = f"this is on the path to the state folder {path}"
    return _doubt_of_way(path, leads, "keep the state below a folder of your own", _ANOTHER)


def _doubt_of(path: str, status: os.stat_result) -> Doubt | None:
    if status.st_uid != os.geteuid():
        owner, caller = user_name(status.st_uid), user_name(os.geteuid())
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
        f"remove what is not yours in it, then run `chmod {mode} {path}`, or {_ANOTHER}",
    )


# ---------------------------------------- the specs folder

LINKS_MAX = 40  # as many as the kernel follows
_RISK = "take the risk with --allow-insecure-specs"


def doubt_of_specs(path: str, shown: str) -> Doubt | None:
    """Why somebody else could put specs there, or another folder into its place.

    A group that can write is no reason, but see `who_else`. Raises OSError.
    """
    leads = f"this is on the path to the specs folder {shown}"
    if doubt := _doubt_of_way(path, leads, "move the specs to a folder below your own", _RISK):
        return doubt
    status = os.stat(path)
    if is_strangers(status):
        owner = user_name(status.st_uid)
        return Doubt(
            f"{shown}: the specs folder belongs to {owner}, not to {user_name(os.geteuid())}, so "
            f"{owner} could run commands as you",
            f"work as {owner}, copy it to a folder of your own, or {_RISK}",
        )
    if others_may_write(status):
        return Doubt(
            f"{shown}: others can write to the specs folder, so they could run commands as you",
            f"run `chmod o-w {shown}`, or {_RISK}",
        )
    return None


def _doubt_of_way(path: str, leads: str, move: str, else_: str) -> Doubt | None:
    """How somebody else could put another folder into the place of this one."""
    for place, status in _passed(os.path.abspath(path)):
        if is_strangers(status):
            owner = user_name(status.st_uid)
            return Doubt(
                f"{place}: {leads} and belongs to {owner}, who could run commands as you",
                f"{move}, or {else_}",
            )
        if others_may_write(status) and not status.st_mode & stat.S_ISVTX:
            return Doubt(
                f"{place}: {leads}, and others can write to it, so they could run commands as you",
                f"run `chmod o-w {place}`, or {else_}",
            )
    return None


def _passed(path: str) -> list[tuple[str, os.stat_result]]:
    """What is on the way to an absolute path, as far as there is one, without its end."""
    passed: list[tuple[str, os.stat_result]] = []
    try:
        passed.extend(_way(path))  # what comes before the missing one stays in it
    except (FileNotFoundError, NotADirectoryError):
        return passed
    end, _ = passed.pop()
    return [(place, status) for place, status in passed if place != end]


def _way(path: str) -> Iterator[tuple[str, os.stat_result]]:
    """All folders and links that the kernel passes on the way to an absolute path; last, its end.

    Whoever can change one of them decides what is at its end.
    """
    here, left, links = os.sep, _parts(path), 0
    yield here, os.lstat(here)
    while left:
        name = left.pop(0)
        if name == os.pardir:
            here = os.path.dirname(here)
            continue
        place = os.path.join(here, name)
        status = os.lstat(place)
        yield place, status
        if not stat.S_ISLNK(status.st_mode):
            here = place
            continue
        if (links := links + 1) > LINKS_MAX:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        target = os.readlink(place)
        here = os.sep if os.path.isabs(target) else here
        left = _parts(target) + left
    yield here, os.lstat(here)


def _parts(path: str) -> list[str]:
    return [part for part in path.split(os.sep) if part not in ("", os.curdir)]
