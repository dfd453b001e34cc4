"""Each kind of mistake in params, outputs, variables and expressions, and what its author is told.

§ marks where the fault has to be placed.
"""
# ruff: noqa: E501  (a line a case)

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from controller.spec.reading.load import load

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\nspec:\n"
NAMES = "use letters, digits and _, at most 63; the first can't be a digit, and in, true, false and null are taken"


def faults(spec: str) -> list[str]:
    loaded = load((HEAD + spec).encode(), "etl.yaml")
    return [str(fault).removeprefix("etl.yaml:") for fault in loaded.faults]


def at_mark(spec: str) -> tuple[list[str], str]:
    """The faults of a spec, and the place of the mark in it."""
    before = (HEAD + spec).partition("§")[0]
    return faults(
        spec.replace("§", "")
    ), f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("§in: 3", f'spec.params.in: a param can\'t be named "in"; {NAMES}'),
        ("§1st: 3", f'spec.params["1st"]: "1st" is not a valid param name; {NAMES}'),
        ("date: §null", "spec.params.date: expected text, a number, true or false, a list or a mapping, found nothing; write {type: string} for a param that must be given"),
        ("date: {§a: 1}", "spec.params.date.a: unknown field; to give the param a mapping as its value, write {default: {…}}"),
        ("date: {type: string, §enumm: [a]}", 'spec.params.date.enumm: unknown field; did you mean "enum"?'),
        ("date: §{}", "spec.params.date: the param has no type and no default; write its type, like {type: string}, or its default"),
        ("date: §{description: day}", "spec.params.date: the param has no type and no default; write its type, like {type: string}, or its default"),
        ("date: {type: string, default: §5}", "spec.params.date.default: expected text, found the number 5"),
        ("date: {type: string, default: §null}", "spec.params.date.default: expected text, found nothing; remove default if a value must be given"),
        ("n: {enum: [a, b], default: §c}", 'spec.params.n.default: "c" is not one of "a", "b"'),
        ("n: {enum: [1, 2], default: §3}", "spec.params.n.default: 3 is not one of 1, 2"),
        ("n: {type: integer, enum: [1, §b]}", 'spec.params.n.enum[1]: expected an integer, found "b"'),
        ('n: §"${{ 1 }}"', "spec.params.n: an expression can't be used here; write the value itself"),
    ],
)  # fmt: skip
def test_params(written: str, fault: str) -> None:
    found, place = at_mark(f"  params: {{{written}}}\n  steps: [{{name: a, run: x}}]\n")
    assert found == [f"{place}: {fault}"]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("outputs: {§in: string}", f'spec.steps[0].outputs.in: an output can\'t be named "in"; {NAMES}'),
        ("outputs: {§a-b: string}", f'spec.steps[0].outputs.a-b: "a-b" is not a valid output name; {NAMES}'),
        ("outputs: {rows: §int}", 'spec.steps[0].outputs.rows: expected array, boolean, integer, number, object or string, found "int"; write integer'),
        ("outputs: {rows: §[a]}", "spec.steps[0].outputs.rows: expected array, boolean, integer, number, object or string, found a list"),
        ("env: {§1A: x}", "spec.steps[0].env[\"1A\"]: \"1A\" is not a valid variable name; use letters, digits and _; the first can't be a digit"),
        ("env: {A: §{fromEnv: X, fromFile: y}}", "spec.steps[0].env.A: has 2 of fromEnv, fromFile and asFile; write exactly one of them"),
        ("env: {A: §{}}", "spec.steps[0].env.A: has none of fromEnv, fromFile and asFile; write exactly one of them"),
        ("env: {A: {fromEnv: §''}}", "spec.steps[0].env.A.fromEnv: not the name of a variable"),
        ("env: {A: {fromFile: §''}}", "spec.steps[0].env.A.fromFile: not the name of a file"),
        ("env: {A: {fromFile: §'${{ params.p }}'}}", "spec.steps[0].env.A.fromFile: an expression can't be used here; write the value itself"),
        ("envFrom: [{file: §''}]", "spec.steps[0].envFrom[0].file: not the name of a file"),
        ("when: §p == 1", "spec.steps[0].when: expected one expression that gives true or false; write ${{ p == 1 }}"),
        ("when: §\"{{inputs.p}} == 'x'\"", "spec.steps[0].when: expected one expression that gives true or false; write ${{ inputs.p == 'x' }}"),
        ("run: 'echo §${{ github.sha }}'", "spec.steps[0].run: an expression can't be used in a script: its value would become part of the program; write env: {SHA: \"${{ params.sha }}\"}, and \"$SHA\" here"),
        ("before: 'echo §${{ params.p }}'", "spec.steps[0].before: an expression can't be used in a script: its value would become part of the program; write env: {P: \"${{ params.p }}\"}, and \"$P\" here"),
        ("after: 'echo §${{ params.p }}'", "spec.steps[0].after: an expression can't be used in a script: its value would become part of the program; write env: {P: \"${{ params.p }}\"}, and \"$P\" here"),
        ("when: §true", "spec.steps[0].when: expected text, found true; write ${{ true }}"),
        ("when: §'${{ true }} ${{ true }}'", "spec.steps[0].when: expected one expression that gives true or false; join them in one ${{ }}, with && or ||"),
        ("when: '${{ §params.p }}'", "spec.steps[0].when: expected an expression that gives true or false; this one gives a string"),
        ("timeoutSeconds: §5m", 'spec.steps[0].timeoutSeconds: expected a number, found "5m"; write 300'),
        ("timeoutSeconds: '${{ §params.p }}'", "spec.steps[0].timeoutSeconds: expected an expression that gives a number of seconds; this one gives a string"),
        ("env: {A: '${{ §null }}'}", "spec.steps[0].env.A: it gives null, which has no text"),
        ("env: {A: §'${{ }}'}", "spec.steps[0].env.A: the expression is empty; write a value between ${{ and }}"),
        ("env: {A: §'${{ params.p'}", "spec.steps[0].env.A: the expression has no end; close it with }}"),
        ("env: {A: '${{ §item }}'}", "spec.steps[0].env.A: item can be read only in a step with forEach"),
        ("env: {A: '${{ trigger.§nix }}'}", "spec.steps[0].env.A: trigger has no field nix"),
        ("env: {A: '${{ §foo }}'}", "spec.steps[0].env.A: unknown name: foo; the names here are params, workflow, run, trigger, steps"),
        ("env: {A: '${{ steps.b.§outputs.n }}'}", 'spec.steps[0].env.A: "b" declares no outputs; add outputs: {NAME: type} to it'),
        ("env: {A: '${{ §steps.b.phase }}'}", 'spec.steps[0].env.A: reads steps.b, but this step does not depend on "b"; add b to dependsOn'),
        ("env: {A: '${{ §steps.a.phase }}'}", "spec.steps[0].env.A: a step can't read its own results"),
        ("env: {A: '${{ steps.§sign-off.phase }}'}", 'spec.steps[0].env.A: steps has no field sign; a "-" in a name is written "_": sign_off'),
        ("run: 'echo §${{ params.p }}'", "spec.steps[0].run: an expression can't be used in a script: its value would become part of the program; write env: {P: \"${{ params.p }}\"}, and \"$P\" here"),
        ("shell: §'${{ params.p }}'", "spec.steps[0].shell: an expression can't be used here; write the value itself"),
        ("skipExitCodes: [§300-2]", "spec.steps[0].skipExitCodes[0]: 300-2 is not an exit code or a range of them; exit codes go from 0 to 255, a range from low to high"),
        ("skipExitCodes: [§x]", 'spec.steps[0].skipExitCodes[0]: "x" is not an exit code; write 75, or a range "100-110"'),
    ],
)  # fmt: skip
def test_fields_of_a_step(written: str, fault: str) -> None:
    run = "" if written.startswith("run") else "run: x, "
    steps = f"{{name: a, {run}{written}}}, {{name: b, run: x}}, {{name: sign-off, run: x}}"
    found, place = at_mark(f"  params: {{p: text}}\n  steps: [{steps}]\n")
    assert found == [f"{place}: {fault}"]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("env: {A: '${{ §steps.a.phase }}'}", "spec.env.A: only fields of a step can read steps; write this in the steps that need it"),
        ("inheritEnv: [HOME, §'A B']", "spec.inheritEnv[1]: \"A B\" is not a valid variable name; use letters, digits and _; the first can't be a digit"),
        ("workingDir: '${{ params.§q }}'", "spec.workingDir: params has no field q; params has p"),
        ("parallelism: §'${{ params.p }}'", "spec.parallelism: an expression can't be used here; write the value itself"),
    ],
)  # fmt: skip
def test_fields_of_the_spec(written: str, fault: str) -> None:
    found, place = at_mark(f"  params: {{p: text}}\n  {written}\n  steps: [{{name: a, run: x}}]\n")
    assert found == [f"{place}: {fault}"]


