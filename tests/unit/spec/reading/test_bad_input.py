"""Each kind of bad spec, and the message that its author gets.

In the tables, § marks where the fault has to be placed.
"""
# ruff: noqa: E501  (a line a case)

import pytest

from controller.spec.reading.load import load

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\nspec:\n"


def faults(spec: str) -> list[str]:
    """The faults of the fields of `spec`, which begins at line 5."""
    loaded = load((HEAD + spec).encode(), "etl.yaml")
    assert not (loaded.documents and loaded.faults)
    return [str(fault).removeprefix("etl.yaml:") for fault in loaded.faults]


def of_step(fields: str, *more: str) -> list[str]:
    """The faults of one step, written at column 6 of line 6; `more` are further steps."""
    steps = "".join(f"  - {{{step}}}\n" for step in (fields, *more))
    return faults(f"  steps:\n{steps}")


def at_mark(step: str) -> tuple[list[str], str]:
    """The faults of a step, and the place of the mark in it."""
    return of_step(step.replace("§", "")), f"6:{step.index('§') + 6}"


def test_the_contracts_example() -> None:
    spec = "  steps:\n  - {name: extract, run: x}\n  - name: load\n    run: x\n"
    assert faults(f"{spec}    dependsOn: [extrct]\n") == [
        '9:17: spec.steps[1].dependsOn[0]: no step is named "extrct"; did you mean "extract"?'
    ]


def test_all_faults_come_at_once() -> None:
    found = faults(
        """\
  parallelism: zero
  steps:
    - name: extract
      run: x
      dependson: [load]
      timeoutSeconds: 5m
    - name: load
      command: ./load
      dependsOn: [extrct, {step: extract, condition: Done}]
    - name: load
      run: "echo ${{ params.x }}"
      retry: {limit: -1, exitCodes: [9-1]}
"""
    )
    assert [fault.split(": ")[:2] for fault in found] == [
        ["5:16", "spec.parallelism"],
        ["9:7", "spec.steps[0].dependson"],
        ["10:23", "spec.steps[0].timeoutSeconds"],
        ["12:16", "spec.steps[1].command"],
        ["13:19", "spec.steps[1].dependsOn[0]"],
        ["13:54", "spec.steps[1].dependsOn[1].condition"],
        ["14:13", "spec.steps[2].name"],
        ["15:18", "spec.steps[2].run"],
        ["16:22", "spec.steps[2].retry.limit"],
        ["16:38", "spec.steps[2].retry.exitCodes[0]"],
    ]


