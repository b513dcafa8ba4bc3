"""What a local step and an exchange cost: all that a forecast needs to know."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dpsvi.theory.setting import check_count, check_positive
from dpsvi.theory.speedup.threads import ThreadScaling

__all__ = ["Costs", "check_not_negative"]

# Below this a bandwidth was surely meant in Gbit/s or Mbit/s.
_LEAST_BANDWIDTH = 1e4


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Seconds and bytes of the parts of a round.

    Attributes
    ----------
    step_seconds : float
        t_u: one local step on one thread.
    push_seconds : float
        The master's time for taking in one push, with its share of a merge.
    pull_seconds : float, default=0.0
        The master's time for one pull. Its sum with `push_seconds` is t_apply.
    handling_seconds : float, default=0.0
        What the process of the master spends on the messages of an exchange, whatever
        their size: the event loop of a Dask scheduler. It goes on beside the master's
        own work, on a thread of its own.
    n_bytes : float, default=0.0
        Size of a pull, and of a push: their mean, if they differ.
    bandwidth : float, default=inf
        Bits per second of the master's network link, such as 1e9.
    latency : float, default=0.0
        ℓ: seconds that a message is on its way, in one direction, with what the worker
        needs to write and to read it.
    trips : {1, 2}, default=1
        1: the answer to a push brings the next pull. 2: push and pull are two calls,
        as on our Dask backend, and wait for the master one after the other.
    threads : ThreadScaling, default=ThreadScaling()
        σ.
    samples_per_step : float, default=1.0
        Documents or frames of a local step.

    Raises
    ------
    ValueError
        If a number is out of range, or a bandwidth cannot be meant in bits per second.

    Examples
    --------
    >>> costs = Costs(
    ...     step_seconds=0.1, push_seconds=0.002, n_bytes=5e6, latency=1e-3
    ... )
    >>> slow, fast = costs.over(bandwidth=1e9), costs.over(bandwidth=10e9)
    >>> round(slow.service, 3), round(fast.service, 3)
    (0.082, 0.01)
    """

    step_seconds: float
    push_seconds: float
    pull_seconds: float = 0.0
    handling_seconds: float = 0.0
    n_bytes: float = 0.0
    bandwidth: float = math.inf
    latency: float = 0.0
    trips: int = 1
    threads: ThreadScaling = ThreadScaling()  # noqa: RUF009 (immutable)
    samples_per_step: float = 1.0

    def __post_init__(self) -> None:
        check_positive("step_seconds", self.step_seconds)
        check_positive("samples_per_step", self.samples_per_step)
        parts = ("push_seconds", "pull_seconds", "handling_seconds", "latency")
        for name in (*parts, "n_bytes"):
            check_not_negative(name, getattr(self, name))
        if not self.bandwidth >= _LEAST_BANDWIDTH:
            raise ValueError(
                f"bandwidth is {self.bandwidth!r}; it is in bits per second: "
                "1 Gbit/s is 1e9"
            )
        if self.trips not in (1, 2):
            raise ValueError(
                f"trips is {self.trips!r}; it must be 1, where the answer to a push "
                "brings the next pull, or 2"
            )
        if not self.service > 0:
            raise ValueError(
                "an exchange takes the master no time: give push_seconds above 0, or "
                "n_bytes and a bandwidth"
            )

    @property
    def wire_seconds(self) -> float:
        """Seconds that the bytes of a pull, or of a push, are on the master's link."""
        return 8 * self.n_bytes / self.bandwidth

    @property
    def service(self) -> float:
        """s: what one exchange takes of the master, 2 bytes / bandwidth + t_apply.

        As if the link could not carry both directions at once, nor while the master
        works: a little too much where it can.
        """
        return 2 * self.wire_seconds + self.pull_seconds + self.push_seconds

    @property
    def visits(self) -> tuple[tuple[float, ...], ...]:
        """Seconds of each visit of an exchange to the master, and to the event loop.

        These are the places where workers queue, as `mean_values` takes them.
        """
        wire = self.wire_seconds
        master: tuple[float, ...] = (self.service,)
        if self.trips == 2:
            master = self.push_seconds + wire, self.pull_seconds + wire
        if not self.handling_seconds:
            return (master,)
        return master, (self.handling_seconds / self.trips,) * self.trips

    @property
    def demands(self) -> tuple[float, ...]:
        """Seconds of a whole exchange at each of these places."""
        return tuple(sum(seconds) for seconds in self.visits)

    def working(self, n_threads: int = 1, local_steps: int = 1) -> float:
        """Return B t_u p / σ(p): what the steps of a round take."""
        check_count("local_steps", local_steps, least=1)
        per_thread = self.step_seconds * n_threads / self.threads(n_threads)
        return local_steps * per_thread

    def think(self, n_threads: int = 1, local_steps: int = 1) -> float:
        """Return Z: what a round takes besides the master, steps and messages."""
        ways = 2 * self.trips
        return self.working(n_threads, local_steps) + ways * self.latency

    def over(self, *, bandwidth: float, latency: float | None = None) -> Costs:
        """Return the costs over another network.

        Parameters
        ----------
        bandwidth : float
            In bits per second.
        latency : float or None, default=None
            In seconds, one way; None: as it is.
        """
        latency = self.latency if latency is None else latency
        return replace(self, bandwidth=bandwidth, latency=latency)

    def sharded(self, n_masters: int) -> Costs:
        """Return the costs if the parameters were dealt to several masters.

        Each has its own link and serves its part of every exchange, all at the same
        time, so workers meet the same queue everywhere, and a service of s / k. What a
        message costs whatever its size is paid at each of them and does not shrink.

        Raises
        ------
        ValueError
            If `n_masters` is not a whole number of at least 1.
        """
        check_count("n_masters", n_masters, least=1)
        return replace(
            self,
            push_seconds=self.push_seconds / n_masters,
            pull_seconds=self.pull_seconds / n_masters,
            n_bytes=self.n_bytes / n_masters,
        )


def check_not_negative(name: str, value: float) -> None:
    """Raise ValueError unless a number is finite and at least 0."""
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{name} is {value!r}; it must be finite and at least 0")
