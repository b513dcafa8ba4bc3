"""DPSGD as an optimiser of any objective: give samples' gradients, get a `Problem`.

An `Objective` is a finite sum f = (1/N) Σ f_i: where to start, and the gradient of the
mean of some f_i. `SGDProblem` is DPSGD on it, for `dpsvi.engine.run` and every backend:

>>> import numpy as np
>>> from dpsvi.engine import Plan, run
>>> from dpsvi.engine.problems import FunctionObjective, SGDProblem
>>> targets = np.arange(11.0)
>>> objective = FunctionObjective(
...     start=np.zeros(1),
...     n_samples=11,
...     gradient=lambda v, samples: v - targets[samples].mean(),
... )
>>> plan = Plan(total_steps=2000, n_workers=2, n_threads=2, local_steps=5, seed=0)
>>> found = run(SGDProblem(objective, local_rate=0.01), [None, None], plan)
>>> bool(abs(found.parameters[0] - 5) < 1)
True

Objectives at hand: `RedescendingLocation` (non-convex, with all constants of the
theory known), `MatrixFactorization` (gradients touch two rows), `ModuleObjective` (a
torch module; this package does not import torch). `SyntheticProcess` is DPSGD with
lost writes and late reads as the paper models them (Eq. 2 to 6), drawn at random.
"""

from dpsvi.engine.problems.factorization import MatrixFactorization
from dpsvi.engine.problems.location import RedescendingLocation
from dpsvi.engine.problems.module import ModuleObjective
from dpsvi.engine.problems.sgd import FunctionObjective, Objective, SGDProblem
from dpsvi.engine.problems.synthetic import SyntheticProcess

__all__ = [
    "FunctionObjective",
    "MatrixFactorization",
    "ModuleObjective",
    "Objective",
    "RedescendingLocation",
    "SGDProblem",
    "SyntheticProcess",
]
