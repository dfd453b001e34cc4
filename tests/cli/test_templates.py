"""Every command over one run of a workflow that calls a template, with a failure in a piece."""

import json
from pathlib import Path

import pytest
from cli.place import Place

SPEC = """
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: etl}
spec:
  params: {regions: [eu, us]}
  env: {REGIONS: "${{ params.regions }}"}
  steps:
    - name: site
      template: {name: chain, params: {site: "${{ item }}"}}
      forEach: ${{ params.regions }}
    - {name: end, run: echo done, dependsOn: [site]}
---
apiVersion: treadle.dev/v1
kind: Template
metadata: {name: chain}
spec:
  params: {site: {type: string}, parts: [p, q]}
  outputs: {rows: "${{ steps.load.outputs.rows }}"}
  steps:
    - {name: prepare, run: 'echo preparing $S; test "$S" != us', env: {S: "${{ params.site }}"}}
    - name: load
      forEach: ${{ params.parts }}
      run: echo rows=1 >> $TREADLE_OUTPUT; echo loading $P
      env: {P: "${{ item }}"}
      outputs: {rows: integer}
      dependsOn: [prepare]
    - {name: check, run: echo checking, dependsOn: [load]}
"""


@pytest.fixture(scope="module")
def etl(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """In `us` the first step failed, so the rest of it was skipped, and `end` as well."""
    place = Place(Path(tmp_path_factory.mktemp("templates")))
    (place.specs / "etl.yaml").write_text(SPEC)
    place.says("up", "--once", code=1)
    return place


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["get"], " 4/7 "),
        (["get"], "1 failed (site[us]/prepare), 2 skipped"),
        (["status", "etl"], "    ✗ prepare  Failed       1"),
        (["status", "etl/site[us]"], "etl/site[us]\n"),
        (["status", "etl", "site[eu]"], 'params        site=eu parts=["p","q"]'),
        (["explain", "etl"], "✗ site[us]/prepare failed (exit 1: preparing us) → skipped: end"),
        (["explain", "etl", "end"], "      site[us]/prepare is Failed (NonZeroExit)"),
        (["explain", "etl", "site"], "it has 2 children: eu, us"),
        (["explain", "etl", "site[us]"], "it has 3 steps: prepare, load, check"),
        (["explain", "etl", "site[eu]/check", "--inputs"], "params.regions of the workflow: "),
        (["explain", "etl", "site[eu]/load[p]", "--inputs"], 'item: "p"'),
        (["logs", "etl", "site[eu]"], "[site[eu]/load[q]] loading q\n"),
        (["logs", "etl/site[eu]/load[q]"], "loading q\n"),
        (["logs", "etl", "site*prepare"], "[site[us]/prepare] preparing us\n"),
        (["logs", "etl", "--failed"], "preparing us\n"),
        (["events", "etl", "site[us]"], "1 of 3 steps failed: prepare"),
        (["history", "etl"], "first version"),
        (["runs", "etl"], "failed: site[us]/prepare"),
        (["retry", "etl", "site", "--dry-run"], "would retry site[us]/prepare, site[us]/load"),
        (["retry", "etl", "site[eu]/load", "--dry-run"], "site[eu]/load[p], site[eu]/load[q]"),
        (["cancel", "etl", "site[eu]"], "nothing to cancel"),
        (
            ["mark", "etl", "site[us]/prepare", "--succeeded", "--reason", "x", "--dry-run"],
            "would mark site[us]/prepare as succeeded",
        ),
        (["replay", "etl"], "site[us]/prepare"),
    ],
)
def test_what_a_command_says(etl: Place, words: list[str], said: str) -> None:
    assert said in etl.says(*words)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["logs", "etl", "site[us]/laod"], 5, 'did you mean "site[us]/load"?'),
        (["status", "etl", "site[*]"], 2, "choose one step of etl: site[eu] and site[us]"),
        (
            ["mark", "etl", "site", "--succeeded", "--reason", "x"],
            2,
            "mark one of them: treadle mark etl 'site[us]/prepare' --succeeded",
        ),
    ],
)
def test_what_is_refused(etl: Place, words: list[str], code: int, said: str) -> None:
    assert said in etl.complains(*words, code=code)


def test_scripts_get_the_tree(etl: Place) -> None:
    steps = {step["name"]: step for step in etl.shape("etl")["status"]["steps"]}
    assert steps["site[eu]"]["outputs"] == {"rows": [1, 1]}
    assert steps["site[us]"]["params"] == {"site": "us", "parts": ["p", "q"]}
    assert steps["site[eu]/load[p]"]["parent"] == "site[eu]/load"
    assert steps["site[eu]/check"]["dependsOn"] == ["site[eu]/load"]
    alone = json.loads(etl.says("status", "etl", "site[eu]/check", "-o", "json"))
    assert alone == steps["site[eu]/check"]


def test_a_piece_that_is_mended_runs_and_the_others_are_kept(place: Place) -> None:
    (place.specs / "etl.yaml").write_text(SPEC)
    place.says("up", "--once", code=1)
    place.treadle("mark", "etl", "site[us]/prepare", "--succeeded", "--reason", "by hand")
    lines = place.says("up", "--once")
    assert "etl/site[us]/load[q] Succeeded" in lines
    assert "site[us] Pending: 3 steps" not in lines
    assert "kept" not in place.says("explain", "etl", "site[us]/load")
    assert "✓ 4 steps kept from an earlier run: site[eu]/prepare" in place.says("explain", "etl")
    (place.specs / "etl.yaml").write_text(SPEC.replace("echo checking", "echo checked"))
    rows = [line.split()[:4] for line in place.says("diff", code=1).splitlines()]
    assert ["site[eu]/check", "run", "again", "run"] in rows
    assert ["@@", "step", "check", "of"] in rows
    assert not [row for row in rows if row[:1] == ["site[eu]"]]
