"""A whole controller, and people who edit what it drives: as fast, and how, they like."""

import contextlib
import json
import os
import pty
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.place import HELD, Place, document

from controller.log.reader import read
from controller.model.events import AttemptScheduled, CancelAccepted, GenerationAccepted

# Says which text it has, and takes its time to go: edits come faster than it can be ended.
STUBBORN = "echo {version} >> ledger; trap '' TERM; until [ -e go ]; do sleep 0.02; done"


def stubborn(place: Place, version: object) -> None:
    spec = json.loads(document("w", first="true", b=STUBBORN.format(version=version), last="true"))
    spec["spec"]["defaults"] = {"terminationGracePeriodSeconds": 1.2}
    draft = place.root / "draft"
    draft.write_text(json.dumps(spec))
    draft.rename(place.specs / "w.yaml")


def ledger(place: Place) -> list[str]:
    path = place.specs / "ledger"
    return path.read_text().split() if path.exists() else []


def attempts(place: Place, name: str = "w") -> dict[str, int]:
    return {step.name: step.numbered for step in place.folded().workflows[name].steps.values()}


@pytest.mark.parametrize("killed", [False, True], ids=["", "killed in the middle"])
def test_of_ten_edits_in_a_second_only_the_last_runs(place: Place, killed: bool) -> None:
    stubborn(place, 0)
    with place.up() as controller:
        place.until(lambda: ledger(place) == ["0"])
        for number in range(1, 11):
            stubborn(place, number)
            time.sleep(0.08)  # people who type
        place.until(lambda: place.folded().workflows["w"].generation > 1)
        if killed:
            controller.kill()
            controller.wait()
    if killed:
        with place.up():
            place.until(lambda: ledger(place) == ["0", "10"])
            (place.specs / "go").touch()
            place.until(lambda: place.phase("w") == "Succeeded")
    else:
        assert ledger(place)[:1] == ["0"]
        with place.up():
            place.until(lambda: ledger(place) == ["0", "10"])
            (place.specs / "go").touch()
            place.until(lambda: place.phase("w") == "Succeeded")
    assert ledger(place) == ["0", "10"]
    assert attempts(place) == {"first": 1, "b": 2, "last": 1}


def test_an_edit_that_is_taken_back_before_it_started_costs_nothing(place: Place) -> None:
    place.spec("w", a="echo a >> ledger", b=HELD, c="echo c >> ledger")
    before = (place.specs / "w.yaml").read_text()
    with place.up():
        place.until(lambda: place.phase("w") == "Running" and attempts(place)["b"] == 1)
        (place.specs / "w.yaml").write_text(before.replace("echo c", "echo C"))
        place.until(lambda: place.folded().workflows["w"].generation == 2)
        (place.specs / "w.yaml").write_text(before)
        place.until(lambda: place.folded().workflows["w"].generation == 3)
        (place.specs / "go").touch()
        place.until(lambda: place.phase("w") == "Succeeded")
    assert ledger(place) == ["a", "c"]
    assert attempts(place) == {"a": 1, "b": 1, "c": 1}


def test_a_repair_of_policy_goes_on_from_where_it_failed(place: Place) -> None:
    slow = "echo b >> ledger; sleep 0.5"
    spec = json.loads(document("w", a="echo a >> ledger", b=slow, c="true"))
    spec["spec"]["steps"][1]["timeoutSeconds"] = 0.1
    (place.specs / "w.yaml").write_text(json.dumps(spec))
    place.treadle("up", "--once", code=1)
    spec["spec"]["steps"][1]["timeoutSeconds"] = 20
    (place.specs / "w.yaml").write_text(json.dumps(spec))
    place.says("up", "--once")
    assert ledger(place) == ["a", "b", "b"]
    assert attempts(place) == {"a": 1, "b": 2, "c": 1}


# ---------------------------------------- gestures


def rename(place: Place) -> None:
    (place.specs / "one.yaml").rename(place.specs / "renamed.yaml")


def move(place: Place) -> None:
    (place.specs / "sub").mkdir()
    (place.specs / "go").touch(exist_ok=False)
    (place.specs / "go").unlink()
    shutil.move(place.specs / "one.yaml", place.specs / "sub/one.yaml")


