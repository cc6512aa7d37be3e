"""What a layer receives at each place: a convolution is one linear map, applied to all patches."""

from torch import Tensor, nn
from torch.nn import functional

from isocortex.errors import IncompatibleError

Layer = nn.Linear | nn.Conv2d


def require_plain(name: str, layer: Layer) -> None:
    """Raise IncompatibleError for a convolution that is not one linear map of its patches."""
    if isinstance(layer, nn.Conv2d) and (
        layer.groups != 1 or layer.padding_mode != "zeros" or isinstance(layer.padding, str)
    ):
        raise IncompatibleError(
            f"the layer {name} is {layer}; a local rule teaches convolutions of one group, with "
            "zeros as padding, counted in pixels. Choose another architecture"
        )


def patches(layer: Layer, inputs: Tensor) -> Tensor:
    """The inputs of a layer, (image, place, input): the answer is `patches @ weights.T`.

    `weights` (output, input) are the layer's, flattened. Cost: a copy of each input for every
    place of the kernel.
    """
    if isinstance(layer, nn.Linear):
        return inputs.reshape(len(inputs), -1, inputs.shape[-1])
    assert not isinstance(layer.padding, str)  # `require_plain` refused it
    unfolded = functional.unfold(
        inputs, layer.kernel_size, layer.dilation, layer.padding, layer.stride
    )
    return unfolded.transpose(1, 2)
