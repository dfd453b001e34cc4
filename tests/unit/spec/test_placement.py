"""Where the attempts of a step run: what step, spec and Defaults say, merged."""

from typing import Any, get_args

import msgspec
import pytest
from story import a_step, document, template

from controller.spec.definition import Definition, definitions, expressions
from controller.spec.fingerprint import fingerprints
from controller.spec.hooks import hook_definition, hooks_in_force
from controller.spec.linked import Above, Linked, below
from controller.spec.models import (
    Container,
    ContainerPolicy,
    DefaultsSpec,
    Engines,
    Executor,
    Resources,
)
from controller.spec.placement import (
    ENGINES,
    LOCAL,
    MACHINE,
    NOTHING,
    SLOTS_OF_ENGINES,
    ContainerMount,
    EngineName,
    InContainer,
    Needs,
    OnSlurm,
    Placement,
    engine_of,
    needs,
    place_in,
    quantity,
    slots_of,
)
from controller.spec.template import template_definitions

DATA, BARE = ContainerMount("data", "/data"), ContainerMount("/x", "/x", read_only=True)
MOUNTS = [{"from": "data", "to": "/data"}, {"from": "/x", "to": "/x", "readOnly": True}]


def a_spec(step: dict[str, Any], *above: dict[str, Any], **spec: Any) -> Linked:
    """One step, and Defaults for engines above it, the nearest first."""
    found = tuple(
        Above(spec=msgspec.convert({"engines": engines}, DefaultsSpec), path=f"{n}.yaml")
        for n, engines in enumerate(above)
    )
    return below(document([a_step("a", **step)], **spec).spec, found)


def defined(step: dict[str, Any], *above: dict[str, Any], **spec: Any) -> Definition:
    return definitions(a_spec(step, *above, **spec))["a"]


def box(**fields: Any) -> dict[str, Any]:
    return {"executor": {"container": fields}}


def job(**fields: Any) -> dict[str, Any]:
    return {"executor": {"slurm": fields}}


@pytest.mark.parametrize(
    ("step", "spec", "above", "becomes"),
    [
        pytest.param({}, {}, [], None, id="nobody says anything"),
        pytest.param({"executor": "local"}, box(image="i"), [], None, id="this machine"),
        pytest.param({}, {"executor": "local"}, [], None, id="this machine, for all steps"),
        pytest.param({}, box(image="i"), [], InContainer("i"), id="the spec names it"),
        pytest.param(
            box(image="i", mounts=MOUNTS, network="none", program="docker", pull="never"),
            {},
            [],
            InContainer("i", (DATA, BARE), "none", "docker", "never"),
            id="all fields of a container",
        ),
        pytest.param(
            job(partition="p", sharedDir="/s", args=["-x"]),
            {},
            [],
            OnSlurm("p", "/s", ("-x",)),
            id="all fields of a job",
        ),
        pytest.param(
            box(network="none"),
            box(image="i", network="host", pull="never"),
            [],
            InContainer("i", (), "none", pull="never"),
            id="the same engine: field by field, the step wins",
        ),
        pytest.param(
            box(image="i", mounts=[]),
            box(image="j", mounts=MOUNTS),
            [],
            InContainer("i"),
            id="a list is one field",
        ),
        pytest.param(job(), box(image="i"), [], OnSlurm(), id="another engine replaces it"),
        pytest.param(
            job(partition="p"),
            {},
            [{"slurm": {"partition": "q", "sharedDir": "/s"}}, {"slurm": {"args": ["-x"]}}],
            OnSlurm("p", "/s", ("-x",)),
            id="Defaults under both, the nearest wins",
        ),
        pytest.param(
            box(image="i"),
            {},
            [{"slurm": {"partition": "q"}, "container": {"program": "docker", "pull": "always"}}],
            InContainer("i", program="docker", pull="always"),
            id="Defaults of that engine alone",
        ),
        pytest.param({}, {}, [{"slurm": {"partition": "q"}}], None, id="Defaults choose none"),
    ],
)
def test_what_a_step_has(
    step: dict[str, Any],
    spec: dict[str, Any],
    above: list[dict[str, Any]],
    becomes: Placement | None,
) -> None:
    assert defined(step, *above, **spec).placement == becomes


def test_the_engine_and_its_limit() -> None:
    assert defined({}).engine == LOCAL
    assert defined(box(image="i")).engine == "container"
    assert defined(job()).engine == "slurm"
    assert [defined(step).slots for step in ({}, box(image="i"), job())] == [
        MACHINE,
        MACHINE,
        "slurm",
    ]
    assert {slots_of(engine) for engine in ENGINES} == {MACHINE, *SLOTS_OF_ENGINES}


def test_all_engines_have_a_placement_and_a_field() -> None:
    assert get_args(EngineName) == ENGINES
    assert {engine_of(one) for one in (None, InContainer(), OnSlurm())} == {*ENGINES}
    for model in (Executor, Engines):
        assert {LOCAL, *model.__struct_fields__} == {*ENGINES}


