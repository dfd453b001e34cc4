"""Templates as they are written, and as a workflow calls them: what is taken, and each message.

In the tables, § marks where the fault has to be placed.
"""
# ruff: noqa: E501  (a line a case)

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import Fault
from controller.spec.linked import Called, Linked
from controller.spec.models import Call, TemplateSpec
from controller.spec.reading.link import Found, link
from controller.spec.reading.load import Caller, Document, Loaded, load
from controller.spec.reading.schema import files
from controller.spec.reading.text import read

CHAIN = """\
apiVersion: treadle.dev/v1
kind: Template
metadata: {name: chain, labels: {team: data}}
spec:
  params: {site: main, rows: {type: integer}, mode: {default: fast, enum: [fast, slow]}}
  outputs: {rows: "${{ steps.load.outputs.rows }}", text: "${{ params.site }} done"}
  steps:
  - {name: prepare, run: ./prepare.sh, env: {SITE: "${{ params.site }}"}}
  - {name: load, run: ./load.sh, dependsOn: [prepare], outputs: {rows: integer}}
"""
HEAD = "apiVersion: treadle.dev/v1\nkind: Template\nmetadata: {name: chain}\nspec:\n"
CALLER = """\
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: etl}
spec:
  params: {day: today, limit: 5, share: 0.5, sites: [a, b], flag: true, map: {default: {a: b}}}
  steps:
  - {name: first, run: x, outputs: {n: integer}}
  - {name: site, dependsOn: [first], STEP}
  - {name: last, run: x, dependsOn: [site], env: {A: ENV}}
"""


def loaded(text: str) -> Loaded:
    return load(text.encode(), "a.yaml")


def template(text: str = CHAIN) -> TemplateSpec:
    (found,) = loaded(text).templates
    return found.template.spec


def at_mark(text: str) -> tuple[str, str]:
    """The text without the mark, and the mark's line and column."""
    before, mark, after = text.partition("§")
    assert mark
    line = before.count("\n") + 1
    return before + after, f"{line}:{len(before) - before.rfind(chr(10))}"


# ---------------------------------------------------------------------------------------- one alone


def test_a_file_holds_workflows_and_templates() -> None:
    workflow = CALLER.replace("STEP", "template: {name: chain}").replace("ENV", "x")
    found = loaded(f"{CHAIN}---\n{workflow}---\n{CHAIN.replace('name: chain', 'name: etl')}")
    assert found.faults == ()
    assert found.names == ("etl",)
    assert found.template_names == ("chain", "etl")  # names are unique for each kind
    assert [(one.name, one.line) for one in found.templates] == [("chain", 1), ("etl", 21)]
    (document,) = found.documents
    assert isinstance(document, Caller)
    assert document.calls == ("chain",)


def test_a_file_of_templates_alone_is_no_other_file() -> None:
    found = loaded(CHAIN)
    assert (found.documents, found.names, found.foreign) == ((), (), False)
    assert found.templates[0].template.spec.outputs == {
        "rows": "${{ steps.load.outputs.rows }}",
        "text": "${{ params.site }} done",
    }


def test_a_document_that_calls_none_keeps_no_places() -> None:
    (document,) = loaded(CALLER.replace("STEP", "run: x").replace("ENV", "x")).documents
    assert type(document) is Document
    assert document.calls == ()


def test_a_fault_of_a_template_rejects_its_whole_file() -> None:
    workflow = CALLER.replace("STEP", "run: x").replace("ENV", "x")
    found = loaded(f"{workflow}---\n{CHAIN.replace('[prepare]', '[prepar]')}")
    assert (found.documents, found.templates) == ((), ())
    assert (found.names, found.template_names) == (("etl",), ("chain",))
    assert [str(fault) for fault in found.faults] == [
        'a.yaml:19:46: spec.steps[1].dependsOn[0]: no step is named "prepar"; did you mean "prepare"?'
    ]


