"""`treadle validate` and `treadle schema`, as installed."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from cli.place import Place

from controller.spec.reading.schema import files

GOOD = "apiVersion: treadle.dev/v1\nkind: Workflow\nmetadata: {name: NAME}\nspec:\n" \
    "  steps: [{name: a, run: 'true'}, {name: b, run: 'true', dependsOn: [a]}]\n"  # fmt: skip


def treadle(*words: str, stdin: str = "", cwd: Path | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "controller.cli", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def on_a_terminal(*words: str, cwd: Path, columns: int = 80) -> str:
    """What a person sees of stderr."""
    pid, ours = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        place = {**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": str(columns)}
        os.execve(sys.executable, [sys.executable, "-m", "controller.cli", *words], place)
    screen = b""
    try:
        while more := os.read(ours, 4096):
            screen += more
    except OSError:  # its other end is closed
        pass
    finally:
        os.close(ours)
        os.waitpid(pid, 0)
    return screen.decode().replace("\r\n", "\n")


def good(name: str) -> str:
    return GOOD.replace("NAME", name)


def test_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{good('a')}---\n{good('b')}")
    (tmp_path / "b.yml").write_text(
        good("c").replace(", {name: b, run: 'true', dependsOn: [a]}", "")
    )
    assert treadle("validate", "a.yaml", "b.yml", cwd=tmp_path) == (
        0,
        "a.yaml: ok (2 workflows, 4 steps)\nb.yml: ok (1 workflow, 1 step)\n",
        "",
    )


def test_every_fault_of_every_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(good("a").replace("[a]", "[c, d]"))
    (tmp_path / "b.yaml").write_text(good("b"))
    code, out, err = treadle("validate", "a.yaml", "b.yaml", "none.yaml", cwd=tmp_path)
    assert code == 2
    assert out == "b.yaml: ok (1 workflow, 2 steps)\n"
    assert err.splitlines() == [
        'a.yaml:5:70: spec.steps[1].dependsOn[0]: no step is named "c"',
        'a.yaml:5:73: spec.steps[1].dependsOn[1]: no step is named "d"',
        "none.yaml: no such file",
    ]


def test_stdin() -> None:
    assert treadle("validate", "-", stdin=good("a"))[:2] == (0, "stdin: ok (1 workflow, 2 steps)\n")
    assert treadle("validate", "-", stdin="a: 1") == (
        2,
        "",
        "stdin:1:1: not a treadle file (no apiVersion); "
        "if it should be one, begin it with apiVersion: treadle.dev/v1\n",
    )


def test_a_warning_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(
        '{"workflow_id": "A_B", "steps": [{"id": "a", "command": "x"}]}'
    )
    assert treadle("validate", "a.json", cwd=tmp_path) == (
        0,
        "a.json: ok (1 workflow, 1 step)\n",
        'a.json:1:2: workflow_id: "A_B" is taken as "a-b" (warning)\n',
    )


def test_a_folder_is_judged_by_its_rules(tmp_path: Path) -> None:
    specs = tmp_path / "specs"
    (specs / "deep").mkdir(parents=True)
    (specs / "b.yaml").write_text(good("b"))
    (specs / "deep" / "a.json").write_text('{"a": 1}')
    (specs / "deep" / "c.yml").write_text(good("b"))
    (specs / ".hidden.yaml").write_text("x: [")
    (specs / "notes.txt").write_text("x: [")
    (specs / "b.cancel").write_text("")
    os.mkfifo(specs / "fifo.yaml")
    (specs / "out.yaml").symlink_to("/etc/hostname")
    code, out, err = treadle("validate", "specs", cwd=tmp_path)
    assert code == 2
    assert out == "specs/b.yaml: ok (1 workflow, 2 steps)\n"
    lines = err.splitlines()
    assert lines[0].startswith("specs/deep/a.json:1:1: ignored: not a treadle file")
    assert lines[1] == (
        'specs/deep/c.yml: a second workflow named "b"; the first is in specs/b.yaml'
    )
    assert lines[2] == "specs/fifo.yaml: ignored: not a regular file (warning)"
    assert lines[3].startswith("specs/out.yaml: a symlink that leaves the folder")
    assert len(lines) == 4


def test_what_the_controller_ignores_in_a_folder_is_no_fault_there(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs/b.yaml").write_text(good("b"))
    (tmp_path / "specs/compose.yaml").write_text("services: {}\n")
    code, out, err = treadle("validate", cwd=tmp_path)
    assert (code, out) == (0, "specs/b.yaml: ok (1 workflow, 2 steps)\n")
    assert err.startswith("specs/compose.yaml:1:1: ignored: not a treadle file (no apiVersion)")
    assert err.endswith(" (warning)\n")
    code, _, err = treadle("validate", "specs/compose.yaml", cwd=tmp_path)
    assert code == 2, "a file that is named has to be a spec"


CHAIN = """\
apiVersion: treadle.dev/v1
kind: Template
metadata: {name: chain}
spec: {params: {rows: {type: integer}}, steps: [{name: a, run: x}, {name: b, run: x}]}
"""


def calling(name: str, rows: str = "5", template: str = "chain") -> str:
    return good(name).partition("  steps")[0] + (
        f"  steps: [{{name: a, template: {{name: {template}, params: {{rows: {rows}}}}}}}]\n"
    )


def test_workflows_with_the_templates_of_their_folder(tmp_path: Path) -> None:
    (tmp_path / "specs" / "lib").mkdir(parents=True)
    (tmp_path / "specs" / "a.yaml").write_text(f"{calling('a')}---\n{good('b')}")
    (tmp_path / "specs" / "lib" / "chain.yaml").write_text(CHAIN)
    ok = "specs/a.yaml: ok (2 workflows, 3 steps)\n"
    chain = "specs/lib/chain.yaml: ok (1 template, 2 steps)\n"
    assert treadle("validate", cwd=tmp_path) == (0, ok + chain, "")
    assert treadle("validate", "specs/a.yaml", cwd=tmp_path) == (0, ok, "")
    assert treadle("validate", "specs/lib/chain.yaml", cwd=tmp_path) == (0, chain, "")
    (tmp_path / "specs" / "lib" / "other.yaml").write_text(CHAIN)
    assert treadle("validate", cwd=tmp_path) == (
        2,
        ok + chain,
        'specs/lib/other.yaml: a second template named "chain"; '
        "the first is in specs/lib/chain.yaml\n",
    )


def test_files_with_the_templates_given_with_them_else_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(calling("a", rows="x"))
    (tmp_path / "both.yaml").write_text(f"{calling('b')}---\n{CHAIN}")
    assert treadle("validate", "both.yaml", cwd=tmp_path) == (
        0,
        "both.yaml: ok (1 workflow, 1 template, 3 steps)\n",
        "",
    )
    (tmp_path / "specs").mkdir()
    of_folder = tmp_path / "specs" / "chain.yaml"
    of_folder.write_text(CHAIN)
    place = "a.yaml:5:60: spec.steps[0].template.params.rows"
    said = f'{place}: expected an integer, found "x"\n'
    assert treadle("validate", "a.yaml", cwd=tmp_path) == (2, "", said)
    assert treadle("validate", "-", stdin=calling("a"), cwd=tmp_path)[0] == 0
    of_folder.write_text(CHAIN.replace("integer", "string"))
    assert treadle("validate", "a.yaml", cwd=tmp_path)[0] == 0
    code, _, err = treadle("validate", "a.yaml", "both.yaml", cwd=tmp_path)
    assert (code, err) == (2, said), "a given file wins"


def test_templates_that_are_not_there_or_have_faults(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "a.yaml").write_text(calling("a", template="chian"))
    (tmp_path / "specs" / "chain.yaml").write_text(CHAIN)
    place = "specs/a.yaml:5:38: spec.steps[0].template.name: "
    code, _, err = treadle("validate", "specs/a.yaml", cwd=tmp_path)
    assert (code, err) == (2, f'{place}no template is named "chian"; did you mean "chain"?\n')
    (tmp_path / "specs" / "a.yaml").write_text(calling("a"))
    (tmp_path / "specs" / "chain.yaml").write_text(CHAIN.replace("integer", "int"))
    code, out, err = treadle("validate", cwd=tmp_path)
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        f'{place}the template "chain" can\'t be used: its file specs/chain.yaml has faults',
        "specs/chain.yaml:4:30: spec.params.rows.type: expected array, boolean, integer, number, "
        'object or string, found "int"; write integer',
    ]


BAD = good("a").replace("[a]", "[aa]")


def test_a_picture_on_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BAD)
    assert on_a_terminal("validate", "a.yaml", cwd=tmp_path) == (
        'error: no step is named "aa"\n'
        " ┌ a.yaml:5:70   step b\n"
        "5│   steps: [{name: a, run: 'true'}, {name: b, run: 'true', dependsOn: [aa]}]\n"
        f" │ {' ' * 69}^^\n"
        ' = did you mean "a"?\n'
        "\n"
        "1 error in 1 file\n"
    )


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        (["apply", "-f", "a.yaml"], "nothing was written"),
        (["run", "a.yaml"], "nothing was started"),
    ],
)
def test_other_commands_show_it_too_and_what_comes_of_it(
    tmp_path: Path, command: list[str], outcome: str
) -> None:
    (tmp_path / "a.yaml").write_text(BAD)
    seen = on_a_terminal(*command, cwd=tmp_path)
    assert 'error: no step is named "aa"\n' in seen
    assert seen.endswith(f"1 error in 1 file; {outcome}\n")


def test_what_stays_in_force(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    spec = tmp_path / "specs" / "a.yaml"
    spec.write_text(good("a"))
    assert treadle("up", "--once", cwd=tmp_path)[0] == 0
    spec.write_text(BAD)
    for command in (["validate"], ["validate", "specs/a.yaml"], ["diff"]):
        seen = on_a_terminal(*command, cwd=tmp_path)
        assert seen.endswith("1 error in 1 file; generation 1 of a stays in force\n")


def test_the_specs_folder_is_what_is_checked_unless_files_are_named(tmp_path: Path) -> None:
    code, out, err = treadle("validate", cwd=tmp_path)
    assert (code, out) == (2, "")
    assert err == (
        f"treadle: no specs folder here ({tmp_path}/specs); name a file: treadle validate FILE\n"
    )
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "a.yaml").write_text(good("a"))
    assert treadle("validate", cwd=tmp_path) == (0, "specs/a.yaml: ok (1 workflow, 2 steps)\n", "")


def test_every_form(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BAD)
    (tmp_path / "b.yaml").write_text(good("b"))
    files = ("a.yaml", "b.yaml", "none.yaml")
    lines = [
        'a.yaml:5:70: spec.steps[1].dependsOn[0]: no step is named "aa"; did you mean "a"?',
        "none.yaml: no such file",
    ]
    ok = "b.yaml: ok (1 workflow, 2 steps)\n"
    for form in ((), ("--format", "short")):
        code, out, err = treadle("validate", *form, *files, cwd=tmp_path)
        assert (code, out, err.splitlines()) == (2, ok, lines)
    code, out, err = treadle("validate", "--format", "json", *files, cwd=tmp_path)
    assert (code, err) == (2, "")
    assert [(each["file"], each["line"]) for each in map(json.loads, out.splitlines())] == [
        ("a.yaml", 5),
        ("none.yaml", None),
    ]
    code, out, err = treadle("validate", "--format", "github", *files, cwd=tmp_path)
    assert (code, err) == (2, "")
    assert out.splitlines() == [
        ok.strip(),
        f"::error file=a.yaml,line=5,col=70::{lines[0].partition(': ')[2]}",
        "::error file=none.yaml::no such file",
    ]


def test_a_line_for_each_fault_whatever_the_command(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BAD)
    line = 'a.yaml:5:70: spec.steps[1].dependsOn[0]: no step is named "aa"; did you mean "a"?\n'
    for command in (["validate"], ["apply", "-f"], ["run"], ["diff"]):
        code, out, err = treadle(*command, "a.yaml", cwd=tmp_path)
        assert (code, out, err) == (2, "", line)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A spec whose program is in another folder than the spec."""
    for folder in ("specs", "bin"):
        (tmp_path / folder).mkdir()
    (tmp_path / "bin" / "load.sh").touch(0o755)
    spec = good("a").partition("  steps")[0] + "  steps: [{name: a, command: [bin/load.sh]}]\n"
    (tmp_path / "specs" / "a.yaml").write_text(spec)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [["validate"], ["validate", "specs/a.yaml"], ["diff"], ["diff", "specs/a.yaml"],
     ["run", "specs/a.yaml"]],
)  # fmt: skip
def test_a_program_that_is_not_there_is_a_warning(project: Path, command: list[str]) -> None:
    _, _, err = treadle(*command, cwd=project)
    said = (
        "specs/a.yaml:5:31: spec.steps[0].command[0]: no file bin/load.sh in "
        f"{project}/specs (steps start in the folder of the spec); "
        f"there is {project}/bin/load.sh: set workingDir: .. (warning)"
    )
    assert [line for line in err.splitlines() if "bin/load.sh" in line] == [said]


