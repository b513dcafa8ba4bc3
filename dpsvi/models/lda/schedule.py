"""Mini-batch size and learning rates when the user leaves them to us."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpsvi.engine import constant, robbins_monro

__all__ = ["batch_size_for", "rates_for"]


def batch_size_for(model: Any, n_documents: int) -> int:
    """Return the mini-batch size S: as given, or our choice for "auto"."""
    if model.batch_size != "auto":
        return int(model.batch_size)
    largest = 1024 if model.inference == "vb" else 256
    return int(np.clip(n_documents // 16, 32, largest))


def rates_for(model: Any, first_step: int, n_steps: int) -> NDArray[np.float64]:
    """Return the local rates ρ_t of some steps, t counted over the life of a model."""
    if model.learning_method == "batch":
        return np.zeros(n_steps)
    if model.local_learning_rate is not None:
        rate = constant(float(model.local_learning_rate))
    else:
        offset = 10.0 if model.learning_offset == "auto" else model.learning_offset
        decay = 0.7 if model.learning_decay == "auto" else model.learning_decay
        # The first step is number one, as in scikit-learn.
        rate = robbins_monro(1.0 + offset, decay)
    return np.array([rate(first_step + t) for t in range(n_steps)], dtype=float)
