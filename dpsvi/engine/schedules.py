"""Learning rates: functions of a step, and the rates that the theory asks for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "Schedule",
    "constant",
    "corollary_rates",
    "robbins_monro",
    "scaled_rates",
]

#: From the number of a step (or of a version) to a rate.
Schedule: TypeAlias = Callable[[int], float]


@dataclass(frozen=True)
class _Constant:
    rate: float

    def __call__(self, step: int) -> float:
        return self.rate


@dataclass(frozen=True)
class _RobbinsMonro:
    offset: float
    decay: float

    def __call__(self, step: int) -> float:
        return float((self.offset + step) ** -self.decay)


def constant(rate: float) -> Schedule:
    """Return the schedule that is `rate` at every step.

    Parameters
    ----------
    rate : float
        Above 0.

    Raises
    ------
    ValueError
        If `rate` is not a finite number above 0.

    Examples
    --------
    >>> constant(0.5)(1000)
    0.5
    """
    _check_positive(rate=rate)
    return _Constant(float(rate))


def robbins_monro(offset: float, decay: float) -> Schedule:
    """Return the schedule (offset + t) ** -decay, for steps t = 0, 1, ...

    For a decay above 0.5 the rates sum to infinity and their squares do not (paper,
    below Eq. 50), so that stochastic steps converge in the limit. Over the few epochs
    of a real run a smaller decay may serve better.

    Parameters
    ----------
    offset : float
        Above 0; the larger, the smaller the first steps. Tau_0 in the paper.
    decay : float
        In [0, 1]. Kappa, the forgetting rate, in the paper.

    Raises
    ------
    ValueError
        If `offset` or `decay` is out of range.

    Examples
    --------
    >>> robbins_monro(1.0, 1.0)(3)
    0.25
    """
    _check_positive(offset=offset)
    if not 0 <= decay <= 1:
        raise ValueError(f"decay is {decay!r}; it must be between 0 and 1")
    return _RobbinsMonro(float(offset), float(decay))


def corollary_rates(
    gap: float,
    smoothness: float,
    gradient_bound: float,
    M: int,
    p: int,
    B: int,
    T: int,
    split: Literal["rho", "equal"] = "rho",
    *,
    rho: float = 1.0,
) -> tuple[float, float]:
    """Return the constant rates of Corollary 1 (Eq. 9).

    Only the product of the two rates enters the corollary::

        rho * eta = sqrt(A / (M p B T)),    A = gap / (smoothness * gradient_bound**2)

    The dependence on M p B T follows from the analysis; the constant A is ours, the
    paper's own may differ by a factor.

    Parameters
    ----------
    gap : float
        f(v_1) - f(v*), what there is to gain.
    smoothness : float
        L, the Lipschitz constant of the gradient.
    gradient_bound : float
        V, the largest norm of a sample gradient.
    M, p, B, T : int
        Pushes per merge, threads per worker, local steps per thread, merges.
    split : {"rho", "equal"}, default="rho"
        "rho": the global rate is `rho` and the local one takes the rest. "equal":
        both are the square root of the product, the most literal reading of the
        paper; then the harm of delays does not vanish with T.
    rho : float, default=1.0
        The global rate for ``split="rho"``.

    Returns
    -------
    global_rate, local_rate : float
        Rho and eta in the paper.

    Raises
    ------
    ValueError
        If a number is not above 0 or `split` is unknown.

    Examples
    --------
    >>> corollary_rates(1.0, 1.0, 1.0, M=4, p=1, B=1, T=25)
    (1.0, 0.1)
    """
    _check_positive(gap=gap, smoothness=smoothness, gradient_bound=gradient_bound)
    _check_positive(M=M, p=p, B=B, T=T, rho=rho)
    product = math.sqrt(gap / (smoothness * gradient_bound**2 * M * p * B * T))
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
        The rate that was best with one worker, thread, local step and push.
    M, p, B : int
        Pushes per merge, threads per worker, local steps per thread.
    rule : {"corollary", "samples", "sqrt"}, default="corollary"
        See the table.

    Returns
    -------
    global_rate, local_rate : float
        Rho and eta in the paper.

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
    _check_positive(base_rate=base_rate, M=M, p=p, B=B)
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


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not (value > 0 and math.isfinite(value)):
            raise ValueError(f"{name} is {value!r}; it must be finite and above 0")
