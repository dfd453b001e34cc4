"""Files as workflows: documents, names, what is none of ours, the older form."""

import time

import msgspec
import pytest
from full_spec import FULL
from msgspec import UNSET

from controller.spec.linked import LinkedWorkflow
from controller.spec.models import Backoff, Dependency
from controller.spec.reading.load import FAULTS_MAX, Document, Loaded, load

HEAD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: etl}\nspec:\n"
SMALL = HEAD + "  steps: [{name: a, run: 'true'}]\n"


# Every field of the contract that works, in one document.
def one(text: str, file: str = "a.yaml") -> Document:
    loaded = load(text.encode(), file)
    assert loaded.faults == ()
    (document,) = loaded.documents
    return document


def faults(text: str | bytes, file: str = "a.yaml") -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    return [str(fault) for fault in load(data, file).faults]


def test_every_field_that_works() -> None:
    document = one(FULL)
    spec = document.workflow.spec
    extract, load_2, report = spec.steps
    assert document.line == 1
    assert document.warnings == ()
    assert document.workflow.metadata.labels == {"team": "data"}
    assert spec.env == {"LANG": "C.UTF-8", "DEBUG": "true", "PORT": "8080", "PY": "3.10"}
    assert spec.priority == -3
    assert extract.run == "./extract.sh\n"
    assert extract.retry is not UNSET
    assert extract.retry.on == ["NonZeroExit", "Timeout", "Interrupted"]
    assert extract.retry.exit_codes == [75, "100-110"]
    assert load_2.command == ["python3", "load.py", "--date", "2026-11-23"]
    assert report.depends_on == ["load_2", Dependency(step="extract", condition="Finished")]


def test_what_is_not_written_stays_unset() -> None:
    spec = one(SMALL).workflow.spec
    assert spec.suspend is UNSET
    assert spec.steps[0].retry is UNSET


def test_a_spec_survives_json() -> None:
    workflow = one(FULL).workflow
    encoded = msgspec.json.encode(workflow)
    assert msgspec.json.decode(encoded, type=LinkedWorkflow) == workflow
    assert one(encoded.decode(), "a.json").workflow == workflow


def test_documents_of_a_file_know_their_lines() -> None:
    other = SMALL.replace("etl", "other")
    loaded = load(f"# a comment\n---\n{SMALL}---\n---\n{other}---\n".encode(), "a.yaml")
    assert [(d.workflow.metadata.name, d.line) for d in loaded.documents] == [
        ("etl", 3),
        ("other", 10),
    ]
    assert loaded.names == ("etl", "other")


def test_a_byte_order_mark_is_fine() -> None:
    assert len(load(b"\xef\xbb\xbf" + SMALL.encode(), "a.yaml").documents) == 1


def test_one_bad_document_spoils_its_file() -> None:
    loaded = load(
        f"{SMALL}---\n{SMALL.replace('etl', 'b').replace('run', 'rn')}".encode(), "a.yaml"
    )
    assert loaded.documents == ()
    assert loaded.names == ("etl", "b")


def test_a_status_is_ignored_with_a_warning() -> None:
    document = one(SMALL + "status: {phase: Succeeded}\n")
    assert document.workflow.status is UNSET
    assert document.warnings == (
        "a.yaml:6:1: status: ignored: treadle keeps the status, a file doesn't",
    )


@pytest.mark.parametrize("field", ["run", "before", "after"])
@pytest.mark.parametrize(
    ("line", "shell", "hint"),
    [
        ("#!/usr/bin/env -S python3 -u", "", "write `shell: python3`"),
        ("#!/bin/bash", "", "write `shell: bash`"),
        ("#!/bin/bash", "python3 -c", "write `shell: bash`"),
        ("#!/usr/bin/perl", "", "put the script into a file, and run that with `command:`"),
        ("#!/bin/sh -e", "", None),
        ("#!/usr/bin/env bash", "/usr/local/bin/bash -c", None),
        ("# a comment", "", None),
    ],
)
def test_an_interpreter_that_a_script_names_in_vain(
    line: str, shell: str, hint: str | None, field: str
) -> None:
    head = SMALL[: SMALL.index("  steps:")] + (f"  shell: {shell}\n" if shell else "")
    action = "" if field == "run" else "      command: [x]\n"
    script = f"      {field}: |\n        {line}\n        x\n"
    document = one(f"{head}  steps:\n    - name: a\n{action}{script}")
    named = (shell or "/bin/sh").split()[0]
    said = f"its #! line is a comment to {named}, which runs this script; {hint}"
    assert [text.partition(f"{field}: ")[2] for text in document.warnings] == (
        [said] if hint else []
    )


