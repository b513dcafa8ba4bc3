"""A torch module as an objective. Torch itself is not imported here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from dpsvi.engine.plan import check_integer
from dpsvi.engine.problems.sgd import Array

__all__ = ["ModuleObjective"]


class ModuleObjective:
    """The mean loss of a torch module over samples, on a CPU.

    Each thread has a module of its own, with gradients of its own; parameters come
    from the array that threads share and gradients go into it, as flat vectors.

    Parameters
    ----------
    make_module : callable
        Returns the module; called once per thread. What it draws at random is the
        starting point, so seed it inside if runs are to repeat.
    loss : callable
        From a module and the numbers of some samples to the mean of their losses, a
        scalar tensor.
    n_samples : int
        N.

    Raises
    ------
    TypeError, ValueError
        If `n_samples` is no integer or below 1.

    Notes
    -----
    Let torch use one thread per call (``torch.set_num_threads(1)``) if the plan has
    several: they compete for the same cores.
    """

    def __init__(
        self,
        make_module: Callable[[], Any],
        loss: Callable[[Any, npt.NDArray[np.intp]], Any],
        n_samples: int,
    ) -> None:
        check_integer("n_samples", n_samples, least=1)
        self.make_module, self.loss, self.n_samples = make_module, loss, n_samples
        self._own = threading.local()

    def start(self, rng: np.random.Generator) -> Array:
        """Return the parameters of a new module, flat."""
        return _flat([_array(each) for each in self.make_module().parameters()])

    def gradient(self, parameters: Array, samples: npt.NDArray[np.intp]) -> Array:
        """Return the gradient by torch's autograd, flat."""
        module = self.module(parameters)
        module.zero_grad()
        self.loss(module, samples).backward()
        return _flat(
            [
                np.zeros(each.shape) if each.grad is None else _array(each.grad)
                for each in module.parameters()
            ]
        )

    def module(self, parameters: Array) -> Any:
        """Return this thread's module with the given flat parameters."""
        if not hasattr(self._own, "module"):
            self._own.module = self.make_module()
        begin = 0
        for each in self._own.module.parameters():
            own = _array(each)
            end = begin + own.size
            # Tensors on a CPU and their arrays share memory.
            own[...] = parameters[begin:end].reshape(own.shape)
            begin = end
        return self._own.module

    def value(self, parameters: Array) -> float:
        """Return f: the loss of all samples."""
        module = self.module(parameters)
        return float(self.loss(module, np.arange(self.n_samples)).detach())

    def __getstate__(self) -> dict[str, Any]:
        return {name: it for name, it in vars(self).items() if name != "_own"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._own = threading.local()


def _array(tensor: Any) -> Array:
    array: Array = tensor.detach().numpy()
    return array


def _flat(arrays: list[Array]) -> Array:
    return np.concatenate([np.asarray(array, dtype=float).ravel() for array in arrays])
