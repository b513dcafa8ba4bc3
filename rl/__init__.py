"""HSA2C: advantage actor-critic agents, trained lock-free on the engine.

    from dpsvi import rl

    result = rl.train("CartPole-v1", total_steps=100_000)
    rl.evaluate(result.policy)

Needs the extra ``pip install "dpsvi[rl]"``; nothing of it is loaded before a name is
used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dpsvi.rl.extra import needs_extra

if TYPE_CHECKING:
    from dpsvi.rl.evaluation import Evaluation, evaluate
    from dpsvi.rl.policy import Policy, load
    from dpsvi.rl.protocol import Protocol
    from dpsvi.rl.recording import Recording, record
    from dpsvi.rl.result import Result
    from dpsvi.rl.training import train

__all__ = [
    "Evaluation",
    "Policy",
    "Protocol",
    "Recording",
    "Result",
    "evaluate",
    "load",
    "record",
    "train",
]

# No module is called like a name of its own: importing it would hide the name.
_HOMES = {
    "Evaluation": "evaluation",
    "Policy": "policy",
    "Protocol": "protocol",
    "Recording": "recording",
    "Result": "result",
    "evaluate": "evaluation",
    "load": "policy",
    "record": "recording",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dpsvi.rl' has no attribute {name!r}")
    with needs_extra():
        home = importlib.import_module(f"dpsvi.rl.{_HOMES[name]}")
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