# ---------------------------------------------------------------------------------------- the shape


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        ("", "4:6: spec: expected a mapping, found nothing; give it a value, or remove it"),
        ("  steps:\n", "5:9: spec.steps: expected a list, found nothing; give it a value, or"),
        ("  steps: []\n", "5:10: spec.steps: the list is empty"),
        ("  steps: {}\n", "5:10: spec.steps: expected a list, found a mapping"),
        ("  suspend: false\n", "5:3: spec: steps is missing"),
        ("  tasks: []\n", "5:3: spec.tasks: unknown field; write steps: [{name: a, run: …}, …]"),
        ("  zzz: 1\n", "5:3: spec.zzz: unknown field; all fields: treadle explain workflow.spec"),
        ("  steps: [x]\n", '5:11: spec.steps[0]: expected a mapping, found "x"'),
        ("  parallelism: 0\n", "5:16: spec.parallelism: must be at least 1, not 0"),
        ("  parallelism: 2.0\n", "5:16: spec.parallelism: expected an integer, found the number 2"),
        (
            "  priority: '1'\n",
            '5:13: spec.priority: expected an integer, found "1"; write it without',
        ),
        ("  suspend: yes\n", '5:12: spec.suspend: expected true or false, found "yes"; write true'),
        ("  shell: {}\n", "5:10: spec.shell: expected text or a list, found a mapping"),
        ("  shell: []\n", "5:10: spec.shell: the list is empty"),
        ("  env: [A]\n", "5:8: spec.env: expected a mapping, found a list"),
        ("  env: {1A: x}\n", '5:9: spec.env["1A"]: "1A" is not a valid variable name; use letters'),
        (
            "  env: {A: }\n",
            "5:12: spec.env.A: expected text, a number, true or false or a mapping, found noth",
        ),
        (
            "  env: {A: [x]}\n",
            "5:12: spec.env.A: expected text, a number, true or false or a mapping, found a",
        ),
        ("  activeDeadlineSeconds: 0\n", "5:26: spec.activeDeadlineSeconds: must be more than 0"),
        (
            "  activeDeadlineSeconds: .inf\n",
            "5:26: spec.activeDeadlineSeconds: expected a number, f",
        ),
        ("  activeDeadlineSeconds: 1e12\n", "5:26: spec.activeDeadlineSeconds: must be at most 1,"),
        (
            "  defaults: {env: {}}\n",
            "5:14: spec.defaults.env: unknown field; write env, shell or workingDir under spec",
        ),
        (
            "  workingDir: 3\n",
            "5:15: spec.workingDir: expected text, found the number 3; put it in",
        ),
    ],
)
def test_the_shape_of_a_spec(spec: str, fault: str) -> None:
    assert any(each.startswith(fault) for each in faults(spec)), faults(spec)


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ("name: §a b, run: x", 'spec.steps[0].name: "a b" is not a valid name; use letters, dig'),
        ('name: §"a\\n", run: x', 'spec.steps[0].name: "a\\n" is not a valid name; use letters'),
        (f"name: §{'a' * 64}, run: x", f'spec.steps[0].name: "{"a" * 60}…" is not a valid name'),
        ("name: §3, run: x", 'spec.steps[0].name: expected text, found the number 3; put it'),
        ("name: a, run: §true", 'spec.steps[0].run: expected text, found true; put it in quo'),
        ("name: a, run: §{}", "spec.steps[0].run: expected text, found a mapping"),
        ("name: a, command: §./x", 'spec.steps[0].command: expected a list, found "./x"; writ'),
        ("name: a, command: [sleep, §5]", 'spec.steps[0].command[1]: expected text, found the'),
        ("name: a, command: §[]", "spec.steps[0].command: the list is empty"),
        ("name: a, §script: x", 'spec.steps[0].script: unknown field; write run: x'),
        ("name: a, run: x, §dependson: []", 'spec.steps[0].dependson: unknown field; write dependsOn: ['),
        ("name: a, run: x, dependsOn: §b", 'spec.steps[0].dependsOn: expected a list, found "b"; write [b]'),
        ("name: a, run: x, dependsOn: [§{}]", "spec.steps[0].dependsOn[0]: step is missing"),
        ("name: a, run: x, dependsOn: [§site/load]", 'spec.steps[0].dependsOn[0]: "site/load" is not a valid name; write "site": a step can'),
        ("name: a, run: x, dependsOn: [{step: §'site[eu]'}]", 'spec.steps[0].dependsOn[0].step: "site[eu]" is not a valid name; write "site": a step'),
        ("name: a, run: x, dependsOn: [§1]", "spec.steps[0].dependsOn[0]: expected text or a"),
        ("name: a, run: x, timeoutSeconds: §-1", "spec.steps[0].timeoutSeconds: must be more"),
        ("name: a, run: x, timeoutSeconds: §5m", 'spec.steps[0].timeoutSeconds: expected a number, found "5m"; write 300'),
        ("name: a, run: x, retry: §3", "spec.steps[0].retry: expected a mapping, found the"),
        ("name: a, run: x, retry: {on: [§Tiemout]}", 'spec.steps[0].retry.on[0]: expected Interrupted, NonZeroExit or Timeout, found "Tiemout"; did you mean "Timeout"?'),
        ("name: a, run: x, retry: {on: §[]}", "spec.steps[0].retry.on: the list is empty"),
        ("name: a, run: x, retry: {exitCodes: [§256]}", "spec.steps[0].retry.exitCodes[0]: must be at most 255, not 256"),
        ("name: a, run: x, retry: {exitCodes: [§x]}", 'spec.steps[0].retry.exitCodes[0]: "x" is not an exit code; write 75, or a range "100-110"'),
        ("name: a, run: x, retry: {backoff: {jitter: §2}}", "spec.steps[0].retry.backoff.jitter: must be at most 1, not 2"),
    ],
)  # fmt: skip
def test_the_shape_of_a_step(fields: str, fault: str) -> None:
    found, place = at_mark(fields)
    assert any(each.startswith(f"{place}: {fault}") for each in found), found


