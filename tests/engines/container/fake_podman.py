"""A podman without images, namespaces and daemons: `fake_podman.py FOLDER WORDS…`.

It says what podman 4.3 was seen to say, and does what that did: a client that waits, a monitor that
outlives it, a name that only one container has. A container is a process of this machine. What it
knows is in FOLDER, where a test may look, and steer it:

    images.json             id by name
    containers/NAME.json    what `inspect` says
    calls                   the words of each call, a JSON list a line
    answers/VERB            {"code": 1, "out": "", "err": "", "hang": true}: instead of doing it
    hold/POINT              wait there while the file is there: create, start, note, wait
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

NEVER = "0001-01-01T00:00:00Z"


class Fault(Exception):
    def __init__(self, text: str, code: int = 125) -> None:
        super().__init__(text)
        self.code = code


def main(folder: Path, *words: str) -> int:
    with (folder / "calls").open("a") as calls:
        fcntl.flock(calls, fcntl.LOCK_EX)
        calls.write(json.dumps(words) + "\n")
    words = tuple(word for word in words if word != "--log-level=fatal")
    verb = "inspect" if words[:2] == ("container", "inspect") else words[0]
    with contextlib.suppress(FileNotFoundError):
        answer = json.loads((folder / "answers" / verb).read_text())
        while answer.get("hang"):
            time.sleep(60)
        sys.stdout.write(answer.get("out", ""))
        sys.stderr.write(answer.get("err", ""))
        return int(answer["code"])
    verbs = {
        "run": run,
        "container": inspect,
        "ps": ps,
        "kill": kill,
        "stop": stop,
        "rm": rm,
        "image": image,
        "pull": pull,
    }
    try:
        return verbs[words[0]](Store(folder), *words[1:])
    except Fault as fault:
        print(f"Error: {fault}", file=sys.stderr)
        return fault.code


class Store:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        return self.folder / "containers" / f"{name}.json"

    def all(self) -> list[dict]:
        found = []
        for path in sorted((self.folder / "containers").glob("*.json")):
            with contextlib.suppress(FileNotFoundError):
                found.append(json.loads(path.read_text()))
        return found

    def find(self, word: str) -> dict | None:
        return next((each for each in self.all() if word in (each["Name"], each["Id"])), None)

    def create(self, name: str, **known: object) -> dict:
        new = hashlib.sha256(name.encode()).hexdigest()
        state = {"Status": "created", "ExitCode": 0, "StartedAt": NEVER, "FinishedAt": NEVER}
        container = {"Id": new, "Name": name, "State": state, **known}
        draft = self.folder / f"draft.{os.getpid()}"
        draft.write_text(json.dumps(container))
        try:
            os.link(draft, self.path(name))
        except FileExistsError:
            raise Fault(
                f'creating container storage: the container name "{name}" is already in use by '
                f"{new}. You have to remove that container to be able to reuse that name: that "
                "name is already in use"
            ) from None
        finally:
            draft.unlink()
        return container

    def update(self, name: str, how: Callable[[dict], dict]) -> None:
        """`how` gets its state, and returns what changes."""
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            container = self.find(name)
            if container is not None:
                container["State"] |= how(container["State"])
                draft = self.folder / f"draft.{os.getpid()}"
                draft.write_text(json.dumps(container))
                os.replace(draft, self.path(name))

    def hold(self, point: str) -> None:
        while (self.folder / "hold" / point).exists():
            time.sleep(0.005)

    def images(self) -> dict[str, str]:
        return json.loads((self.folder / "images.json").read_text())


def options(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    found: dict[str, list[str]] = {}
    while words and words[0].startswith("--"):
        name, _, value = words.pop(0)[2:].partition("=")
        found.setdefault(name, []).append(value)
    return found, words


def run(store: Store, *words: str) -> int:
    given, (wanted, *arguments) = options(list(words))
    if wanted not in store.images().values():
        raise Fault(f"{wanted}: image not known")
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "container": "podman"}
    for path in given.get("env-file", []):
        lines = Path(path).read_text(errors="surrogateescape").splitlines()
        env |= dict(line.split("=", 1) for line in lines)
    env |= {name: os.environ[name] for name in given.get("env", []) if name in os.environ}
    labels = dict(label.split("=", 1) for label in given.get("label", []))
    store.hold("create")
    config = {"Labels": labels, "StopSignal": 15}
    container = store.create(given["name"][0], Config=config)
    store.hold("start")
    argv = [*given["entrypoint"], *arguments]
    if shutil.which(argv[0], path=env["PATH"]) is None:
        raise Fault(
            f'runc: runc create failed: unable to start container process: exec: "{argv[0]}": '
            "executable file not found in $PATH: OCI runtime attempted to invoke a command that "
            "was not found",
            127,
        )
    start(store, container["Name"], argv, env, given["workdir"][0])
    store.hold("note")
    store.update(container["Name"], noted)
    store.hold("wait")
    while (now := store.find(container["Name"])) and now["State"]["Status"] != "exited":
        time.sleep(0.01)
    return now["State"]["ExitCode"] if now else 137


def start(store: Store, name: str, argv: list[str], env: dict[str, str], where: str) -> None:
    """By a monitor that outlives us. The client notes later that it runs, as podman's does."""
    out, into = os.pipe()
    if os.fork():
        os.close(into)
        os.read(out, 1)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    pid = os.fork()
    if pid == 0:
        os.close(into)
        os.setsid()
        os.chdir(where)
        os.execvpe(argv[0], argv, env)
    pids = {"Pid": pid, "ConmonPid": os.getpid()}
    store.update(name, lambda _: {"Status": "initialized", **pids})
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(into)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(ProcessLookupError):  # as the end of a namespace does
        os.killpg(pid, signal.SIGKILL)
    store.update(name, lambda state: over(state, code if code >= 0 else 128 - code))
    os._exit(0)


