"""Which file each template comes from now, and which files call it.

The log has no event for a template: a generation holds the templates that it was made with. So what
a name means is known from the folder alone. Its home is the first file, by path, that lists it and
has no fault of its own; the home keeps the name as `claims` says, and a file that lists it besides
is rejected. So after a restart the home is the file that was not rejected, or the one whose
rejection says that the template came from it.
Cost: O(what the file lists and calls) for a file that changed, O(its callers) for a template.
"""

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter

from msgspec import Struct, field

from controller.intake.absence import Wait
from controller.intake.claims import Claims
from controller.intake.clashes import shown
from controller.model.events import FileRejected
from controller.model.observations import FolderSight, SeenFile
from controller.spec.reading.link import Found, LinkedFile, link_file
from controller.spec.reading.load import TemplateDocument

_Rejected = Mapping[str, FileRejected]  # by path


class Templates(Struct):
    """`at_work`: templates whose homes are being written."""

    claims: Claims = field(default_factory=lambda: Claims(listed=attrgetter("template_names")))
    homes: dict[str, str] = {}  # name -> path
    found: dict[str, Found] = {}  # name -> what a caller gets
    at_work: set[str] = set()
    calls: dict[str, frozenset[str]] = {}  # path -> the names that it calls
    callers: dict[str, set[str]] = {}  # name -> the files that call it
    seen: dict[str, Wait] = {}  # path of a caller -> since when it is as it is, with its templates

    def remember(self, rejected: _Rejected) -> None:
        """Note the homes of which only the log knows."""
        for path, event in rejected.items():
            for name in event.templates:
                self._move(name, path)

    def take_in(self, path: str, sight: FolderSight) -> set[str]:
        """Note what the file lists and calls now. Returns the templates that this affects."""
        for name in self.calls.pop(path, ()):
            self.callers[name].discard(path)
            if not self.callers[name]:
                del self.callers[name]
        file = sight.files.get(path)
        documents = file.documents if file is not None else ()
        calls = frozenset(name for document in documents for name in document.calls)
        for name in calls:
            self.callers.setdefault(name, set()).add(path)
        if calls:
            self.calls[path] = calls
        else:
            self.seen.pop(path, None)
        return self.claims.take_in(path, sight)

    def settle(self, names: Iterable[str], sight: FolderSight, rejected: _Rejected) -> set[str]:
        """Decide what these names mean now. Returns the files that are judged otherwise by that."""
        paths: set[str] = set()
        for name in names:
            home, before = self.homes.get(name), self._meaning(name)
            self._move(name, self._home(name, sight, rejected))
            self._find(name, sight)
            if self.homes.get(name) != home:
                paths |= self.claims.paths.get(name, set())
                paths |= {home} if home is not None else set()
            if self._meaning(name) != before:
                paths |= self.callers.get(name, set())
        return paths

    def linked(self, file: SeenFile) -> LinkedFile:
        """The documents of the file with the templates that there are now."""
        return link_file(file.documents, file.path, self.found)

    def waits(self, path: str) -> bool:
        """Whether the file calls a template whose home is being written."""
        return not self.at_work.isdisjoint(self.calls.get(path, ()))

    def since(self, path: str, sight: FolderSight, now: int) -> int:
        """Since when the file is as it is now, and the templates that it calls."""
        digest = self.digest(path, sight)
        wait = self.seen.get(path)
        if wait is None or wait.digest != digest:
            wait = self.seen[path] = Wait(now, digest)
        return wait.since

    def digest(self, path: str, sight: FolderSight) -> str:
        """Another one if the file or a template that it calls changes."""
        homes = {name: self.homes[name] for name in self.calls.get(path, ()) if name in self.homes}
        files = (
            sight.files[file_path]
            for file_path in (path, *homes.values())
            if file_path in sight.files
        )
        return " ".join((*sorted(homes), *sorted(file.digest for file in files)))

    def of(self, path: str) -> list[str]:
        """The templates that come from this file."""
        return sorted(self.claims.homes.get(path, ()))

    def elsewhere(self, file: SeenFile) -> Iterator[tuple[TemplateDocument, str]]:
        """The templates in the file that come from another one, with that other file."""
        for document in file.templates:
            if (home := self.homes.get(document.name, file.path)) != file.path:
                yield document, home

    def _meaning(self, name: str) -> tuple[Found | None, bool]:
        return self.found.get(name), name in self.at_work

    def _move(self, name: str, home: str | None) -> None:
        self.claims.move(name, self.homes.pop(name, None), home)
        if home is not None:
            self.homes[name] = home

    def _home(self, name: str, sight: FolderSight, rejected: _Rejected) -> str | None:
        home = self.homes.get(name)
        if home is not None and self.claims.stands(name, home, sight):
            return home
        valid = [path for path in self.claims.paths.get(name, ()) if not sight.files[path].faults]
        if valid:
            return min(valid, key=lambda path: (path in rejected, path))
        file = sight.files.get(home) if home is not None else None
        return home if file is not None and file.foreign else None  # it is to be mended or removed

    def _find(self, name: str, sight: FolderSight) -> None:
        """Note what callers get: the template, or why there is none that they can use."""
        self.found.pop(name, None)
        self.at_work.discard(name)
        path = self.homes.get(name) or min(self.claims.paths.get(name, ()), default=None)
        if path is None:
            return
        file = sight.files.get(path)
        if file is not None and not file.steady:
            self.at_work.add(name)
        templates = file.templates if file is not None else ()
        spec = next(
            (document.template.spec for document in templates if document.name == name), None
        )
        problem = "" if spec is not None else _problem(shown(sight, path), file)
        self.found[name] = Found(path=path, spec=spec, problem=problem)


def _problem(shown: str, file: SeenFile | None) -> str:
    """Why a template that comes from the file can't be used."""
    if file is None:
        return f"its file {shown} can't be read"
    if file.empty:
        return f"its file {shown} is empty"
    return f"its file {shown} {'no longer holds it' if file.foreign else 'has faults'}"
