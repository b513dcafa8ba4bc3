"""Theorem 3.1: how large gradients can be on the way, and which step sizes it allows.

Notation of the paper: ρ_t global and η_b local rates, γ = ρ η their product, pB steps
a round, H = Σ η_b, S = Σ η_b², H_b = Σ_{i<b} η_i.

The form of the theorem is the paper's (a weighted average of squared gradient norms,
conditions (7) and (8), α below the line); its constants 2, 6, 3, 9 are lost and these
are worked out anew. They include the drift H_b² of a round away from where it
started, without which the statement is false: for f(x) = 1 - cos x, M = 1, pB = 50,
T = 1000, γ = 10⁻³ it would promise 0.07 for every split of γ, where ρ = 10⁻³, η = 1
gives 0.82.

What a thread reads differs from the snapshot by three pieces, the merges since, the
steps of the round and the writes that it has missed. The last two may be taken as one:
whatever is missed, a read is some of the round's steps away from the snapshot. Then
factors 3 become 2, D' and condition (8) disappear, and the paper's bound on the number
of cores with them; so this form is not the one used here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dpsvi.theory.setting import Constants, Layout

__all__ = ["check_step_sizes", "lemma_factor", "theorem_bound", "theorem_condition"]


def theorem_bound(
    constants: Constants,
    layout: Layout,
    global_rates: ArrayLike,
    local_rates: ArrayLike,
) -> float:
    r"""Return the bound of Theorem 3.1 on the mean squared gradient norm.

    .. math:: \frac{\sum_t \rho_t\, E\|\nabla f(v_t)\|^2}{\sum_t \rho_t} \le
        \frac{2\Delta + V^2 \sum_t \left( 2LMS\rho_t^2
        + 6L^2M^2HS\rho_t \sum_{j=t-D}^{t-1}\rho_j^2
        + 3L^2M\rho_t \sum_b \eta_b (H_b^2 + h_b^2) \right)}
        {\alpha M H \sum_t \rho_t},
        \qquad h_b = \sum_{i=b-D'}^{b-1} \eta_i

    h_b is what late reads may miss. It is at most D' η where rates are constant.

    Parameters
    ----------
    constants : Constants
        L, V and Δ.
    layout : Layout
        T, M, p, B, D, D' and α.
    global_rates : float or array_like of shape (T,)
        ρ_t, applied to the sum of the M pushes.
    local_rates : float or array_like of shape (p * B,)
        η_b, of each step of a round; the same in every round.

    Returns
    -------
    float
        The bound; it holds if `theorem_condition` is at most α.

    Raises
    ------
    ValueError
        If rates are not finite and above 0, or of another length.

    See Also
    --------
    check_step_sizes : Whether the theorem's condition holds.

    Examples
    --------
    >>> constants = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    >>> round(theorem_bound(constants, Layout(merges=10_000), 1.0, 0.01), 4)
    0.04
    """
    total, squares, late = _global_sums(global_rates, layout)
    eta = np.broadcast_to(
        _rates("local_rates", local_rates, layout.round_steps), (layout.round_steps,)
    )
    L, M, H, S = constants.smoothness, layout.master_batch_size, eta.sum(), eta @ eta
    drift = np.cumsum(eta) - eta
    local = eta @ (drift**2 + _sums_before(eta, layout.read_delay) ** 2)
    noise = (
        2 * L * M * S * squares
        + 6 * L**2 * M**2 * H * S * late
        + 3 * L**2 * M * local * total
    )
    gained = 2 * constants.gap + constants.gradient_bound**2 * noise
    return float(gained / (layout.kept * M * H * total))


def theorem_condition(
    constants: Constants,
    layout: Layout,
    global_rates: ArrayLike,
    local_rates: ArrayLike,
) -> float:
    r"""Return the left side of condition (7), at its largest over the run.

    .. math:: 2LMH\rho_t + 6L^2M^2H^2D\,\rho_t\sum_{k=1}^{D}\rho_{t+k} \le \alpha

    Parameters and errors are those of `theorem_bound`.

    Examples
    --------
    >>> constants = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    >>> layout = Layout(merges=9, staleness=2)
    >>> round(theorem_condition(constants, layout, 1.0, 0.1), 2)
    0.44
    """
    rho = _rates("global_rates", global_rates, layout.merges)
    eta = _rates("local_rates", local_rates, layout.round_steps)
    H = eta.sum() if eta.ndim else eta * layout.round_steps
    x = constants.smoothness * layout.master_batch_size * H
    delays = layout.staleness
    if rho.ndim:
        after = _sums_before(rho[::-1], delays)[::-1]
    else:
        after = rho * min(delays, layout.merges - 1)
    left = 2 * x * rho + 6 * x**2 * delays * rho * after
    return float(left.max())


def check_step_sizes(
    constants: Constants,
    layout: Layout,
    global_rates: ArrayLike,
    local_rates: ArrayLike,
) -> None:
    """Raise an error that says by how much rates are too large for the theorem.

    Raises
    ------
    ValueError
        If condition (7) fails.

    Examples
    --------
    >>> constants = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    >>> check_step_sizes(constants, Layout(merges=9, staleness=2), 1.0, 0.1)
    """
    left = theorem_condition(constants, layout, global_rates, local_rates)
    if left > layout.kept:
        raise ValueError(
            f"condition (7) asks for at most {layout.kept:.3g} and these rates give "
            f"{left:.3g}; lower the rates, M, p or B, or the largest staleness"
        )


def lemma_factor(
    local_rate: float, smoothness: float, read_delay: int, growth: float
) -> float:
    r"""Return how much smaller gradients may get within one step (Lemma 1).

    .. math:: \left(1 - L\eta - 9L\eta(D'+1)\frac{\mu^{D'+1}-1}{\mu-1}\right)^{-1}

    Condition (8) is that this is at most μ. It is written so that the units of the
    parameters do not matter; the paper's (15) has η in the place of the first L η and
    η L² in that of the second. The bound above does without the lemma, since sample
    gradients are bounded: reads that miss D' steps are off by at most η D' V.

    Parameters
    ----------
    local_rate : float
        η.
    smoothness : float
        L.
    read_delay : int
        D'.
    growth : float
        μ, above 1.

    Returns
    -------
    float
        The factor; infinity where the steps are too large for any.

    Examples
    --------
    >>> lemma_factor(0.01, 1.0, read_delay=1, growth=1.5) <= 1.5
    False
    >>> lemma_factor(0.005, 1.0, read_delay=1, growth=1.5) <= 1.5
    True
    """
    if not growth > 1:
        raise ValueError(f"growth is {growth!r}; it must be above 1")
    x = smoothness * local_rate
    series = (growth ** (read_delay + 1) - 1) / (growth - 1)
    left = 1 - x - 9 * x * (read_delay + 1) * series
    return 1 / left if left > 0 else float("inf")


def _global_sums(rates: ArrayLike, layout: Layout) -> tuple[float, float, float]:
    """Return Σ ρ_t, Σ ρ_t² and Σ_t ρ_t Σ_{j=t-D}^{t-1} ρ_j².

    For one rate without an array of T numbers: runs may be long.
    """
    rho, T = _rates("global_rates", rates, layout.merges), layout.merges
    if rho.ndim:
        before = _sums_before(rho**2, layout.staleness)
        return float(rho.sum()), float(rho @ rho), float(rho @ before)
    D, rate = min(layout.staleness, T), float(rho)
    return T * rate, T * rate**2, (D * T - D * (D + 1) / 2) * rate**3


def _rates(name: str, rates: ArrayLike, size: int) -> NDArray[np.float64]:
    """Return one rate, or so many, all finite and above 0."""
    array = np.asarray(rates, dtype=float)
    if array.ndim and array.shape != (size,):
        raise ValueError(f"{name} is of shape {array.shape}; give one or {size} rates")
    if not np.all((array > 0) & np.isfinite(array)):
        wrong = array[~((array > 0) & np.isfinite(array))].flat[0]
        raise ValueError(f"{name} has {wrong}; rates must be finite and above 0")
    return array


def _sums_before(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Return for each place the sum of the `window` values before it."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(values.size)
    found: NDArray[np.float64] = sums[ends] - sums[np.maximum(ends - window, 0)]
    return found