def test_what_is_missing_is_placed_at_the_step() -> None:
    assert of_step("timeoutSeconds: 3") == [
        "6:5: spec.steps[0]: name is missing",
        "6:5: spec.steps[0]: a step needs run, command, template or approve; give it a script "
        "(run: …) or a program (command: [program, argument])",
    ]


def test_the_head_of_a_document() -> None:
    text = "apiVersion: treadle.dev/v2\nkind: Workflw\nmetadata: {name: My_ETL, x: 1}\n"
    text += "spec: {steps: [{name: a, run: x}]}\nfoo: 1\n"
    assert [str(fault) for fault in load(text.encode(), "a.yaml").faults] == [
        'a.yaml:1:13: apiVersion: expected treadle.dev/v1, found "treadle.dev/v2"; '
        'did you mean "treadle.dev/v1"?',
        "a.yaml:2:7: kind: expected Workflow, Template, Pool or Defaults, "
        'found "Workflw"; did you mean "Workflow"?',
        'a.yaml:3:18: metadata.name: "My_ETL" is not a valid name; use lower-case letters, digits '
        'and - (at most 63; no - at the start or end), like "my-etl"',
        "a.yaml:3:26: metadata.x: unknown field; the fields here are name, labels, annotations",
        "a.yaml:5:1: foo: unknown field; the fields here are apiVersion, kind, metadata, spec, "
        "status",
    ]


def test_a_name_of_nothing_usable_gets_no_example() -> None:
    text = HEAD.replace("etl", "'!'") + "  steps: [{name: a, run: x}]\n"
    (fault,) = load(text.encode(), "a.yaml").faults
    assert fault.hint.endswith("(at most 63; no - at the start or end)")


@pytest.mark.parametrize(
    ("written", "found", "text"),
    [
        ("3.10", "the number 3.1", "3.10"),
        ("1e3", "the number 1000.0", "1e3"),
        ("True", "true", "True"),
        ("&a 3.10", "the number 3.1", "…"),
    ],
)
def test_a_label_is_text_and_the_hint_has_it_as_written(
    written: str, found: str, text: str
) -> None:
    labels = f"name: etl, labels: {{v: {written}}}"
    spec = HEAD.replace("name: etl", labels) + "  steps: [{name: a, run: x}]"
    assert str(load(spec.encode(), "a.yaml").faults[0]) == (
        f'a.yaml:3:35: metadata.labels.v: expected text, found {found}; put it in quotes: "{text}"'
    )


# ----------------------------------------------------------------------------------------- not yet


@pytest.mark.parametrize("field", ["pod"])
def test_fields_of_a_step_that_come_later(field: str) -> None:
    found, place = at_mark(f"name: a, run: x, §{field}: 1")
    assert len(found) == 1
    assert found[0].startswith(f"{place}: spec.steps[0].{field}: not supported yet; ")


def test_a_faulty_approval_is_not_told_that_it_lacks_an_action() -> None:
    found, _place = at_mark("name: a, approve: {§text: ok}")
    assert [fault.split(" ", 1)[1] for fault in found] == [
        "spec.steps[0].approve: message is missing",
        "spec.steps[0].approve.text: unknown field; write message: ok",
    ]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ("approve: §Fine?", 'approve: expected a mapping, found "Fine?"; write {message: Fine?}'),
        ("approve: {message: §3}", 'approve.message: expected text, found the number 3; put it in quotes: "3"'),
        ('approve: {message: §" "}', "approve.message: the message is empty"),
        (
            "approve: {message: m, timeoutSeconds: §0}",
            "approve.timeoutSeconds: must be more than 0, not 0",
        ),
        (
            'approve: {message: "${{ steps.§b.phase }}"}',
            "approve.message: steps has no field b; steps has a",
        ),
        ("approve: {message: m, §dependsOn: [a]}", "approve.dependsOn: unknown field; write it beside approve"),
        ("§approve: {message: m}, run: x", "approve: a step has run or approve, not both; remove one of them"),
        (
            "approve: {message: m}, §timeoutSeconds: 3",
            "timeoutSeconds: timeoutSeconds can't be used with approve; write it inside: "
            "approve: {message: …, timeoutSeconds: …}",
        ),
        (
            "approve: {message: m}, §forEach: [a]",
            "forEach: forEach can't be used with approve; put the step into a template, and write "
            "forEach where the template is used",
        ),
        (
            "approve: {message: m}, §retry: {limit: 1}",
            "retry: retry can't be used with approve; remove it: a step with approve asks a person "
            "and runs nothing",
        ),
    ],
)  # fmt: skip
def test_approvals(fields: str, fault: str) -> None:
    found, place = at_mark(f"name: a, {fields}")
    assert found == [f"{place}: spec.steps[0].{fault}"]


