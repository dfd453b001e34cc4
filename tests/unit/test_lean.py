"""What a package that is imported in such a block can still do."""

import re
import subprocess
import sys

import pytest

from controller.lean import patterns_later


def test_a_pattern_works_as_one_that_is_compiled_at_once() -> None:
    with patterns_later():
        later = re.compile(r"a(b+)", re.IGNORECASE)
    for _ in range(2):  # compiled, and kept
        found = later.fullmatch("ABB")
        assert found is not None and found[1] == "BB"
    assert later.sub("-", "xabx") == "x-x"
    assert later.pattern == "a(b+)"


def test_it_is_not_compiled_before_it_is_used() -> None:
    with patterns_later():
        broken = re.compile("(")
    with pytest.raises(re.error):
        broken.match("")


def test_behind_the_block_all_is_compiled_at_once_again() -> None:
    with pytest.raises(ImportError), patterns_later():
        raise ImportError
    assert isinstance(re.compile("behind the block"), re.Pattern)


def test_pyyaml_does_without_libyaml_what_it_always_does() -> None:
    program = (
        "from controller.lean import patterns_later\n"
        "with patterns_later():\n    import yaml\n"
        "text = 'day: 2026-11-29\\nsize: 0x1F\\nbare: null\\n'\n"
        "print(yaml.load(text, yaml.SafeLoader), yaml.safe_dump('12:30').strip())\n"
        "yaml.load('\\x00', yaml.SafeLoader)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    seen = "{'day': datetime.date(2026, 11, 29), 'size': 31, 'bare': None} '12:30'"
    assert done.stdout.strip() == seen
    assert "special characters are not allowed" in done.stderr
