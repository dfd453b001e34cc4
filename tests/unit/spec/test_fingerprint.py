"""What counts for a fingerprint, what for the meaning of a spec, and what does not."""

from typing import Any

import pytest

from controller.spec.fingerprint import (
    VERSION,
    children,
    fingerprints,
    inputs,
    same,
    same_steps,
    version_of,
)
from controller.spec.items import Item
from controller.spec.models import Spec
from controller.spec.params import values
from controller.spec.reading.load import load

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\nspec:\n"


def a_spec(steps: str, rest: str = "") -> Spec:
    """`steps` as a YAML list, `rest` as further fields of the spec."""
    loaded = load(f"{HEAD}  steps: {steps}\n{rest}".encode(), "a.yaml")
    assert loaded.faults == ()
    return loaded.documents[0].workflow.spec


GOLDEN = a_spec(
    """
    - {name: a, run: ./extract.sh}
    - {name: b, command: [python3, load.py, "x y"], dependsOn: [a], env: {LANG: C, N: 1}}
    - name: c
      run: echo done
      shell: [sh, -c]
      workingDir: .
      dependsOn: [b, {step: a, condition: Failed}]
    """,
    "  env: {LANG: C.UTF-8, PY: 3.10}\n  workingDir: work\n  shell: /bin/bash -ec\n",
)


def test_rule_1_stays_as_it_is_for_ever() -> None:
    """A change here re-runs everything that users have, at their next edit."""
    assert fingerprints(GOLDEN, version=1) == {
        "a": "1:fb50a63cfc1cdf942985ba9f187d6ac4",
        "b": "1:3247e7192fde324b382ff0eb469f2fbc",
        "c": "1:960b1b9399f13a89c137622f7b4691c4",
    }


def test_the_newest_rule_is_used() -> None:
    prints = fingerprints(GOLDEN)
    assert prints == fingerprints(GOLDEN, version=VERSION)
    assert {version_of(each) for each in prints.values()} == {VERSION}


def test_the_inputs_of_a_fingerprint() -> None:
    prints = fingerprints(GOLDEN)
    assert inputs(GOLDEN, "a", prints) == {
        "run": "./extract.sh",
        "shell": '["/bin/bash","-ec"]',
        "workingDir": "work",
        "env.LANG": "C.UTF-8",
        "env.PY": "3.10",
    }
    assert inputs(GOLDEN, "b", prints) == {
        "command": '["python3","load.py","x y"]',
        "workingDir": "work",
        "env.LANG": "C",
        "env.PY": "3.10",
        "env.N": "1",
        "dependsOn.a": f"Succeeded {prints['a']}",
    }
    assert inputs(GOLDEN, "c", prints)["dependsOn.a"] == f"Failed {prints['a']}"


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ("before: x", {"before": "x", "shell": '["sh","-c"]'}),
        ("after: x", {"after": "x", "shell": '["sh","-c"]'}),
        ("after: x, shell: [zsh, -c]", {"after": "x", "shell": '["zsh","-c"]'}),
        ("terminationGracePeriodSeconds: 1", {}),  # the shell runs nothing
    ],
)
def test_the_inputs_of_a_command_with_scripts_around_it(fields: str, more: dict[str, str]) -> None:
    spec = a_spec(f"[{{name: a, command: [y], {fields}}}]", "  shell: [sh, -c]\n")
    assert inputs(spec, "a", fingerprints(spec)) == {"command": '["y"]', **more}


def test_before_and_after_are_not_the_same() -> None:
    one, other = a_spec("[{name: a, run: y, before: x}]"), a_spec("[{name: a, run: y, after: x}]")
    assert fingerprints(one) != fingerprints(other)


def test_a_long_input_is_shown_as_its_hash() -> None:
    spec = a_spec(f"[{{name: a, run: {'x' * 64}}}, {{name: b, run: {'x' * 65}}}]")
    prints = fingerprints(spec)
    assert inputs(spec, "a", prints) == {"run": "x" * 64}
    assert inputs(spec, "b", prints) == {"run": "sha256:9537c5fdf120482f"}