def split(place: Place) -> None:
    documents = (place.specs / "both.yaml").read_text().split("---\n")
    (place.specs / "left.yaml").write_text(documents[0])
    (place.specs / "both.yaml").write_text(documents[1])


def merge(place: Place) -> None:
    one, two = (place.specs / f"{name}.yaml" for name in ("one", "two"))
    two.write_text(two.read_text() + "\n---\n" + one.read_text())
    one.unlink()


def swap(place: Place) -> None:
    """The files change their names; each workflow keeps its own."""
    one, two, spare = (place.specs / name for name in ("one.yaml", "two.yaml", ".spare"))
    one.rename(spare)
    two.rename(one)
    spare.rename(two)


def save_by_rename(place: Place) -> None:
    """As vim does: the old one becomes a backup, the new one is written, the backup goes."""
    file, backup = place.specs / "one.yaml", place.specs / "one.yaml~"
    text = file.read_text()
    file.rename(backup)
    file.write_text(text)
    backup.unlink()


def save_in_place(place: Place) -> None:
    """As nano and VS Code do: cut to nothing, then written, here slowly."""
    text = (place.specs / "one.yaml").read_text()
    with (place.specs / "one.yaml").open("w") as file:
        for at in range(0, len(text), 40):
            file.write(text[at : at + 40])
            file.flush()
            time.sleep(0.01)


def synchronise(place: Place) -> None:
    """As rsync does: each file anew beside, then renamed over the old."""
    for file in place.specs.glob("*.yaml"):
        draft = file.with_name(f".{file.name}.Xy12Z3")
        shutil.copy2(file, draft)
        os.utime(draft)
        draft.rename(file)


