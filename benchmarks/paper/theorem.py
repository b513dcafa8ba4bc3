"""Theorem 3.1 and Corollary 1, checked on an objective of which all is known.

`RedescendingLocation` has exact L, V and f*, so that bounds can be compared with what
is measured: G, the mean over the run of the squared norm of the full gradient, over
independent replicates. Asynchrony is replayed, and losses are drawn, so a run has
exactly the staleness, the late reads and the share of lost writes that it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dpsvi.engine import Plan, constant, run
from dpsvi.engine.backends.simulated import Simulated
from dpsvi.engine.problems import RedescendingLocation, SyntheticProcess
from dpsvi.experiments.findings import COLOURS, Claim, Finding, tidy
from dpsvi.theory import Constants, Layout, corollary_rates, theorem_bound

__all__ = ["Measured", "Study", "find"]

# Versions at which the gradient is looked at.
_LOOKS = 400


@dataclass(frozen=True)
class Measured:
    """One run beside its bound.

    Attributes
    ----------
    norm : float
        G: mean squared norm of the gradient, over the run and the replicates.
    error : float
        Its standard error over replicates.
    bound : float
        Theorem 3.1's for the same rates and layout.
    exchanges : int
        Pushes in all.
    """

    norm: float
    error: float
    bound: float
    exchanges: int


class Study:
    """Runs on one objective.

    Parameters
    ----------
    replicates : int, default=32
        Independent runs, side by side.
    n_dimensions : int, default=8
        d.
    seed : int, default=0
        Of samples and runs.
    """

    def __init__(
        self, replicates: int = 32, n_dimensions: int = 8, seed: int = 0
    ) -> None:
        self.objective = RedescendingLocation(
            n_dimensions=n_dimensions, replicates=replicates, seed=seed
        )
        self.constants = Constants(
            smoothness=self.objective.smoothness,
            gradient_bound=self.objective.gradient_bound,
            gap=self.objective.gap,
        )
        self._seed = seed

    def measure(
        self, layout: Layout, *, step: float | None = None, rho: float = 1.0
    ) -> Measured:
        """Run once.

        Parameters
        ----------
        layout : Layout
            T, M, p, B, D, D' and α. Workers take turns; with M = 1 there are D + 1 of
            them and every push but the first ones is D versions stale.
        step : float or None, default=None
            γ = ρ η; None: that of Corollary 1.
        rho : float, default=1.0
            ρ.
        """
        if step is None:
            step = float(np.prod(corollary_rates(self.constants, layout)))
        n_workers = layout.master_batch_size * layout.staleness + 1
        if layout.staleness == 0:
            n_workers = layout.master_batch_size
        problem = SyntheticProcess(
            self.objective, step / rho, kept=layout.kept, read_delay=layout.read_delay
        )
        plan = Plan(
            total_steps=layout.steps,
            n_workers=n_workers,
            # The synthetic process stands for the threads.
            local_steps=layout.round_steps,
            master_batch_size=layout.master_batch_size,
            global_rate=constant(rho),
            seed=self._seed,
        )
        norms = _Norms(self.objective, layout.merges)
        done = run(
            problem,
            [None] * n_workers,
            plan,
            backend=Simulated(order=range(n_workers)),
            monitor=norms,
        )
        each = norms.mean()
        return Measured(
            float(each.mean()),
            float(each.std(ddof=1) / np.sqrt(each.size)) if each.size > 1 else 0.0,
            theorem_bound(self.constants, layout, rho, step / rho),
            done.counters.pushes,
        )

    def over_merges(self, merges: Sequence[int], **sizes: Any) -> list[Measured]:
        """Measure for several T, each with Corollary 1's rates for it."""
        return [self.measure(Layout(merges=T, **sizes)) for T in merges]


