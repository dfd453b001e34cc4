"""Whatever is in a file, it is judged; and what it means does not hang on how it is written."""

import json
import random
from itertools import pairwise
from typing import Any

import msgspec
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.spec.definition import requires
from controller.spec.fingerprint import fingerprints, same
from controller.spec.hooks import HOOK_KINDS
from controller.spec.linked import Linked
from controller.spec.models import Spec
from controller.spec.reading.load import Loaded, load
from controller.spec.rules.validate import check

FILES = st.sampled_from(["a.yaml", "a.json"])
TEMPLATE = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: etl, labels: {team: data}}
spec:
  env: &env {LANG: C, PY: 3.10}
  defaults: {retry: {limit: 2, backoff: {factor: 3}, on: [Timeout], exitCodes: [1, "5-7"]}}
  steps:
    - name: a
      run: |
        echo "a"
    - name: b
      command: [echo, 'b', *x]
      env: {<<: *env, N: 1}
      dependsOn: [a, {step: a, condition: Failed}]
    - {name: c, template: {name: t, params: {rows: "${{ item }}"}}, forEach: [1]}
  hooks:
    onExit: [{name: x, run: x, env: *env, when: '${{ run.phase == steps.a.phase }}'}]
  params: {d: {type: string}, n: 1}
  triggers:
    - name: x
      schedule: [0 6 * * *, '@daily']
      timeZone: Europe/Berlin
      exclude: [2026-12-24]
      params: {d: "${{ trigger.date }}"}
    - {files: {path: "in/*.csv"}, params: {d: "", n: "${{ params.n }}"}}
    - {after: {workflow: y, phase: [Failed]}, params: {d: x}}
    - {at: [2026-12-24T00:00:00Z], params: {d: x}}
  concurrency: {policy: Queue, group: "${{ params.n }}"}
  keepInstances: 3
status: null
---
apiVersion: treadle.dev/v1
kind: Template
metadata: {name: t}
spec: {params: {rows: 1}, outputs: {n: "${{ steps.a.phase }}"}, steps: [{name: a, run: x}]}
---
apiVersion: treadle.dev/v1
kind: Defaults
spec:
  defaults: {timeoutSeconds: 9, retry: {exitCodes: [1]}, uses: [gpu, {lock: x}]}
  ttlSecondsAfterFinished: 3