def test_dependencies_come_before_dependents() -> None:
    spec = a_spec(
        "[{name: c, run: x, dependsOn: [b]}, {name: b, run: x, dependsOn: [a]}, {name: a, run: x}]"
    )
    assert list(fingerprints(spec)) == ["a", "b", "c"]


BASE = "{name: a, run: x, env: {A: 1}}"

# Edits of step b, which was `{name: b, run: y, dependsOn: [a]}`.
CHANGES_WHAT_IT_DOES = [
    ("script", "run: z, dependsOn: [a]"),
    ("whitespace in the script", "run: 'y ', dependsOn: [a]"),
    ("command for run", "command: [y], dependsOn: [a]"),
    ("a script before it", "run: y, dependsOn: [a], before: x"),
    ("a script after it", "run: y, dependsOn: [a], after: x"),
    ("a variable", "run: y, dependsOn: [a], env: {B: 1}"),
    ("the default shell, written", "run: y, dependsOn: [a], shell: [/bin/sh, -euc]"),
    ("the default folder, written", "run: y, dependsOn: [a], workingDir: ."),
    ("a dependency less", "run: y"),
    ("another condition", "run: y, dependsOn: [{step: a, condition: Finished}]"),
]
POLICY = [
    ("timeout", "run: y, dependsOn: [a], timeoutSeconds: 3"),
    ("grace", "run: y, dependsOn: [a], terminationGracePeriodSeconds: 3"),
    ("retry", "run: y, dependsOn: [a], retry: {limit: 3}"),
    ("tolerance", "run: y, dependsOn: [a], continueOnFailure: true"),
    ("what it may leave", "run: y, dependsOn: [a], leaveProcesses: true"),
    ("which exit codes are a success", "run: y, dependsOn: [a], successExitCodes: [0, 1]"),
    ("a written default", "run: y, dependsOn: [a], onChanged: Restart"),
]
SPELLINGS = [
    ("the long form", "run: y, dependsOn: [{step: a}]"),
    ("the condition written", "run: y, dependsOn: [{step: a, condition: Succeeded}]"),
    ("an empty env", "run: y, dependsOn: [a], env: {}"),
    ("no files of variables", "run: y, dependsOn: [a], envFrom: []"),
    ("no outputs", "run: y, dependsOn: [a], outputs: {}"),
    ("the order of fields", "dependsOn: [a], run: y"),
]


def edited(fields: str) -> tuple[Spec, Spec]:
    before = a_spec(f"[{BASE}, {{name: b, run: y, dependsOn: [a]}}]")
    return before, a_spec(f"[{BASE}, {{name: b, {fields}}}]")


@pytest.mark.parametrize("fields", [pytest.param(f, id=i) for i, f in CHANGES_WHAT_IT_DOES])
def test_what_changes_what_a_step_does(fields: str) -> None:
    before, after = edited(fields)
    assert fingerprints(before)["a"] == fingerprints(after)["a"]
    assert fingerprints(before)["b"] != fingerprints(after)["b"]
    assert not same(before, after)


@pytest.mark.parametrize("fields", [pytest.param(f, id=i) for i, f in POLICY])
def test_policy_makes_a_generation_and_re_runs_nothing(fields: str) -> None:
    before, after = edited(fields)
    assert fingerprints(before) == fingerprints(after)
    assert not same(before, after)


