"""CORnet-S, made small: the four areas of the ventral stream, three of them recurrent."""

from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import architecture
from isocortex.training import Network

_EXPANSION = 2
"""Channels inside an area over those it gives on; 4 in the paper, too many for a small network."""


class RecurrentArea(nn.Module):
    """An area that sends its response through the same three convolutions `steps` times.

    Each step is a residual bottleneck (1 × 1, 3 × 3, 1 × 1) around the state, with its own batch
    normalisation; the first step halves the map.
    """

    def __init__(self, inputs: int, channels: int, *, steps: int) -> None:
        super().__init__()
        inner = _EXPANSION * channels
        self.enter = nn.Conv2d(inputs, channels, 1, bias=False)
        self.skip = nn.Conv2d(channels, channels, 1, 2, bias=False)
        self.skip_norm = nn.BatchNorm2d(channels)
        self.expand = nn.Conv2d(channels, inner, 1, bias=False)
        self.spread = nn.Conv2d(inner, inner, 3, padding=1, bias=False)
        self.contract = nn.Conv2d(inner, channels, 1, bias=False)
        self.norms = nn.ModuleList(
            nn.ModuleList(nn.BatchNorm2d(size) for size in (inner, inner, channels))
            for _ in range(steps)
        )

    def forward(self, below: Tensor) -> Tensor:
        """The area's last response, (image, channel, row, column)."""
        state: Tensor = self.enter(below)
        for step, norms in enumerate(self.norms):
            first, second, third = norms.children()
            kept = state if step else self.skip_norm(self.skip(state))
            inner = functional.relu(first(self.expand(state)))
            stride = 1 if step else 2
            spread = functional.conv2d(inner, self.spread.weight, stride=stride, padding=1)
            inner = functional.relu(second(spread))
            state = functional.relu(third(self.contract(inner)) + kept)
        return state


@architecture(
    name="cornet",
    summary="CORnet-S with 8, 16, 32 and 64 channels in V1, V2, V4 and IT",
    term="recurrent-convolutional",
    offers=("chain", "recurrent"),
    options={"width": 8, "steps": (2, 4, 2)},
    source="Kubilius et al. 2019, NeurIPS, arXiv:1909.06161",
    bibtex="""@inproceedings{kubilius2019brainlike,
  author = {Kubilius, Jonas and Schrimpf, Martin and Kar, Kohitij and Rajalingham, Rishi and Hong,
    Ha and Majaj, Najib J. and Issa, Elias B. and Bashivan, Pouya and Prescott-Roy, Jonathan and
    Schmidt, Kailyn and Nayebi, Aran and Bear, Daniel and Yamins, Daniel L. K. and DiCarlo, James
    J.},
  title = {Brain-Like Object Recognition with High-Performing Shallow Recurrent {ANNs}},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {32},
  year = {2019}
}""",
)
def cornet(image_size: tuple[int, int], *, width: int, steps: tuple[int, int, int]) -> Network:
    """V1 feed-forward, then V2, V4 and IT for `steps` time steps each; IT is averaged over space.

    V1 is two 3 × 3 convolutions that keep the map's size, where the paper's shrinks images of 224
    pixels four times. Recurrence stays inside areas, so the blocks are still a chain.
    """
    blocks: dict[str, nn.Module] = {
        "V1": nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
    }
    for place, (area, times) in enumerate(zip(("V2", "V4", "IT"), steps, strict=True)):
        channels = width * 2**place
        blocks[area] = RecurrentArea(channels, 2 * channels, steps=times)
    blocks["IT"] = nn.Sequential(blocks["IT"], nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Network(blocks, width=8 * width)
