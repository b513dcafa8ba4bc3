"""What the theory speaks of: an objective's constants, and the layout of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Constants", "Layout"]


@dataclass(frozen=True, kw_only=True)
class Constants:
    """What is assumed of an objective f = (1/N) Σ f_i (Assumptions 1 and 4).

    Attributes
    ----------
    smoothness : float
        L: gradients of f and of each f_i change by at most L times the distance.
    gradient_bound : float
        V: no sample gradient is longer.
    gap : float
        Δ = f(v_1) - f(v*): what there is to gain.

    Raises
    ------
    ValueError
        If a number is not finite and above 0.

    Examples
    --------
    >>> Constants(smoothness=2.0, gradient_bound=1.0, gap=0.5)
    Constants(smoothness=2.0, gradient_bound=1.0, gap=0.5)
    """

    smoothness: float
    gradient_bound: float
    gap: float

    def __post_init__(self) -> None:
        for name in ("smoothness", "gradient_bound", "gap"):
            check_positive(name, getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a run is laid out, as the theorem sees it.

    Attributes
    ----------
    merges : int
        T: global iterations of the master.
    master_batch_size : int, default=1
        M: pushes per merge.
    n_threads : int, default=1
        p: lock-free threads of a worker.
    local_steps : int, default=1
        B: steps per thread and round.
    staleness : int, default=0
        D: no push is staler than this many merges (Assumption 5).
    read_delay : int, default=0
        D': no thread misses writes older than this many local steps (Assumption 5).
    kept : float, default=1.0
        α: the smallest probability, over coordinates, that a write is not lost
        (Assumption 3).

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> Layout(merges=100, master_batch_size=4, n_threads=2, local_steps=5).steps
    4000
    """

    merges: int
    master_batch_size: int = 1
    n_threads: int = 1
    local_steps: int = 1
    staleness: int = 0
    read_delay: int = 0
    kept: float = 1.0

    def __post_init__(self) -> None:
        counts = ("merges", "master_batch_size", "n_threads", "local_steps")
        for name in (*counts, "staleness", "read_delay"):
            check_count(name, getattr(self, name), least=int(name in counts))
            # A whole number may have come as 1e4.
            object.__setattr__(self, name, int(getattr(self, name)))
        if not 0 < self.kept <= 1:
            raise ValueError(
                f"kept is {self.kept!r}; it is a probability above 0: of a write that "
                "no other thread writes over"
            )

    @property
    def round_steps(self) -> int:
        """Local steps of a round, pB."""
        return self.n_threads * self.local_steps

    @property
    def merge_steps(self) -> int:
        """Local steps that one merge brings in, MpB."""
        return self.master_batch_size * self.round_steps

    @property
    def steps(self) -> int:
        """Local steps of the run, MpBT."""
        return self.merge_steps * self.merges


def check_positive(name: str, value: float) -> None:
    """Raise ValueError unless a number is finite and above 0."""
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{name} is {value!r}; it must be finite and above 0")


def check_count(name: str, value: float, *, least: int) -> None:
    """Raise ValueError unless a number is whole and large enough."""
    if not (least <= value < math.inf and value == int(value)):
        raise ValueError(
            f"{name} is {value!r}; it must be a whole number of at least {least}"
        )
