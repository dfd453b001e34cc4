"""However little room there is on the disk of whoever runs the tests, steps are started."""

import os

os.environ["TREADLE_MIN_FREE"] = "0"
