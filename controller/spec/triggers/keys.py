"""The keys that tell the firings of a definition apart: an instance is named NAME@KEY."""

import re

KEY = r"[A-Za-z0-9._-]{1,40}"
LATEST = "latest"  # no key: NAME@latest is the instance that was born last


def key_by_hand(text: str) -> str:
    """The key of a firing for which somebody gave this text: the text, or a hash of it."""
    return text if not text or re.fullmatch(KEY, text) else _hash(text)


def remembered_as(trigger: str, key: str) -> str:
    """What a definition remembers of a key that somebody gave: each trigger has its own.

    `trigger` is empty for a firing by hand.
    """
    return f"{trigger}/{key}" if trigger else key


def key_of_file(path: str, size: int, mtime: int) -> str:
    """The key of a file as it is now. `mtime`: nanoseconds."""
    return _hash(f"{path}\0{size}\0{mtime}")


def _hash(text: str) -> str:
    from hashlib import blake2b  # loads OpenSSL

    return blake2b(text.encode(), digest_size=8).hexdigest()
