"""A real Slurm on loopback, without systemd, in one folder; and a controller beside it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import loaded
import psutil

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "scancel")
NODES, CPUS = 3, 4  # the last node sees no shared folder, where that can be arranged
SECONDS = 120.0  # for what takes a moment on an idle machine
TREADLE = Path(sys.executable).with_name("treadle")

CONF = """
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={dir}/run/munge.sock
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={dir}/state
SlurmdSpoolDir={dir}/spool/%n
SlurmctldPidFile={dir}/run/slurmctld.pid
SlurmdPidFile={dir}/run/slurmd-%n.pid
SlurmctldLogFile={dir}/log/slurmctld.log
SlurmdLogFile={dir}/log/slurmd-%n.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,bf_interval=1,default_queue_depth=1000
MaxJobCount=20000
MinJobAge=300
KillWait=5
SlurmdTimeout=10
SlurmctldTimeout=10
InactiveLimit=0
ReturnToService=2
JobRequeue=1
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
NodeName=DEFAULT CPUs={cpus} RealMemory=2000
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}]
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
PartitionName=apart Nodes=n3 MaxTime=INFINITE State=UP
"""


def why_not() -> str:
    """Why there can be no cluster here; "" if there can."""
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        return f"{', '.join(missing)} not installed (Debian: slurm-wlm, munge)"
    if os.geteuid() != 0:
        return "slurmd needs root to run a job in the environment of its user"
    return ""


def eventually(done: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


class Lab:
    """munged, slurmctld and a slurmd for each node."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shared = folder / "shared"  # what the last node does not see
        for name in ("state", "log", "run", "spool", "shared"):
            (folder / name).mkdir(parents=True)
        folder.chmod(0o755)
        self.env = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self.host = socket.gethostname().partition(".")[0]

    def up(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o600)
        run, log = self.folder / "run", self.folder / "log"
        self._start(
            "munged",
            "--force",
            f"--key-file={key}",
            f"--socket={run}/munge.sock",
            f"--pid-file={run}/munged.pid",
            f"--log-file={log}/munged.log",
            f"--seed-file={run}/munge.seed",
        )
        ports = _free_ports(NODES + 1)
        text = CONF.format(
            host=self.host,
            port=ports,
            dir=self.folder,
            user="root",
            nodes=NODES,
            first=ports + 1,
            last=ports + NODES,
            cpus=CPUS,
        )
        (self.folder / "slurm.conf").write_text(text)
        self.start_controller("-c")
        for number in range(1, NODES + 1):
            self.start_node(number)
        eventually(lambda: self.said("sinfo", "-hNo", "%t").split().count("idle") >= 2, "two nodes")

    def start_controller(self, *options: str) -> None:
        self._start("slurmctld", *options, "-f", self.env["SLURM_CONF"])

    def start_node(self, number: int) -> None:
        (self.folder / f"spool/n{number}").mkdir(exist_ok=True)
        argv = ["slurmd", "-N", f"n{number}", "-f", self.env["SLURM_CONF"]]
        if number == NODES:  # with another folder in the place of the shared one
            script = f'mount -t tmpfs none "{self.shared}" && exec "$@"'
            argv = ["unshare", "-m", "--propagation=private", "sh", "-c", script, "sh", *argv]
            with suppress(subprocess.CalledProcessError):
                self._start(*argv)
        else:
            self._start(*argv)

    @property
    def has_a_node_apart(self) -> bool:
        return "idle" in self.said("sinfo", "-hNo", "%t", "-n", f"n{NODES}")

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """A daemon, by its pid file."""
        path = self.folder / f"run/{name}.pid"
        with suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
            process = psutil.Process(int(path.read_text()))
            process.send_signal(number)
            with suppress(psutil.TimeoutExpired):
                process.wait(20)
            process.kill()

    def kill_node(self, number: int) -> None:
        """As a power cut does: with all that it runs."""
        self.stop(f"slurmd-n{number}", signal.SIGKILL)
        jobs = self.said("squeue", "-hw", f"n{number}", "-o", "%A").split()
        steps = tuple(f"slurmstepd: [{job}." for job in jobs)
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if self._runs_on(process, number) or " ".join(process.cmdline()).startswith(steps):
                    process.kill()

    def _runs_on(self, process: psutil.Process, number: int) -> bool:
        env = process.environ()
        here = env.get("SLURM_CONF") == self.env["SLURM_CONF"]
        return here and env.get("SLURMD_NODENAME") == f"n{number}"

    def down(self) -> None:
        with suppress(AssertionError):
            self.said("scancel", "--user=root")
        for number in range(1, NODES + 1):
            self.stop(f"slurmd-n{number}")
        for name in ("slurmctld", "munged"):
            self.stop(name)

    def said(self, *argv: str) -> str:
        found = subprocess.run(
            argv, env=self.env, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert found.returncode == 0, (argv, found.stderr)
        return found.stdout

    def jobs(self) -> dict[str, str]:
        """The state of each job that treadle has made, by its name."""
        lines = self.said("squeue", "-ht", "all", "-o", "%j %T").splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if line.startswith("treadle-"))

    def numbers(self, state: str) -> list[str]:
        return self.said("squeue", "-ht", state, "-o", "%A").split()

    def _start(self, *argv: str) -> None:
        subprocess.run(argv, env=self.env, check=True, timeout=SECONDS, capture_output=True)