def program(name: str, *words: str) -> None:
    """The real one, where the machine has it; what it does is imitated above, too."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not on this machine")
    subprocess.run([name, *words], check=True, stdin=subprocess.DEVNULL)


def vim_by_rename(place: Place) -> None:
    vim(place, "no")


def vim_in_place(place: Place) -> None:
    vim(place, "yes")


def vim(place: Place, backupcopy: str) -> None:
    style = ("--cmd", f"set backup backupcopy={backupcopy}")
    program("vim", "-Nes", "-u", "NONE", *style, "-c", "normal! Go# v", "-c", "wq!", one(place))
    assert "# v" in Path(one(place)).read_text()


def nano(place: Place) -> None:
    if shutil.which("nano") is None:
        pytest.skip("nano is not on this machine")
    ours, its = pty.openpty()
    with subprocess.Popen(
        ["nano", "--ignorercfiles", one(place)],
        stdin=its, stdout=its, stderr=its, env={**os.environ, "TERM": "xterm"},
    ) as editor:  # fmt: skip
        os.close(its)
        screen = b""
        while b"Exit" not in screen:
            screen += os.read(ours, 4096)
        os.write(ours, b"# n\r\x0f\r\x18")  # write out, under the same name, exit
        with contextlib.suppress(OSError):
            while os.read(ours, 4096):
                pass
        assert editor.wait(20) == 0
    os.close(ours)
    assert "# n" in Path(one(place)).read_text()


def sed(place: Place) -> None:
    program("sed", "-i", "$a # s", one(place))
    assert "# s" in Path(one(place)).read_text()


def rsync(place: Place) -> None:
    rsynced(place, ())


def rsync_inplace(place: Place) -> None:
    rsynced(place, ("--inplace",))


def rsynced(place: Place, how: tuple[str, ...]) -> None:
    copy = place.root / "copy"
    shutil.copytree(place.specs, copy)
    for file in copy.glob("*.yaml"):
        file.write_text(f"# another layout\n{file.read_text()}")
    program("rsync", "-a", "--delete", *how, f"{copy}/", f"{place.specs}/")
    assert "# another" in Path(one(place)).read_text()


def one(place: Place) -> str:
    return str(place.specs / "one.yaml")


def away_and_back(place: Place) -> None:
    place.specs.rename(place.root / "elsewhere")
    time.sleep(0.3)
    (place.root / "elsewhere").rename(place.specs)


@pytest.mark.parametrize(
    "gesture",
    [
        rename,
        move,
        split,
        merge,
        swap,
        save_by_rename,
        save_in_place,
        synchronise,
        vim_by_rename,
        vim_in_place,
        nano,
        sed,
        rsync,
        rsync_inplace,
        away_and_back,
    ],
    ids=lambda each: each.__name__,
)
def test_no_gesture_cancels_or_runs_anything_again(
    place: Place, gesture: Callable[[Place], None]
) -> None:
    root = place.root
    held = f"echo $TREADLE_WORKFLOW >> {root}/ledger; until [ -e {root}/go ]; do sleep 0.02; done"
    for name in ("one", "two"):
        place.spec(name, a=held)
    both = "\n---\n".join(document(name, a=held) for name in ("three", "four"))
    (place.specs / "both.yaml").write_text(both)
    book = place.root / "ledger"
    # All four run: a queued start may be withdrawn while its spec seems absent.
    with place.up("--max-parallel", "5"):
        place.until(lambda: book.exists() and book.read_text().count("\n") == 4)
        before = len(list(read(str(place.state))))
        gesture(place)
        place.spec("after", a="true")  # once this has run, all of the gesture was seen
        place.until(lambda: "after" in place.folded().workflows)
        time.sleep(1.2)  # the settle time, in which an absence would come to count
        (place.root / "go").touch()
        names = ("one", "two", "three", "four")
        place.until(lambda: all(place.phase(name) == "Succeeded" for name in names))
    news = [record.event for record in list(read(str(place.state)))[before:]]
    assert not [one for one in news if isinstance(one, CancelAccepted)]
    generations = [one.workflow for one in news if isinstance(one, GenerationAccepted)]
    assert generations == ["after"]
    assert sorted(book.read_text().split()) == ["four", "one", "three", "two"]
    assert all(one.attempt == 1 for one in news if isinstance(one, AttemptScheduled))


# ---------------------------------------- the walk of examples/live-edit


def test_the_walk_of_live_edit(place: Place) -> None:
    """As its README tells people to type it, with shorter sleeps."""
    example = Path(__file__).parents[2] / "examples/live-edit"
    shutil.copytree(example, place.root / "examples/live-edit")
    spec = place.root / "examples/live-edit/live-edit.yaml"
    text = spec.read_text().replace("sleep 6", "sleep 1").replace("sleep 3", "sleep 0.5")
    spec.write_text(text)
    blocks = [
        block.partition("```")[0]
        for block in (example / "README.md").read_text().split("```sh\n")[2:]
    ]
    here = {"TREADLE_SPECS": "examples/live-edit", "TREADLE_STATE": ".treadle"}
    commands = iter(blocks)

    def type_in(text: str) -> None:
        lines = [line for line in text.splitlines() if not line.startswith("treadle")]
        subprocess.run(["/bin/sh", "-euc", "\n".join(lines)], cwd=place.root, check=True)

    def phase(step: str) -> str:
        life = place.folded().workflows.get("live-edit")
        return "" if life is None else str(life.steps[step].phase)

    def life_attempts() -> dict[str, int]:
        return attempts(place, "live-edit")

    controller = place.begin("up", more_env=here, stdout=subprocess.DEVNULL)
    place.until(lambda: phase("gather") == "Running")
    type_in(next(commands))  # a step that is still to come
    place.until(lambda: place.folded().workflows["live-edit"].generation == 2)
    place.until(lambda: phase("press") == "Running")
    type_in(next(commands))  # the running one
    place.until(lambda: life_attempts()["press"] == 2)
    place.until(lambda: phase("press") == "Running")
    assert life_attempts()["gather"] == 1
    generation = place.folded().workflows["live-edit"].generation
    type_in(next(commands))  # a comment
    type_in(next(commands))  # broken, and mended
    type_in(next(commands))  # asked beforehand
    controller.kill()
    controller.communicate()
    pid = place.folded().workflows["live-edit"].steps["press"].attempts[-1].pid
    controller = place.begin("up", more_env=here, stdout=subprocess.DEVNULL)
    place.until(lambda: phase("press") in ("Running", "Succeeded"))
    assert place.folded().workflows["live-edit"].steps["press"].attempts[-1].pid == pid
    assert place.folded().workflows["live-edit"].generation == generation
    type_in(next(commands))  # cancelled
    place.until(lambda: place.phase("live-edit") == "Cancelled")
    type_in(next(commands))  # and on
    place.until(lambda: place.phase("live-edit") == "Succeeded")
    assert life_attempts()["gather"] == 1
    controller.terminate()
    assert controller.wait(30) == 0
    controller.communicate()
