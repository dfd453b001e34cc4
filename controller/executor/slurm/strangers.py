"""What Slurm and the shared folder have of this state folder, and nobody has asked for.

A crash may leave a held job that the log does not name, a second one of a name, or the folder of an
attempt that is over. Held ones are removed; what may have run is only told. Nothing of another
state folder is ever touched.
"""

from collections.abc import Collection, Iterator
from functools import partial

from msgspec import Struct

from controller.executor.calls import Calls
from controller.executor.names import Labels
from controller.executor.slurm.cluster import Cluster
from controller.executor.slurm.listing import Listing, Seen
from controller.executor.slurm.shared import remove
from controller.loop.ports import AttemptId, Clock, Found, Trouble
from controller.model.state import SECOND

AGAIN_US = 30 * SECOND  # for a folder that can't be removed
NAMED_MAX = 3


class Stranger(Struct, eq=False):
    """A job, or only the folder of one (`handle` is its path then)."""

    id: AttemptId
    name: str
    cluster: Cluster
    handle: str
    held: bool = False
    folder: str = ""
    disowned: bool = False


class Removal(Struct, eq=False):
    """A folder that is to be removed once no job needs it."""

    name: str
    cluster: Cluster
    due: int = 0
    calling: bool = False


class Strangers:
    """Those of all clusters of a controller."""

    def __init__(self, clock: Clock, files: Calls) -> None:
        self._clock = clock
        self._files = files
        self._found: dict[str, Stranger] = {}  # by handle
        self._folders: dict[str, tuple[Labels, str, Cluster]] = {}  # left by others, by path
        self._unwanted: dict[Cluster, set[str]] = {}
        self._removals: dict[str, Removal] = {}

    def wants(self, cluster: Cluster) -> bool:
        """Whether it needs a listing of the cluster."""
        waiting = any(cluster is where for _, _, where in self._folders.values())
        removals = any(cluster is removal.cluster for removal in self._removals.values())
        return waiting or removals or bool(self._unwanted.get(cluster))

    def next_due(self) -> int | None:
        return min((r.due for r in self._removals.values() if not r.calling), default=None)

    # ------------------------------------------------------------------------------------ seeing

    def see_folder(self, path: str, whose: Labels, name: str, cluster: Cluster) -> None:
        """A folder that no live attempt has. A listing has to show whether a job has it."""
        self._folders[path] = whose, name, cluster

    def see(
        self, cluster: Cluster, listing: Listing, folder_id: str, names: Collection[str]
    ) -> Iterator[Found]:
        """What is new in the listing. `names`: those of the attempts that are known."""
        shown = set[str]()
        for name, jobs in listing.by_name.items():
            for seen in jobs:
                if name in names or seen.over or seen.labels is None:
                    continue
                if seen.labels.folder_id == folder_id:
                    shown.add(seen.job)
                    yield from self._see_job(cluster, seen, seen.labels)
        for path, (whose, name, where) in list(self._folders.items()):
            if where is cluster and not _is_active(listing, name):
                del self._folders[path]
                if name not in names:
                    stranger = Stranger(whose.attempt, name, cluster, path, folder=path)
                    self._found[path] = stranger
                    yield _told(stranger)
        for handle, stranger in list(self._found.items()):
            if stranger.cluster is cluster and not stranger.folder and handle not in shown:
                del self._found[handle]
        self._cancel(cluster, listing)

    def _see_job(self, cluster: Cluster, seen: Seen, whose: Labels) -> Iterator[Found]:
        known = self._found.get(seen.job)
        if known is not None:
            known.held = seen.held
            return
        stranger = Stranger(whose.attempt, seen.name, cluster, seen.job, seen.held)
        self._found[seen.job] = stranger
        yield _told(stranger)

    # ----------------------------------------------------------------------------------- removing

    def unwanted(self, cluster: Cluster, jobs: Collection[str]) -> None:
        """Held jobs: cancel them, unless they have started."""
        if jobs:
            self._unwanted.setdefault(cluster, set()).update(jobs)
            cluster.changed()

    def remove(self, folder: str, name: str, cluster: Cluster) -> None:
        """Its attempt is over: remove it, until that is done."""
        self._removals[folder] = Removal(name, cluster, self._clock.now())

    def forget(self, attempt: AttemptId) -> None:
        """The log has its end."""
        for handle, stranger in list(self._found.items()):
            if stranger.id == attempt:
                self._drop(handle, stranger)

    def disown(self, handle: str) -> None:
        """The log does not know it."""
        stranger = self._found.get(handle)
        if stranger is not None and stranger.held:
            self._drop(handle, stranger)
        elif stranger is not None:
            stranger.disowned = True

    def _drop(self, handle: str, stranger: Stranger) -> None:
        if stranger.folder:
            del self._found[handle]
            self.remove(stranger.folder, stranger.name, stranger.cluster)
        elif stranger.held:
            self.unwanted(stranger.cluster, [handle])

    def carry_on(self) -> None:
        """Remove what is due."""
        now = self._clock.now()
        for folder, removal in self._removals.items():
            if removal.calling or now < removal.due:
                continue
            listing = removal.cluster.listing
            if listing is not None and _is_active(listing, removal.name):
                removal.due = now + AGAIN_US
                continue
            removal.calling = True
            self._files.carry_out(partial(remove, folder), partial(self._removed, folder))

    def _removed(self, folder: str, done: bool) -> None:
        if done:
            self._removals.pop(folder, None)
        else:
            self._removals[folder].calling = False
            self._removals[folder].due = self._clock.now() + AGAIN_US

    def _cancel(self, cluster: Cluster, listing: Listing) -> None:
        """Those that still wait; each listing shows which have gone."""
        unwanted = self._unwanted.get(cluster, set())
        jobs = listing.jobs
        waiting = [job for job in sorted(unwanted) if job in jobs and jobs[job].pending]
        unwanted &= set(waiting)
        if waiting:
            cluster.cancel_pending(waiting, lambda _: cluster.changed())

    # ------------------------------------------------------------------------------------ trouble

    def trouble(self) -> Trouble | None:
        """What may run, and nobody knows of."""
        unknown = sorted(s.handle for s in self._found.values() if s.disowned)
        if not unknown:
            return None
        named = ", ".join(unknown[:NAMED_MAX])
        more = f" and {len(unknown) - NAMED_MAX} more" if len(unknown) > NAMED_MAX else ""
        message = (
            f"Slurm has jobs or folders of this state folder that its log does not know: {named}"
            f"{more}; they may have run, so they are left alone; look at them, then cancel or "
            "remove them"
        )
        return Trouble("UnknownAttempts", message, "UnknownAttempts")


def _is_active(listing: Listing, name: str) -> bool:
    return any(not seen.over for seen in listing.by_name.get(name, ()))


def _told(stranger: Stranger) -> Found:
    return Found(id=stranger.id, engine="slurm", handle=stranger.handle, held=stranger.held)
