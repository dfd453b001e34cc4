"""Each kind of mistake in `executor` and `engines`, and what its author is told.

§ marks where the fault has to be placed.
"""
# ruff: noqa: E501  (a line a case)

import pytest

from controller.spec.reading.link import Found, link
from controller.spec.reading.load import Loaded, load

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\nspec:\n"
BY_US = ", and remove it here"
IMAGE = "write image: NAME, like python:3.13-slim"


def loaded(step: str, rest: str = "") -> Loaded:
    text = f"{HEAD}  steps:\n    - {{name: a, run: x, {step}}}\n{rest}"
    return load(text.encode(), "etl.yaml")


def told(found: Loaded, mark: int) -> list[str]:
    for fault in found.faults:
        assert fault.column == mark, str(fault)
    return [
        f"{fault.problem}; {fault.hint}" if fault.hint else fault.problem for fault in found.faults
    ]


def of_container(fields: str) -> str:
    return f"executor: {{container: {{image: i, {fields}}}}}"


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        # which engine
        ("executor: §{}", "has neither of container and slurm; write exactly one of them, or executor: local"),
        ("executor: §{container: {image: i}, slurm: {}}", "has both of container and slurm; write exactly one of them, or executor: local"),
        # the image
        ("executor: {container: §{}}", f"the container has no image; {IMAGE}"),
        ("executor: {container: {image: §''}}", f'"" is no name of an image; {IMAGE}'),
        ("executor: {container: {image: §--privileged}}", f'"--privileged" is no name of an image; {IMAGE}'),
        ("executor: {container: {image: §'-${{ workflow.name }}'}}", f'"-${{{{ workflow.name }}}}" is no name of an image; {IMAGE}'),
        ("executor: {container: {image: §python 3}}", f'"python 3" is no name of an image; {IMAGE}'),
        ("executor: {container: {image: '${{ §nix }}'}}", "unknown name: nix; the names here are params, workflow, run, trigger, steps"),
        # mounts
        (of_container("mounts: [{from: §'', to: /a}]"), "the path is empty"),
        (of_container("mounts: [{from: a, to: §b}]"), '"b" is no absolute path of the container; write one, like /data'),
        (of_container("mounts: [{from: a, to: §//}]"), "the root of a container can't be replaced; name a folder below it"),
        (of_container("mounts: [{from: a, to: /b}, {from: c, to: §/b/}]"), "a second mount at /b"),
        (of_container("mounts: [{from: §'a,b', to: /b}]"), "the path of a mount has no , or :"),
        (of_container("mounts: [{from: a, to: §'/b:ro'}]"), "the path of a mount has no , or :"),
        (of_container("mounts: [{from: §'${{ params.x }}', to: /b}]"), "an expression can't be used here"),
        (of_container("network: §'${{ params.x }}'"), "an expression can't be used here"),
        # jobs
        ("executor: {slurm: {partition: §'${{ params.x }}'}}", "an expression can't be used here"),
        ("executor: {slurm: {args: ['--qos=§${{ params.x }}']}}", "an expression can't be used here"),
        ("executor: {slurm: {sharedDir: '/s/§${{ params.x }}'}}", "an expression can't be used here"),
        ("executor: {slurm: {sharedDir: §scratch}}", '"scratch" is no absolute path; write a folder that this machine and all nodes see, like /scratch/me/treadle'),
        ("executor: {slurm: {partition: §''}}", "the name is empty; leave it out for the default of the cluster"),
        ("executor: {slurm: {args: [§gpu]}}", '"gpu" is no option; write an option and its value as one word: --constraint=a100'),
        ("executor: {slurm: {args: [--constraint=a100, §--]}}", '"--" is no option; write an option and its value as one word: --constraint=a100'),
        ("executor: {slurm: {args: [§--time=5]}}", f"treadle sets --time itself; write timeoutSeconds{BY_US}"),
        ("executor: {slurm: {args: [§--ti=5]}}", f"treadle sets --time itself; write timeoutSeconds{BY_US}"),
        ("executor: {slurm: {args: [§-t5]}}", f"treadle sets -t itself; write timeoutSeconds{BY_US}"),
        ("executor: {slurm: {args: [§-pgpu]}}", f"treadle sets -p itself; write partition{BY_US}"),
        ("executor: {slurm: {args: [§--requeue]}}", f"treadle sets --requeue itself; use retry{BY_US}"),
        ("executor: {slurm: {args: [§--hold]}}", "treadle sets --hold itself; remove it"),
        # what an engine can't do
        (of_container("") + ", §before: x", "before is not possible with container; put it into run, or write executor: local"),
        (of_container("") + ", §after: x", "after is not possible with container; put it into run, with trap, or write executor: local"),
        (of_container("") + ", §leaveProcesses: true", "leaveProcesses is not possible with container; a container ends as a whole, or write executor: local"),
        ("executor: {slurm: {}}, §leaveProcesses: true", "leaveProcesses is not possible with slurm; a job ends as a whole, or write executor: local"),
    ],
)  # fmt: skip
def test_what_its_author_is_told(step: str, fault: str) -> None:
    mark = len("    - {name: a, run: x, ") + step.index("§") + 1
    (found,) = told(loaded(step.replace("§", "")), mark)
    assert found.startswith(fault)