@pytest.mark.parametrize("fields", [pytest.param(f, id=i) for i, f in SPELLINGS])
def test_another_spelling_changes_nothing(fields: str) -> None:
    before, after = edited(fields)
    assert fingerprints(before) == fingerprints(after)
    assert same(before, after)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("  shell: /bin/sh -ec\n", "  shell: [/bin/sh, -ec]\n", id="shell"),
        pytest.param("  env: {A: 1}\n", '  env: {A: "1"}\n', id="numbers in env"),
        pytest.param("  env: {A: true}\n", '  env: {A: "true"}\n', id="booleans in env"),
        pytest.param("", "  env: {}\n", id="no env"),
        pytest.param("", "  envFrom: []\n", id="no files of variables"),
        pytest.param(
            "  inheritEnv: [HOME, PATH]\n",
            "  inheritEnv: [PATH, HOME, PATH]\n",
            id="names have no order",
        ),
        pytest.param(
            "  defaults: {retry: {on: [Timeout, NonZeroExit]}}\n",
            "  defaults: {retry: {on: [NonZeroExit, Timeout]}}\n",
            id="sets have no order",
        ),
        pytest.param(
            "  defaults: {retry: {exitCodes: [1, 2, 3]}}\n",
            '  defaults: {retry: {exitCodes: ["2-3", "1"]}}\n',
            id="exit codes",
        ),
        pytest.param("  activeDeadlineSeconds: 5\n", "  activeDeadlineSeconds: 5.0\n", id="5.0"),
        pytest.param("", "  hooks: {}\n", id="no hooks"),
        pytest.param(
            "  hooks: {onExit: [{name: a, run: x, shell: bash, env: {A: 1}, "
            "retry: {on: [Timeout, NonZeroExit]}}]}\n",
            "  hooks: {onExit: [{retry: {on: [NonZeroExit, Timeout]}, env: {A: '1'}, name: a, "
            "run: x, shell: [bash, -euo, pipefail, -c], envFrom: []}]}\n",
            id="a hook",
        ),
        pytest.param(
            "  triggers: [{schedule: '@daily'}]\n",
            "  triggers: [{schedule: ['@daily'], params: {}, exclude: []}]\n",
            id="a schedule in a list",
        ),
        pytest.param(
            "  triggers: [{schedule: [0 6 * * *, '@daily'], exclude: [2026-12-24, 2026-12-31]}]\n",
            "  triggers: [{exclude: [2026-12-31, 2026-12-24], schedule: ['@daily', 0 6  * * *]}]\n",
            id="due times have no order",
        ),
        pytest.param(
            "  triggers: [{at: [2026-12-24T00:00:00Z, 2026-12-31T00:00:00Z]}]\n",
            "  triggers: [{at: [2026-12-31T00:00:00Z, 2026-12-24T00:00:00Z]}]\n",
            id="moments have no order",
        ),
        pytest.param(
            "  triggers: [{after: {workflow: a, phase: Failed}}, {everySeconds: 5}]\n",
            "  triggers: [{everySeconds: 5}, {after: {workflow: a, phase: [Failed]}}]\n",
            id="a phase in a list, and triggers have no order",
        ),
        pytest.param(
            "  triggers: []\n  concurrency: Queue\n",
            "  triggers: []\n  concurrency: {policy: Queue}\n",
            id="a policy alone",
        ),
        pytest.param(
            "  triggers: []\n", "  triggers: []\n  concurrency: {}\n", id="no concurrency"
        ),
    ],
)
def test_spellings_of_a_spec(one: str, other: str) -> None:
    before, after = a_spec(f"[{BASE}]", one), a_spec(f"[{BASE}]", other)
    assert fingerprints(before) == fingerprints(after)
    assert same(before, after)


def test_the_keys_of_a_param_have_no_order() -> None:
    steps = "[{name: a, run: x, env: {A: '${{ params.o }}'}}]"
    before = a_spec(steps, "  params: {o: {default: {x: {a: 1, b: 2}, y: 1}}}\n")
    after = a_spec(steps, "  params: {o: {default: {y: 1, x: {b: 2, a: 1}}}}\n")
    assert fingerprints(before, defaults(before)) == fingerprints(after, defaults(after))
    assert same(before, after)


def defaults(spec: Spec) -> dict[str, object]:
    return dict(values(spec, {}))


