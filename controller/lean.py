"""Imports of other packages without what most commands never use.

PyYAML compiles a dozen patterns for readers and resolvers of its own, which libyaml does without.
msgspec imports `uuid`, and with it the patterns of `platform`. All of that would take longer than
the whole rest of these imports. Each pattern still works; it is compiled when it is first used.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_compile = re.compile


class _Pattern:
    """A pattern that is not compiled yet."""

    def __init__(self, pattern: Any, flags: int = 0) -> None:
        self._written = pattern, flags

    def __getattr__(self, name: str) -> Any:
        method = getattr(_compile(*self._written), name)
        setattr(self, name, method)  # so the next use finds it at once
        return method


@contextmanager
def patterns_later() -> Iterator[None]:
    """In this block, which imports a package, `re.compile` waits until the pattern is used.

    So the package must use its patterns by their methods, as in `pattern.match(text)`.
    """
    re.compile = _Pattern  # type: ignore[assignment]
    try:
        yield
    finally:
        re.compile = _compile
