"""The activities of rows given the components: the local step (Eq. 44).

With q(θ) = Gamma(γ, g) and q(β) = Gamma(λ, r), a count divides over the components by

    φ_k  ∝  exp(E[log θ_k] + E[log β_k])  =  exp(ψ(γ_k) + ψ(λ_k)) / (g_k r_k),

and γ_k = a + Σ counts · φ_k. That is the fixed point of a document in LDA with other
factors: there exp(-ψ(Σ λ_k)), here 1 / (g_k r_k). The rates g_k = b + Σ_v E[β_kv] are
the same for all rows. So the kernels are LDA's; only the factors are ours.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from dpsvi.models.lda.inference import Inference
from dpsvi.models.lda.passes import Pass
from dpsvi.models.poisson.parameters import FactorParameters

__all__ = ["RowInference", "activities_of"]


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
        g, the rates of q(θ), as `infer` or `table` has found them last.
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
        """Return E[θ] of the rows of the mini-batch, after `infer`."""
        return self.gammas[:, : self.n_topics] / self.rates

    def _factors(self, read: Any, scale: float) -> NDArray[Any]:
        """1 / (g r) but for a factor that cancels, zero in the padding."""
        self.rates = _activity_rates(self._rate, read, scale)
        factors = np.zeros(self.n_padded, self.dtype)
        inverse = 1.0 / (read.rates(scale) * self.rates)
        # The scale of a table is anybody's choice, and float32 is not to feel it.
        factors[: self.n_topics] = inverse / inverse.max()
        return factors


class _Activities(Pass):
    """Collects E[θ] of every row."""

    def __init__(
        self, counts: sp.csr_array, parameters: FactorParameters, given: dict[str, Any]
    ) -> None:
        n_components = parameters.totals.shape[1]
        open_inference = partial(RowInference, counts, n_components, **given)
        super().__init__(counts, open_inference, parameters, 1.0)
        self.found = np.empty((counts.shape[0], n_components), counts.data.dtype)
        self._rates = _activity_rates(given["rate"], parameters, 1.0)

    def use(self, batch: NDArray[np.int32], inference: Inference) -> None:
        gammas = inference.gammas[:, : inference.n_topics]
        self.found[batch] = gammas / self._rates


def _activity_rates(prior: float, read: Any, scale: float) -> NDArray[np.float64]:
    """g, the same for all rows: b and what every component explains in sum."""
    rates: NDArray[np.float64] = prior + read.mass(scale) / read.rates(scale)
    return rates


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
    work.go(n_threads)
    return work.found
