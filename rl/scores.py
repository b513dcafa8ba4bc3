"""Scores of a human and of random play, between which agents are placed.

Source of both columns: Wang et al. (2016), "Dueling Network Architectures for Deep
Reinforcement Learning", tables of raw scores with up to 30 no-op starts; the random
column is that of Mnih et al. (2015), extended data table 2. The games are those of the
paper (section 8.2), and Breakout.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Published", "human_normalised", "published"]


class Published(NamedTuple):
    """Mean scores over whole games.

    Attributes
    ----------
    random : float
        Actions drawn uniformly.
    human : float
        A professional tester.
    """

    random: float
    human: float


_PUBLISHED = {
    "amidar": Published(5.8, 1719.5),
    "boxing": Published(0.1, 12.1),
    "breakout": Published(1.7, 30.5),
    "pong": Published(-20.7, 14.6),
    "qbert": Published(163.9, 13455.0),
    "seaquest": Published(68.4, 42054.7),
    "space_invaders": Published(148.0, 1668.7),
}


def published(game: str | None) -> Published | None:
    """What is known of a game, by the name of its ROM; None for others."""
    return _PUBLISHED.get(game or "")


def human_normalised(game: str | None, score: float) -> float | None:
    """(score - random) / (human - random): 0 plays randomly, 1 like the human.

    Parameters
    ----------
    game : str or None
        Name of the game's ROM.
    score : float
        Raw mean score.

    Returns
    -------
    float or None
        None where no scores are published.

    Examples
    --------
    >>> from dpsvi.rl.scores import human_normalised
    >>> human_normalised("pong", 14.6)
    1.0
    """
    known = published(game)
    if known is None:
        return None
    return (score - known.random) / (known.human - known.random)
