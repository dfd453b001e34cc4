"""What is not a race: how long commands take to start, a large spec, and where the time goes.

CPU is what the kernel counted: for the controller its rusage, for the shim /proc, where the steps
that it reaped are counted too. A run of one step is subtracted, so that start-up doesn't count.
"""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import summary
from benchmarks.ours import CHAIN, TREADLE, Run, Treadle, write_json, write_pool, write_spec
from benchmarks.rivals import timed
from benchmarks.shapes import Shape, chain, chains, fan, layers, scattered
from controller.log.reader import Tail
from controller.model.events import AnyEvent, AttemptStarted, GenerationAccepted

ONE = chain(1)


def startup(folder: Path, rounds: int) -> Iterator[str]:
    """Whole commands in units of `python -c pass`: the best of each, all taken in turns.

    The unit is that of this .venv, whose editable install and coverage hook take most of its time.
    Where treadle is installed as users do, python starts in a third of it, and the ratios are
    about three times as large; so the milliseconds stand beside them.
    """
    state, spec = Treadle(folder).run(ONE, "command", 1).state, folder / "bench.yaml"
    goals = {"run": "5", "get": "4", "--help": "3"}
    best: dict[str, float] = {}
    for lap in range(rounds):
        fresh = folder / f"startup-{lap}"
        commands = {
            "": [sys.executable, "-c", "pass"],
            "run": [str(TREADLE), "run", "--state", str(fresh), str(spec)],
            "get": [str(TREADLE), "get", "--state", str(state)],
            "--help": [str(TREADLE), "--help"],
            "version": [str(TREADLE), "version"],
            "validate": [str(TREADLE), "validate", str(spec)],
        }
        for name, words in commands.items():
            best[name] = min(timed(words), best.get(name, 1e9))
    unit = best.pop("")
    for name, seconds in best.items():
        goal = f" (goal: {goals[name]})" if name in goals else ""
        in_ms = f"{seconds * 1000:.0f} ms"
        yield f"  treadle {name:<10}{in_ms:>7}, {seconds / unit:.1f} x python -c pass{goal}"
    yield f"  python -c pass    {f'{unit * 1000:.0f} ms':>7}"


def data(folder: Path, rounds: int) -> Iterator[str]:
    """What it costs that each step reads a param and an output: with and without, in turns."""
    treadle, shape = Treadle(folder), fan(1000)
    ratios, whole = [], []
    for _ in range(rounds):
        plain, reads = (treadle.run(shape, form, 2) for form in ("command", "data"))
        ratios.append(plain.steady / reads.steady)
        whole.append(plain.wall / reads.wall)
    yield f"  rate, steady     {summary(ratios)} x that of plain steps (goal: 0.8)"
    yield f"  rate, in all     {summary(whole)} x"


def children(folder: Path, rounds: int) -> Iterator[str]:
    """10,000 children of one step beside 10,000 plain steps, in turns."""
    treadle, shape = Treadle(folder), fan(9_998)  # 10,000 steps in all
    ratios, firsts, peaks = [], [], []
    for _ in range(rounds):
        plain, many = (treadle.run(shape, form, 2) for form in ("command", "children"))
        ratios.append(plain.steady / many.steady)
        firsts.append(many.moment("AttemptStarted") - many.moment("StepExpanded"))
        peaks.append(_peak(many))
    yield f"  rate, steady     {summary(ratios)} x that of plain steps (goal: 0.9)"
    yield f"  expanded to first start  {summary(firsts)} s (goal: 1)"
    yield f"  controller's peak        {summary(peaks, '{:.0f}')} MiB"


def templates(folder: Path, rounds: int) -> Iterator[str]:
    """10,000 steps of a template that is called for 2,500 items, beside as many plain steps."""
    treadle, shape = Treadle(folder), chains(2_500, CHAIN)
    ratios, firsts, peaks = [], [], []
    for _ in range(rounds):
        plain, pieces = (treadle.run(shape, form, 2) for form in ("command", "templates"))
        ratios.append(plain.wall / pieces.wall)
        firsts.append(pieces.moment("AttemptStarted") - pieces.moment("StepExpanded"))
        peaks.append(_peak(pieces))
    yield f"  speed, in all    {summary(ratios)} x that of plain steps"
    yield f"  expanded to first start  {summary(firsts)} s"
    yield f"  controller's peak        {summary(peaks, '{:.0f}')} MiB"


def pools(folder: Path, rounds: int) -> Iterator[str]:
    """Each step uses a pool with slots for all, or one with two; beside those that use none."""
    treadle, shape, homes = Treadle(folder), fan(1000), {}
    for name, slots in (("none", 0), ("large", 1_000_000), ("small", 2)):
        homes[name] = folder / f"specs-{name}"
        homes[name].mkdir()
        write_json(homes[name] / "bench.json", shape, uses=["shared"] if slots else [])
        if slots:
            write_pool(homes[name] / "pool.json", "shared", slots)
    ratios: dict[str, list[float]] = {"large": [], "small": []}
    for _ in range(rounds):
        plain = treadle.up(homes["none"], 2)
        for name, found in ratios.items():
            found.append(plain.steady / treadle.up(homes[name], 2).steady)
    for name, found in ratios.items():
        yield f"  rate, steady, a {name} pool   {summary(found)} x that of plain steps"