def noted(state: dict) -> dict:
    """By the client, when it has started it; it may be over by then."""
    if "Really" in state:
        now = moment()
        return {"Status": "exited", "ExitCode": state["Really"], "StartedAt": now, **ended()}
    return {"Status": "running", "StartedAt": moment()}


def over(state: dict, code: int) -> dict:
    """By the monitor; podman believes it only of what it takes for running."""
    if state["Status"] == "initialized":
        return {"Status": "created", "Really": code}
    return {"Status": "exited", "ExitCode": code, **ended()}


def ended() -> dict:
    return {"FinishedAt": moment(), "Pid": 0, "ConmonPid": 0}


def inspect(store: Store, _: str, *wanted: str) -> int:
    found = [store.find(word) for word in wanted]
    print(json.dumps([each for each in found if each]))
    for word, container in zip(wanted, found, strict=True):
        if container is None:
            print(f'Error: inspecting object: no such object: "{word}"', file=sys.stderr)
    return 0 if all(found) else 125


def ps(store: Store, *words: str) -> int:
    (rule,) = options(list(words))[0]["filter"]
    _, label, value = rule.split("=")
    for container in store.all():
        if container["Config"]["Labels"].get(label) == value:
            print(container["Id"])
    return 0


def known(store: Store, word: str) -> dict:
    container = store.find(word)
    if container is None:
        raise Fault(f'no container with name or ID "{word}" found: no such container')
    return container


def kill(store: Store, option: str, word: str) -> int:
    container = known(store, word)
    if container["State"]["Status"] != "running":
        raise Fault(f"can only kill running containers. {container['Id']} is in another state")
    name = option.partition("=")[2]
    number = int(name) if name.isdigit() else signal.Signals[f"SIG{name}"]
    try:
        os.kill(container["State"]["Pid"], number)
    except ProcessLookupError:
        raise Fault("container state improper: stopped") from None
    return 0


def stop(store: Store, _: str, word: str) -> int:
    container = known(store, word)
    if container["State"]["Status"] == "running":
        with contextlib.suppress(ProcessLookupError):
            os.kill(container["State"]["Pid"], signal.SIGKILL)
        store.update(container["Name"], lambda _: {"Status": "stopping"})
    return 0


def rm(store: Store, *wanted: str) -> int:
    worst = 0
    for word in wanted:
        container = store.find(word)
        if container is None:
            print(f"Error: no container with name or ID {word!r} found", file=sys.stderr)
            worst = max(worst, 1)
        elif container["State"]["Status"] == "running":
            print(f"Error: cannot remove container {word} as it is running", file=sys.stderr)
            worst = 2
        else:
            store.path(container["Name"]).unlink()
            print(word)
    return worst


def image(store: Store, *words: str) -> int:
    name = words[-1]
    if name != name.lower() or " " in name:
        raise Fault("inspecting object: invalid reference format")
    if name not in store.images():
        raise Fault(f"inspecting object: {name}: image not known")
    print(store.images()[name])
    return 0


def pull(store: Store, *words: str) -> int:
    name = words[-1]
    images = store.images() | {name: hashlib.sha256(name.encode()).hexdigest()}
    (store.folder / "images.json").write_text(json.dumps(images))
    print(images[name])
    return 0


def moment() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
