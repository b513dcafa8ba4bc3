"""HSA2C, asynchronous advantage actor-critic agents on the engine; not yet written."""

from __future__ import annotations

raise ImportError(
    "dpsvi.rl is empty in this release: its agents (HSA2C) are still to be written. "
    "They will need torch, gymnasium and ale-py, which the extra installs: "
    'pip install "dpsvi[rl]". Topic models need none of these.'
)