@pytest.mark.parametrize(
    ("param", "warned"),
    [
        ("integer", True),
        ("'string'", True),
        ("text", False),
        ("{default: string}", False),
        ("{type: string}", False),
        ("[string]", False),
    ],
)
def test_a_type_where_the_default_of_a_param_is_written(param: str, warned: bool) -> None:
    text = SMALL.replace("spec:\n", f"spec:\n  params: {{site: {param}}}\n")
    word = param.strip("'")
    said = (
        f'5:18: spec.params.site: its default is the text "{word}"; to declare its type, '
        f"write {{type: {word}}}"
    )
    assert one(text).warnings == ((f"a.yaml:{said}",) if warned else ())


@pytest.mark.parametrize(
    ("step", "warned"),
    [
        (
            "command: [echo, 'a {{inputs.parameters.x}}']",
            "command[1]: {{inputs. … is plain text here; write ${{ }} around an expression",
        ),
        (
            "run: x, env: {A: '{{ params.x }}'}",
            "env.A: {{ params. … is plain text here; write ${{ }} around an expression",
        ),
        (
            "run: 'echo {{ steps.a.outputs.result }}'",
            "run: {{ steps. … is plain text here; set a variable in env to ${{ }}, and write "
            '"$NAME" here',
        ),
        ("run: \"docker ps --format '{{.Names}} {{json .}}'\"", ""),
        ("command: [echo, '$${{ params.x }}']", ""),
    ],
)
def test_an_expression_of_another_tool_is_plain_text(step: str, warned: str) -> None:
    warnings = load(f"{HEAD}  steps: [{{name: a, {step}}}]\n".encode(), "a.yaml").warnings
    found = [f"{fault.path.partition('].')[2]}: {fault.advice}" for fault in warnings]
    assert found == ([warned] if warned else [])


def test_what_get_adds_to_metadata_is_ignored_with_a_warning() -> None:
    document = one(SMALL.replace("{name: etl}", "{name: etl, uid: x, generation: 3}"))
    assert document.workflow == one(SMALL).workflow
    assert document.warnings == (
        "a.yaml:3:31: metadata.generation: ignored: treadle gives it, a file doesn't",
        "a.yaml:3:23: metadata.uid: ignored: treadle gives it, a file doesn't",
    )


def test_two_documents_with_one_name() -> None:
    assert faults(f"{SMALL}---\n{SMALL}") == [
        'a.yaml:9:18: metadata.name: a second workflow named "etl"; the first is at line 3'
    ]


@pytest.mark.parametrize(
    ("text", "names", "foreign"),
    [
        pytest.param("", (), True, id="an empty file"),
        pytest.param("a: 1", (), True, id="some other mapping"),
        pytest.param("- 1", (), True, id="a list"),
        pytest.param("a: [", (), True, id="no YAML"),
        pytest.param("kind: Workflow\nmetadata: {name: x}", ("x",), True, id="no apiVersion"),
        pytest.param("apiVersion: argoproj.io/v1\nkind: Workflow", (), True, id="another's"),
        pytest.param("apiVersion: treadle.dev/v2", (), False, id="another version of ours"),
        pytest.param("workflow_id: 3", (), False, id="the older form"),
        pytest.param("a: 1\n---\nworkflow_id: A_b", ("a-b",), False, id="any document counts"),
        pytest.param("apiVersion: treadle.dev/v1\nmetadata: {name: x}\nspec: [", ("x",), False),
        pytest.param("a: [\n# treadle.dev/v1", (), False, id="torn, but it mentions us"),
        pytest.param("\tworkflow_id: x", (), False, id="unreadable, but it mentions us"),
        pytest.param("\0 treadle.dev/", (), False, id="no text, but it mentions us"),
        pytest.param("\0", (), True, id="no text"),
    ],
)
def test_what_is_ours(text: str, names: tuple[str, ...], foreign: bool) -> None:
    loaded = load(text.encode(), "a.yaml")
    assert loaded.faults
    assert (loaded.names, loaded.foreign) == (names, foreign)


