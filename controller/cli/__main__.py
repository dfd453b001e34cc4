"""`python -m controller.cli` is `treadle`."""

from controller.cli.main import program

program()
