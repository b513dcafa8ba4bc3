"""Experiments that check the paper's claims, one figure each.

``dpsvi experiment NAME`` runs one at the size of the machine at hand, in minutes;
``--full`` at the paper's sizes. Each leaves its data, its figure and, in words, which
claim of the paper it supports and which not. What is measured on this machine and what
is simulated past it is told apart everywhere.
"""

from __future__ import annotations

from importlib import import_module

from dpsvi.experiments.findings import Finding

__all__ = ["EXPERIMENTS", "find"]

#: What can be run, and what it looks into.
EXPERIMENTS = {
    "theorem": "Theorem 3.1 and Corollary 1 on an objective with known constants",
    "rules": "Eq. 13 on a corpus with known topics: perplexity against documents",
    "overwriting": "How many writes lock-free threads lose, α in the theory",
    "fig1": "Speed-up over serial SVI against the number of workers",
    "fig2": "Speed-up over serial SVI against the number of threads",
    "fig3": "Speed-up with as many threads as workers, for several B",
    "fig4": "Perplexity against time, for several numbers of workers",
    "fig5": "Agent steps per second against the number of nodes, for several B",
    "fig6": "Time to a score against the number of nodes, for several B",
    "table2": "Scores on the six Atari games, beside those published",
}


def find(name: str, *, full: bool = False) -> Finding:
    """Run an experiment.

    Parameters
    ----------
    name : str
        One of `EXPERIMENTS`.
    full : bool, default=False
        At the paper's sizes, which may take hours.

    Raises
    ------
    ValueError
        If there is no such experiment.
    """
    if name not in EXPERIMENTS:
        raise ValueError(
            f"there is no experiment {name!r}; give one of {[*EXPERIMENTS]}"
        )
    module = import_module(f"dpsvi.experiments.{name}")
    found: Finding = module.find(full=full)
    return found