def test_an_attempt_keeps_the_shared_folder() -> None:
    assert place_in(OnSlurm(shared_dir="/s", partition="p")) == {"sharedDir": "/s"}
    assert place_in(InContainer("i")) == place_in(None) == {}


def test_what_defaults_say_is_in_no_fingerprint() -> None:
    step, engines = job(), {"slurm": {"partition": "gpu", "sharedDir": "/s", "args": ["-x"]}}
    assert fingerprints(a_spec(step)) == fingerprints(a_spec(step, engines))
    engines = {"container": {"program": "docker", "pull": "never"}}
    assert fingerprints(a_spec(box(image="i"))) == fingerprints(a_spec(box(image="i"), engines))


def test_defaults_have_no_field_that_decides_what_a_step_does() -> None:
    """So that an edit of them can't run anything again."""
    assert {*ContainerPolicy.__struct_fields__} < {*Container.__struct_fields__}
    assert not {"image", "mounts", "network"} & {*ContainerPolicy.__struct_fields__}


# ---------------------------------------- hooks, templates, expressions


def test_hooks_run_on_this_machine_unless_they_name_an_engine() -> None:
    hooks = [{"name": "here", "run": "x"}, {"name": "there", "run": "x", **job(partition="p")}]
    engines = {"slurm": {"sharedDir": "/s"}}
    spec = a_spec({}, engines, hooks={"onExit": hooks}, **box(image="i"))
    here, there = (hook_definition(spec, due) for due in hooks_in_force(spec)["onExit"])
    assert here.placement is None
    assert there.placement == OnSlurm("p", "/s")


def test_a_hook_of_defaults_mounts_what_is_beside_them() -> None:
    hook = {"name": "h", "run": "x", **box(image="i", mounts=MOUNTS)}
    policy = msgspec.convert({"hooks": {"onExit": [hook]}}, DefaultsSpec)
    spec = below(document([a_step("a")]).spec, (Above(spec=policy, path="../d.yaml", home=".."),))
    (due,) = hooks_in_force(spec)["onExit"]
    mounts = (ContainerMount("../data", "/data"), BARE)
    assert hook_definition(spec, due).placement == InContainer("i", mounts)


def test_the_steps_of_a_template() -> None:
    inner = template(
        a_step("common"),
        a_step("own", **box(mounts=[{"from": "data", "to": "/data"}])),
        a_step("here", executor="local"),
        home="../templates",
    )
    called = a_step("t", template={"name": "t"})
    mounts = [{"from": "other", "to": "/o"}]
    found = document([called], templates={"t": inner}, **box(image="i", mounts=mounts)).spec
    engines = {"container": {"pull": "never"}}
    above = Above(spec=msgspec.convert({"engines": engines}, DefaultsSpec), path="d.yaml")
    spec = below(found, (above,))
    steps = template_definitions(spec, definitions(spec)["t"])
    others = (ContainerMount("other", "/o"),)
    assert steps["common"].placement == InContainer("i", others, pull="never")
    own = (ContainerMount("../templates/data", "/data"),)
    assert steps["own"].placement == InContainer("i", own, pull="never"), "beside its own file"
    assert steps["here"].placement is None


def test_the_image_of_a_caller_reads_its_params() -> None:
    """Those of the template may have the same names."""
    called = a_step("t", template={"name": "t"})
    inner = template(a_step("common"), params={"v": "of the template"})
    image = "py:${{ params.v }}"
    spec = document([called], templates={"t": inner}, params={"v": "3"}, **box(image=image)).spec
    (step,) = template_definitions(spec, definitions(spec)["t"]).values()
    assert step.expressions == ("@params.v",)


def test_an_image_is_an_expression_of_the_attempt() -> None:
    step = box(image="py:${{ params.v }}")
    spec = a_spec(step, params={"v": "3"})
    assert definitions(spec)["a"].expressions == ("params.v",) == expressions(spec, spec.steps[0])


# ---------------------------------------- resources


@pytest.mark.parametrize(
    ("written", "count"),
    [
        (5, 5),
        ("5", 5),
        ("0.5", 1),
        ("1k", 1000),
        ("1K", 1000),
        ("1Ki", 1024),
        ("512Mi", 512 * 1024**2),
        ("1.5Gi", 3 * 2**29),
        ("2G", 2 * 10**9),
        ("1Ti", 2**40),
        ("0.3T", 3 * 10**11),
        ("999999999999999Ti", 999999999999999 * 2**40),
    ],
)
def test_amounts_of_memory(written: str | int, count: int) -> None:
    found = quantity(written)
    assert isinstance(found, int)
    assert found == pytest.approx(count, rel=1e-12) and found >= count * (1 - 1e-15)


def test_what_an_attempt_needs() -> None:
    assert defined({}).needs == NOTHING
    assert needs(Resources()) == NOTHING
    everything = {"cpu": 0.5, "memory": "1Gi", "gpu": 2}
    assert defined({"resources": everything}).needs == Needs(0.5, 2**30, 2)
    assert fingerprints(a_spec({})) == fingerprints(a_spec({"resources": everything}))
