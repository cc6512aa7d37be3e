"""Three areas of pyramidal cells with two dendrites: one hears from below, the other from above."""

from typing import Final

from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import architecture
from isocortex.training import Network

LEAK: Final = 0.1
BASAL: Final = 1.0
APICAL: Final = 0.8
"""Conductances, as Sacramento et al. chose them."""
STEP: Final = 0.25
"""Of time, in units of capacitance over conductance; Sacramento et al. integrate finer."""


class PyramidalArea(nn.Module):
    """The cells of one area; their state is the potential of the soma.

    Each compartment's potential is a convolution of rates, normalised over the area. Interneurons
    that would cancel what the apical dendrite expects are left out: they only serve plasticity.
    """

    def __init__(self, inputs: int, channels: int, *, above: int, stride: int) -> None:
        super().__init__()

        def dendrite(sources: int, stride: int = 1) -> nn.Sequential:
            synapses = nn.Conv2d(sources, channels, 3, stride, padding=1, bias=False)
            return nn.Sequential(synapses, nn.GroupNorm(1, channels))

        self.basal = dendrite(inputs, stride)
        self.apical = dendrite(above) if above else None

    def forward(
        self, below: Tensor, before: Tensor | None = None, above: Tensor | None = None
    ) -> Tensor:
        """The somatic potential, (image, channel, row, column), one step after `before`.

        `below` are the rates of the area below now, `above` those of the area above a step before.
        """
        basal = self.basal(below)
        soma = basal.new_zeros(basal.shape) if before is None else before
        current = BASAL * (basal - soma) - LEAK * soma
        if self.apical is not None and above is not None:
            apical = self.apical(functional.interpolate(above, size=basal.shape[2:]))
            current = current + APICAL * (apical - soma)
        potential: Tensor = soma + STEP * current
        return potential


class PyramidalNetwork(Network):
    """Areas whose somata integrate their dendrites for `steps` steps; rates are rectified."""

    def __init__(self, areas: list[PyramidalArea], *, width: int, steps: int) -> None:
        blocks: dict[str, nn.Module] = {f"area{n}": area for n, area in enumerate(areas, start=1)}
        blocks["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        super().__init__(blocks, width=width)
        self.steps = steps

    def answers(self, images: Tensor, *, cut: bool = False) -> dict[str, Tensor]:
        """The rates of the areas at the last step, and their mean over space.

        With `cut` an area learns through its own past, and not through its neighbours.
        """
        *areas, pool = self.blocks.values()
        somata: list[Tensor | None] = [None] * len(areas)
        rates: list[Tensor | None] = [None] * (len(areas) + 1)  # nothing is above the last
        for _ in range(self.steps):
            signal = images
            for place, area in enumerate(areas):
                above = rates[place + 1]
                if cut:
                    signal, above = signal.detach(), None if above is None else above.detach()
                soma = area(signal, somata[place], above)
                somata[place], rates[place] = soma, functional.relu(soma)
                signal = functional.relu(soma)
        reached = [rate for rate in rates if rate is not None]
        embedding = pool(reached[-1].detach() if cut else reached[-1])
        return dict(zip(self.blocks, [*reached, embedding], strict=True))


@architecture(
    name="two-compartment3",
    summary="three areas of cells with a basal and an apical dendrite, 6 time steps",
    term="two-compartment",
    offers=("recurrent", "separable"),
    options={"width": 12, "steps": 6},
    source="Sacramento et al. 2018, NeurIPS, eqs. 1–3 (without interneurons)",
    bibtex="""@inproceedings{sacramento2018dendritic,
  author = {Sacramento, Jo{\\~a}o and Costa, Rui Ponte and Bengio, Yoshua and Senn, Walter},
  title = {Dendritic cortical microcircuits approximate the backpropagation algorithm},
  booktitle = {Advances in Neural Information Processing Systems},
  volume = {31},
  year = {2018}
}""",
)
def two_compartment3(image_size: tuple[int, int], *, width: int, steps: int) -> Network:
    """Areas of `width`, 2 and 4 times that many channels; the second and third halve the map.

    The last area has no apical dendrite: nothing is above it.
    """
    channels = (3, width, 2 * width, 4 * width, 0)
    areas = [
        PyramidalArea(
            channels[place - 1],
            channels[place],
            above=channels[place + 1],
            stride=1 if place == 1 else 2,
        )
        for place in (1, 2, 3)
    ]
    return PyramidalNetwork(areas, width=4 * width, steps=steps)