def test_two_templates_of_one_name() -> None:
    (fault,) = loaded(f"{CHAIN}---\n{CHAIN}").faults
    assert str(fault) == (
        'a.yaml:13:18: metadata.name: a second template named "chain"; the first is at line 3'
    )


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        # the shape
        ("  params: {}\n  steps: §[]\n", "spec.steps: the list is empty"),
        ("  §params: {}\n", "spec: steps is missing"),
        ("  steps: [{name: a, run: x}]\n  §status: {}\n", "spec.status: unknown field; the fields here are steps, params, outputs"),
        ("  steps: [{name: a, run: x}]\n  outputs: {rows: §5}\n", "spec.outputs.rows: expected text, found the number 5"),
        ("  steps: [{name: a, run: x}]\n  outputs: {§1a: x}\n", 'spec.outputs["1a"]: "1a" is not a valid output name'),
        ("  steps: [{name: a, run: x, §zzz: x}]\n", "spec.steps[0].zzz: unknown field; all fields: treadle explain workflow.spec.steps"),
        # the rules of every spec
        ("  steps: [{name: a, run: x}, {name: §a, run: x}]\n", 'spec.steps[1].name: a second step named "a"; the first is at line 5'),
        ("  steps: [{name: a, run: x, dependsOn: [§b]}, {name: b, run: x, dependsOn: [a]}]\n", "spec.steps[0].dependsOn[0]: dependency cycle: a -> b -> a; each of these waits"),
        ("  params: {n: {type: integer, default: §x}}\n  steps: [{name: a, run: x}]\n", 'spec.params.n.default: expected an integer, found "x"'),
        ("  steps: [{name: a, run: x, env: {A: '${{ params.§n }}'}}]\n", "spec.steps[0].env.A: params has no field n"),
        ("  steps: [{name: a, run: x}, {name: b, run: x, env: {A: '${{ §steps.a.phase }}'}}]\n", 'spec.steps[1].env.A: reads steps.a, but this step does not depend on "a"'),
        # what a template can read
        ("  steps: [{name: a, run: x, env: {A: '${{ §workflow.name }}'}}]\n", "spec.steps[0].env.A: a template reads only its own params and steps; add a param to the template"),
        ("  steps: [{name: a, run: x, env: {A: '${{ §run.number }}'}}]\n", "spec.steps[0].env.A: a template reads only its own params and steps; add a param to the template"),
        ("  steps: [{name: a, run: x, env: {A: '${{ §trigger.key }}'}}]\n", "spec.steps[0].env.A: a template reads only its own params and steps; add a param to the template"),
        ("  steps: [{name: a, run: x, env: {A: '${{ §item }}'}}]\n", "spec.steps[0].env.A: item can be read only in a step with forEach; add a param to the template"),
        # its outputs
        ("  steps: [{name: a, run: x}]\n  outputs: {§in: '${{ steps.a.phase }}'}\n", "spec.outputs.in: an output can't be named \"in\""),
        ("  steps: [{name: a, run: x}]\n  outputs: {rows: §integer}\n", 'spec.outputs.rows: expected text with an expression, found "integer"; write ${{ steps.NAME.outputs.rows }}'),
        ("  steps: [{name: a, run: x}]\n  outputs: {rows: '${{ steps.§b.phase }}'}\n", "spec.outputs.rows: steps has no field b; steps has a"),
        ("  steps: [{name: a, run: x}]\n  outputs: {rows: '${{ steps.a.§outputs.n }}'}\n", 'spec.outputs.rows: "a" declares no outputs'),
        ("  steps: [{name: a, run: x}]\n  outputs: {rows: '${{ §workflow.name }}'}\n", "spec.outputs.rows: a template reads only its own params and steps"),
        ("  steps: [{name: a, run: x}]\n  outputs: {rows: '${{ §item }}'}\n", "spec.outputs.rows: item can be read only in a step with forEach"),
        ("  steps: [{name: a, run: x}]\n  outputs: {rows: '${{ §null }}'}\n", "spec.outputs.rows: it gives null, which is no value"),
        ("  steps: [{name: a, run: x}]\n  outputs: {rows: §'${{ params'}\n", "spec.outputs.rows: the expression has no end; close it with }}"),
        # no templates in templates, nor itself
        ("  steps: [{name: a, §template: {name: chain}}]\n", "spec.steps[0].template: templates can't use templates yet; write the steps of that template here"),
        ("  steps: [{name: a, §template: {name: other, params: {x: }}}]\n", "spec.steps[0].template: templates can't use templates yet; write the steps of that template here"),
    ],
)  # fmt: skip
def test_faults_of_a_template(spec: str, fault: str) -> None:
    text, place = at_mark(HEAD + spec)
    (found,) = loaded(text).faults
    assert str(found).startswith(f"a.yaml:{place}: {fault}"), found


