"""Every example of the help, run in a folder that has what it names, in the order of the help."""

import json
import shlex
import signal
import subprocess
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from cli.place import Place, document
from server.served import ANY_PORT, serving

from controller.cli.commands import COMMANDS
from controller.cli.parser import find_command
from controller.log.status_file import read_status

VERDICTS = ("up", "wait", "diff")  # 1 says that a workflow failed, or that something changes
LAST = ("delete",)  # what else needs the workflow comes first


def an_etl(place: Place) -> None:
    """`etl` failed in its first run, its spec was edited, and both folders are in git.

    `deploy` asks two people, and `nightly` has triggers.
    """
    steps = {"extract": "echo rows", "clean-eu": "true", "load": "exit 3", "report": "true"}
    path = place.spec("etl", **steps, check="exit 3")
    etl = json.loads(path.read_text())
    etl["metadata"]["labels"] = {"team": "data"}
    etl["spec"]["steps"][-1]["outputs"] = {"rows": "integer"}
    path.write_text(json.dumps(etl))
    asks = json.loads(document("deploy"))
    names = ("sign-off", "publish")
    asks["spec"]["steps"] = [{"name": name, "approve": {"message": "Fine?"}} for name in names]
    (place.specs / "deploy.yaml").write_text(json.dumps(asks))
    pool = {**json.loads(document("gpu")), "kind": "Pool", "spec": {"slots": 2}}
    (place.specs / "gpu.yaml").write_text(json.dumps(pool))
    nightly = json.loads(document("nightly", only="true"))
    nightly["spec"]["triggers"] = [{"name": "night", "schedule": "30 2 * * *"}]
    nightly["spec"]["params"] = {"date": "today"}
    (place.specs / "nightly.yaml").write_text(json.dumps(nightly))
    place.treadle("up", "--once", code=1)
    path.write_text(path.read_text().replace("echo rows", "echo more rows"))
    place.treadle("up", "--once", code=1)
    for words in (("init", "--quiet"), ("add", "specs")):
        subprocess.run(["git", *words], cwd=place.root, check=True)
    job = json.loads(document("job", only="true"))
    job["spec"]["params"] = {"date": "today"}
    (place.root / "job.yaml").write_text(json.dumps(job))
    (place.root / "flows").mkdir()
    (place.root / "flows/flow.yaml").write_text(document("flow", only="true"))


def test_the_examples_of_the_help_can_be_typed(place: Place) -> None:
    an_etl(place)
    commands = sorted(COMMANDS, key=lambda command: command.name in LAST)
    for example in (example for command in commands for example in command.examples):
        words = shlex.split(example.command)[1:]
        before = files(place.root) if find_command(words[0]).changes_nothing else {}
        with needed(place, words):
            code, err = run(place, words)
        if "--abandon" in words:  # here everything can be stopped
            assert code == 2 and b"nothing of" in err, (code, err)
            continue
        assert code in (0, int(words[0] in VERDICTS)), (example.command, code, err)
        if before and "--write" not in words:
            assert files(place.root) == before, f"{example.command} has written something"


def needed(place: Place, words: list[str]) -> AbstractContextManager[object]:
    """What waits for an end needs somebody who runs it, and a link a server."""
    if "--wait" in words:
        return place.up()
    return serving(place) if "--link" in words else nullcontext()


def files(root: Path) -> dict[str, tuple[int, ...]]:
    """How all files look that are there, but for those of a shim, which may just be stopping."""
    seen = ((path, path.lstat()) for path in root.rglob("*") if "shim" not in path.parts)
    return {str(path): (s.st_ino, s.st_mode, s.st_size, s.st_mtime_ns) for path, s in seen}


def run(place: Place, words: list[str]) -> tuple[int, bytes]:
    """The exit code, and stderr. What never ends by itself is interrupted."""
    state = "of-flows" if "--specs" in words else ".treadle"
    more_env = {"TREADLE_STATE": state, "TREADLE_LISTEN": ANY_PORT}
    begun = place.begin(*words, stdin=subprocess.DEVNULL, more_env=more_env)
    if words[0] == "up" and "--once" not in words:
        place.until(lambda: read_status(str(place.root / state)).phase == "Running")
        begun.send_signal(signal.SIGINT)
    elif words == ["serve"]:
        assert begun.stdout is not None
        assert begun.stdout.readline().startswith(b"open http://127.0.0.1:")
        begun.send_signal(signal.SIGINT)
    elif {*words} & {"-w", "--watch"} or words[:2] == ["events", "-f"]:
        assert begun.stdout is not None
        assert begun.stdout.readline() != b"", words
        begun.send_signal(signal.SIGINT)
        assert begun.wait(30) == 130
        begun.returncode = 0
    _, err = begun.communicate(timeout=30)
    if "--detach" in words:
        place.until(lambda: place.phase("job") == "Succeeded")
    return begun.returncode, err
