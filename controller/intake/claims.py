"""Which file defines which workflow, as far as the folder shows; where those in force came from.

A name in force belongs to the file in which its document was last accepted, its home, as long as
that file still lists the name, or has a fault. Any other file that lists it
claims it: that makes it a duplicate, or the new home once the old one has let go.
Cost: O(names of the file) for a file that changed.
"""

from collections.abc import Iterable

from msgspec import Struct

from controller.model.observations import FolderSight
from controller.model.state import State, Workflow


class Claims(Struct):
    """`unlisted` are paths that can't be read: perhaps folders, with files in them."""

    names: dict[str, tuple[str, ...]] = {}  # path -> the names that it lists
    paths: dict[str, set[str]] = {}  # name -> the files that list it
    homes: dict[str, set[str]] = {}  # path -> the names in force that came from it
    unlisted: set[str] = set()

    def remember(self, lives: Iterable[Workflow]) -> None:
        """Begin anew with these in force."""
        self.homes.clear()
        for life in lives:
            self.homes.setdefault(life.path, set()).add(life.name)

    def take_in(self, path: str, sight: FolderSight) -> set[str]:
        """Note what the file lists now; the names that this matters to."""
        file = sight.files.get(path)
        before = self.names.pop(path, ())
        for name in before:
            self.paths[name].discard(path)
            if not self.paths[name]:
                del self.paths[name]
        listed = tuple(dict.fromkeys(file.names)) if file is not None else ()
        for name in listed:
            self.paths.setdefault(name, set()).add(path)
        if listed:
            self.names[path] = listed
        concerned = {*before, *listed, *self.homes.get(path, ())}
        if path in self.unlisted:
            self.unlisted.remove(path)
            concerned.update(*(self.homes[home] for home in self.homes if _is_in(home, path)))
        if file is not None and file.faults and not file.digest:
            self.unlisted.add(path)
        return concerned

    def move(self, name: str, old: str | None, new: str | None) -> None:
        """The name in force has another home."""
        if old is not None and old in self.homes:
            self.homes[old].discard(name)
            if not self.homes[old]:
                del self.homes[old]
        if new is not None:
            self.homes.setdefault(new, set()).add(name)

    def stands(self, life: Workflow, sight: FolderSight) -> bool:
        """Whether its home still defines it, as far as can be told."""
        file = sight.files.get(life.path)
        if file is None:
            return any(_is_in(life.path, folder) for folder in self.unlisted)
        if not file.steady or life.name in file.names:
            return True
        # A file with a fault says nothing, whatever names it lists; an empty one may be one that is
        # being written; another kind of file has let go.
        return file.empty or (bool(file.faults) and not file.foreign)

    def defined(self, life: Workflow, sight: FolderSight) -> bool:
        """Whether any file speaks for it; one that holds no document any more is no deletion."""
        file = sight.files.get(life.path)
        if file is not None and (file.empty or file.foreign):
            return True
        return bool(self.paths.get(life.name)) or self.stands(life, sight)


def in_force(state: State) -> list[Workflow]:
    """The workflows that the folder, as far as it was believed, asks for."""
    return [life for life in state.workflows.values() if of_folder(life)]


def of_folder(life: Workflow) -> bool:
    return life.origin == "folder" and not life.deleting


def _is_in(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")
