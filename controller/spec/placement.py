"""Where the attempts of a step run: as processes of this machine, or by an engine.

`executor` of the spec and of the step are one if they name the same engine: then the step adds its
own fields to those of the spec. What the Defaults say of an engine lies under both. What an engine
has to be told is here in full; what it then does is known to `executor/` alone.
"""

import posixpath
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from controller.spec.effective import over
from controller.spec.linked import Body, Linked
from controller.spec.models import (
    Container,
    Engines,
    Executor,
    Hook,
    Mount,
    Resources,
    Slurm,
    Spec,
    Step,
    given,
)
from controller.spec.models import Placement as Written

EngineName = Literal["local", "container", "slurm"]
ENGINES: tuple[EngineName, ...] = ("local", "container", "slurm")
LOCAL: EngineName = "local"
# How many attempts an engine may have from submission to proof. The others share the slots of this
# machine, `--max-parallel`.
SLOTS_OF_ENGINES: dict[str, int] = {"slurm": 1000}
MACHINE = ""  # where the slots of this machine are counted
_FACTORS = {"": 1, "k": 1000, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4} | {
    f"{letter}i": 1024**power for power, letter in enumerate("KMGT", 1)
}


class ContainerMount(Struct, frozen=True, omit_defaults=True):
    """`source` is relative to the folder of the spec's file, as written."""

    source: str
    target: str
    read_only: bool = False


class InContainer(Struct, frozen=True, omit_defaults=True, tag="container"):
    """A container of this machine. `image` is as written; an empty `network` is the program's."""

    image: str = ""
    mounts: tuple[ContainerMount, ...] = ()
    network: str = ""
    program: str = "auto"
    pull: str = "missing"


class OnSlurm(Struct, frozen=True, omit_defaults=True, tag="slurm"):
    """A job of a Slurm cluster. An empty `partition` is the cluster's default."""

    partition: str = ""
    shared_dir: str = ""
    args: tuple[str, ...] = ()


Placement = InContainer | OnSlurm


class Needs(Struct, frozen=True, omit_defaults=True):
    """What an attempt needs, as far as its spec says: cores, bytes, GPUs."""

    cpu: float | None = None
    memory_bytes: int | None = None
    gpu: int | None = None


NOTHING = Needs()


def engine_of(placement: Placement | None) -> EngineName:
    """The engine that runs the attempts of a step with this placement."""
    match placement:
        case InContainer():
            return "container"
        case OnSlurm():
            return "slurm"
        case None:
            return LOCAL


def slots_of(engine: str) -> str:
    """Which limit counts the attempts of this engine: MACHINE, or the engine's own."""
    return engine if engine in SLOTS_OF_ENGINES else MACHINE


def place_in(placement: Placement | None) -> dict[str, str]:
    """What an attempt keeps of where it is submitted to, whatever the spec says later."""
    if isinstance(placement, OnSlurm):
        return {"sharedDir": placement.shared_dir}
    return {}


def executor_of(spec: Spec, step: Step | Hook) -> Executor | None:
    """What the step says of its engine, over its spec and the Defaults; None: it is local.

    A hook takes nothing from its spec.
    """
    own = step.executor
    common = spec.executor if isinstance(step, Step) else UNSET
    if isinstance(own, UnsetType):
        own = common
    if not isinstance(own, Executor):
        return None
    if isinstance(common, Executor):
        own = _merged(own, common)
    engines = spec.engines if isinstance(spec, Linked | Body) else UNSET
    return _under(own, engines) if isinstance(engines, Engines) else own


def placement(spec: Spec, step: Step | Hook, home: str = ".") -> Placement | None:
    """Where the attempts of the step run; None: as processes of this machine.

    `home`: the folder of the file that has the step, seen from that of the spec.
    """
    executor = executor_of(spec, step)
    if executor is None:
        return None
    if isinstance(container := executor.container, Container):
        return InContainer(
            image=given(container.image, ""),
            mounts=_mounts(container, home if _lists_mounts(step.executor) else "."),
            network=given(container.network, ""),
            program=given(container.program, "auto"),
            pull=given(container.pull, "missing"),
        )
    if isinstance(slurm := executor.slurm, Slurm):
        return OnSlurm(
            partition=given(slurm.partition, ""),
            shared_dir=given(slurm.shared_dir, ""),
            args=tuple(given(slurm.args, [])),
        )
    return None


def needs(written: Resources | UnsetType) -> Needs:
    """What `resources` of a step means."""
    if isinstance(written, UnsetType):
        return NOTHING
    memory = written.memory
    return Needs(
        cpu=given(written.cpu, None),
        memory_bytes=None if isinstance(memory, UnsetType) else quantity(memory),
        gpu=given(written.gpu, None),
    )


def quantity(written: str | int) -> int:
    """The bytes of `512Mi`, `2G`, or of a plain number, rounded up."""
    if isinstance(written, int):
        return written
    digits = written.rstrip("KMGTki")
    return -int(-float(digits) * _FACTORS[written[len(digits) :]] // 1)


def _merged(own: Executor, common: Executor) -> Executor:
    """The step's own fields over those of the spec, if both name the same engine."""
    same = {
        name
        for name in own.__struct_fields__
        if UNSET not in (getattr(own, name), getattr(common, name))
    }
    return over(own, common) if same else own


def _under(own: Executor, engines: Engines) -> Executor:
    """Fields of the Defaults where neither step nor spec says anything."""
    container, slurm = own.container, own.slurm
    if isinstance(container, Container) and not isinstance(engines.container, UnsetType):
        container = over(container, engines.container)
    if isinstance(slurm, Slurm) and not isinstance(engines.slurm, UnsetType):
        slurm = over(slurm, engines.slurm)
    return Executor(container=container, slurm=slurm)


def _mounts(container: Container, home: str) -> tuple[ContainerMount, ...]:
    """`home`: the folder of the file that lists them, seen from that of the spec."""
    return tuple(_mount(mount, home) for mount in given(container.mounts, []))


def _lists_mounts(written: Written) -> bool:
    container = written.container if isinstance(written, Executor) else UNSET
    return isinstance(container, Container) and not isinstance(container.mounts, UnsetType)


def _mount(mount: Mount, home: str) -> ContainerMount:
    source = mount.source
    if home != ".":
        source = posixpath.normpath(posixpath.join(home, source))
    return ContainerMount(source, mount.target, given(mount.read_only, False))
