"""Rules for where attempts run: an engine gets what it needs, and nothing that it can't do.

What an engine can't do is refused, never ignored.
"""

import posixpath
from collections.abc import Callable, Iterator

from msgspec import UNSET, UnsetType

from controller.spec.expression import OPEN
from controller.spec.linked import Body, Linked
from controller.spec.models import Container, Engines, Executor, Mount, Slurm, Spec, given
from controller.spec.path_fault import Path, PathFault, containers, holders_of, programs_of
from controller.spec.placement import executor_of
from controller.spec.values import found

# Options of sbatch that treadle sets itself, and what to write instead.
_JOB = "each attempt has its own"
_OPTIONS_OF_OURS = {
    "--hold": "",
    "-H": "",
    "--parsable": "",
    "--requeue": "use retry",
    "--no-requeue": "",
    "--job-name": _JOB,
    "-J": _JOB,
    "--comment": _JOB,
    "--output": "treadle logs shows it",
    "-o": "treadle logs shows it",
    "--error": "treadle logs shows it",
    "-e": "treadle logs shows it",
    "--input": "",
    "-i": "",
    "--open-mode": "",
    "--time": "write timeoutSeconds",
    "-t": "write timeoutSeconds",
    "--chdir": "write workingDir",
    "-D": "write workingDir",
    "--export": "write env",
    "--export-file": "write env",
    "--array": "write forEach",
    "-a": "write forEach",
    "--partition": "write partition",
    "-p": "write partition",
    "--wrap": "write run",
    "--wait": "",
    "-W": "",
    "--signal": "write terminationGracePeriodSeconds",
    "--test-only": "",
    "--ignore-pbs": "",
    "--batch": "",
    "--clusters": "",
    "-M": "",
    "--uid": "",
    "--gid": "",
}
_NOT_THERE = {  # by engine: fields of a step, and what to do
    "container": {
        "before": "put it into run",
        "after": "put it into run, with trap",
        "leave_processes": "a container ends as a whole",
    },
    "slurm": {"leave_processes": "a job ends as a whole"},
}
_NAMES = {"leave_processes": "leaveProcesses"}
_IMAGE_HINT = "write image: NAME, like python:3.13-slim"


def engines(spec: Spec) -> Iterator[PathFault]:
    """An executor names one engine."""
    for path, holder in holders_of(spec):
        executor = holder.executor
        if not isinstance(executor, Executor):
            continue
        both = [name for name in ("container", "slurm") if getattr(executor, name) is not UNSET]
        if len(both) != 1:
            yield PathFault(
                path=(*path, "executor"),
                problem=f"has {'both' if both else 'neither'} of container and slurm",
                hint="write exactly one of them, or executor: local",
            )


def images(spec: Spec) -> Iterator[PathFault]:
    """A container has an image, written by the step or by its spec; or by who calls a template."""
    for path, container in _containers(spec):
        if isinstance(image := container.image, str) and _is_no_image(image):
            problem = f"{found(image)} is no name of an image"
            yield PathFault(path=(*path, "image"), problem=problem, hint=_IMAGE_HINT)
    if isinstance(spec, Body) and spec.caller is None:
        return
    for path, step_or_hook in programs_of(spec):
        executor = executor_of(spec, step_or_hook)
        if executor is None or not isinstance(executor.container, Container):
            continue
        if isinstance(executor.container.image, UnsetType):
            own = isinstance(step_or_hook.executor, Executor)
            at = (*path, "executor", "container") if own else ("spec", "executor", "container")
            yield PathFault(path=at, problem="the container has no image", hint=_IMAGE_HINT)
            if not own:
                return


def _is_no_image(text: str) -> bool:
    """An option would be taken for one of the program that runs containers."""
    return text.startswith("-") or (OPEN not in text and len(text.split()) != 1)


def mounts(spec: Spec) -> Iterator[PathFault]:
    """Each mount has two paths, and no two have the same target."""
    for path, container in _containers(spec):
        yield from _mounts((*path, "mounts"), given(container.mounts, []))


def _mounts(path: Path, mounts: list[Mount]) -> Iterator[PathFault]:
    seen = set[str]()
    for index, mount in enumerate(mounts):
        at, target = (*path, index), posixpath.normpath(mount.target)
        if not mount.source:
            yield PathFault(path=(*at, "from"), problem="the path is empty")
        if not mount.target.startswith("/"):
            problem = f"{found(mount.target)} is no absolute path of the container"
            yield PathFault(path=(*at, "to"), problem=problem, hint="write one, like /data")
        elif not target.strip("/"):
            problem = "the root of a container can't be replaced"
            yield PathFault(path=(*at, "to"), problem=problem, hint="name a folder below it")
        elif target in seen:
            yield PathFault(path=(*at, "to"), problem=f"a second mount at {target}")
        for name, text in (("from", mount.source), ("to", mount.target)):
            if "," in text or ":" in text:
                yield PathFault(path=(*at, name), problem="the path of a mount has no , or :")
        seen.add(target)