class _Norms:
    """Notes squared norms of the full gradient at evenly spread versions."""

    def __init__(self, objective: RedescendingLocation, merges: int) -> None:
        self._objective = objective
        self._every = max(1, merges // _LOOKS)
        self._sums = self._norms(objective.start())
        self._count = 1

    def __call__(self, progress: Any) -> None:
        if progress.version % self._every == 0:
            self._sums = self._sums + self._norms(progress.parameters)
            self._count += 1

    def mean(self) -> Any:
        """Return the mean over the run, per replicate."""
        return self._sums / self._count

    def _norms(self, parameters: Any) -> Any:
        return (self._objective.full_gradient(parameters) ** 2).sum(axis=1)


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the slope of y against x, both on logarithmic axes."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def find(*, full: bool = False) -> Finding:
    """Run all checks; `full` takes four times as many replicates, and longer runs."""
    study = Study(replicates=128 if full else 32)
    merges = [250, 1000, 4000, 16000, *([64000] if full else [])]
    rows: list[dict[str, Any]] = []

    def look(sweep: str, value: float, layout: Layout, **given: Any) -> float:
        found = study.measure(layout, **given)
        numbers = {"norm": found.norm, "error": found.error, "bound": found.bound}
        rows.append({"sweep": sweep, "value": value, **numbers})
        return found.norm

    by_merges = [look("T", T, Layout(merges=T)) for T in merges]
    by_sizes = [
        look("MpB", M * p * B, _sized(16000, M, p, B))
        for M, p, B in [(1, 1, 1), (4, 1, 1), (4, 4, 1), (4, 2, 5), (10, 1, 4)]
    ]
    delays = [0, 4, 16, 64]
    fresh, *stale = [look("D", D, Layout(merges=4000, staleness=D)) for D in delays]
    steep = [
        look("D, large steps", D, Layout(merges=4000, staleness=D), step=0.3)
        for D in delays
    ]
    kept = [1.0, 0.8, 0.5]
    by_kept = [look("alpha", a, Layout(merges=4000, kept=a)) for a in kept]
    shares = [1.0, 0.3, 0.1, 0.03]
    by_share = [
        look("rho", rho, Layout(merges=400, local_steps=10), rho=rho) for rho in shares
    ]
    lengths = [1, 5, 10, 50]
    by_length = [look("B", B, _sized(10000, 1, 1, B)) for B in lengths]
    return Finding(
        "theorem",
        "Theorem 3.1 and Corollary 1",
        rows,
        [
            _below_the_bound(rows),
            _rate(merges, by_merges),
            Claim.judged(
                "Only the product MpBT counts (linear speed-up)",
                _spread(by_sizes) < 0.05,
                f"G differs by {_spread(by_sizes):.1%} over five ways to share it.",
            ),
            Claim.judged(
                "Staleness is harmless while T is large enough",
                _spread([fresh, *stale]) < 0.1,
                f"G differs by {_spread([fresh, *stale]):.1%} from D = 0 to 64.",
            ),
            Claim.judged(
                "and harms where L γ MpB D is large",
                steep[2] > 1.5 * steep[0],
                f"With L γ D = {2 * 0.3 * 16:.0f} G is {steep[2] / steep[0]:.1f} times "
                "what it is without.",
            ),
            Claim.judged(
                "Lost writes cost their share: G grows as 1/α",
                _spread([a * G for a, G in zip(kept, by_kept, strict=True)]) < 0.15,
                f"With half of the writes G is {by_kept[-1] / by_kept[0]:.2f} times as "
                "large.",
            ),
            Claim.judged(
                "A smaller global rate with larger local ones is no better",
                by_share[-1] > by_share[0],
                f"ρ = 0.03 makes G {by_share[-1] / by_share[0]:.2f} times as large; "
                "the bound allows far more.",
            ),
            Claim.judged(
                "B steps a round need 1/B of the exchanges and cost nothing",
                _spread(by_length) < 0.05,
                f"G differs by {_spread(by_length):.1%} from B = 1 to 50.",
            ),
        ],
        lambda figure: _draw(figure, rows),
    )


def _sized(steps: int, M: int, p: int, B: int) -> Layout:
    """Share so many steps out."""
    return Layout(
        merges=steps // (M * p * B), master_batch_size=M, n_threads=p, local_steps=B
    )


def _spread(values: Sequence[float]) -> float:
    return max(values) / min(values) - 1


def _below_the_bound(rows: Sequence[dict[str, Any]]) -> Claim:
    highest = max(row["norm"] / row["bound"] for row in rows)
    return Claim.judged(
        "Gradients are below the bound of Theorem 3.1 in every run",
        highest <= 1,
        f"G is at most {highest:.2f} of the bound in {len(rows)} runs.",
    )


def _rate(merges: Sequence[int], norms: Sequence[float]) -> Claim:
    found = slope(merges, norms)
    return Claim.judged(
        "The rate of convergence is O(1/√T)",
        abs(found + 0.5) < 0.1,
        f"The slope of log G against log T is {found:.2f}.",
    )


def _draw(figure: Any, rows: Sequence[dict[str, Any]]) -> None:
    """G and its bound against T, D and α."""
    panels = figure.subplots(1, 3)
    for axes, sweep, x in zip(
        panels, ("T", "D", "alpha"), ("merges T", "staleness D", "α, kept"), strict=True
    ):
        chosen = [row for row in rows if row["sweep"] == sweep]
        values = [row["value"] for row in chosen]
        axes.plot(
            values,
            [row["bound"] for row in chosen],
            "--",
            color="#777777",
            label="bound",
        )
        axes.errorbar(
            values,
            [row["norm"] for row in chosen],
            [2 * row["error"] for row in chosen],
            fmt="o-",
            color=COLOURS[0],
            label="measured",
        )
        axes.set_yscale("log")
        tidy(axes, f"against {x}", x, "mean squared gradient norm")
    panels[0].set_xscale("log")
    panels[0].legend(frameon=False)