@pytest.mark.parametrize(
    "rest",
    [
        "  suspend: false\n",
        "  defaults: {timeoutSeconds: 3}\n",
        "  hooks: {onExit: [{name: a, run: x}]}\n",
        "  hooks: {onExit: []}\n",
        "  triggers: []\n",
        "  triggers: [{everySeconds: 5}]\n",
    ],
)
def test_what_is_new_in_a_spec_makes_a_generation(rest: str) -> None:
    before, after = a_spec(f"[{BASE}]"), a_spec(f"[{BASE}]", rest)
    assert fingerprints(before) == fingerprints(after)
    assert not same(before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[]", "[{everySeconds: 5}]"),
        ("[{everySeconds: 5}]", "[{everySeconds: 6}]"),
        ("[{everySeconds: 5}]", "[{everySeconds: 5, name: everySeconds}]"),  # a written default
        ("[{everySeconds: 5}]", "[{everySeconds: 5, catchUp: Latest}]"),
        ("[{everySeconds: 5}]", "[{everySeconds: 5, params: {p: a}}]"),
        ("[{after: {workflow: a}}]", "[{after: {workflow: a, phase: Succeeded}}]"),
        ("[]\n  concurrency: Queue", "[]\n  concurrency: {policy: Queue, limit: 1}"),
        ("[]", "[]\n  concurrency: {limit: 1}"),
        ("[]", "[]\n  keepInstances: 30"),
        ("[]", "[]\n  suspend: true"),
    ],
)
def test_an_edit_of_what_begins_instances_is_none_of_the_steps(before: str, after: str) -> None:
    rest = "  params: {p: b}\n  triggers: "
    one, other = a_spec(f"[{BASE}]", f"{rest}{before}\n"), a_spec(f"[{BASE}]", f"{rest}{after}\n")
    assert not same(one, other)
    assert same_steps(one, other)
    assert fingerprints(one, defaults(one)) == fingerprints(other, defaults(other))


def test_an_edit_of_a_step_or_of_a_param_is_one_of_the_steps() -> None:
    rest = "  triggers: []\n  params: {p: b}\n"
    one = a_spec(f"[{BASE}]", rest)
    assert same_steps(one, a_spec(f"[{BASE}]", rest))
    assert not same_steps(one, a_spec("[{name: a, run: y}]", rest))
    assert not same_steps(one, a_spec(f"[{BASE}]", rest.replace("b}", "c}")))


def test_of_what_is_read_of_a_trigger_the_text_counts() -> None:
    def reads(code: str) -> Spec:
        return a_spec(f"[{{name: a, run: x, env: {{A: '${{{{ {code} }}}}'}}}}]", "  triggers: []\n")

    one, other = reads("trigger.date"), reads("trigger.due")
    assert inputs(one, "a", fingerprints(one))["env.A"] == "${{ trigger.date }}"
    assert fingerprints(one) != fingerprints(other)


def test_the_order_of_hooks_counts() -> None:
    one, other = "{name: a, run: x}", "{name: b, run: x}"
    before = a_spec(f"[{BASE}]", f"  hooks: {{onExit: [{one}, {other}]}}\n")
    after = a_spec(f"[{BASE}]", f"  hooks: {{onExit: [{other}, {one}]}}\n")
    assert not same(before, after)


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ("run: x", True),
        ("run: x, env: {LANG: C}", False),
        ("run: x, workingDir: w", False),
        ("run: x, shell: sh", False),
    ],
)
def test_the_specs_own_reaches_the_steps_that_don_t_say_otherwise(
    fields: str, counts: bool
) -> None:
    changed = {
        "env": "  env: {LANG: D}\n",
        "workingDir": "  workingDir: v\n",
        "shell": "  shell: b -c\n",
    }
    for field, rest in changed.items():
        if counts or field in fields:
            steps = f"[{{name: a, {fields}}}]"
            before, after = a_spec(steps), a_spec(steps, rest)
            assert (fingerprints(before) != fingerprints(after)) is counts


