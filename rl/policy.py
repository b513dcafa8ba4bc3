"""A trained agent: its network, what it plays, and where it comes from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import softmax
from torch import nn

from dpsvi.engine.files import PathLike
from dpsvi.rl import networks
from dpsvi.rl.flat import Vector, bind, vector_of
from dpsvi.rl.looking import Looker, known_to_kernels
from dpsvi.rl.networks import Network, network_for
from dpsvi.rl.protocol import Protocol
from dpsvi.rl.safe import Saved, read_saved, write_saved
from dpsvi.rl.stepping import EnvironmentSpec, Floats, Observations

__all__ = ["Policy", "Provenance", "load"]


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How an agent was trained.

    Attributes
    ----------
    steps : int, default=0
        Agent steps.
    score : float or None, default=None
        Mean score when it was saved.
    settings : dict, default={}
        Whatever else is worth keeping; plain values.
    """

    steps: int = 0
    score: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)


class Policy:
    """An agent that acts.

    Parameters
    ----------
    network : torch.nn.Module
        Returns (logits, values), as `dpsvi.rl.networks.network_for` makes sure. Put
        into evaluation mode.
    spec : EnvironmentSpec
        What it plays.
    provenance : Provenance or None, default=None
        How it was trained.

    Examples
    --------
    >>> import numpy as np
    >>> from dpsvi.rl.environments import spec_of
    >>> from dpsvi.rl.policy import Policy
    >>> policy = Policy.untrained(spec_of("CartPole-v1"))
    >>> policy.act(np.zeros((3, 4)), deterministic=True).shape
    (3,)
    """

    def __init__(
        self,
        network: nn.Module,
        spec: EnvironmentSpec,
        provenance: Provenance | None = None,
    ) -> None:
        # It only acts: layers such as dropout are to do nothing.
        self.network = network.eval()
        self.spec = spec
        self.provenance = provenance or Provenance()

    @classmethod
    def untrained(
        cls, spec: EnvironmentSpec, network: Network | None = None, *, seed: int = 0
    ) -> Policy:
        """An agent to begin with; parameters as `dpsvi.rl.networks.network_for`."""
        return cls(network_for(spec, network, seed=seed), spec)

    @classmethod
    def from_vector(
        cls,
        vector: Vector,
        spec: EnvironmentSpec,
        network: Network | None = None,
        provenance: Provenance | None = None,
    ) -> Policy:
        """An agent with the parameters of a flat vector, which is copied."""
        made = network_for(spec, network)
        bind(made, np.array(vector, dtype=np.float32))
        return cls(made, spec, provenance)

    @property
    def protocol(self) -> Protocol:
        """The rules it was trained by."""
        return self.spec.protocol

    @property
    def vector(self) -> Vector:
        """A copy of its parameters, float32 ndarray of shape (n_parameters,)."""
        return vector_of(self.network)

    def act(
        self,
        observations: npt.ArrayLike,
        deterministic: bool = False,
        generator: np.random.Generator | None = None,
    ) -> npt.NDArray[np.int64]:
        """Choose an action for each of n observations.

        Parameters
        ----------
        observations : array of shape (n, \\*observation_shape)
            As the environments give them.
        deterministic : bool, default=False
            The most probable action, instead of a random one.
        generator : numpy.random.Generator or None, default=None
            Where random actions come from; None: fresh.

        Returns
        -------
        int64 ndarray of shape (n,)

        Raises
        ------
        ValueError
            If the observations have another shape.
        """
        if deterministic:
            logits, _ = self._look(observations)
            return np.asarray(logits.argmax(axis=-1), dtype=np.int64)
        chances = np.cumsum(self.probabilities(observations), axis=-1)
        drawn = (generator or np.random.default_rng()).random(len(chances))
        # The last sum may fall short of 1 by rounding.
        last = self.spec.n_actions - 1
        actions = np.count_nonzero(chances <= drawn[:, None], axis=-1)
        return np.asarray(np.minimum(actions, last), dtype=np.int64)

    def probabilities(self, observations: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Probability of each action, of shape (n, n_actions)."""
        logits, _ = self._look(observations)
        chances: npt.NDArray[np.float64] = softmax(logits.astype(np.float64), axis=-1)
        return chances

    def values(self, observations: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """What the critic expects to come, discounted, of shape (n,)."""
        _, values = self._look(observations)
        return np.asarray(values, dtype=np.float32)

    def save(self, path: PathLike) -> None:
        """Write a safetensors file, whole or not at all; `load` reads it.

        The header holds environment, rules, actions and provenance. Of a network of
        your own only the parameters and the name of its class are kept.

        Raises
        ------
        FileNotFoundError
            If the folder does not exist.
        """
        arrays = {
            name: np.ascontiguousarray(parameter.detach().numpy())
            for name, parameter in self.network.named_parameters()
        }
        saved = Saved(self.spec, _class_name(self.network), asdict(self.provenance))
        write_saved(path, saved, arrays)

    def _look(self, observations: npt.ArrayLike) -> tuple[Floats, Floats]:
        # The network is the user's to change: its parameters are taken each time.
        known = known_to_kernels(self.network)
        theta = self.vector if known else np.empty(0, np.float32)
        return Looker(self.network, theta)(self._checked(observations))

    def _checked(self, observations: npt.ArrayLike) -> Observations:
        batch = np.ascontiguousarray(observations, dtype=self.spec.observation_dtype)
        if batch.shape[1:] != self.spec.observation_shape or batch.ndim == 0:
            raise ValueError(
                f"observations have shape {batch.shape}; this agent of "
                f"{self.spec.name} needs (n, "
                f"{', '.join(map(str, self.spec.observation_shape))})."
            )
        return batch


def load(path: PathLike, *, network: Network | None = None) -> Policy:
    """Read an agent that `Policy.save` wrote.

    Parameters
    ----------
    path : path
        The file.
    network : torch.nn.Module, callable or None, default=None
        Needed if the agent has a network of your own: the module, or what makes it.

    Returns
    -------
    Policy

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, is something else, comes from a newer version, does
        not fit the network, or needs one that was not given.
    """
    saved, arrays = read_saved(path)
    made = network_for(saved.spec, network)
    if network is None and _class_name(made) != saved.network:
        raise ValueError(
            f"{path} holds the parameters of {saved.network}, which is not among the "
            "networks that come with dpsvi; give network=, the module or what makes it."
        )
    _fill(path, made, arrays)
    return Policy(made, saved.spec, _provenance(path, saved))


def _provenance(path: PathLike, saved: Saved) -> Provenance:
    try:
        return Provenance(**saved.provenance)
    except TypeError as error:
        raise ValueError(
            f"the header of {path} is damaged, or of another release ({error}); use "
            "the release that wrote it."
        ) from error


def _fill(
    path: PathLike, network: nn.Module, arrays: dict[str, npt.NDArray[Any]]
) -> None:
    own = {name: tuple(p.shape) for name, p in network.named_parameters()}
    found = {name: array.shape for name, array in arrays.items()}
    wrong = [n for n in {**own, **found} if own.get(n) != found.get(n)]
    if wrong:
        raise ValueError(
            f"{path} does not fit the network {_class_name(network)}: {wrong[0]} has "
            f"shape {found.get(wrong[0])} in the file and {own.get(wrong[0])} in the "
            f"network ({len(wrong)} of {len(own)} parameters differ)."
        )
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.from_numpy(arrays[name]))


def _class_name(network: nn.Module) -> str:
    kind = type(network)
    ours = kind.__module__ == networks.__name__
    return kind.__name__ if ours else f"{kind.__module__}.{kind.__qualname__}"
