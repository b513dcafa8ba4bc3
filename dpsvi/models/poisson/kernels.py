"""What the means of a factorisation say about the numbers that are stored.

The local step needs no kernel of its own: see `dpsvi.models.poisson.inference`.
"""

from __future__ import annotations

from typing import Any

from dpsvi.compiling import FASTMATH, kernel


@kernel(fastmath=FASTMATH)
def means_of_entries(
    indptr: Any, indices: Any, activities: Any, components: Any, out: Any
) -> None:
    """Equivalent to ``out[:] = (activities @ components.T)[entries]``.

    Only the means of stored entries are computed.

    Parameters
    ----------
    indptr, indices : ndarrays of int
        A table in CSR.
    activities : ndarray of shape (n_rows, n_components)
        E[θ].
    components : ndarray of shape (n_features, n_components)
        E[β], feature-major.
    out : ndarray of shape (n_entries,), float64
        Receives the mean of each entry.
    """
    for row in range(indptr.size - 1):
        for entry in range(indptr[row], indptr[row + 1]):
            feature = indices[entry]
            mean = 0.0
            for k in range(activities.shape[1]):
                mean += activities[row, k] * components[feature, k]
            out[entry] = mean
