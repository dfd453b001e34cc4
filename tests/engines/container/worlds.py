"""Where containers run in tests: by a program that plays podman, or by podman itself.

Each has a store of its own, so nothing of the machine's is touched, and all of it is removed.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from processes.yard import eventually, kill

FAKE = Path(__file__).with_name("fake_podman.py")
BUSYBOX = Path("/bin/busybox")
IMAGE = "treadle-test/busybox:1"
# What a machine may need that has a hybrid tree of cgroups, and limits that can't be raised.
CONTAINERS_CONF = """
[engine]
runtime = "runc"
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""
STORAGE_CONF = """
[storage]
driver = "overlay"
graphroot = "{root}/storage"
runroot = "{root}/run"
"""


class World:
    """What a test may ask of the program, beside what treadle does."""

    def containers(self) -> list[dict[str, Any]]:
        """What `inspect` says of all."""
        raise NotImplementedError

    def state(self, name: str) -> dict[str, Any]:
        """Of the one container whose name contains this."""
        (found,) = [each for each in self.containers() if name in each["Name"]]
        return found["State"]

    def runs(self, name: str) -> bool:
        return any(name in each["Name"] for each in self.running())

    def running(self) -> list[dict[str, Any]]:
        return [each for each in self.containers() if each["State"]["Status"] == "running"]

    def gone(self) -> None:
        """Wait until all containers are removed."""
        eventually(lambda: not self.containers(), "all containers are removed")


class Fake(World):
    def __init__(self, root: Path) -> None:
        self.folder = root / "podman"
        for name in ("containers", "answers", "hold"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "images.json").write_text(json.dumps({IMAGE: "0" * 64}))
        (self.folder / "calls").touch()
        program = root / "bin/podman"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {FAKE} {self.folder} "$@"\n')
        program.chmod(0o755)
        self.program = program

    def containers(self) -> list[dict[str, Any]]:
        found = []
        for path in (self.folder / "containers").glob("*.json"):
            with suppress(FileNotFoundError):
                found.append(json.loads(path.read_text()))
        return found

    def calls(self) -> list[list[str]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def answer(self, verb: str, **what: object) -> None:
        """From now on it says this, and does nothing."""
        (self.folder / "answers" / verb).write_text(json.dumps({"code": 0, **what}))

    def as_before(self, verb: str) -> None:
        (self.folder / "answers" / verb).unlink()

    def hold(self, point: str) -> None:
        (self.folder / "hold" / point).touch()

    def go_on(self, point: str) -> None:
        (self.folder / "hold" / point).unlink()

    def make_foreign(self, name: str) -> None:
        """Somebody else's container."""
        state = {"Status": "exited", "ExitCode": 0, "StartedAt": "2026-01-01T00:00:00Z"}
        state["FinishedAt"] = "2026-01-01T00:00:01Z"
        container = {"Id": "f" * 64, "Name": name, "Config": {"Labels": {}}, "State": state}
        (self.folder / f"containers/{name}.json").write_text(json.dumps(container))

    def clear(self) -> None:
        for each in self.containers():
            kill(pid for name in ("Pid", "ConmonPid") if (pid := each["State"].get(name)))


class Podman(World):
    """One for all tests of a process."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.env = {
            "CONTAINERS_STORAGE_CONF": self.write("storage.conf", STORAGE_CONF.format(root=root)),
            "CONTAINERS_CONF": self.write("containers.conf", CONTAINERS_CONF),
        }
        self.say("import", "-", IMAGE, data=image())

    def write(self, name: str, text: str) -> str:
        (self.root / name).write_text(text)
        return str(self.root / name)

    def say(self, *words: str, data: bytes | None = None) -> str:
        done = self.ask(*words, data=data)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    def ask(self, *words: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["podman", *words],
            input=data,
            capture_output=True,
            timeout=60,
            check=False,
            env={**os.environ, **self.env},
        )

    def containers(self) -> list[dict[str, Any]]:
        if not (ids := self.say("ps", "-aq", "--no-trunc").split()):
            return []
        return json.loads(self.ask("container", "inspect", *ids).stdout or b"[]")

    def make_foreign(self, name: str) -> None:
        self.say("run", "--name", name, "--network=none", IMAGE, "true")

    def clear(self) -> None:
        """Leave no container."""
        for each in self.containers():
            kill(pid for name in ("Pid", "ConmonPid") if (pid := each["State"].get(name)))
            self.ask("rm", "--force", "--time=0", each["Id"])

    def remove(self) -> None:
        """Leave nothing at all."""
        self.clear()
        self.ask("rmi", "--all", "--force")
        subprocess.run(["umount", "--quiet", self.root / "storage/overlay"], check=False)
        shutil.rmtree(self.root)


@cache
def image() -> bytes:
    """A tar file of busybox, and of links to it by all its names."""
    import io

    file = io.BytesIO()
    names = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.add(BUSYBOX, "bin/busybox")
        for name in set(names.split()) - {"busybox"}:
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        tar.addfile(folder)
    return file.getvalue()


@cache
def why_no_podman() -> str:
    """Empty if containers of podman can run here."""
    if shutil.which("podman") is None:
        return "podman is not installed"
    if not BUSYBOX.exists():
        return "busybox-static is not installed, of which the image is made"
    if shutil.which("runc") is None:
        return "runc is not installed"
    return ""