def test_what_asks_a_person_has_no_outputs() -> None:
    found = faults(
        "  steps:\n"
        "    - {name: a, approve: {message: m}}\n"
        '    - {name: b, run: x, dependsOn: [a], env: {A: "${{ steps.a.outputs.x }}"}}\n'
    )
    (fault,) = found
    assert fault.endswith('"a" asks a person, so it has no outputs; read steps.a.phase')


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ("onChanged: §Foo", 'spec.steps[0].onChanged: expected FinishFirst, KeepResult or Restart, found "Foo"'),
        ("onRemoved: §Foo", 'spec.steps[0].onRemoved: expected End or Finish, found "Foo"'),
        ("leaveProcesses: §3", "spec.steps[0].leaveProcesses: expected true or false, found the number 3"),
        ("env: {A: {§x: B}}", "spec.steps[0].env.A.x: unknown field; the fields here are fromEnv, fromFile, asFile"),
    ],
)  # fmt: skip
def test_values_of_fields_with_few(fields: str, fault: str) -> None:
    found, place = at_mark(f"name: a, run: x, {fields}")
    assert found == [f"{place}: {fault}"]


def test_an_edit_policy_that_is_none() -> None:
    assert faults("  editPolicy: Later\n  steps: [{name: a, run: x}]\n") == [
        '5:15: spec.editPolicy: expected AfterRun or Reconcile, found "Later"; did you mean "AfterRun"?'
    ]


# --------------------------------------------------------------------------------------- the rules


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ("name: a, run: x, §command: [x]", "spec.steps[0].command: a step has run or command, not both; remove one of them"),
        ("name: a, command: [x], §shell: sh", "spec.steps[0].shell: shell can't be used with command; remove shell, or write a script with run"),
        ("name: a, run: §''", "spec.steps[0].run: the script is empty"),
        ("name: a, run: x, before: §' '", "spec.steps[0].before: the script is empty"),
        ("name: a, command: [x], after: §''", "spec.steps[0].after: the script is empty"),
        ("name: a, run: x, before: §[x]", "spec.steps[0].before: expected text, found a list; write before: | and below it a line for each command"),
        ('name: a, run: x, after: §"x\\0"', "spec.steps[0].after: holds a NUL byte, which no process can be given; in double quotes YAML reads \\0 as NUL; use single quotes or a block |"),
        (f"name: a, run: x, before: §{'x' * 131_072}", "spec.steps[0].before: longer than a process can be given (131,071 bytes); put it into a file"),
        ("name: a, run: x, §before_script: [x]", "spec.steps[0].before_script: unknown field; write before: the script"),
        ("name: a, run: x, §finally: x", "spec.steps[0].finally: unknown field; write after: the script"),
        ("name: a, run: §' '", "spec.steps[0].run: the script is empty"),
        ("name: a, command: [§'', x]", "spec.steps[0].command[0]: the program's name is empty"),
        ('name: a, run: §"x\\0"', "spec.steps[0].run: holds a NUL byte, which no process can be given; in double quotes YAML reads \\0 as NUL; use single quotes or a block |"),
        ('name: a, command: [x, §"\\0"]', "spec.steps[0].command[1]: holds a NUL byte, which no process can be given; in double quotes YAML reads \\0 as NUL; use single quotes or a block |"),
        ('name: a, run: x, env: {A: §"\\0"}', "spec.steps[0].env.A: holds a NUL byte, which no process can be given; in double quotes YAML reads \\0 as NUL; use single quotes or a block |"),
        (f"name: a, run: §{'x' * 131_072}", "spec.steps[0].run: longer than a process can be given (131,071 bytes); put it into a file"),
        ('name: a, run: x, shell: §"sh \'"', "spec.steps[0].shell: can't be split into words: no closing quotation"),
        ("name: a, run: x, shell: §zsh", "spec.steps[0].shell: how zsh takes a script is not known; write all of its arguments, like zsh -c; known are sh, bash, python3"),
        ("name: a, run: x, shell: §''", "spec.steps[0].shell: the shell is empty"),
        ("name: a, run: x, shell: §['']", "spec.steps[0].shell: the shell is empty"),
        ("name: a, run: x, workingDir: §''", 'spec.steps[0].workingDir: the path is empty; the folder of this file is "."'),
        ("name: a, run: x, dependsOn: [§a]", "spec.steps[0].dependsOn[0]: a step can't depend on itself"),
        ("name: a, run: x, dependsOn: [§xyz]", 'spec.steps[0].dependsOn[0]: no step is named "xyz"'),
        ("name: a, run: x, retry: {exitCodes: [§5-2]}", "spec.steps[0].retry.exitCodes[0]: 5-2 is not an exit code or a range of them; exit codes go from 0 to 255, a range from low to high"),
        ("name: a, run: x, retry: {exceptExitCodes: [§'300']}", "spec.steps[0].retry.exceptExitCodes[0]: 300 is not an exit code or a range of them; exit codes go from 0 to 255, a range from low to high"),
        ("name: a, run: x, successExitCodes: [§9-2]", "spec.steps[0].successExitCodes[0]: 9-2 is not an exit code or a range of them; exit codes go from 0 to 255, a range from low to high"),
        ("name: a, run: x, retry: {exitCodes: [1], §exceptExitCodes: [2]}", "spec.steps[0].retry.exceptExitCodes: exitCodes and exceptExitCodes exclude each other"),
        ("name: a, run: x, retry: {backoff: {initialSeconds: 9, maxSeconds: §3}}", "spec.steps[0].retry.backoff.maxSeconds: initialSeconds (9) is more than maxSeconds (3); set both to fit"),
        ("name: a, run: x, retry: {backoff: {initialSeconds: 99, maxSeconds: §60}}", "spec.steps[0].retry.backoff.maxSeconds: initialSeconds (99) is more than maxSeconds (60); set both to fit"),
    ],
)  # fmt: skip
def test_rules_of_a_step(fields: str, fault: str) -> None:
    found, place = at_mark(fields)
    assert found == [f"{place}: {fault}"]


