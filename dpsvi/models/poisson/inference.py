"""The activities of rows given the components: the local step (Eq. 44).

With q(θ) = Gamma(γ, g) and q(β) = Gamma(λ, r), a count divides over the components by

    φ_k  ∝  exp(E[log θ_k] + E[log β_k])  =  exp(ψ(γ_k) + ψ(λ_k)) / (g_k r_k),

and γ_k = a + Σ counts · φ_k. That is the fixed point of a document in LDA with other
factors: there exp(-ψ(Σ λ_k)), here 1 / (g_k r_k). The rates g_k = b + Σ_v E[β_kv] are
the same for all rows. So the kernels are LDA's; only the factors are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.engine import ThreadTeam
from dpsvi.models.lda.inference import Inference
from dpsvi.models.minibatches import MiniBatches
from dpsvi.models.poisson.parameters import FactorParameters

__all__ = ["RowInference", "activities_of"]

_BATCH = 512


class RowInference(Inference):
    """Variational inference on the rows of one table, for one thread.

    Parameters
    ----------
    counts : csr_array of shape (n_rows, n_features)
        Canonical, without stored zeros, in the dtype to compute in.
    n_components : int
        K.
    shape, rate : float
        Of the Gamma prior of the activities, a and b.
    tolerance, max_iterations : float, int
        When to stop on a row.

    Attributes
    ----------
    rates : ndarray of shape (n_components,)
        g, the rates of q(θ), of the mini-batch that came last.
    """

    def __init__(
        self,
        counts: sp.csr_array,
        n_components: int,
        shape: float,
        rate: float,
        tolerance: float,
        max_iterations: int,
    ) -> None:
        prior = np.full(n_components, shape)
        super().__init__(counts, prior, tolerance, max_iterations)
        self._rate = rate
        self.rates = np.ones(n_components)

    def activities(self) -> NDArray[np.float64]:
        """Return E[θ] of the rows of the mini-batch."""
        return self.gammas[:, : self.n_topics] / self.rates

    def _factors(self, read: Any, scale: float) -> NDArray[Any]:
        """1 / (g r) but for a factor that cancels, zero in the padding."""
        rates = read.rates(scale)
        self.rates = self._rate + read.mass(scale) / rates
        factors = np.zeros(self.n_padded, self.dtype)
        inverse = 1.0 / (rates * self.rates)
        # The scale of a table is anybody's choice, and float32 is not to feel it.
        factors[: self.n_topics] = inverse / inverse.max()
        return factors


class _Activities:
    """One pass over all rows, that collects E[θ]."""

    def __init__(
        self, counts: sp.csr_array, parameters: FactorParameters, given: dict[str, Any]
    ) -> None:
        self._counts, self._parameters, self._given = counts, parameters, given
        self.batches = MiniBatches(counts.shape[0], _BATCH, seed=None)
        n_components = parameters.totals.shape[1]
        self.found = np.empty((counts.shape[0], n_components), counts.data.dtype)

    def run(self, thread: int, steps: Iterator[int]) -> None:
        inference = RowInference(self._counts, self.found.shape[1], **self._given)
        for step in steps:
            batch = self.batches[step]
            inference.infer(batch, self._parameters, 1.0)
            self.found[batch] = inference.activities()


def activities_of(
    counts: sp.csr_array, parameters: FactorParameters, n_threads: int, **given: Any
) -> NDArray[np.floating]:
    """Return E[θ] of all rows, of shape (n_rows, n_components).

    Parameters
    ----------
    counts : csr_array of shape (n_rows, n_features)
        As in `RowInference`.
    parameters : FactorParameters
        At scale one.
    n_threads : int
        The result does not depend on it.
    **given
        `shape`, `rate`, `tolerance` and `max_iterations` of `RowInference`.
    """
    work = _Activities(counts, parameters, given)
    n_batches = work.batches.n_batches
    with ThreadTeam(min(n_threads, n_batches), "dpsvi-transform") as team:
        team.run(work, range(n_batches))
    return work.found
