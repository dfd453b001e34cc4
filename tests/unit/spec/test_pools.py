"""Pools: their documents, and what steps say that they use."""

import json
from typing import Any

import jsonschema
import pytest

from controller.spec.definition import definitions
from controller.spec.fingerprint import fingerprints, same
from controller.spec.reading.load import load
from controller.spec.reading.schema import files


def a_pool(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "treadle.dev/v1",
        "kind": "Pool",
        "metadata": {"name": "gpu"},
        "spec": spec,
    }


@pytest.mark.parametrize("name", ["pool.schema.json", "spec.schema.json"])
def test_an_editor_takes_a_pool(name: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(files()[name]))
    assert validator.is_valid(a_pool(slots=2))
    assert not validator.is_valid(a_pool(slots=0))
    assert not validator.is_valid(a_pool())
    assert not validator.is_valid(a_pool(slots=2, perSecond=1))


# ---------------------------------------- what steps say

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: w}\n"
SPEC = HEAD + "spec: {params: {a: x}, steps: [{name: a, run: x, forEach: [1], uses: §}]}\n"


def faults(uses: str, text: str = SPEC) -> list[str]:
    found = load(text.replace("§", uses).encode(), "w.yaml").faults
    return [f"{fault.path}: {fault.advice}" for fault in found]


def uses_of(uses: str, default: str = "") -> list[str]:
    """What the step holds, by its own list (if it has one) and the default of the spec."""
    own = f", uses: {uses}" if uses else ""
    defaults = f"defaults: {{uses: {default}}}, " if default else ""
    text = HEAD + f"spec: {{{defaults}steps: [{{name: a, run: x{own}}}]}}\n"
    (document,) = load(text.encode(), "w.yaml").documents
    return [f"{one.name} {one.slots}" for one in definitions(document.workflow.spec)["a"].uses]


@pytest.mark.parametrize(
    ("uses", "default", "held"),
    [
        ("", "", []),
        ("[gpu]", "", ["pool gpu 1"]),
        ("[{lock: b}, {pool: api, slots: 3}, gpu]", "", ["pool api 3", "pool gpu 1", "lock b 1"]),
        ("[gpu, {lock: gpu}]", "", ["pool gpu 1", "lock gpu 1"]),
        ("", "[gpu]", ["pool gpu 1"]),
        ("[api]", "[gpu]", ["pool api 1"]),
        ("[]", "[gpu]", []),
    ],
)
def test_what_a_step_holds(uses: str, default: str, held: list[str]) -> None:
    assert uses_of(uses, default) == held


@pytest.mark.parametrize(
    "uses",
    [
        "[]",
        '[{lock: "db-${{ params.a }}-${{ item }}"}]',
        '[{lock: "a b/c: ñ 日本"}]',
        f"[{{lock: {'x' * 200}}}]",
    ],
)
def test_what_may_be_used(uses: str) -> None:
    assert not faults(uses)


@pytest.mark.parametrize(
    ("uses", "fault"),
    [
        ("[gpu, gpu]", "[1]: pool gpu is listed twice"),
        ("[gpu, {pool: gpu, slots: 2}]", "[1]: pool gpu is listed twice"),
        ("[{lock: a}, {lock: a}]", "[1]: lock a is listed twice"),
        ("[{lock: a, pool: b}]", "[0]: has both of pool and lock; write exactly one of them"),
        ("[{slots: 2}]", "[0]: has neither of pool and lock; write exactly one of them"),
        ("[{lock: a, slots: 2}]", "[0].slots: a lock has one slot; remove it"),
        ('[{lock: ""}]', "[0].lock: the name of the lock is empty"),
        (f"[{{lock: {'x' * 201}}}]", "[0].lock: the name of the lock has 201 characters, 200 is"),
        ('[{lock: "a\\nb"}]', "[0].lock: the name of the lock has a control character"),
        ('[{lock: "${{ params.b }}"}]', "[0].lock: "),
        ('[{lock: "${{ null }}"}]', "[0].lock: it gives null, which has no text"),
        ("[{pool: a, slots: 0}]", "[0].slots: must be at least 1, not 0"),
        ("[{pool: a, slots: 1.5}]", "[0].slots: expected a"),
        ("[3]", "[0]: expected text or a mapping, found the number 3"),
        ("gpu", ": expected a list"),
        ("null", ": expected a list"),
    ],
)
def test_what_can_t_be_used(uses: str, fault: str) -> None:
    (found,) = faults(uses)
    assert found.startswith(f"spec.steps[0].uses{fault}")