@pytest.mark.parametrize(
    "step",
    [
        "executor: local, before: x, leaveProcesses: true",
        "executor: {container: {image: python:3.13-slim}}, leaveProcesses: false",
        "executor: {container: {image: '${{ params.image }}'}}",
        "executor: {container: {image: i, mounts: [{from: ., to: /a/..b, readOnly: true}, {from: /, to: /b}], network: none, program: docker, pull: never}}",
        "executor: {slurm: {}}, before: x, after: x",
        "executor: {slurm: {partition: gpu, sharedDir: /s, args: [--constraint=a100, -N1, --exclusive, --mem=1]}}",
        "resources: {cpu: 0.5, memory: 8Gi, gpu: 1}",
        "resources: {memory: 1}",
    ],
)  # fmt: skip
def test_what_is_good(step: str) -> None:
    assert loaded(step, "  params: {image: i}\n").faults == ()


@pytest.mark.parametrize(
    ("step", "rest", "fault"),
    [
        ("", "  executor: {container: {}}\n", "etl.yaml:7:25: spec.executor.container: the container has no image"),
        ("executor: {container: {network: none}}", "  executor: {container: {image: i}}\n", ""),
        ("executor: {container: {network: none}}", "  executor: {slurm: {}}\n", "etl.yaml:6:47: spec.steps[0].executor.container: the container has no image"),
        ("before: x", "  executor: {container: {image: i}}\n", "etl.yaml:6:25: spec.steps[0].before: before is not possible with container"),
        ("before: x, executor: local", "  executor: {container: {image: i}}\n", ""),
        ("", "  executor: {container: {image: i}}\n  inheritEnv: true\n", "etl.yaml:8:15: spec.inheritEnv: a step runs with container, which has an environment of its own"),
        ("executor: {slurm: {}}", "  inheritEnv: true\n", "etl.yaml:7:15: spec.inheritEnv: a step runs with slurm, which has"),
        ("executor: {slurm: {}}", "  inheritEnv: [LANG]\n", ""),
        ("executor: {slurm: {}}", "  inheritEnv: false\n", ""),
        # hooks take nothing from the spec
        ("", "  executor: {slurm: {}}\n  hooks: {onExit: [{name: h, run: x}]}\n", ""),
        ("", "  executor: {container: {image: i}}\n  hooks: {onExit: [{name: h, run: x, executor: {container: {}}}]}\n", "etl.yaml:8:60: spec.hooks.onExit[0].executor.container: the container has no image"),
    ],
)  # fmt: skip
def test_what_a_step_has_from_its_spec(step: str, rest: str, fault: str) -> None:
    found = [str(one) for one in loaded(step, rest).faults]
    assert len(found) == bool(fault)
    assert not found or found[0].startswith(fault)


DEFAULTS = "apiVersion: treadle.dev/v1\nkind: Defaults\nspec:\n"


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("engines: {slurm: {partition: gpu, sharedDir: /s, args: [--qos=low]}, container: {program: podman, pull: never}}", ""),
        ("engines: {slurm: {sharedDir: s}}", '"s" is no absolute path'),
        ("engines: {slurm: {args: [--output=x]}}", "treadle sets --output itself"),
        ("engines: {container: {image: i}}", "unknown field; it decides what a step does, so it belongs into"),
        ("engines: {container: {mounts: []}}", "unknown field; it decides what a step does"),
        ("engines: {container: {network: none}}", "unknown field; it decides what a step does"),
        ("hooks: {onExit: [{name: h, run: x, executor: {container: {}}}]}", "the container has no image"),
        ("hooks: {onExit: [{name: h, run: x, executor: {slurm: {}}}]}", ""),
    ],
)  # fmt: skip
def test_defaults(spec: str, fault: str) -> None:
    found = [one.advice for one in load(f"{DEFAULTS}  {spec}\n".encode(), "d.yaml").faults]
    assert len(found) == bool(fault), found
    assert not found or found[0].startswith(fault)


# ---------------------------------------- templates

CALLER = "    - {name: b, template: {name: t}}\n"


def linked(step: str, rest: str) -> list[str]:
    """What is told of a caller with `rest` in its spec, whose template has this step."""
    kind = HEAD.replace("Workflow", "Template").replace("etl", "t")
    (template,) = load(
        f"{kind}  steps:\n    - {{name: a, run: x, {step}}}\n".encode(), "t.yaml"
    ).templates
    (caller,) = load(f"{HEAD}  steps:\n{CALLER}{rest}".encode(), "etl.yaml").documents
    found = link(caller, "etl.yaml", {"t": Found(path="t.yaml", spec=template.template.spec)})
    return [] if not isinstance(found, tuple) else [str(fault) for fault in found]


@pytest.mark.parametrize(
    ("step", "rest", "fault"),
    [
        ("executor: {container: {network: none}}", "  executor: {container: {image: i}}\n", ""),
        ("executor: {container: {network: none}}", "", 'etl.yaml:6:34: spec.steps[0].template.name: step "a" of the template: the container has no image'),
        ("before: x", "  executor: {container: {image: i}}\n", 'etl.yaml:6:34: spec.steps[0].template.name: step "a" of the template: before is not possible with container'),
        ("before: x", "  executor: {slurm: {}}\n", ""),
        ("executor: {slurm: {}}", "  inheritEnv: true\n", "etl.yaml:6:34: spec.steps[0].template.name: the template: a step runs with slurm"),
    ],
)  # fmt: skip
def test_the_engine_of_the_caller(step: str, rest: str, fault: str) -> None:
    found = linked(step, rest)
    assert len(found) == bool(fault), found
    assert not found or found[0].startswith(fault)
