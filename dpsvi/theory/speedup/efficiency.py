"""What asynchrony costs in samples, as far as Theorem 3.1 tells.

The bound with constant rates (29'), γ = ρ η the effective step, is

    2 Δ / (α γ K) + b γ + c γ²,    b = 2 L V² / α,
    c = (V² L² / α) (6 D M pB + Λ / ρ²),    Λ = (pB - 1)(2 pB - 1) / 2 + 3 D'²

for K samples. To bring it to ε takes K = 2 Δ / (α γ (ε - b γ - c γ²)) of them, and the
fewest with the best γ; serial SGD has c = 0. The quotient is pessimistic, since the
bound is: measure samples to a target where that can be done, and take the shape of its
dependence on n, p and B from here.
"""

from __future__ import annotations

import math

from dpsvi.theory.setting import Constants, Layout, check_positive

__all__ = ["samples_needed", "statistical_efficiency"]


def samples_needed(
    constants: Constants, layout: Layout, target: float, *, rho: float = 1.0
) -> float:
    """Return K: sample gradients until (29') promises a mean squared norm of `target`.

    Parameters
    ----------
    constants : Constants
        L, V and Δ.
    layout : Layout
        M, p, B, D, D' and α; T does not matter.
    target : float
        ε: squared gradient norm.
    rho : float, default=1.0
        The global rate.

    Returns
    -------
    float
        K = M p B T, with the best step that the theorem's condition (7) allows.

    Raises
    ------
    ValueError
        If `target` or `rho` is not above 0.

    Examples
    --------
    >>> constants = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    >>> round(samples_needed(constants, Layout(merges=1), 0.01))
    160000
    """
    check_positive("target", target)
    check_positive("rho", rho)
    b, c = _terms(constants, layout, rho)
    step = _best_step(b, c, target)
    step = min(step, _largest_step(constants, layout))
    gained = step * (target - b * step - c * step**2)
    return 2 * constants.gap / (layout.kept * gained)


def statistical_efficiency(
    constants: Constants, layout: Layout, target: float, *, rho: float = 1.0
) -> float:
    """Return E_stat <= 1: samples that serial SGD needs, over those of this layout.

    Parameters and errors are those of `samples_needed`. Serial SGD loses no writes; a
    layout that loses some has at most α², as the bound grows with 1/α and falls with
    the root of the samples.

    Examples
    --------
    >>> constants = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    >>> stale = Layout(merges=1, n_threads=2, local_steps=5, staleness=8)
    >>> round(statistical_efficiency(constants, stale, 0.01), 2)
    0.69
    """
    alone = samples_needed(constants, Layout(merges=1), target)
    return alone / samples_needed(constants, layout, target, rho=rho)


def _terms(constants: Constants, layout: Layout, rho: float) -> tuple[float, float]:
    """b and c of the bound."""
    L, V, steps = constants.smoothness, constants.gradient_bound, layout.round_steps
    drift = (steps - 1) * (2 * steps - 1) / 2 + 3 * layout.read_delay**2
    stale = 6 * layout.staleness * layout.merge_steps
    return 2 * L * V**2 / layout.kept, (V * L) ** 2 / layout.kept * (
        stale + drift / rho**2
    )


def _best_step(b: float, c: float, target: float) -> float:
    """The γ that needs the fewest samples, where 2 b γ + 3 c γ² = ε."""
    # As a quotient, which holds for c = 0 too and cancels nothing.
    return target / (b + math.sqrt(b**2 + 3 * c * target))


def _largest_step(constants: Constants, layout: Layout) -> float:
    """The largest γ with 2 x + 6 D² x² <= α, x = L γ M p B (condition 7)."""
    D, kept = layout.staleness, layout.kept
    x = kept / (1 + math.sqrt(1 + 6 * D**2 * kept))
    return x / (constants.smoothness * layout.merge_steps)
