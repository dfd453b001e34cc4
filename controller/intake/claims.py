"""Which file lists which workflow or template now, and from which file each in force came.

The home of a workflow is the file from which its document was last accepted; `templates` knows
those of templates. The home keeps the name as long as it lists the name or has a fault. Another
file that lists the name is a duplicate until the home no longer has it; then that file becomes the
new home.
Cost: O(names of the file) for a file that changed.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter

from msgspec import Struct

from controller.model.observations import FolderSight, SeenFile
from controller.model.state import State, Workflow


class Claims(Struct):
    """Of the names of one kind: workflows, or templates.

    `listed`: those in a file. `unlisted` are paths that can't be read: perhaps folders, with files
    in them.
    """

    listed: Callable[[SeenFile], tuple[str, ...]] = attrgetter("names")
    names: dict[str, tuple[str, ...]] = {}  # path -> the names that it lists
    paths: dict[str, set[str]] = {}  # name -> the files that list it
    homes: dict[str, set[str]] = {}  # path -> the names in force that came from it
    unlisted: set[str] = set()

    def remember(self, lives: Iterable[Workflow]) -> None:
        """Forget all homes, then note those of these workflows."""
        self.homes.clear()
        for life in lives:
            self.homes.setdefault(life.path, set()).add(life.name)

    def take_in(self, path: str, sight: FolderSight) -> set[str]:
        """Note what the file lists now. Returns the names that this affects."""
        file = sight.files.get(path)
        before = self.names.pop(path, ())
        for name in before:
            self.paths[name].discard(path)
            if not self.paths[name]:
                del self.paths[name]
        listed = tuple(dict.fromkeys(self.listed(file))) if file is not None else ()
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
        """Note that what is in force has a new home, or none any more."""
        if old is not None and old in self.homes:
            self.homes[old].discard(name)
            if not self.homes[old]:
                del self.homes[old]
        if new is not None:
            self.homes.setdefault(new, set()).add(name)

    def stands(self, name: str, home: str, sight: FolderSight) -> bool:
        """Whether its home still defines it. In doubt, it does."""
        file = sight.files.get(home)
        if file is None:
            return any(_is_in(home, folder) for folder in self.unlisted)
        if not file.steady or name in self.listed(file):
            return True
        # The names in a file with a fault prove nothing, and an empty file may be half written: the
        # name stays. A valid file of another kind no longer defines it.
        return file.empty or (bool(file.faults) and not file.foreign)

    def defined(self, life: Workflow, sight: FolderSight) -> bool:
        """Whether any file keeps this workflow. A home without any document left is a fault."""
        file = sight.files.get(life.path)
        if file is not None and (file.empty or file.foreign):
            return True
        return bool(self.paths.get(life.name)) or self.stands(life.name, life.path, sight)


def in_force(state: State) -> list[Workflow]:
    """The workflows that the folder asks for, without what is not believed yet."""
    return [life for life in state.workflows.values() if of_folder(life)]


def of_folder(life: Workflow) -> bool:
    return life.origin == "folder" and not life.deleting


def _is_in(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")