def test_a_shell_is_nothing_to_a_command() -> None:
    steps = "[{name: a, command: [x]}]"
    assert fingerprints(a_spec(steps)) == fingerprints(a_spec(steps, "  shell: bash -c\n"))


def test_a_change_reaches_all_that_run_after_it() -> None:
    def chain(script: str) -> Spec:
        return a_spec(
            f"[{{name: a, run: {script}}}, {{name: b, run: x, dependsOn: [a]}}, "
            "{name: c, run: x, dependsOn: [b]}, {name: d, run: x}]"
        )

    before, after = fingerprints(chain("x")), fingerprints(chain("y"))
    assert [name for name in before if before[name] != after[name]] == ["a", "b", "c"]


def test_a_new_name_alone_changes_no_fingerprint() -> None:
    one = a_spec("[{name: a, run: x}, {name: b, run: y, dependsOn: [a]}]")
    other = a_spec("[{name: z, run: x}, {name: b, run: y, dependsOn: [z]}]")
    assert fingerprints(one)["b"] == fingerprints(other)["b"]
    assert not same(one, other)


# ---------------------------------------- engines

IN_BOX = "executor: {container: {image: i, mounts: [{from: a, to: /a}], network: none}}"
ON_SLURM = "executor: {slurm: {partition: gpu, args: [--qos=low]}}"


@pytest.mark.parametrize(
    ("was", "edit", "counts"),
    [
        pytest.param("", "executor: {slurm: {}}", True, id="another engine"),
        pytest.param(IN_BOX, ON_SLURM, True, id="one engine for another"),
        pytest.param(IN_BOX, IN_BOX.replace("image: i", "image: j"), True, id="the image"),
        pytest.param(IN_BOX, IN_BOX.replace("from: a", "from: b"), True, id="what is mounted"),
        pytest.param(IN_BOX, IN_BOX.replace("to: /a", "to: /b"), True, id="where it is mounted"),
        pytest.param(IN_BOX, IN_BOX.replace("/a}", "/a, readOnly: true}"), True, id="read only"),
        pytest.param(IN_BOX, IN_BOX.replace("none", "host"), True, id="the network"),
        pytest.param(IN_BOX, IN_BOX.replace("none", "none, pull: never"), False, id="pull"),
        pytest.param(IN_BOX, IN_BOX.replace("none", "none, program: docker"), False, id="program"),
        pytest.param(ON_SLURM, "executor: {slurm: {partition: cpu}}", False, id="partition, args"),
        pytest.param(ON_SLURM, "executor: {slurm: {sharedDir: /s}}", False, id="the shared folder"),
        pytest.param("", "executor: local", False, id="this machine, written"),
        pytest.param("", "resources: {cpu: 4, memory: 8Gi}", False, id="resources"),
    ],
)
def test_what_counts_of_an_engine(was: str, edit: str, counts: bool) -> None:
    before = a_spec(f"[{BASE}, {{name: b, run: y, {was}}}]")
    after = a_spec(f"[{BASE}, {{name: b, run: y, {edit}}}]")
    assert fingerprints(before)["a"] == fingerprints(after)["a"]
    assert (fingerprints(before)["b"] != fingerprints(after)["b"]) is counts
    assert not same(before, after)


def test_a_step_has_what_its_spec_says_of_the_same_engine() -> None:
    def print_of(step: str, rest: str) -> str:
        return fingerprints(a_spec(f"[{{name: a, run: x, {step}}}]", rest))["a"]

    common = "  executor: {container: {image: i, network: none}}\n"
    own = "executor: {container: {image: i, network: none}}"
    assert print_of("", common) == print_of(own, "") != print_of("", "")
    assert print_of("executor: {container: {network: none}}", common) == print_of(own, "")
    assert print_of("executor: local", common) == print_of("", "")
    assert print_of("executor: {slurm: {}}", common) == print_of("executor: {slurm: {}}", "")
    assert print_of("executor: {container: {image: j}}", common) != print_of(own, "")


