"""How long rounds are: long enough that communication hardly counts."""

from __future__ import annotations

import math

__all__ = ["Pace"]

# Share of a round that communication may take.
_MOST, _LEAST = 0.1, 0.04


class Pace:
    """Chooses the steps of the next round from how the last one went.

    Long rounds waste less time on communication, short ones less work on stale
    parameters: the shortest is taken that keeps communication below a tenth.

    Parameters
    ----------
    shortest, longest : int
        Bounds, p * B in the paper. Equal: nothing is chosen.

    Attributes
    ----------
    steps : int
        Of the next round.
    share : float
        Of the last round that was communication.

    Examples
    --------
    >>> pace = Pace(shortest=4, longest=100)
    >>> pace.learn(talking=2.0, working=8.0)
    >>> pace.steps
    8
    >>> pace.learn(talking=0.1, working=9.9)
    >>> pace.steps
    7
    """

    def __init__(self, shortest: int, longest: int) -> None:
        self._shortest, self._longest = shortest, max(shortest, longest)
        self.steps = shortest
        self.share = 0.0

    def learn(self, talking: float, working: float) -> None:
        """Take in the seconds of a round."""
        self.share = talking / max(talking + working, 1e-9)
        steps = self.steps
        if self.share > _MOST:
            # At most twice as long: one slow call is no rule.
            steps = math.ceil(steps * min(2.0, self.share / _MOST))
        elif self.share < _LEAST:
            steps = math.floor(steps * 0.9)
        self.steps = min(max(steps, self._shortest), self._longest)