def test_a_step_that_can_not_start_says_where_its_program_is(project: Path) -> None:
    code, out, _ = treadle("up", "--once", cwd=project)
    assert code == 1
    assert (
        f"a/a Failed: could not start: no file bin/load.sh in {project}/specs "
        "(steps start in the folder of the spec); "
        f"there is {project}/bin/load.sh: set workingDir: ..\n"
    ) in out


def test_a_huge_file_of_faults_shows_the_first_ones(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        good("a").partition("  steps")[0] + "  steps:\n" + "  - {nam: a, run: b}\n" * 22_000
    )
    seen = on_a_terminal("validate", "a.yaml", cwd=tmp_path)
    assert seen.count("error: ") == 50
    assert seen.endswith("more than 1,000 errors in 1 file\n")


def test_an_endless_file_is_not_read_for_ever() -> None:
    assert treadle("validate", "--max-spec-size", "1M", "/dev/zero") == (
        2,
        "",
        "/dev/zero: larger than 1,048,576 bytes; "
        "split it; up, run, diff and validate take --max-spec-size\n",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir(mode=0)
    assert treadle("validate", "x", cwd=tmp_path) == (2, "", "treadle: x: Permission denied\n")


def test_the_schema() -> None:
    assert treadle("schema") == (0, files()["workflow.schema.json"], "")
    for form in ("template", "spec", "older-workflow"):
        assert treadle("schema", form)[1] == files()[f"{form}.schema.json"]


def test_the_schemas_of_a_folder(tmp_path: Path) -> None:
    code, out, err = treadle("schema", "--check", cwd=tmp_path)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"schemas/{name}: does not agree with the models; run make schemas" for name in files()
    ]
    assert treadle("schema", "--write", "schemas", cwd=tmp_path) == (0, "", "")
    assert treadle("schema", "--check", cwd=tmp_path) == (0, "", "")
    (tmp_path / "schemas" / "workflow.schema.json").write_bytes(b"\xff")
    assert treadle("schema", "--check", "schemas", cwd=tmp_path)[0] == 1
    (tmp_path / "file").write_text("")
    assert treadle("schema", "--write", "file/x", cwd=tmp_path) == (
        2,
        "",
        "treadle: file/x: Not a directory\n",
    )


