"""Which specs folders have a controller on this machine: each binds a name for its own.

Two controllers with different state folders would both run what one specs folder asks for. The name
is an abstract socket: it needs no right to write there, ends with its process however that ends, is
the same for every path to the folder, and unlike a lock on the folder it keeps nobody from
unmounting it. Controllers on other machines, or in another network namespace, are not seen.
"""

import errno
import socket


class Claim:
    """At most one name at a time: that of the folder looked at last."""

    def __init__(self) -> None:
        self._name = ""
        self._socket: socket.socket | None = None

    def take(self, name: str) -> bool:
        """False if another process has claimed `name`. Asked again, it tries again."""
        if self._socket is not None and name == self._name:
            return True
        self.give_back()
        try:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.bind(f"\0treadle-specs-{name}")
        except OSError as error:
            self.give_back()
            return error.errno != errno.EADDRINUSE  # where no socket can be had, nobody is warned
        self._name = name
        return True

    def give_back(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
