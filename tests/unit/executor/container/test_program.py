"""What podman and docker are told, word by word."""

import pytest

from controller.executor.container import program
from controller.executor.container.program import Bind, Variables
from controller.executor.names import Labels
from controller.loop.ports import AttemptId
from controller.spec.placement import NOTHING, InContainer, Needs

PLAIN, NO_VARIABLES = InContainer(), Variables()
LABELS = Labels("folder", AttemptId("uid", "load", 2), 0xABC)


def words(
    program_name: str = "podman",
    argv: tuple[str, ...] = ("sh", "-c", "true"),
    placement: InContainer = PLAIN,
    needs: Needs = NOTHING,
    binds: tuple[Bind, ...] = (),
    variables: Variables = NO_VARIABLES,
) -> list[str]:
    return program.run(
        program_name,
        "treadle-load-abc",
        LABELS,
        "sha256:1",
        argv,
        working_dir="/work",
        placement=placement,
        needs=needs,
        binds=binds,
        variables=variables,
    )


def test_the_client_of_podman() -> None:
    assert words() == [
        "podman",
        "--log-level=fatal",
        "run",
        "--name=treadle-load-abc",
        "--label=treadle.folder=folder",
        "--label=treadle.attempt=uid/load/2",
        "--label=treadle.mark=000000000000abc",
        "--pull=never",
        "--log-driver=passthrough",
        "--sig-proxy=false",
        "--workdir=/work",
        "--entrypoint=sh",
        "sha256:1",
        "-c",
        "true",
    ]


@pytest.mark.parametrize("name", program.PROGRAMS)
def test_a_container_is_made_once_and_never_by_itself_removed(name: str) -> None:
    """It has no terminal either, and no restart policy."""
    said = words(name)
    refused = (
        "create",
        "start",
        "--rm",
        "--restart",
        "-t",
        "-it",
        "--tty",
        "--detach",
        "--replace",
    )
    assert not [word for word in said if word.partition("=")[0] in refused]


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        pytest.param("docker", {}, "--log-driver=none", id="docker's client prints"),
        pytest.param(
            "podman", {"placement": InContainer(network="none")}, "--network=none", id="network"
        ),
        pytest.param("podman", {"needs": Needs(cpu=1.5)}, "--cpus=1.5", id="cores"),
        pytest.param(
            "podman", {"needs": Needs(memory_bytes=1 << 30)}, "--memory=1073741824b", id="bytes"
        ),
        pytest.param("docker", {"needs": Needs(gpu=2)}, "--gpus=2", id="GPUs of docker"),
        pytest.param(
            "podman", {"needs": Needs(gpu=2)}, "--device=nvidia.com/gpu=all", id="GPUs of podman"
        ),
        pytest.param("podman", {"variables": Variables(("A", "B"))}, "--env=B", id="by name"),
        pytest.param("podman", {"variables": Variables((), "/f")}, "--env-file=/f", id="in a file"),
        pytest.param(
            "podman",
            {"binds": (Bind("/a", "/b"),)},
            "--mount=type=bind,source=/a,target=/b",
            id="mount",
        ),
        pytest.param(
            "podman",
            {"binds": (Bind("/a", "/b", read_only=True),)},
            "--mount=type=bind,source=/a,target=/b,readonly",
            id="mount that is not written",
        ),
        pytest.param(
            "podman",
            {"binds": (Bind('/a,"b"', "/c:d"),)},
            '--mount=type=bind,"source=/a,""b""",target=/c:d',
            id="a path with commas, quotes, colons",
        ),
    ],
)
def test_what_follows_from_a_spec(name: str, changes: dict[str, object], expected: str) -> None:
    said = words(name, **changes)  # type: ignore[arg-type]
    assert expected in said[: said.index("sha256:1")]


def test_the_command_takes_the_place_of_the_entrypoint_of_the_image() -> None:
    said = words(argv=("prog", "--name=x", "run"))
    at = said.index("sha256:1")
    assert (said[at - 1], said[at + 1 :]) == ("--entrypoint=prog", ["--name=x", "run"])


@pytest.mark.parametrize(
    ("there", "wanted", "chosen"),
    [
        (["podman", "docker"], "auto", "podman"),
        (["docker"], "auto", "docker"),
        ([], "auto", ""),
        (["podman", "docker"], "docker", "docker"),
        (["podman"], "docker", ""),
    ],
)
def test_which_program_is_meant(
    there: list[str], wanted: str, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: name if name in there else None)
    assert program.choose(wanted) == chosen


def test_an_image_is_no_option() -> None:
    assert program.pull("podman", "-x")[-2:] == ["--", "-x"]
    assert program.image_id("podman", "-x")[-2:] == ["--", "-x"]