NEEDS_A_DATE = """
apiVersion: treadle.dev/v1
kind: Workflow
metadata: {name: daily}
spec:
  params: {date: {type: string}, rows: {type: integer}, level: low}
  steps: [{name: a, run: "true"}]
"""


def test_a_param_without_a_value_is_a_fault_in_the_specs_folder_alone(place: Place) -> None:
    (place.root / "daily.yaml").write_text(NEEDS_A_DATE)
    assert place.says("validate", "daily.yaml") == (
        "daily.yaml: ok (1 workflow, 1 step; to run it, add -p date=VALUE -p rows=VALUE)\n"
    )
    (place.specs / "daily.yaml").write_text(NEEDS_A_DATE)
    for words in ((), ("specs",), ("specs/daily.yaml",)):
        said = place.treadle("validate", *words, code=2).stderr.decode().splitlines()
        assert [line.partition(";")[0] for line in said] == [
            "specs/daily.yaml:6:18: spec.params.date: date has no default",
            "specs/daily.yaml:6:40: spec.params.rows: rows has no default",
        ]


def test_what_needs_a_value_is_not_put_into_the_folder(place: Place) -> None:
    (place.root / "daily.yaml").write_text(NEEDS_A_DATE)
    said = place.treadle("apply", "-f", "daily.yaml", code=2).stderr.decode()
    assert "spec.params.date: date has no default; " in said
    assert list(place.specs.iterdir()) == []
