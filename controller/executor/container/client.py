"""The client of an attempt: the process that the shim starts, and all that it is given.

It runs in the environment of the controller, since that says where images are and which daemon to
talk to. The variables of the step reach the container without standing in an argument, where
everybody could read them: the client has them in its environment, and is told their names. That
keeps every byte of a value. What would mean something to the client itself, like PATH, is in a file
for it, which can't hold line breaks.

What the container may write is mounted from folders into which the controller never writes: else it
could lead the controller elsewhere by a link.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

from controller.executor import names
from controller.executor.container import program
from controller.executor.container.program import Bind, Variables
from controller.executor.preparation import prepare
from controller.executor.secrets import CannotPrepare
from controller.loop.ports import Launch
from controller.model.phases import Reason
from controller.model.places import (
    env_file,
    files_folder,
    output_file,
    shared_folder,
    work_folder,
)
from controller.regular import make_below, open_below, private
from controller.spec.placement import InContainer

OUTPUT = "output"  # the file that TREADLE_OUTPUT names, in the folder that is shared
LINE_BYTES_MAX = 60_000  # of the file with variables; podman reads lines of 64 KiB at most

_OF_CLIENTS = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|TERM|ENV|BASH_ENV|BASHOPTS|SHELLOPTS|IFS|CDPATH|"
    r"(BUILDAH|CONTAINERS?|DBUS|DOCKER|LD|LC|LISTEN|NOTIFY|PODMAN|REGISTRY|SSH|SSL|STORAGE|XDG)_.*|"
    r"_CONTAINERS_.*|GO[A-Z]+|LANG|.*_(proxy|PROXY)"
)


def client_of(state: str, launch: Launch) -> Launch:
    """What the machine is to start for an attempt. Raises CannotPrepare or NotNow.

    `state`: the state folder, absolute.
    """
    placement = launch.placement
    assert isinstance(placement, InContainer)
    shared = f"{state}/{shared_folder(launch.log)}"
    env = prepare(state, launch) | {"TREADLE_OUTPUT": f"{shared}/{OUTPUT}"}
    make_below(state, shared_folder(launch.log))
    _open_to_all(state, launch)
    own, lines = _shared_out(env, launch.place["program"])
    path = f"{state}/{env_file(launch.log)}"
    if lines:
        with open(path, "wb", opener=private) as file:
            file.write("".join(lines).encode(errors="surrogateescape"))
    inherited = launch.inherit if isinstance(launch.inherit, tuple) else ()
    passed = (name for name in inherited if name in os.environ and name not in env)
    return Launch(
        id=launch.id,
        mark=launch.mark,
        argv=tuple(
            program.run(
                launch.place["program"],
                launch.handle,
                names.labels(launch),
                launch.place["image"],
                launch.argv,
                working_dir=launch.working_dir,
                placement=placement,
                needs=launch.needs,
                binds=_binds(state, launch, placement),
                variables=Variables((*passed, *own), path if lines else ""),
            )
        ),
        env=own,
        working_dir=launch.working_dir,
        home=launch.home,
        log=launch.log,
        leave_processes=True,  # the container may outlive its client
        priority=launch.priority,
    )


def take_output(state: str, log: str) -> str:
    """Bring what the container handed on to where outputs are read; returns a note, or "".

    The container is over. A link could lead to a file that it was not given, so it counts as
    nothing.
    """
    shared = f"{state}/{shared_folder(log)}"
    with suppress(FileNotFoundError):
        os.unlink(f"{state}/{env_file(log)}")
    if os.path.islink(f"{shared}/{OUTPUT}"):
        return (
            "OutputIgnored: $TREADLE_OUTPUT is a symbolic link, which may lead out of the container"
        )
    with suppress(OSError):  # there is none
        os.rename(f"{shared}/{OUTPUT}", f"{state}/{output_file(log)}")
    with suppress(OSError):  # there is more in it
        os.rmdir(shared)
    return ""


def last_words(state: str, log: str) -> str:
    """The last line that the client printed."""
    with suppress(OSError), open(open_below(state, log), "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
        lines = file.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""


def _open_to_all(state: str, launch: Launch) -> None:
    """A container may have any user. On this machine nobody else can enter the folders above."""
    for folder in (shared_folder(launch.log), work_folder(launch.id.uid)):
        os.chmod(f"{state}/{folder}", 0o777)  # noqa: S103
    with suppress(FileNotFoundError), os.scandir(f"{state}/{files_folder(launch.log)}") as files:
        os.chmod(f"{state}/{files_folder(launch.log)}", 0o755)  # noqa: S103
        for file in files:
            os.chmod(file, 0o644)


def _binds(state: str, launch: Launch, placement: InContainer) -> Iterator[Bind]:
    """What a spec mounts at a place of ours takes that place."""
    own = [
        Bind(launch.working_dir, launch.working_dir),
        Bind(f"{state}/{work_folder(launch.id.uid)}", f"{state}/{work_folder(launch.id.uid)}"),
        Bind(f"{state}/{shared_folder(launch.log)}", f"{state}/{shared_folder(launch.log)}"),
    ]
    files = f"{state}/{files_folder(launch.log)}"
    if os.path.isdir(files):
        own.append(Bind(files, files, read_only=True))
    written = [Bind(mount.source, mount.target, mount.read_only) for mount in placement.mounts]
    taken = {os.path.normpath(bind.target) for bind in written}
    yield from (bind for bind in own if bind.target not in taken)
    yield from written


def _shared_out(env: Mapping[str, str], whose: str) -> tuple[dict[str, str], list[str]]:
    """The variables that the client may have, and the lines of the file for all others."""
    own, lines = {}, []
    for name, value in env.items():
        if not _OF_CLIENTS.fullmatch(name):
            own[name] = value
        elif set(value) & set("\r\n") or len(value) > LINE_BYTES_MAX:
            problem = (
                f"{name}: {whose} reads a variable of this name itself, so its value for a "
                f"container can have no line break, and at most {LINE_BYTES_MAX} bytes; rename it"
            )
            raise CannotPrepare(Reason.START_FAILED, problem)
        else:
            lines.append(f"{name}={value}\n")
    return own, lines