class Place:
    """A specs folder, its state, and a controller that can be killed."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder = folder
        self.lab = lab
        self.shared = lab.shared / folder.name
        self.programs = folder / "bin"
        self.specs = folder / "specs"
        for path in (self.programs, self.specs):
            path.mkdir(parents=True)
        self.env = {
            **lab.env,
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "RUNS": str(folder / "runs"),
        }
        self.state = ["--state", str(folder / "state")]
        self.controllers: list[subprocess.Popen[bytes]] = []

    def write(self, name: str, steps: list[dict[str, Any]], **spec: Any) -> None:
        """A workflow; `$RUNS` gets a line for each run of a step that says `note`."""
        (self.folder / "runs").touch()
        document = {
            "apiVersion": "treadle.dev/v1",
            "kind": "Workflow",
            "metadata": {"name": name},
            "spec": {
                "executor": {"slurm": {"sharedDir": str(self.shared)}},
                "env": {"RUNS": self.env["RUNS"]},
                "steps": steps,
                **spec,
            },
        }
        new = self.specs / f".{name}"
        new.write_text(json.dumps(document))
        new.rename(self.specs / f"{name}.yaml")

    def up(self, *options: str) -> subprocess.Popen[bytes]:
        with (self.folder / "up.log").open("ab") as log:
            argv = [str(TREADLE), "up", "--specs", str(self.specs), *self.state, *options]
            controller = subprocess.Popen(argv, env=self.env, stdout=log, stderr=log)
        self.controllers.append(controller)
        return controller

    def say(self, *argv: str) -> str:
        found = loaded.run([*argv, *self.state], self.folder, **self.env)
        return found.stdout + found.stderr

    def status(self, name: str) -> Any:
        said = self.say("status", name, "-o", "json")
        try:
            return json.loads(said)["status"]
        except ValueError:
            return {"phase": "", "steps": [], "said": said}

    def step(self, workflow: str, step: str) -> dict[str, Any]:
        for found in self.status(workflow)["steps"]:
            if found["name"] == step:
                return found
        return {"phase": "", "message": ""}

    def until(self, workflow: str, *phases: str, seconds: float = SECONDS) -> Any:
        found: Any = {}

        def there() -> bool:
            found.update(self.status(workflow))
            return found.get("phase") in phases

        eventually(there, f"{workflow} is {phases}", seconds)
        return found

    def until_step(self, workflow: str, step: str, *phases: str) -> dict[str, Any]:
        eventually(lambda: self.step(workflow, step)["phase"] in phases, f"{step} is {phases}")
        return self.step(workflow, step)

    def runs(self) -> list[str]:
        """A line for each run of a step."""
        path = self.folder / "runs"
        return path.read_text().splitlines() if path.exists() else []

    def wrap(self, program: str, before: str = "", after: str = "") -> None:
        """Do something once when treadle asks the program: before it, or after it.

        `kill` kills the controller that asks.
        """
        once = self.programs / f"{program}.once"
        once.touch()
        kill = "kill -9 $PPID; sleep 1"
        script = (
            f"#!/bin/bash\nreal=$(PATH=${{PATH#*:}} command -v {program})\n"
            f'[ -e "{once}" ] || exec "$real" "$@"\n'
            f'kill_it() {{ rm "{once}"; {kill}; }}\n'
            f"{before}\n"
            f'"$real" "$@"\ncode=$?\n'
            f"{after}\nexit $code\n"
        )
        path = self.programs / program
        path.write_text(script)
        path.chmod(0o755)

    def close(self) -> None:
        """Nothing of it runs when the next test begins."""
        for controller in self.controllers:
            controller.kill()
            controller.wait(20)
        self.lab.said("scancel", "--user=root")
        eventually(lambda: not self.lab.numbers("RUNNING,PENDING,COMPLETING"), "no job is left")


def _free_ports(count: int) -> int:
    """The first of so many in a row."""
    for first in range(20_000 + os.getpid() % 10_000, 60_000, count):
        taken = []
        try:
            for port in range(first, first + count):
                taken.append(socket.socket())
                taken[-1].bind(("127.0.0.1", port))
        except OSError:
            continue
        else:
            return first
        finally:
            for held in taken:
                held.close()
    raise AssertionError("no ports are free")


NOTE = 'echo "$TREADLE_STEP $TREADLE_ATTEMPT" >> "$RUNS"'