def test_rules_of_a_spec() -> None:
    found = faults(
        "  shell: ''\n  workingDir: ''\n  env: {A: \"\\0\"}\n"
        "  defaults: {retry: {backoff: {maxSeconds: 0.1}}}\n"
        "  steps:\n  - {name: a, run: x, retry: {backoff: {factor: 3}}}\n"
    )
    assert found == [
        "5:10: spec.shell: the shell is empty",
        '6:15: spec.workingDir: the path is empty; the folder of this file is "."',
        "7:12: spec.env.A: holds a NUL byte, which no process can be given; "
        "in double quotes YAML reads \\0 as NUL; use single quotes or a block |",
        "8:44: spec.defaults.retry.backoff.maxSeconds: initialSeconds (0.5) is more than "
        "maxSeconds (0.1); set both to fit",
    ]


def test_names_and_dependencies_are_doubled() -> None:
    assert of_step("name: a, run: x", "name: b, run: x, dependsOn: [a, {step: a}]", "name: a, run: y") == [
        '7:38: spec.steps[1].dependsOn[1]: "a" is listed twice',
        '8:12: spec.steps[2].name: a second step named "a"; the first is at line 6',
    ]  # fmt: skip


def test_no_more_is_suggested_than_a_file_can_bear() -> None:
    wrong = ", ".join(f"stepp{n}" for n in range(30))
    found = of_step(f"name: step, run: x, dependsOn: [{wrong}]", "name: stepp, run: x")
    assert sum("did you mean" in fault for fault in found) == 20
    assert len(found) == 30


# ------------------------------------------------------------------------------------------ cycles


def cycles(needs: dict[str, list[str]]) -> list[str]:
    steps = (f"name: {name}, run: x, dependsOn: [{', '.join(on)}]" for name, on in needs.items())
    prefix, suffix = "dependency cycle: ", "; each of these waits for the next"
    return [fault.partition(prefix)[2].partition(suffix)[0] for fault in of_step(*steps)]


