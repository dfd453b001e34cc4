"""The page stays small: no framework, and no build step that would hide how much there is."""

import re
from importlib.resources import files

LINES_MAX = 1_500  # of JavaScript, without blank lines and comments


def test_the_page_is_small() -> None:
    folder = files("controller.server") / "page"
    scripts = [file.read_text() for file in folder.iterdir() if file.name.endswith(".js")]
    lines = [line for script in scripts for line in script.splitlines()]
    assert len([line for line in lines if not re.match(r"\s*(//|$)", line)]) <= LINES_MAX
