"""HSA2C, asynchronous advantage actor-critic agents on the engine; not yet written."""

from __future__ import annotations

import importlib.util

_needed = ("torch", "gymnasium", "ale_py")
_missing = [name for name in _needed if importlib.util.find_spec(name) is None]
if _missing:
    raise ImportError(
        f"dpsvi.rl needs {', '.join(_missing)}, which are not installed: "
        'run pip install "dpsvi[rl]".'
    )
