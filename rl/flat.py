"""All parameters of a network as one flat vector, which threads share.

The engine moves, merges and updates one float32 array. A network is *bound* to it:
each parameter becomes a view, so that whatever is written to the array is what the
next forward pass sees, without a copy.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

__all__ = ["Layout", "bind", "bind_gradients", "flatten", "vector_of"]

Vector = npt.NDArray[np.float32]


class Layout(NamedTuple):
    """Where parameters lie in the flat vector: one after another, in this order.

    Attributes
    ----------
    names : tuple of str
        As in `named_parameters`.
    shapes : tuple of tuple of int
        One for each name.
    n : int
        Length of the vector.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    n: int


def flatten(module: nn.Module) -> Layout:
    """How a network's parameters are laid out.

    Raises
    ------
    ValueError
        If the network has buffers, as batch normalisation does, or parameters that
        are not float32 numbers of the CPU.

    Examples
    --------
    >>> from torch import nn
    >>> from dpsvi.rl.flat import flatten
    >>> flatten(nn.Linear(3, 2))
    Layout(names=('weight', 'bias'), shapes=((2, 3), (2,)), n=8)
    """
    _refuse_buffers(module)
    names, shapes = [], []
    for name, parameter in module.named_parameters():
        if parameter.dtype != torch.float32 or parameter.device.type != "cpu":
            raise ValueError(
                f"parameter {name} is {parameter.dtype} on {parameter.device}; "
                "parameters must be torch.float32 on the CPU: call "
                "network.float().cpu()."
            )
        names.append(name)
        shapes.append(tuple(parameter.shape))
    return Layout(tuple(names), tuple(shapes), sum(math.prod(s) for s in shapes))


def vector_of(module: nn.Module) -> Vector:
    """A copy of all parameters, float32 ndarray of shape (n,); errors as `flatten`."""
    vector = np.empty(flatten(module).n, dtype=np.float32)
    start = 0
    for parameter in module.parameters():
        end = start + parameter.numel()
        vector[start:end] = parameter.detach().numpy().reshape(-1)
        start = end
    return vector


def bind(module: nn.Module, vector: Vector) -> None:
    """Make every parameter of a network a view of a vector.

    The network then computes with the numbers of the vector, and forgets its own.
    Several networks may be bound to the same vector, one per thread.

    Parameters
    ----------
    module : torch.nn.Module
        Errors as `flatten`.
    vector : float32 ndarray of shape (n,)
        Contiguous and writeable; must live as long as the network is used.

    Raises
    ------
    ValueError
        If the vector has another length or type, or cannot be shared.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from dpsvi.rl.flat import bind
    >>> layer, shared = nn.Linear(1, 1), np.zeros(2, dtype=np.float32)
    >>> bind(layer, shared)
    >>> shared[:] = 3
    >>> layer.weight.item(), layer.bias.item()
    (3.0, 3.0)
    """
    n = flatten(module).n
    if vector.shape != (n,) or vector.dtype != np.float32:
        raise ValueError(
            f"the vector is {vector.dtype} of shape {vector.shape}; this network needs "
            f"float32 of shape ({n},)."
        )
    if not (vector.flags.c_contiguous and vector.flags.writeable):
        raise ValueError("the vector must be contiguous and writeable to be shared.")
    shared = torch.from_numpy(vector)
    start = 0
    for parameter in module.parameters():
        end = start + parameter.numel()
        # By .data: autograd does not count what other threads write meanwhile.
        parameter.data = shared[start:end].view(parameter.shape)
        start = end


def bind_gradients(module: nn.Module, vector: Vector) -> None:
    """Make the gradients of a network views of a vector, laid out as `bind` does it.

    Differentiation then adds into them, and allocates nothing for the sum.
    """
    whole, start = torch.from_numpy(vector), 0
    for parameter in module.parameters():
        end = start + parameter.numel()
        parameter.grad = whole[start:end].view_as(parameter)
        start = end


def _refuse_buffers(module: nn.Module) -> None:
    names = [name for name, _ in module.named_buffers()]
    if names:
        raise ValueError(
            f"the network has buffers ({', '.join(names[:3])}), as batch normalisation "
            "does; they would not be shared between threads and workers. Use layers "
            "without running statistics, such as torch.nn.LayerNorm."
        )