def test_the_inputs_of_a_step_in_a_container() -> None:
    image = "executor: {container: {image: 'py:${{ params.v }}', mounts: [{from: a, to: /a}]}}"
    spec = a_spec(f"[{{name: a, run: x, {image}}}]", '  params: {v: "3", w: x}\n')
    prints = fingerprints(spec, {"v": "3", "w": "x"})
    assert inputs(spec, "a", prints, {"v": "3", "w": "x"}) == {
        "run": "x",
        "executor": "container",
        "executor.image": "py:${{ params.v }}",
        "executor.mounts": '[{"from":"a","to":"/a"}]',
        "params.v": '"3"',
    }
    assert prints == fingerprints(spec, {"v": "3", "w": "y"})
    assert prints != fingerprints(spec, {"v": "4", "w": "x"})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("executor: {container: {image: i}}", "executor: {container: {image: i, mounts: []}}"),
        ("executor: {slurm: {}}", "executor: {slurm: {args: []}}"),
        ("resources: {memory: 1Gi, cpu: 1}", "resources: {memory: 1073741824, cpu: 1.0}"),
        ("resources: {}", ""),
    ],
)
def test_spellings_of_an_engine(one: str, other: str) -> None:
    before, after = (
        a_spec(f"[{{name: a, run: x, {one}}}]"),
        a_spec(f"[{{name: a, run: x, {other}}}]"),
    )
    assert fingerprints(before) == fingerprints(after)
    assert same(before, after)


# ---------------------------------------- forEach

LOAD = "run: y, dependsOn: [a], forEach: [eu, {b: 1, a: 2}]"
PARAMS = "  params: {regions: [eu], other: x, used: y}\n"
VALUES = {"regions": ["eu"], "other": "x", "used": "y"}
ITEMS = [Item("eu", "eu", 0), Item("us", {"b": 1, "a": 2}, 1)]


def of_items(fields: str) -> Spec:
    """Step b with these fields, and c, which depends on it."""
    last = "{name: c, run: z, dependsOn: [b]}"
    return a_spec(f"[{BASE}, {{name: b, {fields}}}, {last}]", PARAMS)


def prints_of(fields: str, items: list[Item] = ITEMS) -> tuple[dict[str, str], list[str]]:
    spec = of_items(fields)
    prints = fingerprints(spec, VALUES)
    return prints, children(spec, "b", prints, VALUES, items)


@pytest.mark.parametrize(
    ("edit", "parent", "child"),
    [
        pytest.param("run: z, forEach: [eu]", True, True, id="the script"),
        pytest.param("run: y, forEach: [eu, us]", True, False, id="another item"),
        pytest.param("run: y, forEach: [us, eu]", True, False, id="another order"),
        pytest.param("run: y, forEach: '${{ params.regions }}'", True, False, id="an expression"),
        pytest.param("run: y, forEach: {matrix: {r: [eu]}}", True, False, id="a matrix"),
        pytest.param("run: y, forEach: [eu], key: '${{ item }}'", True, False, id="a key"),
        pytest.param("run: y, forEach: [eu], parallelism: 2", False, False, id="how many at once"),
        pytest.param("run: y, forEach: [eu], when: '${{ item > 1 }}'", False, False, id="when"),
        pytest.param("run: y, forEach: [eu], outputs: {n: integer}", True, True, id="outputs"),
        pytest.param("run: y, forEach: [eu], dependsOn: [a]", True, True, id="a dependency"),
    ],
)  # fmt: skip
def test_an_edit_reaches_parent_and_dependents_or_the_children(
    edit: str, parent: bool, child: bool
) -> None:
    before, children_before = prints_of("run: y, forEach: [eu]")
    after, children_after = prints_of(edit)
    assert before["a"] == after["a"]
    assert (before["b"] != after["b"]) is parent
    assert (before["c"] != after["c"]) is parent
    assert (children_before[0] != children_after[0]) is child


