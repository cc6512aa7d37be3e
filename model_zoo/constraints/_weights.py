"""Which parameters are weights of connections."""

from collections.abc import Iterator

from torch import nn

from isocortex.training import Network


def weights(network: Network) -> Iterator[nn.Parameter]:
    """The weights of a network, (unit, input, …): no biases, gains or positions."""
    for name, parameter in network.named_parameters():
        if name.endswith("weight") and parameter.ndim > 1:
            yield parameter
