"""Theorem 3.1 and Corollary 1, checked on an objective of which all is known.

Runs are those of `dpsvi.experiments.theorem_study`. The bound counts only where
condition (7) holds, and staleness and late reads are called harmless only where
Corollary 1 holds (Eq. 10); what lies beyond is shown, and told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dpsvi.experiments.findings import Claim, Finding
from dpsvi.experiments.theorem_figure import draw
from dpsvi.experiments.theorem_study import Study, factors_norm
from dpsvi.theory import Layout

__all__ = ["find", "judge", "looks"]

# Rates of the factorisation are these over √T. With rates too small to get far in so
# few merges G hardly falls at all.
_SCALES = (2.0, 4.0, 6.0)
#: A sweep's name, what varies, the layout and the rates if not those of Corollary 1.
Look = tuple[str, float, Layout, dict[str, float]]


def find(*, full: bool = False) -> Finding:
    """Run all checks; `full` takes four times as many replicates, and longer runs."""
    study = Study(replicates=128 if full else 32)
    rows = [row_of(study, *look) for look in looks(64000 if full else 16000)]
    for scale in _SCALES:
        for merges in (1000, 4000, 16000):
            norm, error = factors_norm(merges, scale, runs=8 if full else 4)
            rows.append(
                {
                    **dict.fromkeys(rows[0], ""),
                    **{"sweep": _factors(scale), "value": merges},
                    **{"norm": norm, "error": error, "exchanges": merges},
                }
            )
    return Finding(
        "theorem",
        "Theorem 3.1 and Corollary 1",
        rows,
        judge(rows),
        lambda figure: draw(figure, rows),
    )


def _factors(scale: float) -> str:
    return f"T, factors, {scale:g} / √T"


def looks(longest: int) -> Iterator[Look]:
    """Yield the runs on the objective with known constants."""
    for T in (250, 1000, 4000, 16000, 64000):
        if longest >= T:
            yield "T", T, Layout(merges=T), {}
    for M, p, B in [(1, 1, 1), (4, 1, 1), (4, 4, 1), (4, 2, 5), (10, 1, 4)]:
        yield "MpB", M * p * B, sized(16000, M, p, B), {}
    # Eq. 10 allows D up to 22 in so many merges.
    for D in (0, 5, 22, 64):
        yield "D", D, Layout(merges=16000, staleness=D), {}
    for D in (0, 4, 16, 64):
        yield "D, γ = 0.3", D, Layout(merges=4000, staleness=D), {"step": 0.3}
    # And D' up to 4 in these.
    for late in (0, 2, 4, 9):
        layout = Layout(merges=900, local_steps=10, read_delay=late)
        yield "D'", late, layout, {}
        yield "D', γ = 0.2", late, layout, {"step": 0.2}
    for kept in (1.0, 0.8, 0.5, 0.25):
        yield "alpha", kept, Layout(merges=4000, kept=kept), {}
    for rho in (1.0, 0.3, 0.1, 0.03):
        yield "rho", rho, Layout(merges=400, local_steps=10), {"rho": rho}
    for B in (1, 5, 10, 50):
        # With M = 1 a lone worker would do the very same steps for every B.
        yield "B", B, sized(20000, 4, 1, B), {}


def sized(steps: int, M: int, p: int, B: int) -> Layout:
    """Share so many steps out; p threads read p - 1 writes late."""
    return Layout(
        merges=steps // (M * p * B),
        master_batch_size=M,
        n_threads=p,
        local_steps=B,
        read_delay=p - 1,
    )


def row_of(
    study: Study, sweep: str, value: float, layout: Layout, given: dict[str, float]
) -> dict[str, Any]:
    """Measure one run."""
    found = study.measure(layout, **given)
    return {
        "sweep": sweep,
        "value": value,
        "norm": found.norm,
        "error": found.error,
        "bound": found.bound,
        "condition_7": found.condition,
        "guaranteed": found.condition <= 1,
        "corollary_1": not given.get("step") and layout.merges >= found.fewest,
        "exchanges": found.exchanges,
    }


def judge(rows: Sequence[dict[str, Any]]) -> list[Claim]:
    """Return the claims of the theorem and what the rows say of them."""
    return [
        _below_the_bound(rows),
        _rate(rows),
        _factors_rate(rows),
        _speed_up(rows),
        _staleness(rows),
        _large_steps(rows),
        _late_reads(rows),
        _lost_writes(rows),
        _split(rows),
        _exchanges(rows),
    ]


def _of(rows: Sequence[dict[str, Any]], sweep: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["sweep"] == sweep]


def _norms(rows: Sequence[dict[str, Any]], sweep: str) -> list[float]:
    return [row["norm"] for row in _of(rows, sweep)]


def _spread(values: Sequence[float]) -> float:
    return max(values) / min(values) - 1


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the slope of y against x, both on logarithmic axes."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _below_the_bound(rows: Sequence[dict[str, Any]]) -> Claim:
    known = [row for row in rows if row["bound"] != ""]
    sure = [row for row in known if row["guaranteed"]]
    shares = [row["norm"] / row["bound"] for row in sure]
    return Claim.judged(
        "Gradients are below the bound of Theorem 3.1 wherever it is guaranteed",
        max(shares) <= 1,
        f"{len(sure)} of {len(known)} runs satisfy condition (7). In these G is "
        f"{min(shares):.2g} to {max(shares):.2g} of the bound.",
    )


def _slope_of(rows: Sequence[dict[str, Any]], sweep: str) -> float:
    return slope([row["value"] for row in _of(rows, sweep)], _norms(rows, sweep))


def _rate(rows: Sequence[dict[str, Any]]) -> Claim:
    found = _slope_of(rows, "T")
    return Claim.judged(
        "The rate of convergence is O(1/√T)",
        abs(found + 0.5) < 0.1,
        f"The slope of log G against log T is {found:.2f}.",
    )


def _factors_rate(rows: Sequence[dict[str, Any]]) -> Claim:
    found = [_slope_of(rows, _factors(scale)) for scale in _SCALES]
    return Claim.judged(
        "Matrix factorisation has the same rate",
        all(abs(each + 0.5) < 0.1 for each in found),
        "The slope of log G against log T is "
        f"{', '.join(f'{each:.2f}' for each in found)} with rates of "
        f"{_listed(_SCALES)} over √T.",
    )


def _speed_up(rows: Sequence[dict[str, Any]]) -> Claim:
    spread = _spread(_norms(rows, "MpB"))
    return Claim.judged(
        "Only the product MpBT counts (linear speed-up)",
        spread < 0.05,
        f"G differs by {spread:.1%} over {len(_of(rows, 'MpB'))} ways to share it.",
    )


def _staleness(rows: Sequence[dict[str, Any]]) -> Claim:
    within = [row for row in _of(rows, "D") if row["corollary_1"]]
    spread = _spread([row["norm"] for row in within])
    beyond = [row for row in _of(rows, "D") if not row["corollary_1"]]
    more = "".join(
        f" Beyond it, at D = {row['value']:g}, G is "
        f"{row['norm'] / within[0]['norm']:.2f} times as large."
        for row in beyond
    )
    return Claim.judged(
        "Staleness is harmless while T is large enough (Eq. 10)",
        len(within) > 1 and spread < 0.1,
        f"G differs by {spread:.1%} over D = "
        f"{_listed([row['value'] for row in within])}, all within Eq. 10.{more}",
    )


def _large_steps(rows: Sequence[dict[str, Any]]) -> Claim:
    fresh, _, late, _ = _norms(rows, "D, γ = 0.3")
    return Claim.judged(
        "and harms where L γ MpB D is large",
        late > 1.5 * fresh,
        f"With L γ D = {2 * 0.3 * 16:.0f} G is {late / fresh:.1f} times what it is "
        "without. Condition (7) fails there, so the theorem says nothing.",
    )


def _late_reads(rows: Sequence[dict[str, Any]]) -> Claim:
    within = [row["norm"] for row in _of(rows, "D'") if row["corollary_1"]]
    large = _norms(rows, "D', γ = 0.2")
    return Claim.judged(
        "Late reads of the shared array are harmless, too, while T is large enough",
        len(within) > 1 and _spread(within) < 0.1,
        f"G differs by {_spread(within):.2%} over the {len(within)} values of D' "
        f"within Eq. 10. With steps of 0.2 and D' = 9, far beyond, it is "
        f"{large[-1] / large[0]:.2f} times what it is without.",
    )


def _lost_writes(rows: Sequence[dict[str, Any]]) -> Claim:
    scaled = [row["value"] * row["norm"] for row in _of(rows, "alpha")]
    norms = _norms(rows, "alpha")
    least = _of(rows, "alpha")[-1]["value"]
    return Claim.judged(
        "Lost writes cost their share: G grows as 1/α",
        _spread(scaled) < 0.15,
        f"With α = {least:g} G is {norms[-1] / norms[0]:.2f} times as large, and "
        f"α G differs by {_spread(scaled):.1%}.",
    )


def _split(rows: Sequence[dict[str, Any]]) -> Claim:
    first, *_, last = _of(rows, "rho")
    worse, promised = (last[key] / first[key] for key in ("norm", "bound"))
    return Claim.judged(
        "A smaller global rate with larger local ones is worse, but not by much",
        1 < worse < 2 < promised,
        f"ρ = {last['value']:g} makes G {worse:.2f} times as large; the bound grows "
        f"{promised:.0f} times.",
    )


def _exchanges(rows: Sequence[dict[str, Any]]) -> Claim:
    chosen = _of(rows, "B")
    spread = _spread([row["norm"] for row in chosen])
    steps = chosen[0]["exchanges"]
    fewer = all(row["exchanges"] * row["value"] == steps for row in chosen)
    return Claim.judged(
        "B steps a round need 1/B of the exchanges and cost nothing",
        fewer and spread < 0.05,
        f"Exchanges fall from {steps:,} to {chosen[-1]['exchanges']:,} at "
        f"B = {chosen[-1]['value']:g}, and G differs by {spread:.1%}.",
    )
