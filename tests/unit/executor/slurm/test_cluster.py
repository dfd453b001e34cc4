"""How often a cluster is looked at, and with which environment."""

import pytest

from controller.executor.slurm.cluster import environment, pace


@pytest.mark.parametrize(
    ("calm", "took", "wait"),
    [
        pytest.param(0.0, 0.02, 2.0, id="just now"),
        pytest.param(20.0, 0.02, 2.0, id="for a short time"),
        pytest.param(100.0, 0.02, 10.0, id="a tenth of the calm"),
        pytest.param(3600.0, 0.02, 30.0, id="at last"),
        pytest.param(0.0, 0.5, 10.0, id="a busy cluster is asked less often"),
        pytest.param(0.0, 9.0, 30.0, id="but it is asked"),
    ],
)
def test_pace(calm: float, took: float, wait: float) -> None:
    assert pace(calm, took) == wait


def test_programs_are_told_by_us_alone() -> None:
    own = {
        "PATH": "/bin",
        "SLURM_CONF": "/other",
        "SLURM_JWT": "token",
        "SLURM_JOB_ID": "7",
        "SBATCH_PARTITION": "gpu",
        "SQUEUE_FORMAT": "%i",
        "SCANCEL_STATE": "x",
        "SACCT_FORMAT": "y",
    }
    assert environment("", own) == {"PATH": "/bin", "SLURM_JWT": "token"}
    assert environment("/etc/a.conf", own)["SLURM_CONF"] == "/etc/a.conf"
