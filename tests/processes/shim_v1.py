"""A shim of protocol 1, kept as it speaks: `shim_v1.py STATE`. Never change it.

As small as the protocol allows: one slot after the other is no matter to it, and it keeps no
journal. Newer controllers are tested against it.
"""

import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress


def now() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def main(state: str) -> None:
    os.chdir(state)
    os.makedirs("shim", exist_ok=True)
    lock = os.open("shim/lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("shim/socket")
    listener.listen()
    print("ready", flush=True)
    hasten = []
    signal.signal(signal.SIGTERM, lambda *_: hasten.append(1))
    running: dict[int, str] = {}
    notes: dict[str, list] = {}
    listener.settimeout(0.01)
    while running or not hasten:
        with suppress(TimeoutError, ConnectionError):
            controller, _ = listener.accept()
            with controller:
                serve(controller, running, notes)


def serve(controller: socket.socket, running: dict[int, str], notes: dict[str, list]) -> None:
    received = b""

    def tell(*messages: list) -> None:
        controller.sendall(json.dumps(messages).encode() + b"\n")

    def note(message: list) -> None:
        notes.setdefault(message[1], []).append(message)
        tell(message)

    while True:
        if select.select([controller], [], [], 0.005)[0]:
            data = controller.recv(1 << 16)
            if not data:
                return
            *lines, received = (received + data).split(b"\n")
            for verb, *rest in [message for line in lines for message in json.loads(line)]:
                if verb == "hello":
                    known = [each for told in notes.values() for each in told]
                    tell(["hello", {"protocol": 1, "pid": os.getpid()}], *known, ["told"])
                elif verb == "start" and rest[0] not in notes:
                    attempt, _mark, argv, env, folder, log, _leave = rest
                    os.makedirs(os.path.dirname(log), exist_ok=True)
                    pid = spawn(argv, env, folder, log)
                    running[pid] = attempt
                    note(["started", attempt, pid, start_of(pid), now()])
                elif verb == "forget":
                    for attempt in rest:
                        notes.pop(attempt, None)
        pid, status = os.waitpid(-1, os.WNOHANG) if running else (0, 0)
        if pid:
            note(["exited", running.pop(pid), status, now(), 1000, 0, False])


def spawn(argv: list, env: dict, folder: str, log: str) -> int:
    pid = os.fork()
    if pid == 0:
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.chdir(folder)
        os.execvpe(argv[0], argv, {**os.environ, **env})
    return pid


def start_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[19])


if __name__ == "__main__":
    main(sys.argv[1])