@pytest.mark.parametrize(
    ("param", "reads"),
    [
        pytest.param("null", "params.p + 'x'", id="nothing"),
        pytest.param("{a: 1}", "params.p.a", id="a mapping as the value"),
        pytest.param("{type: int}", "params.p + 1", id="a type of another language"),
        pytest.param("{type: Double, default: 1.5}", "params.p + 1.5", id="and a default"),
        pytest.param("{type: integer, required: true}", "params.p + 1", id="an unknown field"),
        pytest.param("{default: 3, description: 5}", "params.p + 1", id="a wrong description"),
    ],
)
def test_a_faulty_param_is_one_fault_for_all_who_read_it(param: str, reads: str) -> None:
    spec = f"  params: {{p: {param}, q: {{type: integer, default: 1}}}}\n"
    step = f'{{name: a, run: x, env: {{P: "${{{{ {reads} }}}}", Q: "${{{{ params.q + 1 }}}}"}}}}'
    assert len(faults(f"{spec}  steps: [{step}]\n")) == 1


def test_one_faulty_variable_hides_no_fault_of_another() -> None:
    step = "{name: a, run: x, env: {1X: a, Z: {fromEnv: A, fromFile: b}}}"
    assert [fault.split(": ")[1] for fault in faults(f"  steps: [{step}]\n")] == [
        'spec.steps[0].env["1X"]',
        "spec.steps[0].env.Z",
    ]


