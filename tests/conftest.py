"""What every test shares: machines in CI are slow at times, so no property has a deadline of its own."""

from hypothesis import settings

settings.register_profile("gradate", deadline=None)
settings.load_profile("gradate")
