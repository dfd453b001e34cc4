"""What names files and decides what runs again: the same hashes on every machine."""

import hashlib
import subprocess
import sys

import pytest

from controller.spec.digest import blake2b, sha256

DATA = [b"", b"a", b"\0" * 100_000]


@pytest.mark.parametrize("data", DATA)
def test_they_are_those_of_hashlib(data: bytes) -> None:
    assert sha256(data).hexdigest() == hashlib.sha256(data).hexdigest()
    told = blake2b(data, digest_size=8).hexdigest()
    assert told == hashlib.blake2b(data, digest_size=8).hexdigest()


def test_a_python_without_its_own_takes_that_of_hashlib() -> None:
    program = (
        "import sys; sys.modules['_sha2'] = sys.modules['_sha256'] = None\n"
        "import hashlib\n"
        "from controller.spec import digest\n"
        "assert digest.sha256 is hashlib.sha256"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