def test_the_head_of_a_template() -> None:
    text = "apiVersion: treadle.dev/v1\nkind: Template\nmetadata: {name: A, uid: x}\nspec:\n"
    found = loaded(f"{text}  steps: [{{name: a, run: x}}]\nstatus: {{}}\n").faults
    assert [str(fault) for fault in found] == [
        'a.yaml:3:18: metadata.name: "A" is not a valid name; use lower-case letters, digits and - '
        '(at most 63; no - at the start or end), like "a"',
        "a.yaml:3:21: metadata.uid: unknown field; the fields here are name, labels, annotations",
        "a.yaml:6:1: status: unknown field; the fields here are apiVersion, kind, metadata, spec",
    ]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("template", 'expected {KINDS}, found "template"; did you mean "Template"?'),
        ("Pod", 'expected {KINDS}, found "Pod"'),
    ],
)
def test_other_kinds(kind: str, said: str) -> None:
    (fault, *_) = loaded(CHAIN.replace("kind: Template", f"kind: {kind}")).faults
    said = said.replace("{KINDS}", "Workflow, Template, Pool or Defaults")
    assert str(fault).startswith(f"a.yaml:2:7: kind: {said}")


def test_an_api_version_that_is_missing() -> None:
    (fault,) = loaded(CHAIN.replace("apiVersion: treadle.dev/v1\n", "")).faults
    assert fault.problem == "apiVersion is missing"


def test_a_param_without_default_is_fine_in_the_folder() -> None:
    assert load(CHAIN.encode(), "a.yaml", in_folder=True).faults == ()


def test_what_a_template_does_not_do_as_its_author_may_think() -> None:
    text = CHAIN.replace("run: ./prepare.sh", "run: 'echo {{inputs.site}}'")
    assert [fault.problem for fault in loaded(text).warnings] == ["{{inputs. … is plain text here"]
    assert loaded(text).templates[0].warnings


# ---------------------------------------------------------------------------------- the calling step