def test_an_output_with_the_type_of_another_language_is_one_fault_for_all_who_read_it() -> None:
    steps = "  steps:\n  - {name: a, run: x, outputs: {rows: int}}\n"
    found = faults(
        f"{steps}  - {{name: b, run: x, dependsOn: [a], when: '${{{{ steps.a.outputs.rows > 0 }}}}'}}\n"
    )
    assert [fault.rpartition("; ")[2] for fault in found] == ["write integer"]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("${{ params.§nix == 1 }}", id="plain"),
        pytest.param("${{ true\n          && params.§nix == 1 }}", id="plain, of two lines"),
        pytest.param("'${{ ''it'' + params.§nix }}'", id="in single quotes"),
        pytest.param(r'"${{ \"a\\n\" + params.§nix }}"', id="in double quotes"),
        pytest.param('"${{ true\n          && params.§nix }}"', id="in quotes, of two lines"),
        pytest.param("|\n          ${{ true\n             && params.§nix }}\n", id="a block"),
        pytest.param("|-\n\n          ${{ \n   \n          params.§nix }}", id="a block with gaps"),
        pytest.param(">\n          ${{ true\n          && params.§nix }}\n", id="a folded block"),
        pytest.param("'${{ 1 }} ${{ 2 }}, ${{ params.§nix }}'", id="the third in a text"),
        pytest.param("'$${{ 1 }} ${{ params.§nix }}'", id="behind what is no expression"),
    ],
)
def test_a_fault_is_placed_in_its_expression_however_the_text_is_written(value: str) -> None:
    found, place = at_mark(
        f"  steps:\n    - name: a\n      run: x\n      env:\n        A: {value}\n"
    )
    assert found == [f"{place}: spec.steps[0].env.A: params has no field nix"]


def test_where_the_text_is_escaped_otherwise_the_fault_is_placed_at_its_expression() -> None:
    found, place = at_mark(
        r"""  steps: [{name: a, run: x, env: {A: "§${{ '\x41' + params.nix }}"}}]"""
    )
    assert found == [f"{place}: spec.steps[0].env.A: params has no field nix"]


BLANKS = st.text(alphabet=" \n", min_size=1, max_size=6)
WORDS = st.sampled_from(
    ["'it'", '"a b"', r'"\n"', "['a', 'b'][0]", "{'a': 'b'}['a']", "(true ? 'x' : 'y')"]
)


@given(
    before=st.sampled_from(["", "text ", "$${{ ", "${{ 1 }}: ", "'\"# "]),
    words=st.lists(st.tuples(WORDS, BLANKS), max_size=6),
    style=st.sampled_from([None, "'", '"', "|", ">"]),
    width=st.integers(10, 100),
)
def test_however_yaml_writes_a_text_the_fault_is_placed_in_its_expression(
    before: str, words: list[tuple[str, str]], style: str | None, width: int
) -> None:
    code = "".join(f"{word} +{blanks}" for word, blanks in words)
    text = f"{before}${{{{ {code}params.nix }}}}"
    step = {"name": "a", "run": "x", "env": {"A": text}}
    spec = {"spec": {"steps": [step]}}
    head = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\n"
    source = head + yaml.safe_dump(spec, default_style=style, width=width, allow_unicode=True)
    (fault,) = load(source.encode(), "etl.yaml").faults
    assert fault.problem == "params has no field nix"
    assert source.splitlines()[fault.line - 1][fault.column - 1 :].startswith("nix"), source
