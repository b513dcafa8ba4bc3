"""Whether a network's units still react."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

__all__ = ["LiveUnits", "live_units"]


class LiveUnits:
    """Counts rectified units that were above 0 for at least one sample.

    Of a convolution a unit is a whole filter, wherever on the screen it reacts.
    """

    def __init__(self) -> None:
        self._shares: list[float] = []

    @property
    def share(self) -> float:
        """Share of live units in the layer with the fewest; nan without such layers.

        All layers together would hide that a small one has died.
        """
        return min(self._shares, default=float("nan"))

    def __call__(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        """Look at the output of a layer; a forward hook."""
        above = (output.detach() > 0).transpose(0, 1).flatten(1).any(dim=1)
        self._shares.append(float(above.float().mean()))


@contextmanager
def live_units(network: nn.Module) -> Iterator[LiveUnits]:
    """Count the live units of the forward passes inside the context.

    A network whose units have all died outputs the same for every observation and
    has no gradient: it cannot recover. Only `torch.nn.ReLU` modules are seen.
    """
    counter = LiveUnits()
    layers = [layer for layer in network.modules() if isinstance(layer, nn.ReLU)]
    handles = [layer.register_forward_hook(counter) for layer in layers]
    try:
        yield counter
    finally:
        for handle in handles:
            handle.remove()