def call_faults(step: str) -> list[str]:
    text = CALLER.replace("STEP", step).replace("ENV", "x")
    return [str(fault).removeprefix("a.yaml:") for fault in loaded(text).faults]


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        ("template: §{}", "spec.steps[1].template: name is missing"),
        ("template: §chain", 'spec.steps[1].template: expected a mapping, found "chain"; write {name: chain}'),
        ("template: {name: §My_Chain}", 'spec.steps[1].template.name: "My_Chain" is not a valid name'),
        ("template: {name: §" + "a" * 200 + "}", f'spec.steps[1].template.name: "{"a" * 60}…" is not a valid name; use lower-case'),
        ("template: {name: c, §zzz: 1}", "spec.steps[1].template.zzz: unknown field; write params: {zzz: …}"),
        ("template: {name: c, §param: 1}", 'spec.steps[1].template.param: unknown field; did you mean "params"?'),
        ("run: x, §template: {name: c}", "spec.steps[1].template: a step has run or template, not both; remove one of them"),
        ("command: [x], §template: {name: c}", "spec.steps[1].template: a step has command or template, not both; remove"),
        ("template: {name: c}, §env: {A: b}", "spec.steps[1].env: env can't be used with template; write env in the steps of the template"),
        ("template: {name: c}, §envFrom: []", "spec.steps[1].envFrom: envFrom can't be used with template; write"),
        ("template: {name: c}, §before: x", "spec.steps[1].before: before can't be used with template; write before in the steps of the template"),
        ("template: {name: c}, §after: x", "spec.steps[1].after: after can't be used with template; write"),
        ("template: {name: c}, §shell: sh", "spec.steps[1].shell: shell can't be used with template; write"),
        ("template: {name: c}, §workingDir: x", "spec.steps[1].workingDir: workingDir can't be used with template; write"),
        ("template: {name: c}, §timeoutSeconds: 1", "spec.steps[1].timeoutSeconds: timeoutSeconds can't be used with"),
        ("template: {name: c}, §terminationGracePeriodSeconds: 1", "spec.steps[1].terminationGracePeriodSeconds: termin"),
        ("template: {name: c}, §retry: {limit: 1}", "spec.steps[1].retry: retry can't be used with template; write"),
        ("template: {name: c}, §successExitCodes: [0]", "spec.steps[1].successExitCodes: successExitCodes can't be used"),
        ("template: {name: c}, §skipExitCodes: [1]", "spec.steps[1].skipExitCodes: skipExitCodes can't be used with"),
        ("template: {name: c}, §leaveProcesses: true", "spec.steps[1].leaveProcesses: leaveProcesses can't be used with"),
        ("template: {name: c}, §onChanged: Restart", "spec.steps[1].onChanged: onChanged can't be used with template"),
        ("template: {name: c}, §onRemoved: End", "spec.steps[1].onRemoved: onRemoved can't be used with template; write"),
        ("template: {name: c}, §outputs: {n: integer}", "spec.steps[1].outputs: outputs can't be used with template; write outputs in the spec of the template"),
        ("template: {name: c}, §key: x", "spec.steps[1].key: key needs forEach"),
        ("template: {name: c}, §parallelism: 2", "spec.steps[1].parallelism: parallelism needs forEach"),
        ("template: {name: c, params: §[a]}", "spec.steps[1].template.params: expected a mapping, found a list"),
        ("template: {name: c, params: {§1a: x}}", 'spec.steps[1].template.params["1a"]: "1a" is not a valid param name'),
        ("template: {name: c, params: {a: §}}", "spec.steps[1].template.params.a: expected a value, found nothing; give it a value, or remove it"),
        ("template: {name: c, params: {a: [x, §'${{ params.day }}']}}", "spec.steps[1].template.params.a[1]: an expression can't be used here; write one expression that gives the whole value"),
        ("template: {name: c, params: {a: {b: §'${{ params.day }}'}}}", "spec.steps[1].template.params.a.b: an expression can't be used here; write one"),
        ("template: {name: c, params: {a: '${{ §item }}'}}", "spec.steps[1].template.params.a: item can be read only in a step with forEach"),
        ("template: {name: c, params: {a: '${{ params.§dy }}'}}", 'spec.steps[1].template.params.a: params has no field dy; did you mean "day"?'),
        ("template: {name: c, params: {a: '${{ §null }}'}}", "spec.steps[1].template.params.a: it gives null, which is no value"),
        ("template: {name: c, params: {a: '${{ §steps.last.phase }}'}}", 'spec.steps[1].template.params.a: reads steps.last, but this step does not depend on "last"'),
        ("template: {name: c, params: {a: '${{ §steps.site.phase }}'}}", "spec.steps[1].template.params.a: a step can't read its own results"),
    ],
)  # fmt: skip
def test_faults_of_a_step_that_calls(step: str, fault: str) -> None:
    place = f"8:{CALLER.splitlines()[7].index('STEP') + step.index('§') + 1}"
    (found,) = call_faults(step.replace("§", ""))
    assert found.startswith(f"{place}: {fault}"), found


def test_what_a_template_gives_is_not_known_yet() -> None:
    text = CALLER.replace("STEP", "template: {name: c}").replace(
        "ENV", '"${{ steps.site.outputs.x }}"'
    )
    assert loaded(text).faults == ()
    faulty = text.replace("{name: c}", "{name: 3}")
    assert [fault.path for fault in loaded(faulty).faults] == ["spec.steps[1].template.name"]


@pytest.mark.parametrize(
    ("fields", "paths"),
    [
        ("call: c", ["spec.steps[1].call"]),
        ("templateRef: {name: c}, arguments: {a: b}", ["spec.steps[1].templateRef", "spec.steps[1].arguments"]),
        ("run: x, extends: .base", ["spec.steps[1].extends"]),
    ],
)  # fmt: skip
def test_a_step_that_calls_in_other_words_is_not_told_that_it_does_nothing(
    fields: str, paths: list[str]
) -> None:
    text = CALLER.replace("STEP", fields).replace("ENV", '"${{ steps.site.phase }}"')
    assert [fault.path for fault in loaded(text).faults] == paths


def test_a_list_that_loses_text_is_warned_of() -> None:
    text = CALLER.replace("STEP", "template: {name: c, params: {v: [3.10]}}").replace("ENV", "x")
    (warning,) = loaded(text).warnings
    assert warning.path == "spec.steps[1].template.params.v[0]"


def test_braces_of_other_tools_in_params_are_warned_of() -> None:
    text = CALLER.replace("STEP", "template: {name: c, params: {v: '{{item}}'}}, forEach: [a]")
    (warning,) = loaded(text.replace("ENV", "x")).warnings
    assert warning.path == "spec.steps[1].template.params.v"


# ------------------------------------------------------------------------------------------ together