def jobs(spec: Spec) -> Iterator[PathFault]:
    """What is said of Slurm can be said to sbatch."""
    for path, slurm in _jobs(spec):
        shared, partition = slurm.shared_dir, slurm.partition
        if isinstance(shared, str) and not shared.startswith("/"):
            yield PathFault(
                path=(*path, "sharedDir"),
                problem=f"{found(shared)} is no absolute path",
                hint="write a folder that this machine and all nodes see, like /scratch/me/treadle",
            )
        if partition == "":
            hint = "leave it out for the default of the cluster"
            yield PathFault(path=(*path, "partition"), problem="the name is empty", hint=hint)
        for index, word in enumerate(given(slurm.args, [])):
            yield from _option((*path, "args", index), word)


def _containers(spec: Spec) -> Iterator[tuple[Path, Container]]:
    """What spec, steps and hooks say of their containers."""
    for path, holder in holders_of(spec):
        yield from containers(path, holder)


def _jobs(spec: Spec) -> Iterator[tuple[Path, Slurm]]:
    """What spec, steps and hooks say of their jobs; in Defaults, what these say of all jobs."""
    for path, holder in holders_of(spec):
        if isinstance(holder.executor, Executor) and isinstance(holder.executor.slurm, Slurm):
            yield (*path, "executor", "slurm"), holder.executor.slurm
    engines = spec.engines if isinstance(spec, Linked) else UNSET
    if isinstance(engines, Engines) and isinstance(engines.slurm, Slurm):
        yield ("spec", "engines", "slurm"), engines.slurm


def _option(path: Path, word: str) -> Iterator[PathFault]:
    if not word.startswith("-") or not word.strip("-"):
        problem = f"{found(word)} is no option"
        hint = "write an option and its value as one word: --constraint=a100"
        yield PathFault(path=path, problem=problem, hint=hint)
        return
    name = word.partition("=")[0] if word.startswith("--") else word[:2]
    ours = [option for option in _OPTIONS_OF_OURS if _may_mean(name, option)]
    if ours:
        instead = _OPTIONS_OF_OURS[ours[0]]
        hint = f"{instead}, and remove it here" if instead else "remove it"
        yield PathFault(path=path, problem=f"treadle sets {ours[0]} itself", hint=hint)


def _may_mean(word: str, option: str) -> bool:
    """Programs take a long option also by its first letters."""
    if word == option:
        return True
    return word.startswith("--") and len(word) > 3 and option.startswith(word)


def limits_of_engines(spec: Spec) -> Iterator[PathFault]:
    """What the engine of a step can't do."""
    for path, step_or_hook in programs_of(spec):
        executor = executor_of(spec, step_or_hook)
        if executor is None:
            continue
        engine = "slurm" if isinstance(executor.slurm, Slurm) else "container"
        for field, instead in _NOT_THERE[engine].items():
            if getattr(step_or_hook, field, UNSET) not in (UNSET, False):
                yield PathFault(
                    path=(*path, _NAMES.get(field, field)),
                    problem=f"{_NAMES.get(field, field)} is not possible with {engine}",
                    hint=f"{instead}, or write executor: local",
                    key=True,
                )
        if spec.inherit_env is True:
            yield PathFault(
                path=("spec", "inheritEnv"),
                problem=f"a step runs with {engine}, which has an environment of its own",
                hint="write the names of the variables that steps are to see: [LANG, API_URL]",
            )
            return


def texts_of_engines(spec: Spec) -> Iterator[tuple[Path, str]]:
    """The texts that may not hold expressions: all but the name of an image."""
    for path, container in _containers(spec):
        if isinstance(container.network, str):
            yield (*path, "network"), container.network
        for index, mount in enumerate(given(container.mounts, [])):
            yield (*path, "mounts", index, "from"), mount.source
            yield (*path, "mounts", index, "to"), mount.target
    for path, slurm in _jobs(spec):
        for name, text in (("partition", slurm.partition), ("sharedDir", slurm.shared_dir)):
            if isinstance(text, str):
                yield (*path, name), text
        for index, word in enumerate(given(slurm.args, [])):
            yield (*path, "args", index), word


def of_template(spec: Body) -> Iterator[PathFault]:
    """What a caller of the template chooses for its steps: the engine."""
    yield from images(spec)
    yield from limits_of_engines(spec)


ENGINE_RULES: tuple[Callable[[Spec], Iterator[PathFault]], ...] = (
    engines,
    images,
    mounts,
    jobs,
    limits_of_engines,
)