@pytest.mark.parametrize(
    ("needs", "found"),
    [
        pytest.param({"a": ["b"], "b": ["c"], "c": []}, [], id="a chain is none"),
        pytest.param({"a": ["b"], "b": ["a"]}, ["a -> b -> a"], id="two steps"),
        pytest.param({"a": ["b"], "b": ["c"], "c": ["a"]}, ["a -> b -> c -> a"], id="three steps"),
        pytest.param(
            {"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]},
            ["a -> b -> a", "c -> d -> c"],
            id="each disjoint cycle once",
        ),
        pytest.param(
            {"x": ["a"], "a": ["b"], "b": ["a", "y"], "y": []},
            ["a -> b -> a"],
            id="what hangs on a cycle is none of it",
        ),
        pytest.param(
            {"a": ["b", "c"], "b": ["a"], "c": ["d"], "d": ["c"]},
            ["a -> b -> a", "c -> d -> c"],
            id="a cycle behind a cycle",
        ),
        pytest.param(
            {"x": ["y", "a"], "y": ["z"], "z": ["x"], "a": ["x", "b"], "b": ["a"]},
            ["x -> y -> z -> x", "a -> b -> a"],
            id="a cycle that shares no step with the first",
        ),
        pytest.param(
            {"x": ["p", "a"], "p": ["q"], "q": [], "a": ["b"], "b": ["c", "p"], "c": ["b"]},
            ["b -> c -> b"],
            id="a way that leads nowhere",
        ),
        pytest.param(
            {"a": ["b", "c"], "b": ["d"], "d": ["b"], "c": ["a"]},
            ["a -> c -> a", "b -> d -> b"],
            id="the way goes on after a cycle",
        ),
    ],
)
def test_cycles(needs: dict[str, list[str]], found: list[str]) -> None:
    assert cycles(needs) == found


def test_a_cycle_is_placed_at_its_first_dependency() -> None:
    (fault,) = of_step(
        "name: a, run: x", "name: b, run: x, dependsOn: [a, c]", "name: c, run: x, dependsOn: [b]"
    )
    assert fault.startswith("7:38: spec.steps[1].dependsOn[1]: dependency cycle: b -> c -> b")


@pytest.mark.parametrize(
    ("count", "end"), [(10, "s0"), (11, "… and 1 more"), (5000, "… and 4,990 more")]
)
def test_of_a_long_cycle_the_beginning_is_named(count: int, end: str) -> None:
    needs = {f"s{n}": [f"s{(n + 1) % count}"] for n in range(count)}
    (found,) = cycles(needs)
    assert found == " -> ".join([*[f"s{n}" for n in range(10)], end])


# ------------------------------------------------------------------- what is judged beside a fault


@pytest.mark.parametrize(
    ("step", "places"),
    [
        ("3", ["spec.steps[1]"]),
        ("{run: x, dependsOn: [q]}", ["spec.steps[1]", "spec.steps[1].dependsOn[0]"]),
        ("{name: 3, run: x, dependsOn: [q]}", ["spec.steps[1].name", "spec.steps[1].dependsOn[0]"]),
        ("{name: b, run: 3, dependsOn: [q]}", ["spec.steps[1].run", "spec.steps[1].dependsOn[0]"]),
        ("{name: b, command: 3}", ["spec.steps[1].command"]),
        ("{name: b, command: [x, 3, '${{']}", ["spec.steps[1].command[1]", "spec.steps[1].command[2]"]),
        ("{name: b, run: x, env: {A: [], B: '${{'}}", ["spec.steps[1].env.A", "spec.steps[1].env.B"]),
        ("{name: b, run: x, dependsOn: [3, {step: q}, a]}", ["spec.steps[1].dependsOn[0]", "spec.steps[1].dependsOn[1]"]),
        ("{name: b, run: x, retry: {limit: x, exitCodes: [x, 9-1]}}", ["spec.steps[1].retry.limit", "spec.steps[1].retry.exitCodes[0]", "spec.steps[1].retry.exitCodes[1]"]),
        ("{name: b, run: x, retry: {on: x}, dependsOn: 3, env: }", ["spec.steps[1].retry.on", "spec.steps[1].dependsOn", "spec.steps[1].env"]),
    ],
)  # fmt: skip
def test_the_rules_judge_what_is_left(step: str, places: list[str]) -> None:
    spec = f"  steps:\n  - {{name: a, run: x, dependsOn: [a]}}\n  - {step}\n"
    assert [fault.split(": ")[1] for fault in faults(spec)] == [
        "spec.steps[0].dependsOn[0]",
        *places,
    ]
