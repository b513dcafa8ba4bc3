"""Speed-up past one machine: a queueing model, a simulation, and their calibration.

The model
---------
n workers go round: B local steps on p threads, a message to the master, a wait until
the master serves the push, and then the pull of the next round. With t_u the seconds of
a step on one thread, σ(p) the work of p threads, ℓ the seconds of a message one way, s
those of the master per exchange, and e those of the scheduler's event loop,

    Z = B t_u p / σ(p) + 2 ℓ               (4 ℓ where push and pull are two calls)
    s = 2 bytes / bandwidth + t_apply
    X = rounds per second of n workers, at most min(n / (Z + s + e), 1 / s, 1 / e)
    S = X p B t_u E_stat                   (speed-up against one thread on its own)
    n* = (Z + s + e) / max(s, e)           (workers that saturate one master)
    E[staleness] = (n - 1) / M             (less where push and pull are two calls)

X follows from mean value analysis (`mean_values`), which is exact where push and pull
are one call and services are exponential, and close otherwise; or from a discrete-event
simulation (`simulate`), which also knows constant service, merges of M pushes that take
time of their own, workers of different speed, faults, and hosts that all share.

Assumptions
-----------
One master serves one call at a time, in order of arrival. Workers do not share links
with one another, nor cores, except with ``simulate(..., one_host=True)``. The wire of
the master is counted as if it carried one message at a time and nothing else went on
meanwhile, so what is said of slow networks is a little pessimistic. Where workers have
hosts of their own, seconds of steps do not depend on n.

Where each number comes from
----------------------------
========================  ============================================================
t_u, s without the wire,  `measure_rounds`: the engine's own round in this process,
bytes                     taken apart
σ                         `measure_threads`: 1 to all cores; `fit_threads` fits the
                          universal scalability law
ℓ, the event loop         `measure_exchange`: workers of a Dask cluster that do nothing
                          but exchange
bandwidth                 of your network: `Costs.over`
E_stat                    `statistical_efficiency`: from the bound of Theorem 3.1, and
                          so pessimistic; or measured, samples to a target
========================  ============================================================

What is forecast for more workers than there are at hand is a simulation, and no
measurement. `compare` runs the same thing for real with as many as there are.
"""

from dpsvi.theory.speedup.calibration import (
    Rounds,
    cores_at_hand,
    costs_of,
    measure_rounds,
    measure_threads,
)
from dpsvi.theory.speedup.cluster_runs import (
    Comparison,
    Exchange,
    compare,
    measure_exchange,
    steady_rate,
)
from dpsvi.theory.speedup.costs import Costs
from dpsvi.theory.speedup.efficiency import samples_needed, statistical_efficiency
from dpsvi.theory.speedup.forecast import (
    Forecast,
    forecast,
    local_steps_needed,
    saturating_workers,
)
from dpsvi.theory.speedup.machine import (
    Calibration,
    calibrate,
    local_cluster,
    topics_problem,
)
from dpsvi.theory.speedup.queueing import (
    MeanValues,
    knee,
    largest_throughput,
    mean_values,
)
from dpsvi.theory.speedup.simulation import (
    Faults,
    Outcome,
    round_with_faults,
    simulate,
)
from dpsvi.theory.speedup.sleeping import Sleeping
from dpsvi.theory.speedup.threads import ThreadScaling, fit_threads

__all__ = [
    "Calibration",
    "Comparison",
    "Costs",
    "Exchange",
    "Faults",
    "Forecast",
    "MeanValues",
    "Outcome",
    "Rounds",
    "Sleeping",
    "ThreadScaling",
    "calibrate",
    "compare",
    "cores_at_hand",
    "costs_of",
    "fit_threads",
    "forecast",
    "knee",
    "largest_throughput",
    "local_cluster",
    "local_steps_needed",
    "mean_values",
    "measure_exchange",
    "measure_rounds",
    "measure_threads",
    "round_with_faults",
    "samples_needed",
    "saturating_workers",
    "simulate",
    "statistical_efficiency",
    "steady_rate",
    "topics_problem",
]
