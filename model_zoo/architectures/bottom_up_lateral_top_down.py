"""Three areas with bottom-up, lateral and top-down connections, unrolled in time."""

from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import architecture
from isocortex.training import Network


class Area(nn.Module):
    """One area at one time step; each step has its own batch normalisation (Spoerer 2020).

    Top-down signals are repeated to the map's size and convolved, where Spoerer et al. use a
    transposed convolution: so every connection is a convolution of the same kind.
    """

    def __init__(self, inputs: int, channels: int, *, above: int, lateral: bool, steps: int):
        super().__init__()

        def connections(sources: int, stride: int = 1) -> nn.Conv2d:
            return nn.Conv2d(sources, channels, 3, stride, padding=1, bias=False)

        self.bottom_up = connections(inputs, stride=1 if inputs == 3 else 2)
        self.lateral = connections(channels) if lateral else None
        self.top_down = connections(above) if above else None
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(steps))

    def forward(
        self,
        below: Tensor,
        before: Tensor | None = None,
        above: Tensor | None = None,
        *,
        step: int = 0,
    ) -> Tensor:
        """The response, (image, channel, row, column), at a time step.

        `below` is the area below at this step; `before` and `above` are this area and the one above
        at the step before, None at the first.
        """
        drive = self.bottom_up(below)
        if self.lateral is not None and before is not None:
            drive = drive + self.lateral(before)
        if self.top_down is not None and above is not None:
            drive = drive + self.top_down(functional.interpolate(above, size=drive.shape[2:]))
        return functional.relu(self.norms[step](drive))


class RecurrentNetwork(Network):
    """Areas that answer `steps` times, then are averaged over space.

    The blocks one after the other are the feed-forward sweep: what the network is at one step.
    """

    def __init__(self, areas: list[Area], *, width: int, steps: int) -> None:
        blocks: dict[str, nn.Module] = {f"area{n}": area for n, area in enumerate(areas, start=1)}
        blocks["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        super().__init__(blocks, width=width)
        self.steps = steps

    def answers(self, images: Tensor, *, cut: bool = False) -> dict[str, Tensor]:
        """The areas at the last step, (image, channel, row, column), and their mean over space.

        With `cut` an area learns through its own past, and not through its neighbours.
        """
        *areas, pool = self.blocks.values()
        states: list[Tensor | None] = [None] * (len(areas) + 1)  # nothing is above the last
        for step in range(self.steps):
            signal = images
            for place, area in enumerate(areas):
                above = states[place + 1]
                if cut:
                    signal, above = signal.detach(), None if above is None else above.detach()
                signal = area(signal, states[place], above, step=step)
                states[place] = signal
        reached = [state for state in states if state is not None]
        embedding = pool(reached[-1].detach() if cut else reached[-1])
        return dict(zip(self.blocks, [*reached, embedding], strict=True))


@architecture(
    variants={
        "blt3": {
            "summary": "three areas, bottom-up, lateral and top-down, 3 time steps",
            "options": {"width": 12, "lateral": True, "top_down": True, "steps": 3},
        },
        "bl3": {
            "summary": "blt3 without top-down connections",
            "options": {"width": 12, "lateral": True, "top_down": False, "steps": 3},
        },
        "bt3": {
            "summary": "blt3 without lateral connections",
            "options": {"width": 12, "lateral": False, "top_down": True, "steps": 3},
        },
        "b3": {
            "summary": "the feed-forward part of blt3",
            "options": {"width": 12, "lateral": False, "top_down": False, "steps": 1},
            "term": "convolutional",
            "offers": ("chain",),
        },
    },
    term="recurrent-convolutional",
    offers=("recurrent", "separable"),
    source="Spoerer, McClure & Kriegeskorte 2017, Front Psychol 8:1551; normalisation of Spoerer "
    "et al. 2020, PLoS Comput Biol 16:e1008215",
    bibtex="""@article{spoerer2017recurrent,
  author = {Spoerer, Courtney J. and McClure, Patrick and Kriegeskorte, Nikolaus},
  title = {Recurrent Convolutional Neural Networks: A Better Model of Biological Object
    Recognition},
  journal = {Frontiers in Psychology},
  volume = {8},
  pages = {1551},
  year = {2017},
  doi = {10.3389/fpsyg.2017.01551}
}""",
)
def blt3(
    image_size: tuple[int, int], *, width: int, lateral: bool, top_down: bool, steps: int
) -> Network:
    """Areas of `width`, 2 and 4 times that many channels; the second and third halve the map.

    Only the last step is read out; Spoerer et al. train on the readouts of all steps.
    """
    channels = (3, width, 2 * width, 4 * width, 0)
    areas = [
        Area(
            channels[place - 1],
            channels[place],
            above=channels[place + 1] if top_down else 0,
            lateral=lateral,
            steps=steps,
        )
        for place in (1, 2, 3)
    ]
    return RecurrentNetwork(areas, width=4 * width, steps=steps)