TEMPLATES = {"chain": Found("lib/chain.yaml", template())}


def linked(step: str, env: str = "x", templates: dict[str, Found] = TEMPLATES) -> Document:
    found = _link(step, env, templates)
    assert isinstance(found, Document)
    return found


def _link(
    step: str, env: str, templates: dict[str, Found], path: str = "etl.yaml"
) -> Document | tuple[Fault, ...]:
    text = CALLER.replace("STEP", step).replace("ENV", json.dumps(env))
    found = loaded(text)
    assert found.faults == ()
    return link(found.documents[0], path, templates)


def link_faults(step: str, env: str = "x", templates: dict[str, Found] = TEMPLATES) -> list[str]:
    found = _link(step, env, templates)
    assert not isinstance(found, Document)
    assert all(fault.excerpt is not None for fault in found)
    return [str(fault).removeprefix("a.yaml:") for fault in found]


@pytest.mark.parametrize(
    "step",
    [
        "template: {name: chain, params: {rows: 5}}",
        "template: {name: chain, params: {rows: 5, site: b, mode: slow}}",
        "template: {name: chain, params: {rows: '${{ params.limit }}'}}",
        "template: {name: chain, params: {rows: '${{ steps.first.outputs.n }}'}}",
        "template: {name: chain, params: {rows: 5, site: 'a-${{ params.limit }}'}}",
        "template: {name: chain, params: {rows: 5, site: '$${{ x }}'}}",
        "template: {name: chain, params: {rows: '${{ item }}', site: '${{ item }}'}}, forEach: [1]",
        "template: {name: chain, params: {rows: '${{ index }}'}}, forEach: [1], key: '${{ item }}'",
        "template: {name: chain, params: {rows: 5}}, when: '${{ params.flag }}'",
    ],
)
def test_calls_that_fit(step: str) -> None:
    document = linked(step)
    assert type(document) is Document
    spec = document.workflow.spec
    assert isinstance(spec, Linked)
    assert spec.templates == {"chain": Called(spec=template(), home="lib")}
    call = spec.steps[1].template
    assert isinstance(call, Call)
    assert call.name == "chain"


def test_one_that_calls_none_is_returned_as_it_is() -> None:
    (document,) = loaded(CALLER.replace("STEP", "run: x").replace("ENV", "x")).documents
    assert link(document, "etl.yaml", {}) is document


@pytest.mark.parametrize(
    ("path", "other", "home"),
    [
        ("etl.yaml", "chain.yaml", "."),
        ("a/etl.yaml", "a/chain.yaml", "."),
        ("a/etl.yaml", "chain.yaml", ".."),
        ("a/etl.yaml", "b/c/chain.yaml", "../b/c"),
        ("etl.yaml", "etl.yaml", "."),
        ("/x/specs/etl.yaml", "/x/chain.yaml", ".."),
    ],
)
def test_the_home_of_a_template(path: str, other: str, home: str) -> None:
    found = _link(
        "template: {name: chain, params: {rows: 5}}", "x", {"chain": Found(other, template())}, path
    )
    assert isinstance(found, Document)
    assert isinstance(found.workflow.spec, Linked)
    assert found.workflow.spec.templates["chain"].home == home


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ("{rows: §x}", 'template.params.rows: expected an integer, found "x"'),
        ("{rows: §'5'}", 'template.params.rows: expected an integer, found "5"; write it without quotes'),
        ("{rows: §2.5}", "template.params.rows: expected an integer, found the number 2.5"),
        ("{rows: §[1]}", "template.params.rows: expected an integer, found a list"),
        ("{rows: 5, site: §3.10}", 'template.params.site: expected text, found the number 3.1; put it in quotes: "3.10"'),
        ("{rows: 5, mode: §medium}", 'template.params.mode: "medium" is not one of "fast", "slow"'),
        ("{rows: 5, mode: §'$${{ x }}'}", 'template.params.mode: "${{ x }}" is not one of "fast", "slow"'),
        ("{rows: 5, §sitee: x}", 'template.params.sitee: the template "chain" has no param "sitee"; did you mean "site"?'),
        ("{rows: 5, §zzz: x}", 'template.params.zzz: the template "chain" has no param "zzz"; its params are mode, rows, site'),
        ("§{site: x}", 'template.params: the template "chain" needs a value for rows; add rows: …'),
        ("{rows: '${{ §params.day }}'}", "template.params.rows: expected an expression that gives an integer; this one gives a string"),
        ("{rows: '${{ §params.share }}'}", "template.params.rows: expected an expression that gives an integer; this one gives a double"),
        ("{rows: '${{ §params.sites }}'}", "template.params.rows: expected an expression that gives an integer; this one gives a list"),
        ("{rows: 5, site: '${{ §params.limit }}'}", "template.params.site: expected an expression that gives text; this one gives an integer"),
        ("{rows: §'${{ params.limit }}0'}", "template.params.rows: expected an integer; with other text, an expression gives text; write one expression and nothing else"),
    ],
)  # fmt: skip
def test_params_that_do_not_fit(params: str, fault: str) -> None:
    step = f"template: {{name: chain, params: {params}}}"
    begin = CALLER.splitlines()[7].index("STEP") + 1
    at = 16 if params.startswith("§") else step.index("§")
    at = step.index("params") if params.startswith("§") else at
    (found,) = link_faults(step.replace("§", ""))
    assert found.startswith(f"8:{begin + at}: spec.steps[1].{fault}"), found