def large(folder: Path) -> Iterator[str]:
    """A spec of 10,000 steps: does it feel immediate?"""
    shape = layers(100, 100, 3)
    validate = timed([str(TREADLE), "validate", str(write_spec(folder, shape, "command"))])
    begun = time.time()
    treadle = Treadle(folder)
    run = treadle.run(shape, "command", 2)
    small = treadle.run(ONE, "command", 2)
    first = run.moment("AttemptStarted")
    yield f"  validate                     {validate:.2f} s"
    yield f"  command to first start       {first - begun:.2f} s"
    yield f"  accepted to first start      {first - run.moment('GenerationAccepted'):.2f} s"
    yield f"  all of it                    {run.wall:.2f} s, {len(shape) / run.wall:,.0f} steps/s"
    yield f"  controller's peak            {_peak(run):.0f} MiB (one step: {_peak(small):.0f} MiB)"
    yield f"  shim's peak                  {_shim_peak(run):.0f} MiB"


def huge(folder: Path) -> Iterator[str]:
    """A spec of 100,000 steps, a JSON file of 9 MB: is it still bearable?"""
    shape = scattered(100_000, 1_000, 3)
    specs, state = folder / "huge", folder / "huge-state"
    where = ("--specs", str(specs), "--state", str(state))
    sized = ("--max-spec-size", "64M")
    middle, last = f"s{len(shape) // 2}", f"s{len(shape) - 1}"
    specs.mkdir()
    write_json(specs / "bench.json", shape)
    yield f"  {'validate':<28} {_spent(('validate', str(specs), *sized))}"
    began = _until(AttemptStarted, state, ("up", *where, *sized))
    yield f"  {'up, to the first start':<28} {began} (goal: 8)"
    yield f"  {'get':<28} {_spent(('get', *where))} (goal: 3)"
    yield f"  {'status NAME':<28} {_spent(('status', 'bench', *where))} (goal: 4)"
    yield f"  {'explain NAME STEP':<28} {_spent(('explain', 'bench', last, *where))} (goal: 3)"
    yield f"  {'explain NAME':<28} {_spent(('explain', 'bench', *where))}"
    write_json(specs / "bench.json", shape, changed=middle)
    yield f"  {'diff, one step changed':<28} {_spent(('diff', *where, *sized))}"
    began = _until(GenerationAccepted, state, ("up", *where, *sized))
    yield f"  {'up, to the edit accepted':<28} {began}"
    between = ("diff", "bench", "--from", "1", *where)
    yield f"  {'diff NAME --from 1':<28} {_spent(between)} (goal: 3)"


def _spent(words: Sequence[str]) -> str:
    """Seconds of one command, and of its CPU: what it takes where nobody else is busy."""
    begun = time.perf_counter()
    process = subprocess.Popen([str(TREADLE), *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode in (0, 1), words  # `diff` found a difference
    return _seconds(time.perf_counter() - begun, used)


def _until(kind: type[AnyEvent], state: Path, words: Sequence[str]) -> str:
    """Seconds until a new controller has recorded such an event; then it is stopped."""
    tail = Tail(str(state))
    tail.poll()
    begun = time.time()
    process = subprocess.Popen([str(TREADLE), *words], stdout=subprocess.DEVNULL)
    while not (found := [one for one in tail.news() if isinstance(one.event, kind)]):
        time.sleep(0.1)
    process.terminate()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return _seconds(found[0].time / 1e6 - begun, used)


def _seconds(wall: float, used: resource.struct_rusage) -> str:
    return f"{wall:5.1f} s, {used.ru_utime + used.ru_stime:.1f} of CPU"


def _peak(run: Run) -> float:
    return run.used.ru_maxrss / 1024


def _shim_peak(run: Run) -> float:
    status = Path(f"/proc/{run.shim().pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


class Cost(NamedTuple):
    """Seconds of one run."""

    wall: float
    controller: float
    shim: float
    steps: float

    @classmethod
    def of(cls, run: Run) -> "Cost":
        times = run.shim().cpu_times()
        return cls(
            wall=run.wall,
            controller=run.used.ru_utime + run.used.ru_stime,
            shim=times.user + times.system,
            steps=times.children_user + times.children_system,
        )


def breakdown(folder: Path, shape: Shape, form: str, jobs: int) -> Iterator[str]:
    """Microseconds a step: of whose CPU, and of the disk."""
    treadle = Treadle(folder)
    start = Cost.of(treadle.run(ONE, form, jobs))
    run = treadle.run(shape, form, jobs)
    whole = Cost.of(run)
    unit = 1e6 / (len(shape) - 1)
    parts = {
        name: unit * (after - before)
        for name, after, before in zip(Cost._fields, whole, start, strict=True)
    }
    turns, size = _turns(run)
    parts["fdatasync"] = unit * turns * _sync_seconds(folder, size // turns)
    for name, micros in parts.items():
        yield f"  {name:<12}{micros:>8,.0f} µs a step   {micros / parts['wall']:.2f} x wall"
    yield f"  {len(shape) / turns:.1f} steps a turn, {size / len(shape):,.0f} bytes of log each"
    yield f"  start-up: {start.wall:.2f} s, of that {start.controller:.2f} s the controller's CPU"


def _turns(run: Run) -> tuple[int, int]:
    """Turns that wrote, each with one fdatasync, and the bytes of the log."""
    size = sum(segment.stat().st_size for segment in (run.state / "log").glob("*.jsonl"))
    return len({record["turn"] for record in run.records()}), size


def _sync_seconds(folder: Path, block: int, times: int = 300) -> float:
    """What one append of that size and its fdatasync take on this disk."""
    file = os.open(folder / "sync", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    data = bytes(block)
    begun = time.perf_counter()
    for _ in range(times):
        os.write(file, data)
        os.fdatasync(file)
    spent = time.perf_counter() - begun
    os.close(file)
    return spent / times
