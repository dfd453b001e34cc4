"""What a commit would do, told before it is made; and what git does to a folder of specs."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.place import HELD, TREADLE, Place, document

HOOK = Path(__file__).parents[2] / "examples/git-hook/pre-commit"


GIT = ["git", "-c", "user.name=n", "-c", "user.email=n@example.org"]


def git(place: Place, *words: str) -> str:
    done = subprocess.run([*GIT, *words], cwd=place.root, capture_output=True, check=True)
    return done.stdout.decode()


@pytest.fixture
def repository(place: Place) -> Place:
    git(place, "init", "-q", "-b", "main")
    (place.root / ".gitignore").write_text(".treadle\ngo\n")
    return place


def commit(place: Place, message: str) -> None:
    git(place, "add", "-A")
    git(place, "commit", "-q", "-m", message)


def told(place: Place, *words: str, code: int = 1) -> dict[str, dict[str, str]]:
    lines = place.says("diff", *words, "-o", "json", code=code).splitlines()
    return {
        one["workflow"]: {step["name"]: step["action"] for step in one["steps"]}
        for one in map(json.loads, lines)
    }


def test_what_is_staged_and_what_a_revision_has(repository: Place) -> None:
    place = repository
    place.spec("w", a="echo 1", b="echo 2")
    place.spec("gone", a="true")
    commit(place, "one")
    place.says("up", "--once")
    place.spec("w", a="echo 1", b="echo two")
    (place.specs / "gone.yaml").unlink()
    git(place, "add", "-A")
    place.spec("w", a="echo not staged", b="echo two")
    place.spec("untracked", a="true")
    assert told(place, "--staged") == {"gone": {"a": "remove"}, "w": {"a": "keep", "b": "run"}}
    assert told(place, "--rev", "main", code=0) == {
        "gone": {"a": "keep"},
        "w": {"a": "keep", "b": "keep"},
    }
    assert "git knows no" in place.complains("diff", "--rev", "nope", code=2)
    assert git(place, "status", "--short").count("\n") == 3


def test_attributes_hide_nothing_and_a_conflict_is_no_deletion(repository: Place) -> None:
    place = repository
    place.spec("w", a="echo 1")
    (place.root / ".gitattributes").write_text("w.yaml export-ignore\n")
    commit(place, "one")
    place.says("up", "--once")
    assert told(place, "--rev", "HEAD", code=0) == {"w": {"a": "keep"}}
    git(place, "checkout", "-q", "-b", "other")
    place.spec("w", a="echo other")
    commit(place, "two")
    git(place, "checkout", "-q", "main")
    place.spec("w", a="echo main")
    commit(place, "three")
    subprocess.run([*GIT, "merge", "other"], cwd=place.root, capture_output=True, check=False)
    assert "unmerged" in place.complains("diff", "--staged", code=2)


RUNS = "#!/bin/sh\necho ran >> {ran}\ncat\n"


def test_nothing_runs_that_a_repository_brings_along(repository: Place) -> None:
    place, ran = repository, repository.root / "ran"
    place.spec("w", a="echo 1")
    (place.root / ".gitattributes").write_text("*.yaml filter=evil\n")
    commit(place, "one")
    place.says("up", "--once")
    program = place.root / "program"
    program.write_text(RUNS.format(ran=ran))
    program.chmod(0o755)
    for hook in ("post-index-change", "post-checkout", "fsmonitor-watchman"):
        shutil.copy(program, place.root / ".git/hooks" / hook)
    for name in ("core.fsmonitor", "filter.evil.smudge", "filter.evil.process", "core.pager"):
        git(place, "config", name, str(program))
    assert told(place, "--rev", "HEAD", code=0) == {"w": {"a": "keep"}}
    assert told(place, "--staged", code=0) == {"w": {"a": "keep"}}
    assert not ran.exists()


def test_links_of_a_revision_lead_nowhere_else(repository: Place) -> None:
    """The folder itself as a link counts as none; a link in it is followed inside of it."""
    place = repository
    elsewhere = place.root / "elsewhere"
    elsewhere.mkdir()
    place.spec("w", a="echo 1")
    (place.specs / "out.yaml").symlink_to("/etc/hostname")
    (place.specs / "in.yaml").symlink_to("w.yaml")
    commit(place, "links")
    place.says("up", "--once", code=2)
    assert "leaves the folder" in place.complains("diff", "--rev", "HEAD", code=2)
    shutil.copy(place.specs / "w.yaml", elsewhere)
    shutil.rmtree(place.specs)
    place.specs.symlink_to("elsewhere")
    commit(place, "the folder is a link")
    place.specs.unlink()
    assert "git has no specs there" in place.treadle("diff", "--rev", "HEAD").stderr.decode()


def test_the_repository_itself_can_be_the_folder(repository: Place) -> None:
    place = repository
    place.spec("w", a="echo 1")
    place.says("up", "--once")
    git(place, "init", "-q", str(place.specs))
    subprocess.run([*GIT, "add", "w.yaml"], cwd=place.specs, check=True)
    subprocess.run([*GIT, "commit", "-q", "-m", "one"], cwd=place.specs, check=True)
    place.spec("w", a="echo 2")
    assert told(place, "--rev", "HEAD", code=0) == {"w": {"a": "keep"}}
    assert told(place, "--staged", code=0) == {"w": {"a": "keep"}}


def test_what_does_not_go_together_is_refused(repository: Place) -> None:
    place = repository
    place.spec("w", a="echo 1")
    commit(place, "one")
    place.says("up", "--once")
    for words in (("--rev", "HEAD", "specs/w.yaml"), ("--staged", "w", "--from", "1")):
        assert "leave out the rest" in place.complains("diff", *words, code=2)
    assert place.complains("diff", "--rev", "", code=2)


def test_outside_a_repository_it_says_so(place: Place) -> None:
    assert "specs: is not in a git repository" in place.complains("diff", "--staged", code=2)


@pytest.fixture
def clone(repository: Place) -> Path:
    """A clone with the hook; the controller runs what its origin has."""
    place = repository
    shutil.copy(HOOK.with_name("nightly.yaml"), place.specs)
    commit(place, "one")
    place.says("up", "--once")
    git(place, "clone", "-q", ".", "clone")
    hook = place.root / "clone/.git/hooks/pre-commit"
    hook.write_bytes(HOOK.read_bytes())
    hook.chmod(0o755)
    return place.root / "clone"


def try_commit(clone: Path, change: Callable[[str], str]) -> subprocess.CompletedProcess[str]:
    """Commit this change of the spec, as the hook allows it."""
    spec = clone / "specs/nightly.yaml"
    spec.write_text(change(spec.read_text()))
    return subprocess.run(
        [*GIT, "commit", "-qam", "two"],
        cwd=clone,
        env={"PATH": f"{TREADLE.parent}:/usr/bin:/bin", "HOME": str(clone.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


def faster(spec: str) -> str:
    return spec.replace("echo loading", "echo loading faster")


def misspelt(spec: str) -> str:
    return spec.replace("[load]", "[laod]")


def test_the_hook_shows_the_plan_of_a_commit(clone: Path) -> None:
    git_config = ["git", "config", "treadle.state", "~/.treadle"]
    subprocess.run(git_config, cwd=clone, check=True)
    done = try_commit(clone, faster)
    assert done.returncode == 0, done.stderr
    assert f"compared with {clone.parent}/specs" in done.stderr
    assert "Plan: 2 run again, 1 keeps its result" in done.stderr


def test_without_a_state_the_hook_has_nothing_to_compare_with(clone: Path) -> None:
    done = try_commit(clone, faster)
    assert done.returncode == 0, done.stderr
    assert "Plan: 3 are new" in done.stderr


def test_in_the_watched_folder_the_edit_is_in_force_before_the_commit(clone: Path) -> None:
    watched = clone.parent
    shutil.copy(clone / ".git/hooks/pre-commit", watched / ".git/hooks/pre-commit")
    spec = watched / "specs/nightly.yaml"
    spec.write_text(faster(spec.read_text()))
    subprocess.run([TREADLE, "up", "--once"], cwd=watched, capture_output=True, check=True)
    done = try_commit(watched, str)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("state", ["~/.treadle", "~/none"])
def test_the_hook_refuses_invalid_specs(clone: Path, state: str) -> None:
    subprocess.run(["git", "config", "treadle.state", state], cwd=clone, check=True)
    done = try_commit(clone, misspelt)
    assert done.returncode != 0
    assert 'did you mean "load"?' in done.stderr


def test_a_commit_that_takes_the_whole_folder_away_is_told_as_that(repository: Place) -> None:
    """The controller holds what is in force then; to refuse the commit would be wrong."""
    place = repository
    place.spec("w", a="echo 1")
    commit(place, "one")
    place.says("up", "--once")
    git(place, "rm", "-qr", "specs")
    done = place.treadle("diff", "--staged", code=0)
    assert b"git has no specs there; until that changes" in done.stderr
    assert told(place, "--rev", "HEAD", code=0) == {"w": {"a": "keep"}}


def test_a_checkout_between_branches_runs_only_what_differs(repository: Place) -> None:
    """git deletes and makes anew every file; nothing may be cancelled by that."""
    place, count = repository, 500
    for number in range(count):
        place.spec(f"w{number}", a="echo $TREADLE_WORKFLOW >> ../ledger")
    (place.root / ".gitignore").write_text(".treadle\ngo\nledger\n")
    commit(place, "one")
    git(place, "checkout", "-q", "-b", "other")
    for number in range(count):  # of most only the layout
        text = document(f"w{number}", a="echo $TREADLE_WORKFLOW >> ../ledger")
        (place.specs / f"w{number}.yaml").write_text(f"# another layout\n{text}\n")
    place.spec("w7", a="echo $TREADLE_WORKFLOW seven >> ../ledger")
    commit(place, "two")
    git(place, "checkout", "-q", "main")
    place.spec("held", a=HELD)
    ledger = place.root / "ledger"
    with place.up():
        place.until(lambda: ledger.exists() and ledger.read_text().count("\n") == count)
        place.until(lambda: place.phase("held") == "Running")
        git(place, "checkout", "-q", "other")
        place.until(lambda: "w7 seven" in ledger.read_text())
        git(place, "stash", "-q", "--include-untracked")
        git(place, "stash", "pop", "-q")
        git(place, "checkout", "-q", "main")
        place.until(lambda: place.folded().workflows["w7"].generation == 3)
        place.until(lambda: place.phase("w7") == "Succeeded")
        state = place.folded()
        assert str(state.workflows["held"].steps["a"].phase) == "Running"
        assert len(state.workflows["held"].steps["a"].attempts) == 1
    lines = sorted(ledger.read_text().splitlines())
    assert len(lines) == count + 2, "w7 ran for each branch, all others once"
    assert len(state.lives) == count + 1, "no life ended"