@pytest.mark.parametrize(
    ("reads", "of_item", "of_index"),
    [
        ("run: y", False, False),
        ("run: y, env: {A: '${{ item }}'}", True, False),
        ("command: [x, '${{ item.a }}']", True, False),
        ("run: y, workingDir: '${{ index }}'", False, True),
        ("run: y, env: {A: {asFile: '${{ [item, index] }}'}}", True, True),
        ("run: y, when: '${{ item == index }}'", False, False),
        ("run: y, timeoutSeconds: '${{ item }}'", False, False),
        ("run: y, key: '${{ item }}'", False, False),
    ],
)
def test_a_child_has_what_it_reads_of_the_item(reads: str, of_item: bool, of_index: bool) -> None:
    items = [Item("eu", "eu", 0), Item("x", "us", 0), Item("x", "eu", 5)]
    prints, (first, other_item, other_index) = prints_of(f"{reads}, forEach: [eu]", items)
    assert (first != other_item) is of_item
    assert (first != other_index) is of_index
    assert {version_of(each) for each in (first, other_item, other_index)} == {VERSION}
    spec = of_items(f"{reads}, forEach: [eu]")
    seen = inputs(spec, "b", prints, VALUES, items[2])
    assert seen.get("item") == ('"eu"' if of_item else None)
    assert seen.get("index") == ("5" if of_index else None)
    assert not {"item", "index"} & inputs(spec, "b", prints, VALUES).keys()


def test_the_inputs_of_a_parent_and_of_a_child() -> None:
    fields = (
        "run: y, dependsOn: [a], outputs: {n: integer}, forEach: '${{ params.regions }}', "
        "key: 'x${{ item }}-${{ params.other }}', env: {A: '${{ item.b }}-${{ params.used }}'}"
    )
    spec = of_items(fields)
    prints = fingerprints(spec, VALUES)
    common = {
        "run": "y",
        "outputs": '{"n":"integer"}',
        "env.A": "${{ item.b }}-${{ params.used }}",
        "params.used": '"y"',
        "dependsOn.a": f"Succeeded {prints['a']}",
    }
    assert inputs(spec, "b", prints, VALUES) == common | {
        "forEach": "${{ params.regions }}",
        "key": "x${{ item }}-${{ params.other }}",
        "params.regions": '["eu"]',
        "params.other": '"x"',
    }
    assert inputs(spec, "b", prints, VALUES, ITEMS[1]) == common | {"item": '{"a":2,"b":1}'}


def test_a_param_reaches_those_that_read_it() -> None:
    spec = of_items("run: y, forEach: '${{ params.regions }}', env: {A: '${{ params.used }}'}")

    def prints(params: dict[str, Any]) -> tuple[str, str]:
        found = fingerprints(spec, VALUES | params)
        return found["b"], children(spec, "b", found, VALUES | params, ITEMS)[0]

    parent, child = prints({})
    assert prints({"other": "z"}) == (parent, child)
    assert prints({"regions": ["us"]})[0] != parent
    assert prints({"regions": ["us"]})[1] == child
    assert prints({"used": "z"})[0] != parent
    assert prints({"used": "z"})[1] != child


def test_a_child_sees_the_results_that_the_step_depends_on() -> None:
    spec = of_items("run: y, dependsOn: [a], forEach: [eu]")
    prints = fingerprints(spec, VALUES)
    (kept,) = children(spec, "b", prints | {"a": "1:other"}, VALUES, ITEMS[:1])
    assert kept != children(spec, "b", prints, VALUES, ITEMS[:1])[0]


