"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

# The first example of a kernel pays for its compilation. The same examples in every
# run: a change is not to fail for what it did not touch.
settings.register_profile("dpsvi", deadline=None, derandomize=True)
settings.load_profile("dpsvi")