def test_a_call_without_params_needs_some() -> None:
    assert link_faults("template: {name: chain}") == [
        '8:38: spec.steps[1].template: the template "chain" needs a value for rows; '
        "write params: {rows: …}"
    ]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("chian", 'no template is named "chian"; did you mean "chain"?'),
        ("zzz", 'no template is named "zzz"; the templates are broken, chain'),
        ("broken", 'the template "broken" can\'t be used: its file has faults'),
    ],
)
def test_templates_that_cannot_be_used(name: str, fault: str) -> None:
    known = {**TEMPLATES, "broken": Found("b.yaml", None, "its file has faults")}
    (found,) = link_faults(f"template: {{name: {name}}}", templates=known)
    assert found == f"8:55: spec.steps[1].template.name: {fault}"


def test_no_template_at_all() -> None:
    (found,) = link_faults("template: {name: chain}", templates={})
    assert found.endswith(
        ': no template is named "chain"; a template is a document with kind: Template in the specs '
        "folder, or in a file that is named beside this one"
    )


@pytest.mark.parametrize(
    ("step", "env", "fault"),
    [
        ("", "${{ steps.site.outputs.rows }}", None),
        ("", "${{ steps.site.outputs.text }}", None),
        ("", "${{ steps.site.phase }}", None),
        ("", "${{ steps.site.outputs.row }}", "8:57: spec.steps[2].env.A: "),
        ("", "${{ steps.site.failed }}", "failed can be read only of a step with forEach"),
        (", forEach: [a]", "${{ steps.site.failed }}", None),
        (", forEach: [a]", "${{ steps.site.outputs.rows }}", None),
        (", forEach: [a]", "${{ steps.site.outputs.row }}", "spec.steps[2].env.A: "),
        ("", "${{ steps.site.outputs.rows + 'x' }}", "spec.steps[2].env.A: "),
    ],
)
def test_what_others_read_of_a_template(step: str, env: str, fault: str | None) -> None:
    text = CALLER.replace("STEP", f"template: {{name: chain, params: {{rows: 5}}}}{step}")
    found = loaded(text.replace("ENV", json.dumps(env)))
    if found.faults:  # a document alone says enough
        assert fault is not None
        assert fault in str(found.faults[0])
        return
    result = link(found.documents[0], "etl.yaml", TEMPLATES)
    if fault is None:
        assert isinstance(result, Document)
    else:
        assert not isinstance(result, Document)
        (one,) = result
        assert fault.removeprefix("8:57: ") in str(one)
        assert one.line == 9


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ("run: x, forEach: '${{ §steps.site.outputs.rows }}'", "forEach: expected an expression that gives a list; this one gives an integer"),
        ("run: x, when: '${{ §steps.site.outputs.rows }}'", "when: expected an expression that gives true or false; this one gives an integer"),
        ("run: x, timeoutSeconds: '${{ §steps.site.outputs.text }}'", "timeoutSeconds: expected an expression that gives a number of seconds; this one gives a string"),
        ("template: {name: chain, params: {rows: '${{ §steps.site.outputs.text }}'}}", "template.params.rows: expected an expression that gives an integer; this one gives a string"),
        ("template: {name: chain, params: {rows: '${{ steps.site.outputs.rows }}'}}", ""),
    ],
)  # fmt: skip
def test_types_of_what_others_read(fields: str, fault: str) -> None:
    text = CALLER.replace("STEP", "template: {name: chain, params: {rows: 5}}").replace("ENV", "x")
    head, _, last = text.rpartition("  - ")
    last = f"{{name: last, dependsOn: [site], {fields}}}\n"
    found = loaded(f"{head}  - {last.replace('§', '')}")
    assert found.faults == ()
    result = link(found.documents[0], "etl.yaml", TEMPLATES)
    if isinstance(result, Document):
        assert fault == ""
    else:
        (one,) = result
        assert str(one) == f"a.yaml:9:{last.index('§') + 5}: spec.steps[2].{fault}"


