"""The rules by which a game is played, printed beside every score.

Scores of two agents compare only if both played by the same rules. The defaults are
those of Mnih et al. (2015), which the paper follows (section 8.2): an action is held
for four frames, games begin with up to thirty idle frames, no action is sticky.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

__all__ = ["Protocol"]


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What is done to an environment before an agent sees it.

    The defaults are for training on Atari; `evaluation` gives the rules under which
    the same agent is scored. Other environments are left as they are: `plain`.

    Attributes
    ----------
    frame_skip : int, default=4
        Frames for which an action is held; one agent step.
    sticky : float, default=0.0
        Probability that a frame repeats the last action instead of the chosen one.
        Environments named ``ALE/...-v5`` declare 0.25; this value counts, not theirs.
    noop_max : int, default=30
        A game begins with a random number of idle frames, at most this many.
    fire_reset : bool, default=True
        Press fire at the beginning, where the game has such a button.
    episodic_life : bool, default=True
        A lost life ends the training episode, but not the game.
    clip_rewards : bool, default=True
        Rewards are clipped to [-1, 1] for training, as in Mnih et al. (2015). Scores
        are never clipped.
    frame_stack : int, default=4
        Screens that make an observation, oldest first.
    screen : int, default=84
        Height and width of the grey screen in pixels; 0: observations as they come.
    full_action_space : bool, default=False
        All 18 actions, instead of those that the game knows.
    max_episode_frames : int, default=108000
        A game is cut off after this many frames (half an hour); 0: no limit.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> from dpsvi.rl.protocol import Protocol
    >>> Protocol().evaluation().clip_rewards
    False
    >>> Protocol.plain().describe()
    'environment as it is'
    """

    frame_skip: int = 4
    sticky: float = 0.0
    noop_max: int = 30
    fire_reset: bool = True
    episodic_life: bool = True
    clip_rewards: bool = True
    frame_stack: int = 4
    screen: int = 84
    full_action_space: bool = False
    max_episode_frames: int = 108_000

    def __post_init__(self) -> None:
        if not 0.0 <= self.sticky < 1.0:
            raise ValueError(f"sticky is {self.sticky}; it must be in [0, 1).")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} is {value}; it must be at least {least}.")

    @classmethod
    def plain(cls, *, clip_rewards: bool = False) -> Protocol:
        """The protocol of all that is not Atari: only rewards may be clipped."""
        return cls(**{**_AS_IT_IS, "clip_rewards": clip_rewards})

    @property
    def is_plain(self) -> bool:
        """Whether this applies to any environment, not to Atari alone."""
        return self == Protocol.plain(clip_rewards=self.clip_rewards)

    def evaluation(self, *, noop_max: int | None = None) -> Protocol:
        """The same rules for scoring: whole games, raw rewards.

        Parameters
        ----------
        noop_max : int or None, default=None
            Another number of idle frames; None: the same.
        """
        noops = self.noop_max if noop_max is None else noop_max
        return replace(self, episodic_life=False, clip_rewards=False, noop_max=noops)

    def describe(self) -> str:
        """All rules in one line."""
        rules = [] if self.is_plain else self._atari_rules()
        if self.clip_rewards:
            rules.append("rewards clipped to [-1, 1]")
        return ", ".join(rules) or "environment as it is"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; ``Protocol(**values)`` is the way back."""
        return asdict(self)

    def _atari_rules(self) -> list[str]:
        actions = "all 18" if self.full_action_space else "minimal"
        rules = [
            f"frame skip {self.frame_skip}",
            f"sticky actions {self.sticky:g}",
            f"up to {self.noop_max} no-ops",
            f"{self.frame_stack} grey screens of {self.screen}x{self.screen}",
            f"{actions} actions",
            f"at most {self.max_episode_frames:,} frames",
        ]
        if self.fire_reset:
            rules.append("fire to start")
        if self.episodic_life:
            rules.append("a lost life ends a training episode")
        return rules


_LEAST = {
    "frame_skip": 1,
    "noop_max": 0,
    "frame_stack": 1,
    "screen": 0,
    "max_episode_frames": 0,
}

_AS_IT_IS: dict[str, Any] = {
    "frame_skip": 1,
    "sticky": 0.0,
    "noop_max": 0,
    "fire_reset": False,
    "episodic_life": False,
    "frame_stack": 1,
    "screen": 0,
    "full_action_space": False,
    "max_episode_frames": 0,
}
