"""What is said to podman and docker: their words for what we want, as argvs.

Both know nearly the same words. Nothing here says `create`, `start` or `--rm`: the shim starts the
client once, and that is the only way in which a container of ours comes to run.
"""

import shutil
from collections.abc import Iterable, Sequence

from msgspec import Struct

from controller.executor import names
from controller.spec.placement import InContainer, Needs

PROGRAMS = ("podman", "docker")


class Bind(Struct, frozen=True):
    """A path of this machine that a container sees."""

    source: str
    target: str
    read_only: bool = False


class Variables(Struct, frozen=True):
    """The environment of a container, without one word of it in an argument.

    `by_name` are those that the client has in its own environment. `file` has those that would mean
    something to the client itself; empty: there are none.
    """

    by_name: tuple[str, ...] = ()
    file: str = ""


def choose(wanted: str) -> str:
    """The program that `program` of a spec means; "" if it is not installed."""
    candidates = PROGRAMS if wanted == "auto" else (wanted,)
    return next((name for name in candidates if shutil.which(name)), "")


def run(
    program: str,
    name: str,
    labels: names.Labels,
    image: str,
    argv: Sequence[str],
    *,
    working_dir: str,
    placement: InContainer,
    needs: Needs,
    binds: Iterable[Bind],
    variables: Variables,
) -> list[str]:
    """The client of an attempt. `image` is an id: what a name means may have changed since."""
    return [
        *_quiet(program),
        "run",
        f"--name={name}",
        *(f"--label={label}={text}" for label, text in labels.as_texts().items()),
        "--pull=never",
        # The container writes to the file that it inherits, or docker's client writes to it.
        f"--log-driver={'passthrough' if program == 'podman' else 'none'}",
        "--sig-proxy=false",  # what ends the client does not end the container
        *([f"--network={placement.network}"] if placement.network else []),
        *_needs(program, needs),
        f"--workdir={working_dir}",
        *(_bind(bind) for bind in binds),
        *(f"--env={variable}" for variable in variables.by_name),
        *([f"--env-file={variables.file}"] if variables.file else []),
        f"--entrypoint={argv[0]}",
        image,
        *argv[1:],
    ]


def inspect(program: str, some: Iterable[str]) -> list[str]:
    """All about these containers, by name or id."""
    return [program, "container", "inspect", *some]


def ours(program: str, folder_id: str) -> list[str]:
    """The ids of all containers of a state folder."""
    label = f"label={names.FOLDER}={folder_id}"
    return [program, "ps", "--all", "--quiet", "--no-trunc", f"--filter={label}"]


def kill(program: str, name: str, signal: str) -> list[str]:
    """Send a signal to the first process of a container; it returns at once."""
    return [program, "kill", f"--signal={signal}", name]


def give_up(program: str, name: str) -> list[str]:
    """Let the program note that a container does not run, which it has missed."""
    return [program, "stop", "--time=0", name]


def remove(program: str, ids: Iterable[str]) -> list[str]:
    """Remove containers that have ended; what runs is refused."""
    return [program, "rm", *ids]


def image_id(program: str, image: str) -> list[str]:
    """The id of an image that is here."""
    return [program, "image", "inspect", "--format={{.Id}}", "--", image]


def pull(program: str, image: str) -> list[str]:
    """Fetch an image."""
    return [*_quiet(program), "pull", "--quiet", "--", image]


def _quiet(program: str) -> list[str]:
    """Its warnings would stand in what the step prints."""
    return [program, "--log-level=fatal"]


def _needs(program: str, needs: Needs) -> list[str]:
    said = []
    if needs.cpu is not None:
        said.append(f"--cpus={needs.cpu:g}")
    if needs.memory_bytes is not None:
        said.append(f"--memory={needs.memory_bytes}b")
    if needs.gpu is not None:  # podman can't count them, so it gives all that there are
        said.append(f"--gpus={needs.gpu}" if program == "docker" else "--device=nvidia.com/gpu=all")
    return said


def _bind(bind: Bind) -> str:
    fields = {"type": "bind", "source": bind.source, "target": bind.target}
    words = [_word(f"{field}={value}") for field, value in fields.items()]
    return f"--mount={','.join([*words, *(['readonly'] if bind.read_only else [])])}"


def _word(text: str) -> str:
    """A field of the line of comma-separated values that a mount is."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"') else text
