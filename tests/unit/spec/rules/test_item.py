"""Each kind of mistake in `forEach` and what goes with it, and what its author is told.

§ marks where the fault has to be placed.
"""
# ruff: noqa: E501  (a line a case)

import pytest

from controller.spec.reading.load import Loaded, load

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\nspec:\n"
REST = "  params: {some: [a], text: x}\n"
FIRST = "{name: z, run: z, outputs: {rows: integer, files: array, any: object}}"
NAMES = "use letters, digits and _, at most 63; the first can't be a digit, and in, true, false and null are taken"
LIKE = "write a list, like [one, another], or ${{ params.NAME }}"
MANY = ", ".join(map(str, range(10_001)))
HUNDRED = ", ".join(map(str, range(101)))


def loaded(fields: str) -> Loaded:
    """A step that depends on another, with these fields."""
    step = f"    - {{name: a, dependsOn: [z], {fields}}}\n"
    return load(f"{HEAD}{REST}  steps:\n    - {FIRST}\n{step}".encode(), "etl.yaml")


def faults(fields: str) -> list[str]:
    return [str(fault).removeprefix("etl.yaml:8:") for fault in loaded(fields).faults]


def column(fields: str) -> int:
    return len("    - {name: a, dependsOn: [z], ") + fields.index("§") + 1


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        # what it is
        ("§5", f"expected a list, text or a mapping, found the number 5; {LIKE}"),
        ("§null", "expected a list, text or a mapping, found nothing; give it a value, or remove it"),
        ("§a b", f"expected one expression that gives a list; {LIKE}"),
        ("§params.some", "expected one expression that gives a list; write ${{ params.some }}"),
        ("§'{{ params.some }}'", "expected one expression that gives a list; write ${{ params.some }}"),
        ("§'${{ params.some }} ${{ params.some }}'", "expected one expression that gives a list"),
        ("'${{ §params.text }}'", "expected an expression that gives a list; this one gives a string"),
        ("'${{ §steps.z.outputs.any }}'", "expected an expression that gives a list; this one gives a map"),
        ("'${{ §nix }}'", "unknown name: nix; the names here are params, workflow, run, trigger, steps"),
        ("'${{ [§item] }}'", "item can't be read in forEach; read it in the other fields of the step"),
        ("'${{ [§index] }}'", "index can't be read in forEach; read it in the other fields of the step"),
        ("'${{ §steps.a.failed }}'", "a step can't read its own results"),
        # a list
        (f"§[{MANY}]", "has 10,001 items; at most 10,000 are possible"),
        ("[a, §'${{ params.text }}']", "[1]: an expression can't be used here; write one expression that gives the whole list"),
        ("[{a: [x, §'${{ params.text }}']}]", "[0].a[1]: an expression can't be used here; write one expression that gives the whole list"),
        # a matrix
        ("{§os: [a, b]}", ".os: unknown field; write it under matrix: {os: [one, another]}"),
        ("{matrix: §{}}", ".matrix: the matrix has no lists; write matrix: {NAME: [one, another]}"),
        ("{matrix: §[a]}", ".matrix: expected a mapping, found a list; write a mapping, like {NAME: [one, another]}"),
        ("{matrix: {os: §5}}", f".matrix.os: expected a list or text, found the number 5; {LIKE}"),
        ("{matrix: {os: §a b}}", f".matrix.os: expected one expression that gives a list; {LIKE}"),
        ("{matrix: {os: '${{ §params.text }}'}}", ".matrix.os: expected an expression that gives a list; this one gives a string"),
        ("{matrix: {os: '${{ [§item] }}'}}", ".matrix.os: item can't be read in forEach; read it in the other fields of the step"),
        ("{matrix: {os: [§'${{ params.text }}']}}", ".matrix.os[0]: an expression can't be used here; write one expression that gives the whole list"),
        ("{matrix: {os: §[]}}", ".matrix.os: the list is empty"),
        ("{matrix: {§in: [a]}}", f'.matrix.in: a list can\'t be named "in"; {NAMES}'),
        ("{matrix: {§a-b: [a]}}", f'.matrix.a-b: "a-b" is not a valid list name; {NAMES}'),
        (f"{{matrix: {{os: §[{MANY}]}}}}", ".matrix.os: has 10,001 items; at most 10,000 are possible"),
        (f"{{matrix: §{{a: [{HUNDRED}], b: [{HUNDRED}]}}}}", ".matrix: has 10,201 combinations; at most 10,000 are possible"),
        ("{matrix: {os: [a]}, exclude: §{os: a}}", ".exclude: expected a list, found a mapping; write a list of mappings, like [{NAME: one}]"),
        ("{matrix: {os: [a]}, include: [§a]}", '.include[0]: expected a mapping, found "a"; write a list of mappings, like [{NAME: one}]'),
        ("{matrix: {os: [a]}, exclude: [§{}]}", ".exclude[0]: the row is empty, so it would leave out everything"),
        ("{matrix: {os: [a], py: [b]}, exclude: [{§oss: a}]}", '.exclude[0].oss: the matrix has no list "oss"; did you mean "os"?'),
        ("{matrix: {os: [a], py: [b]}, exclude: [{§x: a}]}", '.exclude[0].x: the matrix has no list "x"; the lists are os, py'),
        ("{matrix: {os: [a], py: [b]}, include: [§{os: a}]}", '.include[0]: the row has no "py"; a row has a value for each list of the matrix'),
        ("{matrix: {os: [a]}, include: [{os: §'${{ params.text }}'}]}", ".include[0].os: an expression can't be used here; write the value itself"),
        (f"{{matrix: {{os: [a]}}, include: §[{', '.join(['{os: b}'] * 10_001)}]}}", ".include: has 10,001 rows; at most 10,000 are possible"),
        # words of other tools
        ("{matrix: {os: [a]}, §max-parallel: 2}", ".max-parallel: unknown field; beside forEach write parallelism: 2"),
    ],
)  # fmt: skip
def test_for_each(written: str, fault: str) -> None:
    fields = f"run: x, forEach: {written}"
    found = faults(fields.replace("§", ""))
    place = f"{column(fields)}: spec.steps[1].forEach"
    assert f"{place}{fault if fault[0] in '.[' else f': {fault}'}" in found
    assert len(found) - ("os: [a, b]" in written and "matrix" not in written) == 1


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ("run: x, §key: a", "key: key needs forEach; remove it, or write forEach"),
        ("run: x, §parallelism: 2", "parallelism: parallelism needs forEach; write forEach, or parallelism under spec"),
        ("run: x, forEach: [a], parallelism: §0", "parallelism: must be at least 1, not 0"),
        ("run: x, forEach: [a], key: §id", "key: the key is the same for all items; write ${{ item.id }}"),
        ("run: x, forEach: [a], key: §'${{ params.text }}'", "key: the key is the same for all items; let it read item"),
        ("run: x, forEach: [a], key: §''", "key: the key is the same for all items; let it read item"),
        ("run: x, forEach: [a], key: §'${{ item'", "key: the expression has no end; close it with }}"),
        ("run: x, forEach: [a], key: '${{ item + §nix }}'", "key: unknown name: nix; the names here are params, workflow, run, trigger, steps, item, index"),
        ("run: x, when: '${{ §item == 1 }}'", "when: item can be read only in a step with forEach"),
        ("run: x, env: {A: '${{ §index }}'}", "env.A: index can be read only in a step with forEach"),
        ("command: [x, '${{ §item }}']", "command[1]: item can be read only in a step with forEach"),
        ("run: x, forEach: [a], env: {A: '${{ §matrix.os }}'}", "env.A: unknown name: matrix; write item.os"),
        ("run: 'x §${{ item }}', forEach: [a]", 'run: an expression can\'t be used in a script: its value would become part of the program; write env: {ITEM: "${{ item }}"}, and "$ITEM" here'),
        ("run: x, env: {A: '${{ steps.z.§failed }}'}", 'env.A: failed can be read only of a step with forEach; write steps.z.phase == "Failed"'),
    ],
)  # fmt: skip
def test_what_goes_with_it(fields: str, fault: str) -> None:
    assert faults(fields.replace("§", "")) == [f"{column(fields)}: spec.steps[1].{fault}"]


