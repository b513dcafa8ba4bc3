"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# The first example of a kernel pays for its compilation.
settings.register_profile("dpsvi", deadline=None)
settings.load_profile("dpsvi")
