"""`python -m controller.cli` is `treadle`."""

import sys

from controller.cli.main import main

sys.exit(main())
