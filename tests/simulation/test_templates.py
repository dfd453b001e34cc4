"""Templates in the whole loop: edits under two callers that run, and crashes at each effect."""

from simulation.trial import judge
from simulation.world import Fate, World

CHAIN = """\
apiVersion: treadle.dev/v1
kind: Template
metadata: {name: chain}
spec:
  params: {site: x, parts: [p, q]}
  outputs: {rows: "${{ steps.load.outputs.rows }}"}
  steps:
  - {name: prepare, run: old, env: {N: "${{ params.site }}"}}
  - name: load
    dependsOn: [prepare]
    forEach: ${{ params.parts }}
    run: old
    env: {N: "${{ item }}"}
    outputs: {rows: integer}
    retry: {limit: 1, backoff: {initialSeconds: 0.5, jitter: 0}}
  - {name: check, run: old, dependsOn: [load]}
"""
ONE = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: one}
spec:
  params: {sites: [a, b, c]}
  steps:
  - name: site
    template: {name: chain, params: {site: "${{ item }}"}}
    forEach: ${{ params.sites }}
    parallelism: 2
  - {name: end, run: end, dependsOn: [site], env: {N: "${{ steps.site.outputs.rows }}"}}
"""
TWO = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: two}
spec:
  editPolicy: POLICY
  steps:
  - {name: find, run: find, outputs: {names: array}}
  - name: site
    dependsOn: [find]
    template: {name: chain, params: {parts: "${{ steps.find.outputs.names }}"}}
  - {name: end, run: end, dependsOn: [site]}
"""


def fate(workflow: str, step: str, number: int) -> Fate:
    if step == "find":
        return Fate(seconds=1, outputs=b'{"names": ["q", "r"]}')
    fails = step == "site[b]/load[q]" and number == 1
    return Fate(seconds=2, exit_code=int(fails), deaf_seconds=0.5, outputs=b"rows=1")


def began(crash_before: int | None = None, policy: str = "Reconcile") -> World:
    """Two workflows whose steps call a template have begun."""
    world = World(fate=fate, max_parallel=5, crash_before=crash_before)
    world.files = {"one.yaml": ONE, "t.yaml": CHAIN, "two.yaml": TWO.replace("POLICY", policy)}
    world.boot_controller()
    world.run(2.7)
    return world


def told(crash_before: int | None = None) -> World:
    """The template is edited while both run, a list as well; then at rest, and it goes away."""
    world = began(crash_before)
    new_load = CHAIN.replace("    run: old", "    run: new")
    world.files["t.yaml"] = new_load
    world.run(2.2)
    world.files["one.yaml"] = ONE.replace("[a, b, c]", "[d, c, b]")
    world.run()
    new_check = new_load.replace("{name: check, run: old", "{name: check, run: new")
    world.files["t.yaml"] = new_check.replace("site: x", "site: y")
    world.run()
    del world.files["t.yaml"]
    world.run()
    return world


def test_a_crash_before_any_effect_around_a_template_changes_nothing() -> None:
    quiet = told()
    for name, phases in quiet.phases().items():
        assert set(phases.values()) == {"Succeeded"}, name
    assert "site[a]" not in quiet.phases()["one"]
    assert quiet.begun["two", "site/load[r]"] == 2  # it ran while it was edited
    assert quiet.begun["two", "find"] == 1
    for effect in range(1, quiet.effects + 1):
        stormy = told(effect)
        judge(stormy, f"told({effect})")
        assert stormy.phases() == quiet.phases(), effect
        assert stormy.begun == quiet.begun, effect


def test_each_caller_takes_an_edit_of_the_template_by_its_own_policy() -> None:
    world = began(policy="AfterRun")
    world.files["t.yaml"] = CHAIN.replace("check, run: old", "check, run: new")
    world.run(0.3)
    one, two = (world.controller.state.workflows[name] for name in ("one", "two"))
    assert (one.generation, two.generation) == (2, 1)
    assert two.conditions["EditPending"].status == "True"
    world.run()
    two = world.controller.state.workflows["two"]
    assert (two.generation, two.run, two.phase) == (2, 2, "Succeeded")
    again = {step for (name, step), times in world.begun.items() if name == "two" and times > 1}
    assert again == {"end", "site/check"}