---
apiVersion: treadle.dev/v1
kind: Pool
metadata: {name: gpu}
spec: {slots: 2}
---
{"workflow_id": "x", "steps": [{"id": "a", "command": "x", "depends_on": []}]}
"""


def judged(data: bytes, file: str) -> Loaded:
    loaded = load(data, file, max_bytes=1 << 16)
    found = loaded.documents or loaded.templates or loaded.policies
    assert bool(found) != bool(loaded.faults)
    places = [(fault.line, fault.column) for fault in loaded.faults]
    assert places == sorted(places)
    assert all(str(fault).startswith(file) for fault in loaded.faults)
    return loaded


@given(st.binary(max_size=300), FILES)
def test_any_bytes_are_judged(data: bytes, file: str) -> None:
    judged(data, file)


@given(st.text(max_size=200), FILES)
@example("&a *a", "a.yaml")
@example("? {a: &a 1, <<: *a}: b", "a.yaml")
@example('{"a": \\', "a.json")
def test_any_text_is_judged(text: str, file: str) -> None:
    judged(text.encode("utf-8", "surrogatepass"), file)


WORDS = [
    *("\t", "- ", ": ", "{", "}", "[", "]", "'", '"', "\n", "\0", "---\n", "#", "|"),
    *("&x ", "*x", "<<: *env", "!!int ", "null", "3", "-1", "true", "${{ x }}"),
    *("name: a", "run: x", "dependsOn: [a]"),
]


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 1900), st.integers(0, 9), st.sampled_from(WORDS)), max_size=6)
)
def test_any_mutation_of_a_spec_is_judged(edits: list[tuple[int, int, str]]) -> None:
    text = TEMPLATE.replace("*x", "x")
    for at, cut, word in edits:
        text = text[:at] + word + text[at + cut :]
    judged(text.encode(), "a.yaml")


SCALARS = st.none() | st.booleans() | st.integers(-3, 300) | st.floats(allow_nan=False)
KEYS = st.sampled_from(["step", "limit", "A", "backoff", "exitCodes", "onExit", "name", "run"])
VALUES = st.recursive(
    SCALARS | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["name", "run", "command", "shell", "dependsOn", "env", "workingDir", "retry",
          "timeoutSeconds", "approve", "template", "onChanged", "leaveProcesses", "x"]  # fmt: skip
FIELDS_OF_SPEC = ["defaults", "parallelism", "hooks", "concurrency", "keepInstances"]
FIELDS_OF_TRIGGER = ["name", "schedule", "at", "everySeconds", "files", "after", "timeZone",
                     "exclude", "catchUp", "params", "x"]  # fmt: skip


@given(
    st.dictionaries(st.sampled_from([*FIELDS, *FIELDS_OF_SPEC]), VALUES, max_size=3),
    st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5) | VALUES, max_size=4),
)
def test_any_shape_is_judged(rest: dict[str, Any], steps: list[Any]) -> None:
    document = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Workflow",
        "metadata": {"name": "etl"},
        "spec": {**rest, "steps": steps},
    }
    judged(json.dumps(document).encode(), "a.json")


@given(
    st.lists(st.dictionaries(st.sampled_from(FIELDS_OF_TRIGGER), VALUES, max_size=3), max_size=3),
    st.dictionaries(st.sampled_from(FIELDS_OF_SPEC), VALUES, max_size=2),
)
def test_any_trigger_is_judged(triggers: list[Any], rest: dict[str, Any]) -> None:
    document = {
        "apiVersion": "treadle.dev/v1",
        "kind": "Workflow",
        "metadata": {"name": "etl"},
        "spec": {"steps": [{"name": "a", "run": "x"}], **rest, "triggers": triggers},
    }
    judged(json.dumps(document).encode(), "a.json")


@given(
    st.sampled_from(["Defaults", "Pool"]) | VALUES,
    st.dictionaries(st.sampled_from(["spec", "metadata", "apiVersion", "x"]), VALUES),
    st.dictionaries(st.sampled_from(["defaults", "hooks", "slots", "steps"]), VALUES, max_size=3),
)
@example(["Pool"], {}, {})
def test_any_policy_is_judged(kind: Any, rest: dict[str, Any], spec: dict[str, Any]) -> None:
    document = {"apiVersion": "treadle.dev/v1", "kind": kind, "spec": spec, **rest}
    judged(json.dumps(document).encode(), "a.json")


# ------------------------------------------------------------------------------------------ meaning


# No two of one kind have the same name.
HOOKS = st.dictionaries(
    st.sampled_from(HOOK_KINDS),
    st.integers(0, 3).map(
        lambda count: [
            {"name": f"h{n}", "run": "x", "env": {"P": "${{ run.number }}"}} for n in range(count)
        ]
    ),
)


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """A valid document: every step depends on some of those before it."""
    steps: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 8))):
        step: dict[str, Any] = {"name": f"s{index}"}
        if draw(st.booleans()):
            step["run"] = draw(st.sampled_from(["true", "echo ü", "a\nb\n"]))
        else:
            step["command"] = draw(st.lists(st.sampled_from(["x", "y z"]), min_size=1, max_size=3))
        needs = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        step["dependsOn"] = [_need(draw, f"s{need}") for need in sorted(needs)]
        if draw(st.booleans()):
            step["env"] = draw(st.dictionaries(st.sampled_from("ABC"), st.integers(0, 2)))
        if draw(st.booleans()):
            step["retry"] = {"limit": draw(st.integers(0, 3)), "on": ["Timeout", "Interrupted"]}
        steps.append(step)
    return {
        "apiVersion": "treadle.dev/v1",
        "kind": "Workflow",
        "metadata": {"name": "etl"},
        "spec": {"steps": steps, "env": {"LANG": "C"}, "hooks": draw(HOOKS)},
    }


def _need(draw: st.DrawFn, step: str) -> Any:
    condition = draw(st.sampled_from([None, "Succeeded", "Failed", "Finished"]))
    return step if condition is None else {"step": step, "condition": condition}


def spec_of(document: dict[str, Any]) -> Spec:
    loaded = load(json.dumps(document).encode(), "a.json")
    assert loaded.faults == ()
    return loaded.documents[0].workflow.spec


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same document in another order, and here and there in another spelling."""
    if isinstance(value, dict):
        if value.get("condition") == "Succeeded" and chance.random() < 0.5:
            return value["step"]
        items = [(key, shuffled(each, chance)) for key, each in value.items()]
        chance.shuffle(items)
        return dict(items)
    if isinstance(value, list) and not _has_an_order(value):
        parts = [shuffled(each, chance) for each in value]
        chance.shuffle(parts)
        return parts
    return value


