"""Every command of the table, on a folder and a state whose texts try to steer the terminal.

A command is run as its examples are written, in each form of its output, and with a hostile word.
So a new command is tried here as soon as it is in the table.
"""

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import groupby
from pathlib import Path

import msgspec
import pytest
import yaml
from cli.place import DEADLINE_SECONDS, Place, document
from cli.screen import on_a_screen
from server.served import ANY_PORT

from controller.cli.commands import COMMANDS
from controller.log.reader import read
from controller.log.status_file import read_status
from controller.log.writer import LogWriter
from controller.model.events import Record
from controller.view.ink import HIDDEN

NAME = "\x1b]0;T\x07\x1b[3J\r\nFORGED\x08\x7f\u009b3J\u202e\u2066\u061c\u200b"  # of a file
TEXT = f"{NAME}\x01\u0085\u2028\u2029\ufeff\U000e0041"
UNKNOWN = f"--x{TEXT}"  # an option
SCRIPT = r"printf 'a\rb\033]0;T\007\033[3J\010\177\302\2333J\342\200\256\001\n'"

# What may stand on a terminal: our styles, and of the live view its screen, cursor and lines.
STYLES = r"\x1b\[(?:[012]|3[1-6])m"
VIEW = r"\x1b\[\?(?:1049|25|7)[hl]|\x1b\[\d*(?:;\d+)?H|\x1b\[[02]?[JK]"
COLOURS_OF_STEPS = r"\x1b\[[0-9;:]*m"
DRAWS = ("up", "run")


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Place]:
    """With all that the examples of the help name, and as many texts as its fields take."""
    root = tmp_path / f"r{NAME}"
    root.mkdir()
    place = Place(root)
    for name, written in specs().items():
        (place.specs / name).write_text(yaml.safe_dump(written))
    place.treadle("up", "--once", code=1)
    (place.specs / "etl.yaml").write_text(yaml.safe_dump(etl("echo more rows")))
    place.treadle("up", "--once", code=1)
    for words in (
        ("retry", "etl", "load", "--reason", TEXT),
        ("suspend", "nightly", "--reason", TEXT),
        ("resume", "nightly", "--reason", TEXT),
    ):
        place.treadle(*words)
    (place.specs / "unknown.cancel").write_text(yaml.safe_dump({"reason": TEXT}))
    (place.specs / f"m{NAME}.cancel").touch()
    (place.specs / "bad.cancel").write_text(yaml.safe_dump({"steps": [TEXT], TEXT: TEXT}))
    a_request(place, "suspend", workflow=f"nobody{TEXT}")
    a_request(place, "mark", workflow="etl", steps=[f"s{TEXT}"])
    a_request(place, f"dance{TEXT}")
    place.treadle("up", "--once", code=1)
    forge(place)
    for words in (["init", "--quiet"], ["add", "specs"]):
        subprocess.run(["git", *words], cwd=place.root, check=True)
    job = json.loads(document("job", only=SCRIPT))
    job["spec"]["params"] = {"date": TEXT}
    (place.root / "job.yaml").write_text(yaml.safe_dump(job))
    (place.root / "flows").mkdir()
    (place.root / "flows/flow.yaml").write_text(document("flow", only=SCRIPT))
    yield place
    place.clear()


def specs() -> dict[str, object]:
    bad = json.loads(document(f"bad{TEXT}", **{f"s{TEXT}": SCRIPT}))
    bad["spec"][f"f{TEXT}"] = TEXT
    bad["metadata"]["labels"] = {TEXT: TEXT}
    policy = {"apiVersion": "treadle.dev/v1", "metadata": {"name": "gpu"}}
    deploy = json.loads(document("deploy"))
    deploy["spec"]["steps"] = [
        {"name": name, "approve": {"message": TEXT}} for name in ("sign-off", "publish")
    ]
    nightly = json.loads(document("nightly", only=SCRIPT))
    nightly["spec"]["triggers"] = [
        {"name": "night", "schedule": "30 2 * * *"},
        {"name": "inbox", "files": {"path": f"in{TEXT}/*.csv"}},
    ]
    nightly["spec"]["params"] = {"date": TEXT}
    return {
        "etl.yaml": etl("echo rows"),
        "deploy.yaml": deploy,
        "nightly.yaml": nightly,
        "ghost.yaml": json.loads(document("ghost", first=SCRIPT, second=f"{SCRIPT}; exit 3")),
        "gpu.yaml": {**policy, "kind": "Pool", "spec": {"slots": 2}},
        "bad.yaml": bad,
        f"odd{NAME}.yaml": json.loads(document("odd", a=f"{SCRIPT}; exit 1")),
        f"worse{NAME}.yaml": {"apiVersion": TEXT, TEXT: TEXT},
    }


def etl(script: str) -> dict[str, object]:
    written = json.loads(document("etl", extract=script))
    written["metadata"]["labels"] = {"team": "data"}
    written["metadata"]["annotations"] = {"owner": TEXT}
    written["spec"] |= {
        "env": {"HOSTILE": TEXT},
        "params": {"who": {"type": "string", "default": TEXT, "description": TEXT}},
        "steps": [
            *written["spec"]["steps"],
            {"name": "clean-eu", "command": [f"prog{TEXT}"], "dependsOn": ["extract"]},
            {"name": "load", "run": f"{SCRIPT}; exit 3"},
            {"name": "report", "run": SCRIPT, "dependsOn": ["load"]},
            {
                "name": "check",
                "run": f'{SCRIPT}; printf "rows=x%s" "$HOSTILE" >"$TREADLE_OUTPUT"',
                "outputs": {"rows": "integer"},
            },
            {
                "name": "hands_on",
                "run": 'printf \'text="a\\\\u001b[3J\\\\u202e"\' >"$TREADLE_OUTPUT"',
                "outputs": {"text": "string"},
            },
            {"name": "takes", "command": ["true", "${{ steps.hands_on.outputs.text }}"]}
            | {"dependsOn": ["hands_on"]},
        ],
    }
    return written