@pytest.mark.parametrize(
    "fields",
    [
        "forEach: []",
        "forEach: [a, 1, null, {b: [c]}]",
        "forEach: '${{ params.some }}'",
        "forEach: '${{ steps.z.outputs.files }}'",
        "forEach: '${{ steps.z.outputs.any.x }}'",
        "forEach: '${{ steps.z.phase == \"Succeeded\" ? steps.z.outputs.files : [] }}'",
        "forEach: {matrix: {a: [1], b: '${{ params.some }}'}, exclude: [{a: 1}], include: [{a: 2, b: 3, c: 4}]}",
        "forEach: [a], key: 'x-${{ item }}-${{ params.text }}', parallelism: 1",
        "forEach: [a], key: '${{ index }}'",
        "forEach: [a], when: '${{ item.x == 1 || index > 2 }}', timeoutSeconds: '${{ item.t }}', workingDir: '${{ item.d }}', env: {A: {asFile: '${{ item }}'}}",
    ],
)  # fmt: skip
def test_what_is_good(fields: str) -> None:
    assert loaded(f"run: x, {fields}").faults == ()


def test_nesting_has_an_end() -> None:
    (fault,) = faults(f"run: x, forEach: {'[' * 65}{']' * 65}")
    assert fault.endswith("nested more than 64 deep")


