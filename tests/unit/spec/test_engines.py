"""Which engines a spec names."""

from typing import Any

import pytest
from msgspec import convert

from controller.spec.engines import placements
from controller.spec.linked import Above, Called, Linked
from controller.spec.models import DefaultsSpec, Spec, TemplateSpec
from controller.spec.placement import InContainer, OnSlurm, Placement

BOX: dict[str, Any] = {"container": {"image": "a"}}
JOB: dict[str, Any] = {"slurm": {"partition": "gpu"}}
IN_BOX, ON_GPU = InContainer(image="a"), OnSlurm(partition="gpu")


def step(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "run": "true", **fields}


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"steps": [step("a")]}, []),
        ({"steps": [step("a", executor="local")], "executor": BOX}, []),
        ({"steps": [step("a"), step("b")], "executor": BOX}, [IN_BOX]),
        ({"steps": [step("a", executor=JOB), step("b")], "executor": BOX}, [ON_GPU, IN_BOX]),
        ({"steps": [step("a")], "hooks": {"onExit": [step("h", executor=JOB)]}}, [ON_GPU]),
    ],
)
def test_steps_and_hooks(spec: dict[str, Any], found: list[Placement]) -> None:
    assert placements(convert(spec, Spec)) == found


def a_caller(**fields: Any) -> Linked:
    calls = [{"name": "a", "template": {"name": "t"}}]
    template = convert({"steps": [step("x"), step("y", executor=JOB)]}, TemplateSpec)
    spec = convert({"steps": calls, **fields}, Linked)
    return Linked(steps=spec.steps, executor=spec.executor, templates={"t": Called(spec=template)})


def test_steps_of_a_template_have_the_engine_of_its_caller() -> None:
    assert placements(a_caller()) == [ON_GPU]
    assert set(placements(a_caller(executor=BOX))) == {IN_BOX, ON_GPU}


def test_with_what_the_defaults_say_of_an_engine() -> None:
    policy = convert({"engines": {"slurm": {"sharedDir": "/s"}}}, DefaultsSpec)
    spec = convert({"steps": [step("a", executor=JOB)]}, Linked)
    above = (Above(spec=policy, path="defaults.yaml"),)
    assert placements(Linked(steps=spec.steps, above=above)) == [
        OnSlurm(partition="gpu", shared_dir="/s")
    ]