def test_ours_is_not_foreign() -> None:
    assert not load(SMALL.encode(), "a.yaml").foreign


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "a.yaml: the file is empty; write a workflow, or remove the file"),
        (b"---\n", "a.yaml: the file is empty; write a workflow, or remove the file"),
        (b"a: \xff", "a.yaml:1:4: not UTF-8: byte 0xff at offset 3; save the file as UTF-8"),
        (b"\xef\xbb\xbfa\nb\xff", "a.yaml:2:2: not UTF-8: byte 0xff at offset 6; save the"),
        (SMALL.encode("utf-16"), "a.yaml:1:1: not UTF-8: byte 0xff at offset 0"),
        (b"a: 1\nb: \x1b", "a.yaml:2:4: the character U+001B is not allowed in a spec"),
        (b"[]", "a.yaml:1:1: expected a workflow: a mapping with apiVersion, kind, metadata and"),
        (b"a: 1", "a.yaml:1:1: not a treadle file (no apiVersion); if it should be one, begin it"),
        (b"apiVersion: v1", "a.yaml:1:13: apiVersion: v1 is not an apiVersion of treadle's; write"),
    ],
)
def test_what_is_no_workflow_at_all(data: bytes, fault: str) -> None:
    assert [f[: len(fault)] for f in faults(data)] == [fault]


@pytest.mark.parametrize("code", ["0085", "2028", "2029"])
def test_what_ends_a_line_in_no_editor_has_to_be_written_as_an_escape(code: str) -> None:
    """libyaml takes it for a line end, and what stands in quotes would become another text."""
    spec = SMALL + "  env:\n    A: "
    line, column = spec.count("\n") + 1, len("    A: 'x") + 1
    assert faults(f"{spec}'x{chr(int(code, 16))}y'\n".encode()) == [
        f"a.yaml:{line}:{column}: the character U+{code} is not allowed in a spec; "
        f'in double quotes, write "\\u{code}"'
    ]
    escaped = one(f'{spec}"x\\u{code}y"\n').workflow.spec
    assert escaped.env == {"A": f"x{chr(int(code, 16))}y"}


@pytest.mark.parametrize("code", ["061c", "200b", "200f", "202e", "2066", "0e0041"])
def test_what_nobody_sees_in_a_file_is_a_warning(code: str) -> None:
    """Also in a comment: what looks like one may be none, and the other way round."""
    char = chr(int(code, 16))
    escape = char.encode("unicode_escape").decode()
    spec = f"{SMALL}  env:\n    A: x{char}{char}y # {char}\n# {char}\n"
    loaded = load(spec.encode(), "a.yaml")
    assert not loaded.faults
    line = SMALL.count("\n") + 2
    words = (
        f"the character U+{code.lstrip('0').upper():0>4} can't be seen, and can hide other text; "
    )
    hint = f'remove it; if it is meant, write "{escape}" in double quotes'
    assert [str(warning) for warning in loaded.warnings] == [
        f"a.yaml:{line}:9: {words}{hint}",
        f"a.yaml:{line + 1}:3: {words}{hint}",
    ]
    assert not load(f'{SMALL}  env: {{A: "x{escape}"}}\n'.encode(), "a.yaml").warnings


