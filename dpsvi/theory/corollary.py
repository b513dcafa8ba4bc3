"""Corollary 1: constant rates, how fast they converge, and how much asynchrony bears.

A = Δ / (L V²) is what the objective contributes; the powers are the paper's, constants
are worked out anew (see `dpsvi.theory.theorem`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

from dpsvi.theory.search import largest
from dpsvi.theory.setting import Constants, Layout, check_count, check_positive

__all__ = [
    "corollary_bound",
    "corollary_rates",
    "expected_staleness",
    "fewest_merges",
    "largest_read_delay",
    "largest_staleness",
    "most_threads",
    "most_workers",
    "scaled_rates",
]

# Of 1,000 pushes 999 meet at most this many times the mean staleness, where rounds
# differ by a third in length (measured on the discrete-event simulation).
_TAIL = 3


def corollary_rates(
    constants: Constants,
    layout: Layout,
    split: Literal["rho", "equal"] = "rho",
    *,
    rho: float = 1.0,
) -> tuple[float, float]:
    r"""Return the constant rates of Corollary 1 (Eq. 9).

    .. math:: \rho\eta = \sqrt{\frac{A}{MpBT}}, \qquad A = \frac{\Delta}{LV^2}

    Parameters
    ----------
    constants : Constants
        L, V and Δ.
    layout : Layout
        T, M, p and B.
    split : {"rho", "equal"}, default="rho"
        "rho": the global rate is `rho` and the local one takes the rest. "equal":
        both are the square root of the product, the most literal reading of the
        paper; then the harm of a long round does not vanish with T.
    rho : float, default=1.0
        The global rate for ``split="rho"``.

    Returns
    -------
    global_rate, local_rate : float
        ρ and η.

    Raises
    ------
    ValueError
        If `rho` is not above 0 or `split` is unknown.

    Examples
    --------
    >>> constants = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    >>> corollary_rates(constants, Layout(merges=25, master_batch_size=4))
    (1.0, 0.1)
    """
    check_positive("rho", rho)
    product = math.sqrt(_gain(constants) / layout.steps)
    if split == "rho":
        return rho, product / rho
    if split == "equal":
        return math.sqrt(product), math.sqrt(product)
    raise ValueError(f"split is {split!r}; it must be 'rho' or 'equal'")


def scaled_rates(
    base_rate: float,
    M: int,
    p: int,
    B: int,
    rule: Literal["corollary", "samples", "sqrt"] = "corollary",
) -> tuple[float, float]:
    """Carry a rate tuned for M = p = B = 1 over to other sizes (Eq. 13).

    The paper's formula is lost; it follows Corollary 1, so these are the candidates:

    ============  =============================  ==================================
    rule          rates (global, local)          Corollary 1 read at
    ============  =============================  ==================================
    "corollary"   both base / (p M B) ** (1/4)   fixed T, equal rates (13a)
    "samples"     both base                      fixed number of samples (13b)
    "sqrt"        1, base / sqrt(p M B)          fixed T, global rate 1 (13c)
    ============  =============================  ==================================

    That p, M and B enter through their product is certain; the power 1/4 of 13a
    less so. Under 13b the product of the rates does not change, since the master
    sums the pushes.

    Parameters
    ----------
    base_rate : float
        The rate that was best with one worker, thread, local step and push: used as
        both rates, so that a step is its square. For "sqrt" the local rate that was
        best with a global rate of 1: the step itself.
    M, p, B : int
        Pushes per merge, threads per worker, local steps per thread.
    rule : {"corollary", "samples", "sqrt"}, default="corollary"
        See the table.

    Returns
    -------
    global_rate, local_rate : float
        ρ and η.

    Raises
    ------
    ValueError
        If a number is not above 0 or `rule` is unknown.

    Examples
    --------
    >>> scaled_rates(0.2, M=4, p=4, B=1)
    (0.1, 0.1)
    >>> scaled_rates(0.2, M=4, p=1, B=1, rule="sqrt")
    (1.0, 0.1)
    """
    for name, value in {"base_rate": base_rate, "M": M, "p": p, "B": B}.items():
        check_positive(name, value)
    if rule == "corollary":
        rate = base_rate / (p * M * B) ** 0.25
        return rate, rate
    if rule == "samples":
        return base_rate, base_rate
    if rule == "sqrt":
        return 1.0, base_rate / math.sqrt(p * M * B)
    raise ValueError(
        f"rule is {rule!r}; it must be 'corollary', 'samples' or 'sqrt'",
    )


def corollary_bound(constants: Constants, layout: Layout) -> float:
    r"""Return the rate of convergence under the rates of Corollary 1 (Eq. 11).

    .. math:: \frac1T\sum_t E\|\nabla f(v_t)\|^2 \le
        \frac8\alpha\sqrt{\frac{L V^2 \Delta}{MpBT}}

    It holds from `fewest_merges` on, for the split "rho".

    Examples
    --------
    >>> constants = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    >>> corollary_bound(constants, Layout(merges=6_400))
    0.1
    """
    L, V, gap = constants.smoothness, constants.gradient_bound, constants.gap
    return 8 / layout.kept * math.sqrt(L * V**2 * gap / layout.steps)


def fewest_merges(constants: Constants, layout: Layout, *, rho: float = 1.0) -> float:
    r"""Return from how many merges on Corollary 1 holds (Eq. 10).

    .. math:: T \ge \max\left\{\frac{16 L\Delta MpB (D+1)^2}{\alpha^2V^2},\;
        \frac{L\Delta\Lambda^2}{4\rho^4V^2MpB}\right\},\quad
        \Lambda = \frac{(pB-1)(2pB-1)}2 + 3D'^2

    The first term is condition (7); the second keeps what a round strays, and what
    its threads overlook, below the noise of the samples.

    Parameters
    ----------
    constants : Constants
        L, V and Δ.
    layout : Layout
        M, p, B, D, D' and α; its T plays no part.
    rho : float, default=1.0
        The global rate.

    Examples
    --------
    >>> constants = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    >>> fewest_merges(constants, Layout(merges=1, staleness=4))
    400.0
    """
    check_positive("rho", rho)
    gain = constants.smoothness * constants.gap / constants.gradient_bound**2
    stale = 16 * gain * layout.merge_steps * (layout.staleness + 1) ** 2
    local = gain * _strayed(layout, layout.read_delay) ** 2
    return max(stale / layout.kept**2, local / (4 * rho**4 * layout.merge_steps))


def largest_staleness(constants: Constants, layout: Layout) -> int:
    r"""Return the largest D that Corollary 1 bears; it grows as the root of T.

    .. math:: D + 1 \le \frac{\alpha V}{4}\sqrt{\frac{T}{L\Delta MpB}}

    By the first term of `fewest_merges`; the second has no D.

    Returns
    -------
    int
        The largest D; -1 if even fresh pushes ask for more merges.

    Examples
    --------
    >>> constants = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    >>> largest_staleness(constants, Layout(merges=400))
    4
    """
    L, V, gap = constants.smoothness, constants.gradient_bound, constants.gap
    root = math.sqrt(layout.merges / (L * gap * layout.merge_steps))
    # An integer may come out a rounding below itself.
    return math.floor(layout.kept * V / 4 * root * (1 + 1e-12)) - 1


def largest_read_delay(
    constants: Constants, layout: Layout, *, rho: float = 1.0
) -> int:
    r"""Return the largest D' that Corollary 1 bears; it grows as the fourth root of T.

    .. math:: 3D'^2 \le \frac{2\rho^2V\sqrt{MpBT}}{\sqrt{L\Delta}}
        - \frac{(pB-1)(2pB-1)}2

    By the second term of `fewest_merges`; the first has no D'.

    Returns
    -------
    int
        The largest D'; -1 if even reads that miss nothing ask for more merges.

    Examples
    --------
    >>> constants = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    >>> largest_read_delay(constants, Layout(merges=400))
    3
    """
    check_positive("rho", rho)
    L, V, gap = constants.smoothness, constants.gradient_bound, constants.gap
    room = 2 * rho**2 * V * math.sqrt(layout.steps / (L * gap)) - _strayed(layout, 0)
    # An integer may come out a rounding below itself.
    return math.floor(math.sqrt(room / 3) * (1 + 1e-12)) if room >= 0 else -1


def expected_staleness(n_workers: int, master_batch_size: int = 1) -> int:
    r"""Return the largest staleness to expect of so many workers.

    .. math:: D = \left\lceil 3\,\frac{n - 1}{M} \right\rceil

    n workers that each have one round on the way meet (n - 1) / M merges between pull
    and push on average. Not one push in a thousand meets three times as many, as long
    as workers are about equally fast; one that stops for long does.

    Raises
    ------
    ValueError
        If a number is not whole and above 0.

    Examples
    --------
    >>> expected_staleness(5), expected_staleness(5, master_batch_size=4)
    (12, 3)
    """
    check_count("n_workers", n_workers, least=1)
    check_count("master_batch_size", master_batch_size, least=1)
    return -(-_TAIL * (n_workers - 1) // master_batch_size)


def most_workers(constants: Constants, layout: Layout) -> int:
    """Return how many workers Corollary 1 bears, O(√T) of them.

    The largest number of which `expected_staleness` is within `largest_staleness`:
    1 + M D / 3. More pushes per merge allow more workers for the same D; but with
    M p B merged at once D gets smaller.

    Returns
    -------
    int
        The number of workers; 0 if T is too small for one.

    Examples
    --------
    >>> constants = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    >>> most_workers(constants, Layout(merges=400))
    2
    """
    stale = largest_staleness(constants, layout)
    return layout.master_batch_size * stale // _TAIL + 1 if stale >= 0 else 0


def most_threads(
    constants: Constants, layout: Layout, *, rho: float = 1.0, limit: int = 100_000
) -> int:
    """Return how many threads per worker Corollary 1 bears, O(T^¼) or more.

    Of p threads each overlooks the p - 1 writes under way, so D' = p - 1. The number
    is the largest p for which the layout's T is at least `fewest_merges`; the layout's
    own p and D' play no part.

    A reading of the proof that takes the steps of a round as one piece has no D' (see
    `dpsvi.theory.theorem`) and bears some three times as many.

    Parameters
    ----------
    constants : Constants
        L, V and Δ.
    layout : Layout
        T, M, B, D and α.
    rho : float, default=1.0
        The global rate.
    limit : int, default=100_000
        Threads that there could be at most.

    Returns
    -------
    int
        The number of threads; 0 if T is too small for one.

    Examples
    --------
    >>> constants = Constants(smoothness=1.0, gradient_bound=1.0, gap=1.0)
    >>> most_threads(constants, Layout(merges=400))
    5
    """
    check_positive("rho", rho)

    def allowed(p: int) -> bool:
        made = replace(layout, n_threads=p, read_delay=p - 1)
        return layout.merges >= fewest_merges(constants, made, rho=rho)

    return largest(allowed, limit) if allowed(1) else 0


def _gain(constants: Constants) -> float:
    """Return A = Δ / (L V²)."""
    return constants.gap / (constants.smoothness * constants.gradient_bound**2)


def _strayed(layout: Layout, read_delay: int) -> float:
    """Return Λ: how far a round strays, in squared steps."""
    steps = layout.round_steps
    return (steps - 1) * (2 * steps - 1) / 2 + 3 * read_delay**2