def _has_an_order(values: list[Any]) -> bool:
    """The words of a command and the hooks of a kind have one."""
    return bool(values) and (
        values[0] in ("x", "y z") or (isinstance(values[0], dict) and values[0].get("name") == "h0")
    )


@given(specs(), HOOKS)
def test_hooks_are_policy(document: dict[str, Any], hooks: dict[str, Any]) -> None:
    before = spec_of(document)
    was = document["spec"].pop("hooks")
    after = spec_of({**document, "spec": {**document["spec"], "hooks": hooks}})
    assert fingerprints(before) == fingerprints(after)
    assert same(before, after) == (was == hooks)


@given(specs(), st.integers())
def test_order_means_nothing(document: dict[str, Any], seed: int) -> None:
    one = spec_of(document)
    other = spec_of(shuffled(document, random.Random(seed)))
    assert same(one, other)
    assert fingerprints(one) == fingerprints(other)


@given(specs())
def test_yaml_and_json_say_the_same(document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document, allow_unicode=True)
    loaded = load(text.encode(), "a.yaml")
    assert loaded.documents[0].workflow.spec == spec_of(document)


@given(specs())
def test_a_spec_survives_the_log(document: dict[str, Any]) -> None:
    spec = spec_of(document)
    again = msgspec.json.decode(msgspec.json.encode(spec), type=Linked)
    assert again == spec
    assert fingerprints(again) == fingerprints(spec)


@given(specs(), st.data())
def test_an_edit_of_a_script_changes_it_and_what_runs_after(
    document: dict[str, Any], data: st.DataObject
) -> None:
    before = fingerprints(spec_of(document))
    steps = document["spec"]["steps"]
    edited = data.draw(st.sampled_from(steps))
    edited.pop("command", None)
    edited["run"] = "something else"
    spec = spec_of(document)
    after = fingerprints(spec)
    reached = {edited["name"]}
    for step in spec.steps:  # in topological order, as `specs` makes them
        if any(need.step in reached for need in requires(step)):
            reached.add(step.name)
    assert {name for name in before if before[name] != after[name]} == reached


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=16))
def test_a_cycle_is_named_if_and_only_if_there_is_one(edges: list[tuple[int, int]]) -> None:
    edges = sorted({(one, other) for one, other in edges if one != other})
    needs = {f"s{one}": [f"s{b}" for a, b in edges if a == one] for one in range(8)}
    steps = [{"name": name, "run": "x", "dependsOn": on} for name, on in needs.items()]
    spec = msgspec.convert({"steps": steps}, Spec)
    found = [each.problem.removeprefix("dependency cycle: ").split(" -> ") for each in check(spec)]
    assert bool(found) == _has_cycle(needs)
    seen: set[str] = set()
    for cycle in found:
        assert cycle[0] == cycle[-1]
        assert all(after in needs[before] for before, after in pairwise(cycle))
        assert not seen & set(cycle)
        seen |= set(cycle)


def _has_cycle(needs: dict[str, list[str]]) -> bool:
    left = dict(needs)
    while free := [name for name, on in left.items() if not set(on) & left.keys()]:
        for name in free:
            del left[name]
    return bool(left)


def test_the_template_is_valid_but_for_its_doubled_dependency() -> None:
    loaded = judged(TEMPLATE.replace("*x", "x").encode(), "a.yaml")
    assert [fault.path for fault in loaded.faults] == ["spec.steps[1].dependsOn[1]"]
    assert loaded.names == ("etl", "x")
    assert loaded.template_names == ("t",)