def test_letters_that_are_joined_and_pictures_are_no_warning() -> None:
    spec = f"{SMALL}  env: {{A: \u0645\u06cc\u200c\u062e, B: 👨\u200d👩\u200d👧, C: שלום}}\n"
    loaded = load(spec.encode(), "a.yaml")
    assert (loaded.faults, loaded.warnings) == ((), ())


def test_a_file_full_of_what_nobody_sees_is_read_as_fast_as_any() -> None:
    for spec in (f"{SMALL}# {chr(0x202E) * 500_000}\n", SMALL + f"# {chr(0x202E)}\n" * 200_000):
        began = time.process_time()
        assert 1 <= len(load(spec.encode(), "a.yaml").warnings) <= FAULTS_MAX
        assert time.process_time() - began < 5


def test_a_size_is_refused_beyond_the_limit() -> None:
    data = SMALL.encode()
    assert not load(data, "a.yaml", max_bytes=len(data)).faults
    loaded = load(data, "a.yaml", max_bytes=len(data) - 1)
    assert [str(f) for f in loaded.faults] == [
        f"a.yaml: larger than {len(data) - 1} bytes; "
        "split it; up, run, diff and validate take --max-spec-size"
    ]
    assert not loaded.foreign


def test_faults_come_in_the_order_of_the_file() -> None:
    loaded = load((HEAD + "  x: 1\n  steps: []\n  y: 2\nfoo: 1\n").encode(), "a.yaml")
    assert [fault.line for fault in loaded.faults] == [5, 6, 7, 8]


def test_messages_stay_short() -> None:
    long = "k" * 1000
    for text in (f"{HEAD}  {long}: 1\n", f"apiVersion: {long}\n", f"{SMALL}{long}: 1\n{long}: 2\n"):
        assert all(len(fault) < 300 for fault in faults(text))


def test_a_file_has_a_limit_of_faults() -> None:
    text = HEAD + "  steps:\n" + "  - {nam: a, run: b}\n" * (FAULTS_MAX + 10)
    loaded = load(text.encode(), "a.yaml")
    assert len(loaded.faults) == FAULTS_MAX + 1
    assert str(loaded.faults[-1]) == "a.yaml: more faults than these 1,000; fix these first"