def test_rule_1_of_items_stays_as_it_is_for_ever() -> None:
    """A change here re-runs everything that users have, at their next edit."""
    prints, found = prints_of(
        "run: y, env: {A: '${{ item }}', B: '${{ index }}'}, key: 'k${{ item }}', forEach: "
        "{matrix: {q: [1], p: [{b: 1, a: 2}]}, exclude: [{q: 2}], include: [{p: 3, q: 4}]}"
    )
    assert [prints["b"], *found] == GOLDEN_OF_ITEMS
    prints, found = prints_of("run: y, forEach: [eu, {b: 1, a: [2.5, null]}]")
    assert [prints["b"], *found] == GOLDEN_OF_A_LIST


GOLDEN_OF_ITEMS = [
    "1:5392fa5d63cc1b53cf685aa2f8aa3494",
    "1:7f980ae26dfd243ba6687842a5fe4b4e",
    "1:b5d890ae02f4de8116ef562995c512cc",
]
GOLDEN_OF_A_LIST = [
    "1:3172da75d990f2e3408ebb5c69deb5e8",
    "1:42a21ddb184be9e6f28c805b26c2d521",
    "1:42a21ddb184be9e6f28c805b26c2d521",
]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("forEach: [{a: 1, b: [2]}]", "forEach: [{b: [2], a: 1}]"),
        ("forEach: {matrix: {p: [1]}, exclude: []}", "forEach: {include: [], matrix: {p: [1]}}"),
        (
            "forEach: {matrix: {p: [{a: 1, b: 2}]}, include: [{p: 1, z: 2}]}",
            "forEach: {matrix: {p: [{b: 2, a: 1}]}, include: [{z: 2, p: 1}]}",
        ),
    ],
)
def test_spellings_of_items(one: str, other: str) -> None:
    before, after = of_items(f"run: y, {one}"), of_items(f"run: y, {other}")
    assert fingerprints(before, VALUES) == fingerprints(after, VALUES)
    assert same(before, after)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("forEach: [a, b]", "forEach: [b, a]"),
        ("forEach: [1]", "forEach: [true]"),
        ("forEach: [1]", "forEach: [1.0]"),
        ("forEach: [1]", "forEach: ['1']"),
        ("forEach: {matrix: {p: [1], q: [1]}}", "forEach: {matrix: {q: [1], p: [1]}}"),
        ("forEach: {matrix: {p: [1]}}", "forEach: {matrix: {p: [1]}, exclude: [{p: 1}]}"),
        ("forEach: {matrix: {p: [1]}}", "forEach: {matrix: {p: [1]}, include: [{p: 2}]}"),
        ("forEach: {matrix: {p: [1]}}", "forEach: [{p: 1}]"),
    ],
)
def test_what_makes_other_items(one: str, other: str) -> None:
    before, after = of_items(f"run: y, {one}"), of_items(f"run: y, {other}")
    assert fingerprints(before, VALUES)["b"] != fingerprints(after, VALUES)["b"]
    assert not same(before, after)


@pytest.mark.parametrize(("one", "other"), [("1", "true"), ("[0]", "[false]"), ("[1]", "[1.0]")])
def test_a_default_of_another_type_is_another(one: str, other: str) -> None:
    steps = "[{name: a, run: x, env: {A: '${{ params.p }}'}}]"
    assert not same(
        a_spec(steps, f"  params: {{p: {one}}}\n"), a_spec(steps, f"  params: {{p: {other}}}\n")
    )


def test_of_a_step_that_asks_a_person_only_that_counts() -> None:
    rest = "  params: {p: 1}\n  env: {E: 1}\n  workingDir: work\n  defaults: {timeoutSeconds: 5}\n"
    one = a_spec("[{name: a, approve: {message: 'Fine?'}}]")
    other = a_spec(
        "[{name: a, approve: {message: '${{ params.p }}', timeoutSeconds: 3}, "
        "when: '${{ params.p > 0 }}', continueOnFailure: true}]",
        rest,
    )
    found = fingerprints(other, values(other, {}))
    assert fingerprints(one) == found
    assert inputs(other, "a", found, values(other, {})) == {"approve": "yes"}
    assert not same(one, other)
    assert fingerprints(a_spec("[{name: a, run: 'Fine?'}]")) != found
