"""The examples and the specs of `make run`, run as a person would, in a copy of their own.

One process a case: `treadle`, a temporary state folder, and a look at how it ended.
"""

import hmac
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import loaded
import pytest

from controller.client.acting.deliver import deliver
from controller.client.replica import Replica

ROOT = Path(__file__).resolve().parents[2]
TREADLE = Path(sys.executable).with_name("treadle")
SHIPPED = ("flaky-build", "top-identifiers", "welcome")
SPECS = sorted(
    path.relative_to(ROOT)
    for pattern in ("examples/*/*.yaml", "examples/*/*.json", "specs/*.yaml")
    for path in ROOT.glob(pattern)
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """`examples/` and `specs/` side by side, as in the repository, without what runs left there."""
    left = shutil.ignore_patterns("out*", "__pycache__", ".treadle", "*.txt")
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=left)
    (tmp_path / "specs").mkdir()
    for name in SHIPPED:  # whoever plays with `make run` has more there
        shutil.copy(ROOT / "specs" / f"{name}.yaml", tmp_path / "specs")
    return tmp_path


def treadle(cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command; its steps find the Python that runs the tests as `python3`."""
    path = f"{TREADLE.parent}{os.pathsep}{os.environ['PATH']}"
    return loaded.run([*words], cwd, PATH=path, TREADLE_STATE=str(cwd / "state"))


def run(cwd: Path, spec: str, *more: str) -> None:
    done = treadle(cwd, "run", spec, "--max-parallel", "2", *more)
    assert done.returncode == 0, done.stdout + done.stderr


def exit_codes(cwd: Path, name: str) -> dict[str, list[int | None]]:
    """Every step of the workflow with the exit codes of its attempts."""
    shown = treadle(cwd, "get", name, "-o", "json")
    assert shown.returncode == 0, shown.stderr
    workflow: dict[str, Any] = json.loads(shown.stdout)
    assert workflow["status"]["phase"] == "Succeeded"
    return {
        step["name"]: [attempt["exitCode"] for attempt in step["attempts"]]
        for step in workflow["status"]["steps"]
    }


def output(cwd: Path, name: str, step: str) -> str:
    shown = treadle(cwd, "logs", name, step)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


def top_identifiers(report: Path) -> list[str]:
    chart = report.read_text(encoding="utf-8").splitlines()[2:]
    return [line.split()[0] for line in chart]


@pytest.mark.parametrize("folder", sorted({spec.parent for spec in SPECS}), ids=str)
def test_an_example_is_valid(folder: Path) -> None:
    specs = [str(spec) for spec in SPECS if spec.parent == folder]
    done = treadle(ROOT, "validate", *specs)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": ok (") == len(specs)


def test_every_example_has_a_readme_and_a_spec() -> None:
    for folder in (path for path in (ROOT / "examples").iterdir() if path.is_dir()):
        assert (folder / "README.md").is_file(), folder
        assert any(spec.parent == folder.relative_to(ROOT) for spec in SPECS), folder


def test_hello(copy: Path) -> None:
    run(copy, "examples/hello/hello.yaml")
    assert "HELLO, WORLD" in output(copy, "hello", "shout")


def test_what_sometimes_fails_is_counted_either_way(copy: Path) -> None:
    failed = treadle(copy, "run", "examples/prometheus/sometimes.yaml").returncode
    result = "Failed" if failed else "Succeeded"
    shown = treadle(copy, "metrics").stdout
    assert f'treadle_attempts_total{{result="{result}",workflow="sometimes"}} 1.0\n' in shown


def test_the_diamond_retries_one_branch(copy: Path) -> None:
    run(copy, "examples/diamond/diamond.yaml")
    codes = exit_codes(copy, "diamond")
    assert codes == {"prepare": [0], "left": [75, 75, 0], "right": [0], "join": [0]}


def test_the_identifiers_of_the_standard_library_are_counted(copy: Path) -> None:
    run(copy, "examples/identifiers/identifiers.yaml")
    out = copy / "examples/identifiers/out"
    assert "self" in top_identifiers(out / "report.txt")[:3]
    assert len(top_identifiers(out / "report.txt")) == 15
    assert "self ####" in output(copy, "identifiers", "report")


def test_the_older_json_form(copy: Path) -> None:
    run(copy, "examples/older-json/older-json.json")
    codes = exit_codes(copy, "older-json")
    assert codes == {"fetch": [0], "sort": [0], "check": [1, 0]}
    assert output(copy, "older-json", "sort").split() == ["1", "2", "3"]


def test_the_orders_decide_what_runs(copy: Path) -> None:
    spec = copy / "examples/orders/orders.yaml"
    run(copy, "examples/orders/orders.yaml")
    codes = exit_codes(copy, "orders")
    assert codes == {"sort": [0], "add-up": [0], "complain": [0], "celebrate": [], "report": [0]}
    assert output(copy, "orders", "report") == "total: 35\ncelebrated: false\n"
    spec.write_text(spec.read_text().replace('("asia", None)', '("asia", 80)'))
    run(copy, "examples/orders/orders.yaml")
    codes = exit_codes(copy, "orders")
    assert codes == {"sort": [0], "add-up": [0], "complain": [], "celebrate": [0], "report": [0]}
    assert output(copy, "orders", "report") == "total: 115\ncelebrated: true\n"


def test_params_are_given_in_both_ways(copy: Path) -> None:
    spec, file = "examples/params/report.yaml", "examples/params/values/november.yaml"
    refused = treadle(copy, "run", spec, "-p", "format=pdf")
    assert refused.returncode == 2
    assert 'needs a value of the param "month"' in refused.stderr
    assert '"pdf" is not one of "text", "csv"' in refused.stderr
    run(copy, spec, "-p", "month=2026-11")
    assert exit_codes(copy, "monthly-report") == {"collect": [0], "print": [0], "write": []}
    assert output(copy, "monthly-report", "print") == "report of 2026-11 for eu and us\n"
    run(copy, spec, "--params", file)
    assert output(copy, "monthly-report", "collect") == "eu 20\nus 20\nasia 20\n"
    assert output(copy, "monthly-report", "write") == "month,regions\n2026-11,3\n"


def test_a_matrix_has_a_child_for_each_combination(copy: Path) -> None:
    run(copy, "examples/matrix/matrix.yaml")
    rows = ("linux-3.12", "linux-3.13", "macos-3.12", "macos-3.13", "windows-3.13", "linux-3.14")
    packages = [f"app-{row.partition('-')[2]}-{row.partition('-')[0]}" for row in rows]
    assert exit_codes(copy, "matrix") == {
        "build": [],
        **{f"build[{row}]": [0] for row in rows},
        "smoke-test": [],
        **{f"smoke-test[{each}]": [] if "windows" in each else [0] for each in packages},
        "publish": [0],
    }
    said = "building for linux, version 3.14 --preview\n"
    assert output(copy, "matrix", "build[linux-3.14]") == said
    assert output(copy, "matrix", "publish") == f"publishing {' '.join(packages)}\n"
    run(copy, "examples/matrix/matrix.yaml", "-p", 'systems=["linux"]')
    assert len(exit_codes(copy, "matrix")) == 9, "3 packages"


def test_words_are_counted_in_each_file_that_is_found(copy: Path) -> None:
    spec = "examples/map-reduce/map-reduce.yaml"
    run(copy, spec)
    assert output(copy, "map-reduce", "sum") == "54 words in 3 files\n"
    texts = copy / "examples/map-reduce/texts"
    (texts / "loom.md").unlink()
    (texts / "two words.md").write_text("a shed\n")
    run(copy, spec)
    codes = exit_codes(copy, "map-reduce")
    assert [name for name in codes if "[" in name] == [
        "count[shuttle.md]",
        "count[treadle.md]",
        "count[a45fe6cb9573]",
    ]
    assert output(copy, "map-reduce", "sum") == "39 words in 3 files\n"


def test_the_rules_of_the_house(copy: Path) -> None:
    """A hanging step is stopped and tried again; the nearer folder gives more time."""
    house = copy / "examples/house-rules"
    done = treadle(copy, "up", "--once", "--specs", str(house))
    assert done.returncode == 0, done.stdout + done.stderr
    assert exit_codes(copy, "prices") == {"ask": [124, 0], "print": [0]}
    assert exit_codes(copy, "archive") == {"pack": [0], "check": [0]}
    rules = house / "defaults.yaml"
    rules.write_text(rules.read_text().replace("limit: 1", "limit: 3"))
    assert treadle(copy, "diff", "--specs", str(house)).stdout.startswith(
        "Defaults of the specs folder (defaults.yaml)  edited; it holds for 2 workflows; "
        "runs nothing again\n"
    )
    again = treadle(copy, "up", "--once", "--specs", str(house))
    assert "Running" not in again.stdout
    assert "retry.limit 1 -> 3 in Defaults" in treadle(copy, "history", "prices").stdout


def test_a_push_starts_a_workflow_once(copy: Path) -> None:
    """What a server does with it; the signature is that of the README."""
    folder, state = copy / "examples/webhook", str(copy / "state")
    (folder / "hook.secret").write_text("hush\n")
    treadle(copy, "up", "--once", "--specs", str(folder))
    body = (folder / "push.payload").read_bytes()
    signature = hmac.new(b"hush", body, "sha256").hexdigest()
    if shutil.which("openssl"):
        (line,) = re.findall(
            r"^signature=\$\((.*)\)$", (folder / "README.md").read_text(), re.MULTILINE
        )
        shown = subprocess.check_output(["/bin/sh", "-euc", line], cwd=folder, text=True)
        assert shown.strip() == signature
    headers = {
        "content-type": "application/json",
        "x-hub-signature-256": f"sha256={signature}",
        "x-github-delivery": "1-a",
    }
    for _ in range(2):
        deliver(state, Replica(state).catch_up(), "deploy", "push", headers, body)
    done = treadle(copy, "up", "--once", "--specs", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert exit_codes(copy, "deploy@1-a") == {"build": [0], "release": [0]}
    assert (folder / "out/builds.txt").read_text() == (
        "refs/heads/main: 2 commits, the last by bob\n"
    )
    assert (folder / "out/releases.txt").read_text() == "released by delivery deploy@1-a\n"


def test_the_same_steps_here_and_by_engines(copy: Path) -> None:
    folder = copy / "examples/engines"
    run(copy, "examples/engines/here.yaml", "--specs", str(folder))
    assert "18 words, counted on" in output(copy, "words-here", "words/total")
    files = [str(path) for path in sorted(folder.glob("*.yaml"))]
    checked = treadle(copy, "validate", *files)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    found = treadle(copy, "doctor", "--specs", str(folder), "-o", "json").stdout.splitlines()
    assert {json.loads(line)["engine"] for line in found} == {"container", "slurm"}


def test_two_workflows_share_a_pool_and_a_lock(copy: Path) -> None:
    """The shop refuses a third request, and two that write at a time fail."""
    shop = copy / "examples/shared-pool"
    done = treadle(copy, "up", "--once", "--max-parallel", "8", "--specs", str(shop))
    assert done.returncode == 0, done.stdout + done.stderr
    regions, products = ("eu", "us", "asia"), ("bread", "milk", "salt")
    assert exit_codes(copy, "orders") == {
        "fetch": [],
        **{f"fetch[{one}]": [0] for one in regions},
        "write": [0],
    }
    assert exit_codes(copy, "prices") == {
        "list": [0],
        "price": [],
        **{f"price[{one}]": [0] for one in products},
        "compare": [0],
        "write": [0],
        "say": [0],
    }
    assert sorted((shop / "out/report.txt").read_text().splitlines()) == [
        "orders of 3 regions",
        "prices of 3 products",
    ]
    (edit,) = re.findall(r"^sed -i .*$", (shop / "README.md").read_text(), re.MULTILINE)
    subprocess.run(["/bin/sh", "-euc", edit], cwd=shop, check=True)
    assert treadle(copy, "diff", "--specs", str(shop)).stdout.startswith(
        "pool shop-api (pools.yaml)  edited; runs nothing again\n"
    )


def test_two_workflows_use_one_template(copy: Path) -> None:
    folder = copy / "examples/templates"
    files = [f"examples/templates/{name}.yaml" for name in ("frost", "station", "weather")]
    run(copy, *files)
    inside = ("prepare", "check", "measure")
    stations = ("cairo", "oslo", "rome")
    assert exit_codes(copy, "weather") == {
        "find": [0],
        "station": [],
        **{f"station[{one}]": [] for one in stations},
        **{f"station[{one}]/{step}": [0] for one in stations for step in inside},
        "report": [0],
    }
    assert output(copy, "weather", "report") == (
        "cairo: 3 values, coldest 18.0 °C\n"
        "oslo: 3 values, coldest -3.5 °C\n"
        "rome: 2 values, coldest 11.5 °C\n"
    )
    of_oslo = {f"oslo/{step}": [0] for step in inside}
    assert exit_codes(copy, "frost") == {"oslo": [], **of_oslo, "warn": [0]}
    assert output(copy, "frost", "warn") == "frost in Oslo, -3.5 °C\n"
    (edit,) = re.findall(r"^sed -i .*$", (folder / "README.md").read_text(), re.MULTILINE)
    subprocess.run(["/bin/sh", "-euc", edit], cwd=copy, check=True)
    failed = treadle(copy, "run", *files)
    assert failed.returncode == 1
    assert "1 failed (station[rome]/check), 2 skipped" in failed.stdout
    assert exit_codes(copy, "frost")["warn"] == [0]


def test_hooks_alert_at_the_first_failure_and_when_it_works_again(copy: Path) -> None:
    spec = "examples/alerts/alerts.yaml"
    for rows in (3, 3, 8):
        done = treadle(copy, "run", spec, "-p", f"rows={rows}")
        assert done.returncode == (rows < 5), done.stdout + done.stderr
    last = "3 rows, at least 5 expected"
    assert (copy / "examples/alerts/out.txt").read_text().splitlines() == [
        f"alerts has failed. check failed: exit code 1; it printed last: {last}",
        "run 1: Failed",
        "run 2: Failed",
        "alerts works again, with 8 rows",
        "run 3: Succeeded",
    ]
    (copy / "examples/alerts/send.sh").unlink()
    run(copy, spec, "-p", "rows=8")


def test_a_backup_repairs_a_bad_dump_and_tidies_up(copy: Path) -> None:
    spec, out = "examples/backup/backup.yaml", copy / "examples/backup/out"
    run(copy, spec)
    assert exit_codes(copy, "backup") == {"dump": [0], "verify": [1], "repair": [0], "store": [0]}
    run(copy, spec)
    assert exit_codes(copy, "backup") == {"dump": [0], "verify": [0], "repair": [], "store": [0]}
    readme = (copy / "examples/backup/README.md").read_text(encoding="utf-8")
    (edit,) = re.findall(r"^sed -i .*$", readme, re.MULTILINE)
    subprocess.run(["/bin/sh", "-euc", edit], cwd=copy, check=True)
    failed = treadle(copy, "run", spec)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    said = (out / "messages.txt").read_text()
    assert said == "no backup today. dump failed: exit code 3\n"
    left = {path.name for path in out.iterdir()}
    assert left == {"tried", "messages.txt", *(f"backup-{number}" for number in (1, 2))}


@pytest.mark.parametrize("yes", [True, False])
def test_a_person_is_asked_before_a_deploy(copy: Path, yes: bool) -> None:
    state = ("--state", str(copy / "state"))
    running = subprocess.Popen(
        [TREADLE, "run", "examples/deploy/deploy.yaml", *state], cwd=copy, stdout=subprocess.PIPE
    )
    answer = ("approve", "deploy", "sign-off", "--reason", "green", *([] if yes else ["--reject"]))
    patient = time.monotonic() + 60
    while (said := treadle(copy, *answer)).returncode:
        assert time.monotonic() < patient, said.stdout + said.stderr
    running.communicate(timeout=60)
    assert running.returncode == (not yes)
    out = copy / "examples/deploy/out"
    assert (out / "on-web-3").exists() is yes
    ended = "Succeeded" if yes else "Failed"
    assert (out / "history.txt").read_text() == f"shop 1.4.2, {ended}\n"


def test_a_hook_of_the_house_tells_of_each_failure(copy: Path) -> None:
    house = copy / "examples/on-call"
    done = treadle(copy, "up", "--once", "--specs", str(house))
    assert done.returncode == 1, done.stdout + done.stderr
    assert (house / "messages.txt").read_text() == (
        "shop-orders has failed. read failed: exit code 1; it printed last: "
        "orders.csv: no such file\n"
    )


def test_secrets_come_from_files_and_stay_out_of_the_state(copy: Path) -> None:
    run(copy, "examples/secrets/secrets.yaml")
    home = os.environ["HOME"]
    said = "etl robot logs in to https://db.example, with a token of 16 characters\n"
    assert output(copy, "secrets", "log-in") == said
    said = f"token: not here\nhome: not here, but {home} is given\n"
    assert output(copy, "secrets", "work") == said
    kept = [path.read_bytes() for path in (copy / "state").rglob("*") if path.is_file()]
    assert not [text for text in kept if b"not-a-real-token" in text]
    (copy / "examples/secrets/local.env").write_text("SERVICE_USER=me\n")
    run(copy, "examples/secrets/secrets.yaml")
    assert output(copy, "secrets", "log-in").startswith("me logs in")
    (copy / "examples/secrets/token").unlink()
    failed = treadle(copy, "run", "examples/secrets/secrets.yaml")
    assert failed.returncode == 1
    assert "could not start: TOKEN: no file" in failed.stdout


def test_live_edit_runs_to_its_end(copy: Path) -> None:
    spec = copy / "examples/live-edit/live-edit.yaml"
    spec.write_text(re.sub(r"sleep \d+", "sleep 0.05", spec.read_text()))
    run(copy, "examples/live-edit/live-edit.yaml")
    assert "pressing, turn 10 of 10" in output(copy, "live-edit", "press")


def test_the_edits_that_live_edit_tells_people_to_type_still_fit_its_spec(copy: Path) -> None:
    spec = copy / "examples/live-edit/live-edit.yaml"
    readme = (copy / "examples/live-edit/README.md").read_text(encoding="utf-8")
    edits = re.findall(r"^sed -i .*$", readme, re.MULTILINE)
    assert len(edits) == 6
    for edit in edits:
        before = spec.read_text()
        subprocess.run(["/bin/sh", "-euc", edit], cwd=copy, check=True)
        assert spec.read_text() != before, edit
        broken = "polsih" in spec.read_text()
        done = treadle(copy, "validate", "examples/live-edit/live-edit.yaml")
        assert (done.returncode == 2) is broken, edit + done.stdout + done.stderr
        assert ('did you mean "polish"?' in done.stdout + done.stderr) is broken


def test_what_make_run_starts_with_succeeds(copy: Path) -> None:
    done = treadle(copy, "up", "--once", "--max-parallel", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 succeeded" in done.stdout
    assert exit_codes(copy, "flaky-build")["test"] == [1, 1, 0]
    assert "self" in top_identifiers(copy / "examples/identifiers/out-top/report.txt")[:3]


def test_files_a_clock_and_another_workflow_start_instances(copy: Path) -> None:
    shop = copy / "examples/inbox"
    report = shop / "report.yaml"
    report.write_text(report.read_text().replace("everySeconds: 10", "everySeconds: 1"))
    (edit,) = re.findall(r"^sed -i .*$", (shop / "README.md").read_text(), re.MULTILINE)

    def arrives(file: str, code: int) -> None:
        shutil.copy(shop / "orders" / file, shop / "inbox")
        done = treadle(copy, "up", "--once", "--specs", str(shop))
        assert done.returncode == code, done.stdout + done.stderr

    arrives("monday.csv", 0)
    assert (shop / "out/totals.txt").read_text() == "eu 15\nus 20\n"
    time.sleep(2)
    arrives("broken.csv", 1)
    assert output(copy, "import@latest", "check") == "line 2 is no order: this is no order\n"
    assert "orders at" in (shop / "out/report.txt").read_text(), "a time was missed, and is due"
    subprocess.run(["/bin/sh", "-euc", edit], cwd=shop, check=True)
    arrives("tuesday.csv", 0)
    assert (shop / "out/totals.txt").read_text() == "asia 12\neu 19\nus 27\n"
