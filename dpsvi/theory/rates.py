"""All formulas about rates in one place, by the paper's numbers.

==============  ===============================================================
paper           here
==============  ===============================================================
Theorem 3.1     `theorem_bound` (29)
(7), (8)        `theorem_condition`, `check_step_sizes`; `lemma_factor`
Corollary 1     `corollary_rates` (9), `fewest_merges` (10), `corollary_bound` (11)
discussion      `most_workers` O(√T), `most_threads` O(T^¼); `expected_staleness`,
                `largest_staleness` and `largest_read_delay`
(13)            `scaled_rates`
(56) to (58)    `communication_time`, `local_steps_to_break_even`
==============  ===============================================================
"""

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
    "check_step_sizes",
    "communication_time",
    "corollary_bound",
    "corollary_rates",
    "expected_staleness",
    "fewest_merges",
    "largest_read_delay",
    "largest_staleness",
    "lemma_factor",
    "local_steps_to_break_even",
    "most_threads",
    "most_workers",
    "scaled_rates",
    "theorem_bound",
    "theorem_condition",
]
