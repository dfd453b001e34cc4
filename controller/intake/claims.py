"""Which file lists which name now, and from which file each document in force came.

The home of a workflow, or of a policy, is the file from which its document was last accepted;
`templates` knows those of templates. The home keeps the name as long as it lists the name or has a
fault. Another file that lists the name is a duplicate until the home no longer has it; then that
file becomes the new home.
Cost: O(names of the file) for a file that changed.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct

from controller.intake import policies
from controller.model.observations import FolderSight, SeenFile
from controller.model.state import State, Workflow


def listed(file: SeenFile) -> tuple[str, ...]:
    """The names of the workflows in a file, and of the policies."""
    names = (name for name in file.names if not policies.is_policy(name))  # that name has a fault
    return (*names, *policies.listed(file))


class Claims(Struct):
    """Of names that must be unique together: of workflows and policies, or of templates.

    `listed`: those in a file. `unlisted` are paths that can't be read: perhaps folders, with files
    in them.
    """

    listed: Callable[[SeenFile], tuple[str, ...]] = listed
    names: dict[str, tuple[str, ...]] = {}  # path -> the names that it lists
    paths: dict[str, set[str]] = {}  # name -> the files that list it
    homes: dict[str, set[str]] = {}  # path -> the names in force that came from it
    unlisted: set[str] = set()

    def remember(self, homes: Mapping[str, str]) -> None:
        """Forget all homes, then note these: by name, the path of each."""
        self.homes.clear()
        for name, path in homes.items():
            self.homes.setdefault(path, set()).add(name)

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

    def defined(self, name: str, home: str, sight: FolderSight) -> bool:
        """Whether any file keeps this name. A home without any document left is a fault."""
        file = sight.files.get(home)
        if file is not None and (file.empty or file.foreign):
            return True
        return bool(self.paths.get(name)) or self.stands(name, home, sight)


def in_force(state: State) -> dict[str, str]:
    """What the folder asks for, without what is not believed yet: by name, the home of each."""
    lives = {life.name: life.path for life in state.workflows.values() if of_folder(life)}
    return lives | policies.homes(state)


def home_of(state: State, name: str) -> str | None:
    """As `in_force` says, of one name."""
    life = state.workflows.get(name)
    if life is None:
        return policies.home(state, name)
    return life.path if of_folder(life) else None


def of_folder(life: Workflow) -> bool:
    return life.origin == "folder" and not life.deleting


def _is_in(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")