class TestOlderForm:
    text = """{"workflow_id": "Old_ETL", "steps": [
        {"id": "a", "command": "echo $HOME"},
        {"id": "b_1", "command": "false", "depends_on": ["a"], "timeout_sec": 9, "retries": 2}
    ]}"""

    @pytest.mark.parametrize("file", ["a.json", "a.yaml"])
    def test_it_becomes_a_workflow(self, file: str) -> None:
        document = one(self.text, file)
        workflow = document.workflow
        first, second = workflow.spec.steps
        assert workflow.metadata.name == "old-etl"
        assert workflow.spec.shell == ["/bin/sh", "-c"]
        assert (first.name, first.run, first.timeout_seconds) == ("a", "echo $HOME", 300)
        assert first.retry is UNSET
        assert (second.depends_on, second.timeout_seconds) == (["a"], 9)
        assert second.retry is not UNSET
        assert second.retry.limit == 2
        assert workflow.spec.defaults is not UNSET
        assert workflow.spec.defaults.retry is not UNSET
        assert workflow.spec.defaults.retry.backoff == Backoff(
            initial_seconds=0.5, factor=2, jitter=0
        )

    def test_a_changed_name_is_noted(self) -> None:
        assert one(self.text, "a.json").warnings == (
            'a.json:1:2: workflow_id: "Old_ETL" is taken as "old-etl"',
        )
        assert one(self.text.replace("Old_ETL", "etl")).warnings == ()

    def test_a_warning_names_the_field_of_the_older_form(self) -> None:
        (warning,) = one(
            '{"workflow_id": "w", "steps": [{"id": "a", "command": "#!/bin/bash\\nx"}]}', "a.json"
        ).warnings
        assert "steps[0].command: its #! line is a comment to /bin/sh" in warning

    @pytest.mark.parametrize(
        ("old", "new", "fault"),
        [
            (
                "Old_ETL",
                "my etl!",
                '1:17: workflow_id: "my etl!" is not a valid name; use lower-case letters, digits '
                'and - (at most 63; no - at the start or end), like "my-etl"',
            ),
            (
                '"b_1"',
                '"b.1"',
                '3:16: steps[1].id: "b.1" is not a valid name; use letters, digits, _ and -, '
                "at most 63; it must start with a letter or digit",
            ),
            ('["a"]', '["c"]', '3:58: steps[1].depends_on[0]: no step is named "c"'),
            ('["a"]', '["b_1"]', "3:58: steps[1].depends_on[0]: a step can't depend on itself"),
            (
                '"b_1", "command": "false", "depends_on": ["a"]',
                '"a", "command": "false"',
                '3:16: steps[1].id: a second step named "a"; the first is at line 2',
            ),
            ('"false"', '" "', "3:34: steps[1].command: the script is empty"),
            ('"retries": 2', '"retries": -2', "3:93: steps[1].retries: must be at least 0, not -2"),
            (
                '"retries"',
                '"retry"',
                "3:82: steps[1].retry: unknown field; write retries: 3",
            ),
            ('"command": "false", ', "", "3:9: steps[1]: command is missing"),
            (
                '"steps": [',
                '"steps": [3,',
                "1:38: steps[0]: expected a mapping, found the number 3",
            ),
        ],
    )
    def test_faults_are_named_in_its_own_words(self, old: str, new: str, fault: str) -> None:
        assert faults(self.text.replace(old, new), "a.json") == [f"a.json:{fault}"]

    def test_faults_of_shape_and_of_meaning_come_together(self) -> None:
        text = self.text.replace('["a"]', '["c"]').replace('"timeout_sec": 9', '"timeout_sec": 0')
        assert [fault.split(": ")[1] for fault in faults(text, "a.json")] == [
            "steps[1].depends_on[0]",
            "steps[1].timeout_sec",
        ]

    def test_steps_that_are_no_list(self) -> None:
        assert faults('{"workflow_id": "a", "steps": {}}', "a.json") == [
            "a.json:1:31: steps: expected a list, found a mapping"
        ]


def test_what_only_msgspec_refuses_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.spec.reading.shape.faults", lambda *_: [])
    assert faults(SMALL + "x: 1\n") == ["a.yaml:1:1: Object contains unknown field `x`"]


def test_loaded_is_a_value() -> None:
    assert load(SMALL.encode(), "a.yaml") == load(SMALL.encode(), "a.yaml")
    assert Loaded() == Loaded()


# ---------------------------------------- params


@pytest.mark.parametrize(
    ("params", "warned"),
    [
        ("{a: 3.1, b: 5, c: '3.10'}", []),
        (
            "{a: 3.10}",
            [
                "1:15: spec.params.a: 3.10 is read as the number 3.1; "
                'write "3.10" to keep it as text'
            ],
        ),
        (
            "{a: [1, {b: 1e3}], c: {default: +5}}",
            [
                "1:23: spec.params.a[1].b: 1e3 is read as the number 1000.0; "
                'write "1e3" to keep it as text',
                '1:43: spec.params.c.default: +5 is read as the number 5; write "+5" to keep it '
                "as text",
            ],
        ),
        ("{a: {type: number, default: 3.10}, b: {type: integer, enum: [+5]}}", []),
    ],
)
def test_a_param_that_loses_a_part_of_its_text_is_a_warning(params: str, warned: list[str]) -> None:
    text = f"params: {params}"
    document = (
        "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: a}\n"
        f"spec:\n  steps: [{{name: a, run: x}}]\n  {text}\n"
    )
    loaded = load(document.encode(), "a.yaml")
    assert loaded.documents
    assert [str(fault).removeprefix("a.yaml:") for fault in loaded.warnings] == [
        f"6{warning[1:]}" for warning in warned
    ]
    assert loaded.documents[0].warnings == tuple(map(str, loaded.warnings))