def a_request(place: Place, kind: str, **asked: object) -> None:
    name = f"{len(os.listdir(place.state / 'requests')):020}-1-ab.json"
    written = {"name": "", "kind": kind, "by": TEXT, "reason": TEXT, **asked}
    (place.state / "requests" / name).write_text(json.dumps(written))


def forge(place: Place) -> None:
    """Write the log as somebody would whose records have no rules: names, people, messages."""
    records = list(read(str(place.state)))
    forged = json.dumps(f"ghost{TEXT}").encode()
    records = [renamed(record, b'"ghost"', forged) for record in records]
    for path in (place.state / "log").iterdir():
        path.unlink()
    writer = LogWriter(str(place.state))
    for _, turn in groupby(records, key=lambda record: record.turn):
        writer.append([with_texts(record) for record in turn])
    writer.close()


def renamed(record: Record, old: bytes, new: bytes) -> Record:
    return msgspec.json.decode(msgspec.json.encode(record).replace(old, new), type=Record)


def with_texts(record: Record) -> Record:
    texts = {
        field: f"{value}{TEXT}"
        for field in ("message", "by", "user", "host", "version", "refused", "problem")
        if isinstance(value := getattr(record.event, field, None), str) and value
    }
    return msgspec.structs.replace(record, event=msgspec.structs.replace(record.event, **texts))


def commands(*, with_forms: bool) -> Iterator[list[str]]:
    """All that is tried, what takes workflows away last. The forms are those for programs, too."""
    for command in sorted(COMMANDS, key=lambda command: command.name == "delete"):
        forms = [
            [option.flags[-1], form]
            for option in command.every_argument()
            if option.flags[-1] in ("--output", "--format")
            for form in option.options.get("choices", ())
        ]
        examples = [shlex.split(example.command)[1:] for example in command.examples]
        yield from examples
        yield from ([*examples[0], *form] for form in forms if with_forms)
        if command.name not in DRAWS:
            yield [command.name, f"x{TEXT}"]
    yield ["up", "--state", f"y{TEXT}", UNKNOWN]


@pytest.mark.parametrize("terminal", [False, True])
def test_no_text_steers_the_terminal_or_forges_a_line(hostile: Place, terminal: bool) -> None:
    place = hostile
    seen = ""
    for words in commands(with_forms=not terminal):
        with place.up() if "--wait" in words else nullcontext():
            written = on_terminal(place, words) if terminal else on_pipes(place, words)
        for stream in written:
            text = stream.decode()
            if terminal:
                allowed = "|".join((STYLES, VIEW, COLOURS_OF_STEPS)[: allowance(words)])
                text = re.sub(allowed, "", text.replace("\r\n", "\n"))
            found = HIDDEN.search(text)
            assert found is None, (words, text[max(0, found.start() - 200) :][:300])
            # A terminal has lines that are broken between words.
            assert terminal or not re.search("^FORGED", text, re.MULTILINE), (words, text)
            assert "Traceback" not in text, (words, text)
            seen += text
    assert seen.count("\\x1b]0;T\\x07") > 100, "the texts were shown"


def allowance(words: list[str]) -> int:
    return 3 if words[0] == "logs" else 2 if words[0] in DRAWS or "-w" in words else 1


def never_ends(words: list[str]) -> bool:
    watches = bool({*words} & {"-w", "--watch"}) or words[:2] == ["events", "-f"]
    serves = words == ["serve"]
    return watches or serves or (words[0] == "up" and not {*words} & {"--once", UNKNOWN})


def env_of(words: list[str]) -> dict[str, str]:
    state = "of-flows" if "--specs" in words else ".treadle"
    return {"TREADLE_STATE": state, "TREADLE_MIN_FREE": "0", "TREADLE_LISTEN": ANY_PORT}


def on_pipes(place: Place, words: list[str]) -> list[bytes]:
    """What it prints on stdout and stderr. `logs` hands on the bytes of the steps on stdout."""
    begun = place.fork(*words, stdin=subprocess.DEVNULL, more_env=env_of(words))
    if never_ends(words):
        if words[0] == "up":
            state = env_of(words)["TREADLE_STATE"]
            place.until(lambda: read_status(str(place.root / state)).phase == "Running")
        else:
            assert begun.stdout is not None
            first = os.read(begun.stdout.fileno(), 1 << 16)
        begun.send_signal(signal.SIGINT)
    out, err = begun.communicate(timeout=DEADLINE_SECONDS)
    if never_ends(words) and words[0] != "up":
        out = first + out
    return [err] if words[0] == "logs" else [out, err]


def on_terminal(place: Place, words: list[str]) -> list[bytes]:
    with on_a_screen(place, *words, **env_of(words)) as screen:
        if never_ends(words):
            begins = 1 if words == ["serve"] else 200
            place.until(lambda: len(screen.written) > begins)
            os.kill(screen.pid, signal.SIGINT)
        screen.exit_code()
    return [screen.written]
