"""What every test shares: machines in CI are slow at times, so no property has a deadline of its own."""

import os

from hypothesis import settings

settings.register_profile("gradate", deadline=None)
settings.load_profile("gradate")

# Parallel test processes are given one; commands would fold what they print to it.
os.environ.pop("COLUMNS", None)