def test_all_faults_come_at_once_in_order() -> None:
    found = link_faults(
        "template: {name: chain, params: {rows: x, sitee: 1}}", "${{ steps.site.outputs.row }}"
    )
    assert [fault.split(": ")[1] for fault in found] == [
        "spec.steps[1].template.params.rows",
        "spec.steps[1].template.params.sitee",
        "spec.steps[2].env.A",
    ]


# ------------------------------------------------------------------------------------------- schemas


@pytest.mark.parametrize("name", ["template.schema.json", "spec.schema.json"])
def test_an_editor_takes_a_template(name: str) -> None:
    (node,) = read(CHAIN, "a.yaml", 10_000).documents
    validator = jsonschema.Draft202012Validator(json.loads(files()[name]))
    assert validator.is_valid(node.value)
    assert isinstance(node.value, dict)
    assert not validator.is_valid({**node.value, "status": {}})


def test_an_editor_takes_a_workflow_beside_it() -> None:
    text = CALLER.replace("STEP", "template: {name: chain, params: {rows: 5}}").replace("ENV", "x")
    (node,) = read(text, "a.yaml", 10_000).documents
    validator = jsonschema.Draft202012Validator(json.loads(files()["spec.schema.json"]))
    assert validator.is_valid(node.value)
    assert isinstance(node.value, dict)
    assert not validator.is_valid({**node.value, "spec": {"steps": []}})


# -------------------------------------------------------------------------------------- any template

SCALARS = st.none() | st.booleans() | st.integers(-3, 300) | st.floats(allow_nan=False)
TEXTS = st.sampled_from(["a", "chain", "", "${{ params.a }}", "${{ steps.a.outputs.a }}", "${{",
                         "${{ item }}", "$${{ a }}", "x ${{ index }}", "\0"])  # fmt: skip
KEYS = st.sampled_from(["name", "params", "a", "type", "default", "in"])
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    ["name", "run", "template", "outputs", "forEach", "env", "dependsOn", "when", "x"]
)
STEPS = st.lists(
    st.dictionaries(FIELDS, VALUES, max_size=5)
    | st.fixed_dictionaries({"name": TEXTS, "run": st.just("x")}, optional={"outputs": VALUES})
    | st.fixed_dictionaries(
        {
            "name": st.sampled_from(["a", "b"]),
            "template": st.fixed_dictionaries(
                {"name": st.sampled_from(["chain", "b"])},
                optional={"params": st.dictionaries(KEYS, VALUES, max_size=2)},
            ),
        },
        optional={"forEach": st.just(["x"])},
    ),
    max_size=3,
)


def document(kind: str, spec: dict[str, Any]) -> Any:
    name = "chain" if kind == "Template" else "etl"
    return {"apiVersion": "treadle.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


@settings(max_examples=300)
@given(
    st.fixed_dictionaries(
        {"steps": STEPS}, optional={"params": VALUES, "outputs": VALUES, "x": VALUES}
    ),
    st.fixed_dictionaries({"steps": STEPS}, optional={"params": VALUES}),
)
def test_any_template_and_any_caller_are_judged(of: dict[str, Any], caller: dict[str, Any]) -> None:
    one = load(json.dumps(document("Template", of)).encode(), "t.json")
    assert bool(one.templates) != bool(one.faults)
    assert one.template_names == ("chain",)
    other = load(json.dumps(document("Workflow", caller)).encode(), "a.json")
    known = {one.name: Found("t.json", one.template.spec) for one in one.templates}
    for each in other.documents:
        result = link(each, "a.json", known)
        if isinstance(result, Document):
            spec = result.workflow.spec
            assert result is each or isinstance(spec, Linked)
        else:
            assert result
            assert all(fault.line == 1 and str(fault) for fault in result)
