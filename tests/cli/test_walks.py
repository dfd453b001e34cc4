"""What the pages show is what you see if you type it, on a terminal of 80 columns.

Their console blocks are typed one after the other, in a folder of its own. A command that only
looks is repeated until it shows what the page shows, as a reader would look again. Figures that
differ from run to run count as equal, and `…` stands for any text.
"""

import os
import pty
import re
import shutil
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from cli.place import DEADLINE_SECONDS, TREADLE, Place

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?:Save this as `([^`]+)`[^\n]*\n\n)?```(\w+)\n(.*?)\n```", re.DOTALL)
LOOKS = re.compile(
    r"treadle (get|status|runs|pools|logs|explain|history|diff|validate|events|wait)\b"
)
LOOK_SECONDS = 1.0  # after which a reader looks again, although nothing was written
STYLE = re.compile(r"\x1b\[[0-9;]*m")  # bold stays without colour

# What differs from run to run, and the word that stands for it.
VARIES = (
    (re.compile(r"\d{4}-\d\d-\d\d|[A-Z][a-z]{2} \d\d(?= \d\d:)"), "DATE"),
    (re.compile(r"(DATE[ T])?\d\d:\d\d:\d\d(\.\d+)?"), "CLOCK"),
    (re.compile(r"(\d+[dhm])*\d+(\.\d+)?s( ago)?\b|(?<= )now(?= )"), "TIME"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}"), "UID"),
    (re.compile(r"(?<=pid )\d+"), "PID"),
    (re.compile(r"(?<=\bby )\w+$", re.MULTILINE), "USER"),
)


class Typed(NamedTuple):
    """A command, or a file to save; and what is shown."""

    command: str
    shown: str
    file: str = ""


def typed(page: str) -> Iterator[Typed]:
    for block in BLOCK.finditer(page):
        file, form, text = block.groups()
        if file:
            yield Typed("", text, file)
        elif form == "console":
            for part in ("\n" + text).split("\n$ ")[1:]:
                command, _, shown = part.partition("\n")
                yield Typed(command, shown)


def matches(expected: str, seen: str) -> bool:
    """Whether they are the same, line by line, except for what varies."""
    pattern = "\n".join(
        r".*(\n.*)*" if line == "…" else re.escape(line).replace("…", ".*")
        for line in lines(expected)
    )
    return re.fullmatch(pattern, "\n".join(lines(seen))) is not None


def lines(text: str) -> list[str]:
    """The lines that say something, with one space where there are several."""
    for varies, word in VARIES:
        text = varies.sub(word, text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


class Reader:
    """Types in a folder, with two slots so that every machine shows the same."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {key: os.environ[key] for key in os.environ if not key.startswith("TREADLE_")}
        self.env |= {"PATH": f"{TREADLE.parent}{os.pathsep}{os.environ['PATH']}", "TZ": "UTC"}
        self.env |= {"TERM": "xterm", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
        self.env |= {"TREADLE_MIN_FREE": "0"}
        self.controller: subprocess.Popen[bytes] | None = None

    def types(self, one: Typed) -> None:
        if one.file:
            (self.folder / one.file).write_text(one.shown + "\n")
        elif one.command == "treadle up":
            self.leave()
            self.controller = subprocess.Popen(
                [TREADLE, "up", "--max-parallel", "2"],
                cwd=self.folder,
                env=self.env,
                stdout=subprocess.DEVNULL,
            )
        else:
            looks_again = LOOKS.match(one.command) is not None
            deadline = time.monotonic() + DEADLINE_SECONDS * looks_again
            written = self.written()
            while not matches(one.shown, seen := self.sees(one.command)):
                assert time.monotonic() < deadline, f"{one.command}\n{one.shown}\nbut:\n{seen}"
                soon = time.monotonic() + LOOK_SECONDS
                while written == self.written() and time.monotonic() < soon:
                    time.sleep(0.02)
                written = self.written()

    def written(self) -> int:
        """How much the log and the outputs of steps have: more of it may show something else."""
        state = self.folder / ".treadle"
        return sum(path.stat().st_size for path in (*state.glob("log/*"), *state.glob("runs/*/*")))

    def sees(self, command: str) -> str:
        """What a command shows on a terminal."""
        ours, its = pty.openpty()
        termios.tcsetwinsize(its, (24, 80))
        with subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=its,
            stderr=its,
        ):
            os.close(its)
            seen = b""
            with suppress(OSError):  # EIO: the command has ended
                while part := os.read(ours, 65536):
                    seen += part
        os.close(ours)
        return STYLE.sub("", seen.decode()).replace("\r\n", "\n")

    def leave(self) -> None:
        """Stop the controller; after `kill -9` there is nothing left to stop."""
        if self.controller is not None:
            self.controller.terminate()
            self.controller.wait(DEADLINE_SECONDS)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    yield reader
    reader.leave()


def test_the_quick_start_of_the_readme(reader: Reader) -> None:
    for folder in ("specs", "examples"):
        left = shutil.ignore_patterns("out*", "__pycache__", ".treadle", "*.txt")
        shutil.copytree(ROOT / folder, reader.folder / folder, ignore=left)
    longer = reader.folder / "examples/live-edit/live-edit.yaml"
    longer.write_text(longer.read_text().replace("sleep 6", "sleep 1"))
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    quick_start = page.partition("## Quick start\n")[2].partition("\n## ")[0]
    for one in typed(quick_start):
        if one.command != "cd treadle":
            reader.types(one)


@pytest.mark.parametrize(
    "page", ["tutorial", "templates", "defaults", "hooks", "pools", "triggers"]
)
def test_a_page_that_is_typed_from_its_begin(reader: Reader, page: str) -> None:
    for one in typed((ROOT / f"docs/{page}.md").read_text(encoding="utf-8")):
        command, _, folder = one.command.partition(" ")
        if command == "cd":
            reader.folder /= folder
        else:
            reader.types(one)


def test_the_alert_of_the_page_for_operating(place: Place) -> None:
    """It prints nothing if the workflow succeeds, and a report if it does not."""
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    script = place.root / "alert"
    script.write_text(re.findall(r"```sh\n(#!/bin/sh.*?)```", page, re.DOTALL)[0])
    (place.root / "etl").symlink_to(".")

    def alert(name: str) -> tuple[int, bytes]:
        path = f"{TREADLE.parent}{os.pathsep}{os.environ['PATH']}"
        env = {"PATH": path, "HOME": str(place.root)}
        how = {"program": ["/bin/sh", script], "more_env": env}
        begun = place.begin(name, stderr=subprocess.STDOUT, **how)
        said, _ = begun.communicate(timeout=DEADLINE_SECONDS)
        return begun.returncode, said

    place.spec("good", only="true")
    place.spec("bad", only="echo oh no; exit 3")
    with place.up():
        place.until(lambda: place.phase("good") == "Succeeded" and place.phase("bad") == "Failed")
        assert alert("good") == (0, b"")
        code, said = alert("bad")
        assert code == 1
        assert b"exit 3: oh no" in said
        code, said = alert("none")
        assert code == 1
        assert b'no workflow is named "none"' in said
