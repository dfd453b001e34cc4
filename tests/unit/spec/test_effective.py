"""The policy that a spec takes from the Defaults above it: the nearest wins, field by field."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from story import a_step, document

from controller.spec.definition import definitions
from controller.spec.effective import effective
from controller.spec.fingerprint import fingerprints, same
from controller.spec.hooks import hook_definition, hooks_in_force
from controller.spec.linked import Above, Linked, below, written
from controller.spec.models import DefaultsSpec


def a_spec(own: dict[str, Any], *above: dict[str, Any]) -> Linked:
    """A spec that says this of policy, with Defaults above it, the nearest first."""
    found = tuple(
        Above(spec=msgspec.convert(one, DefaultsSpec), path=f"{n}.yaml")
        for n, one in enumerate(above)
    )
    steps = [a_step("a"), a_step("b", timeoutSeconds=1, retry={"limit": 9})]
    return below(document(steps, **own).spec, found)


def policy(spec: Linked) -> dict[str, Any]:
    fields = {"defaults", "ttlSecondsAfterFinished"}
    said = msgspec.to_builtins(effective(spec))
    return {name: value for name, value in said.items() if name in fields}


def steps(**fields: Any) -> dict[str, Any]:
    return {"defaults": fields}


@pytest.mark.parametrize(
    ("own", "above", "becomes"),
    [
        pytest.param({}, [], {}, id="nobody says anything"),
        pytest.param(steps(timeoutSeconds=5), [], steps(timeoutSeconds=5), id="only its own"),
        pytest.param({}, [steps(timeoutSeconds=5)], steps(timeoutSeconds=5), id="only those above"),
        pytest.param(
            steps(timeoutSeconds=5),
            [steps(timeoutSeconds=6), steps(timeoutSeconds=7)],
            steps(timeoutSeconds=5),
            id="its own wins",
        ),
        pytest.param(
            {},
            [steps(timeoutSeconds=6), steps(timeoutSeconds=7)],
            steps(timeoutSeconds=6),
            id="the nearest wins",
        ),
        pytest.param(
            {"ttlSecondsAfterFinished": 0},
            [{"ttlSecondsAfterFinished": 5}],
            {"ttlSecondsAfterFinished": 0},
            id="0 is said too",
        ),
        pytest.param(
            steps(timeoutSeconds=5),
            [{}, {"ttlSecondsAfterFinished": 9}, steps(terminationGracePeriodSeconds=2)],
            {
                **steps(timeoutSeconds=5, terminationGracePeriodSeconds=2),
                "ttlSecondsAfterFinished": 9,
            },
            id="each field from where it is said",
        ),
        pytest.param(
            steps(retry={"limit": 1}),
            [
                steps(retry={"limit": 5, "backoff": {"factor": 3}}),
                steps(retry={"backoff": {"factor": 4, "jitter": 0}, "maxElapsedSeconds": 7}),
            ],
            steps(
                retry={"limit": 1, "backoff": {"factor": 3, "jitter": 0}, "maxElapsedSeconds": 7}
            ),
            id="retry and its backoff field by field",
        ),
        pytest.param(
            steps(retry={"on": ["Timeout"]}),
            [steps(retry={"on": ["NonZeroExit", "Interrupted"]})],
            steps(retry={"on": ["Timeout"]}),
            id="a list is one field",
        ),
        pytest.param(
            steps(retry={"exitCodes": [75]}),
            [steps(retry={"exceptExitCodes": [1], "limit": 2})],
            steps(retry={"exitCodes": [75], "limit": 2}),
            id="a list of exit codes also replaces the other one",
        ),
        pytest.param(
            {},
            [steps(retry={"exceptExitCodes": [1]}), steps(retry={"exitCodes": [75]})],
            steps(retry={"exceptExitCodes": [1]}),
            id="among Defaults as well",
        ),
    ],
)
def test_what_holds(own: dict[str, Any], above: list[Any], becomes: dict[str, Any]) -> None:
    assert policy(a_spec(own, *above)) == becomes


def test_a_step_wins_over_all_of_it() -> None:
    spec = a_spec({}, steps(timeoutSeconds=60, retry={"limit": 2, "maxElapsedSeconds": 9}))
    found = definitions(spec)
    assert (found["a"].timeout_seconds, found["a"].retry.limit) == (60, 2)
    assert (found["b"].timeout_seconds, found["b"].retry.limit) == (1, 9)
    assert found["b"].retry.max_elapsed_seconds == 9


# ---------------------------------------- whatever they say

seconds = st.sampled_from([1.0, 2.0, 3.0])
codes = st.lists(st.sampled_from([1, 75]), min_size=1, max_size=1)
backoffs = st.fixed_dictionaries({}, optional={"factor": seconds, "maxSeconds": seconds})
retries = st.fixed_dictionaries(
    {}, optional={"limit": st.integers(0, 3), "backoff": backoffs, "on": st.just(["Timeout"])}
).flatmap(
    lambda retry: st.sampled_from(["", "exitCodes", "exceptExitCodes"]).flatmap(
        lambda name: codes.map(lambda some: {**retry, name: some} if name else retry)
    )
)
defaults = st.fixed_dictionaries(
    {},
    optional={
        "timeoutSeconds": seconds,
        "terminationGracePeriodSeconds": seconds,
        "retry": retries,
    },
)
policies = st.fixed_dictionaries(
    {}, optional={"defaults": defaults, "ttlSecondsAfterFinished": seconds}
)


def naive(nearest_first: list[dict[str, Any]]) -> dict[str, Any]:
    """From the farthest to the nearest, each writes over what is there."""
    found: dict[str, Any] = {}
    for one in reversed(nearest_first):
        _write_over(found, one)
    return found


def _write_over(found: dict[str, Any], one: dict[str, Any]) -> None:
    if one.keys() & {"exitCodes", "exceptExitCodes"}:
        found.pop("exitCodes", None)
        found.pop("exceptExitCodes", None)
    for name, value in one.items():
        if isinstance(value, dict):
            _write_over(found.setdefault(name, {}), value)
        else:
            found[name] = value


def without_empty(value: Any) -> Any:
    """`retry: {}` says nothing, so it is the same as none."""
    if not isinstance(value, dict):
        return value
    inner = {name: without_empty(one) for name, one in value.items()}
    return {name: one for name, one in inner.items() if one != {}}


@given(policies, st.lists(policies, max_size=4))
def test_the_merge_is_the_naive_one(own: dict[str, Any], above: list[dict[str, Any]]) -> None:
    merged = policy(a_spec(own, *above))
    assert without_empty(merged) == without_empty(naive([own, *above]))


@given(policies, st.lists(policies, max_size=3))
def test_it_is_policy_alone(own: dict[str, Any], above: list[dict[str, Any]]) -> None:
    """No fingerprint knows of it, and it is no edit of what the file says."""
    alone, spec = a_spec(own), a_spec(own, *above)
    assert fingerprints(spec) == fingerprints(alone)
    assert same(spec, alone)
    assert written(spec) == written(alone)


# ---------------------------------------- hooks


def hook(name: str) -> dict[str, str]:
    return {"name": name, "run": f"./{name}.sh"}


def test_the_hooks_of_each_kind_come_from_the_nearest_that_has_it() -> None:
    own = {"hooks": {"onFailure": [hook("own")], "onCancel": []}}
    near = {"hooks": {"onFailure": [hook("near")], "onCancel": [hook("near")], "onExit": []}}
    far = {"hooks": {"onExit": [hook("far")], "onSuccess": [hook("far"), hook("next")]}}
    spec = a_spec(own, near, far)
    homes = tuple(structs.replace(one, home=f"../{one.path}") for one in spec.above)
    found = hooks_in_force(structs.replace(spec, above=homes))
    assert {kind: [(due.name, due.home) for due in listed] for kind, listed in found.items()} == {
        "onFailure": [("onFailure/own", "")],
        "onCancel": [],
        "onExit": [],
        "onSuccess": [("onSuccess/far", "../1.yaml"), ("onSuccess/next", "../1.yaml")],
    }


def test_a_hook_of_defaults_starts_in_the_folder_of_their_file() -> None:
    spec = a_spec({"workingDir": "work"}, {"hooks": {"onExit": [hook("tidy")]}})
    spec = structs.replace(spec, above=(structs.replace(spec.above[0], home=".."),))
    (due,) = hooks_in_force(spec)["onExit"]
    found = hook_definition(spec, due)
    assert (found.home, found.working_dir) == ("..", ".")