def test_all_faults_of_a_list_come_at_once() -> None:
    found = faults("[gpu, {pool: Gpu}, gpu, {lock: a, slots: 1}]")
    assert [one.split(": ")[0] for one in found] == [
        "spec.steps[0].uses[1].pool",
        "spec.steps[0].uses[2]",
        "spec.steps[0].uses[3].slots",
    ]


def test_only_what_runs_uses_something() -> None:
    for action in ("template: {name: t}", "approve: {message: m}"):
        text = (
            HEAD + f"spec: {{defaults: {{uses: [gpu]}}, steps: [{{name: a, {action}, uses: §}}]}}"
        )
        (found,) = faults("[gpu]", text)
        assert "uses can't be used with" in found
        assert not faults("[gpu]", text.replace(", uses: §", ""))  # the default doesn't hold


def test_the_default_can_t_read_steps() -> None:
    text = HEAD + "spec: {defaults: {uses: [{lock: §}]}, steps: [{name: a, run: x}]}"
    (found,) = faults('"${{ steps.a.phase }}"', text)
    assert found.startswith("spec.defaults.uses[0].lock: ")
    assert "only fields of a step can read steps" in found


@pytest.mark.parametrize(
    ("one", "other", "means_the_same"),
    [
        ("[gpu]", "[{pool: gpu}]", True),
        ("[gpu]", "[{pool: gpu, slots: 1}]", True),
        ("[gpu, {lock: a}]", "[{lock: a}, gpu]", True),
        ("[gpu]", "[{lock: gpu}]", False),
        ("[gpu]", "[{pool: gpu, slots: 2}]", False),
        ("[]", "[gpu]", False),
    ],
)
def test_two_ways_to_write_it(one: str, other: str, means_the_same: bool) -> None:
    specs = [
        load(SPEC.replace("§", uses).encode(), "w.yaml").documents[0].workflow.spec
        for uses in (one, other)
    ]
    assert same(*specs) is means_the_same
    first, second = (fingerprints(spec, {"a": "x"}) for spec in specs)
    assert first == second, "it is policy"


# ---------------------------------------- documents of pools


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("spec: {}", "spec: slots is missing"),
        ("spec: {slots: 0}", "spec.slots: must be at least 1, not 0"),
        ("spec: {slots: -1}", "spec.slots: must be at least 1, not -1"),
        ("spec: {slots: 1.5}", "spec.slots: expected an integer, found the number 1.5"),
        ('spec: {slots: "2"}', 'spec.slots: expected an integer, found "2"'),
        ("spec: {slots: 10000000}", "spec.slots: must be at most 1,000,000, not 10000000"),
        ("spec: {slots: 1, perSecond: 5}", "spec.perSecond: not supported yet; a pool only counts"),
        ("spec: {slots: 1}\nsteps: []", "steps: unknown field"),
    ],
)
def test_a_pool_that_can_t_be_one(text: str, fault: str) -> None:
    head = "apiVersion: treadle.dev/v1\nkind: Pool\nmetadata: {name: gpu}\n"
    (found,) = load(f"{head}{text}\n".encode(), "p.yaml").faults
    assert f"{found.path}: {found.advice}".startswith(fault)


def test_the_name_of_a_pool_is_like_that_of_a_workflow() -> None:
    text = "apiVersion: treadle.dev/v1\nkind: Pool\nmetadata: {name: GPU one}\nspec: {slots: 1}\n"
    (found,) = load(text.encode(), "p.yaml").faults
    assert found.advice.endswith('like "gpu-one"')