def test_results_of_such_a_step_are_lists() -> None:
    head = f"{HEAD}  steps:\n  - {{name: a, run: x, forEach: [1], outputs: {{rows: integer}}}}\n"
    step = "  - {name: b, run: x, dependsOn: [a], when: '${{ CODE }}'}\n"

    def said(code: str) -> list[str]:
        found = load((head + step.replace("CODE", code)).encode(), "etl.yaml").faults
        return [fault.problem for fault in found]

    assert said("steps.a.phase == 1") == ["a string is never equal to an integer"]
    assert said('"eu" in steps.a.failed') == []
    assert said("1 in steps.a.failed") == ["an integer is never in a list of strings"]
    assert said("steps.a.outputs.rows.filter(r, r != null).size() == 0") == []
    assert said("steps.a.outputs.rows[0] + 1 == 2") == []
    assert said("steps.a.outputs.rows == 3") == ["a list is never equal to an integer"]


@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ("forEach: {matrix: {py: [3.10, 3.11]}}", 'forEach.matrix.py[0]: 3.10 is read as the number 3.1; write "3.10" to keep it as text'),
        ("forEach: [1.0, 1.50]", 'forEach[1]: 1.50 is read as the number 1.5; write "1.50" to keep it as text'),
        ("forEach: [a], env: {A: '{{ item }}'}", "env.A: {{ item } … is plain text here; write ${{ }} around an expression"),
        ("forEach: [a], env: {A: '{{item.os}}'}", "env.A: {{item. … is plain text here; write ${{ }} around an expression"),
    ],
)  # fmt: skip
def test_warnings(fields: str, warned: str) -> None:
    (warning,) = loaded(f"run: x, {fields}").warnings
    assert str(warning).partition("spec.steps[1].")[2] == warned


def test_braces_are_no_item_where_there_is_none() -> None:
    assert loaded("run: 'echo {{ item }}'").warnings == ()


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ("forEach: 5, key: '${{ item }}', parallelism: 1, env: {A: '${{ item }}'}", 1),
        ("forEach: {matrix: {a: 5, b: [1]}, exclude: [{c: 1}]}, key: '${{ item }}'", 1),
        ("forEach: {exclude: [{c: 1}]}, key: '${{ item }}'", 1),
        ("forEach: {matrix: {a: [1]}, exclude: 3}, key: '${{ nix }}'", 2),
        ("forEach: null, key: '${{ item }}'", 1),
    ],
)
def test_a_faulty_one_is_no_reason_to_refuse_what_needs_it(fields: str, problems: int) -> None:
    assert len(faults(f"run: x, {fields}")) == problems
