"""Mini-batch size and learning rates when the user leaves them to us.

Chosen on 3,000 to 60,000 documents by grid search (`docs/performance.md`): each ends
within 3 % of the best perplexity of its inference found on each corpus. Variational
Bayes wants few large mini-batches: small ones commit the topics to the first documents
they see. Zero-order inference updates with every document, and wants to forget fast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["batch_size_for", "rates_for"]

# For "auto": learning offset and decay of each inference.
_OFFSET = {"vb": 16.0, "cvb0": 1.0}
_DECAY = {"vb": 0.5, "cvb0": 0.75}


def batch_size_for(model: Any, n_documents: int, n_threads: int) -> int:
    """Return the mini-batch size S: as given, or our choice for "auto"."""
    if model.batch_size != "auto":
        return int(model.batch_size)
    if model.inference == "cvb0":
        return int(np.clip(n_documents // 128, 8, 64))
    # Every thread is to have work in every epoch.
    size = n_documents // max(4, 2 * n_threads)
    # In batch learning the size decides only how much is worked on at once.
    return int(np.clip(size, 1, 2048 if model.learning_method == "online" else 256))


def rates_for(model: Any, first_step: int, n_steps: int) -> NDArray[np.float64]:
    """Return the local rates ρ_t of some steps, t counted over the life of a model.

    ``(offset + t) ** -decay`` with the first step number one, as in scikit-learn
    (Robbins-Monro), or `local_learning_rate`.
    """
    if model.local_learning_rate is not None:
        return np.full(n_steps, float(model.local_learning_rate))
    offset, decay = model.learning_offset, model.learning_decay
    offset = _OFFSET[model.inference] if offset == "auto" else float(offset)
    decay = _DECAY[model.inference] if decay == "auto" else float(decay)
    steps = first_step + 1 + np.arange(n_steps, dtype=np.float64)
    return np.power(offset + steps, -decay)
