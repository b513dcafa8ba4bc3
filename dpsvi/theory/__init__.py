"""What the theory says about a run, and what it lets one expect of a machine.

`theorem_bound`, `check_step_sizes`
    Theorem 3.1 for given rates.
`corollary_rates`, `corollary_bound`, `fewest_merges`
    Corollary 1: constant rates, Eq. 9 to 11.
`expected_staleness`, `largest_staleness`, `most_workers`, `most_threads`
    How much asynchrony Corollary 1 bears; `largest_read_delay` too.
`scaled_rates`
    Eq. 13: carry a tuned rate over to more threads, steps or pushes.
`communication_time`, `local_steps_to_break_even`
    Eq. 56 to 58.
`estimate_constants`, `recommend`
    From measured constants and costs to rates, B, M, workers and threads.

`Constants` are those of an objective, `Layout` is that of a run.
"""

from dpsvi.theory.advice import Recommendation, recommend
from dpsvi.theory.communication import communication_time, local_steps_to_break_even
from dpsvi.theory.corollary import (
    corollary_bound,
    corollary_rates,
    expected_staleness,
    fewest_merges,
    largest_read_delay,
    largest_staleness,
    most_threads,
    most_workers,
    scaled_rates,
)
from dpsvi.theory.pilot import estimate_constants
from dpsvi.theory.setting import Constants, Layout
from dpsvi.theory.theorem import (
    check_step_sizes,
    lemma_factor,
    theorem_bound,
    theorem_condition,
)

__all__ = [
    "Constants",
    "Layout",
    "Recommendation",
    "check_step_sizes",
    "communication_time",
    "corollary_bound",
    "corollary_rates",
    "estimate_constants",
    "expected_staleness",
    "fewest_merges",
    "largest_read_delay",
    "largest_staleness",
    "lemma_factor",
    "local_steps_to_break_even",
    "most_threads",
    "most_workers",
    "recommend",
    "scaled_rates",
    "theorem_bound",
    "theorem_condition",
]
