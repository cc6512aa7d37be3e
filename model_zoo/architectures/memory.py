"""Memory addressed by its content, after a convolutional trunk."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from isocortex.registry import architecture
from isocortex.training import Network

Kind = Literal["autoassociative", "key-value"]


class Memory(nn.Module):
    """Patterns that answer a cue as much as they are like it: softmax(β cue Kᵀ) V.

    An autoassociative memory has K = V, so its answer can be the next cue, `steps` times; each step
    lowers the energy of Ramsauer et al. 2021, eq. 3. A key-value memory answers once.
    """

    def __init__(self, width: int, slots: int, *, kind: Kind, sharpness: float, steps: int) -> None:
        super().__init__()
        self.keys = nn.Parameter(torch.randn(slots, width))
        own = kind == "autoassociative"
        self.values = self.keys if own else nn.Parameter(torch.randn(slots, width))
        self.sharpness = sharpness
        self.steps = steps

    def forward(self, cue: Tensor) -> Tensor:
        """What is retrieved, (image, width), for cues of that shape."""
        for _ in range(self.steps):
            likeness = functional.linear(cue, self.keys)
            cue = torch.softmax(self.sharpness * likeness, dim=1) @ self.values
        return cue

    def energy(self, cue: Tensor) -> Tensor:
        """Eq. 3 up to a constant, (image,): −lse(β, K cue) + cue²/2."""
        sums = self.sharpness * functional.linear(cue, self.keys)
        return (cue**2).sum(dim=1) / 2 - sums.logsumexp(dim=1) / self.sharpness


@architecture(
    variants={
        "conv4-hopfield": {
            "summary": "four convolutional blocks, then a modern Hopfield memory of 256 patterns",
            "options": {"width": 16, "slots": 256, "kind": "autoassociative"},
        },
        "conv4-key-value": {
            "summary": "four convolutional blocks, then a memory of 256 keys with their values",
            "options": {"width": 16, "slots": 256, "kind": "key-value"},
        },
    },
    term="associative-memory",
    offers=("chain",),
    source="Ramsauer et al. 2021, ICLR, arXiv:2008.02217, eqs. 3 and 5; key and value apart: "
    "Graves, Wayne & Danihelka 2014, arXiv:1410.5401, section 3.3.1",
    bibtex="""@inproceedings{ramsauer2021hopfield,
  author = {Ramsauer, Hubert and Sch{\\"a}fl, Bernhard and Lehner, Johannes and Seidl, Philipp and
    Widrich, Michael and others},
  title = {Hopfield networks is all you need},
  booktitle = {International Conference on Learning Representations},
  year = {2021},
  eprint = {2008.02217},
  archiveprefix = {arXiv}
}
@misc{graves2014neural,
  author = {Graves, Alex and Wayne, Greg and Danihelka, Ivo},
  title = {Neural Turing machines},
  year = {2014},
  eprint = {1410.5401},
  archiveprefix = {arXiv}
}""",
)
def memory(image_size: tuple[int, int], *, width: int, slots: int, kind: Kind) -> Network:
    """Blocks as in conv4, whose answer, normalised, is the cue of the last block.

    What is retrieved is the embedding, of 8 · `width` units. Patterns are weights that are learned
    (the paper's layer with static stored patterns): the memory is of the whole training, and no
    image is written into it. It answers after one step at β = 1/√units, as the paper's layers do.
    """
    shapes = [(3, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2)]
    shapes.append((4 * width, 8 * width, 2))
    units = 8 * width
    blocks: dict[str, nn.Module] = {
        f"block{number}": nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )
        for number, (inputs, outputs, stride) in enumerate(shapes, start=1)
    }
    cue = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(units))
    blocks["block4"].extend(cue)  # type: ignore[operator]
    blocks["memory"] = Memory(units, slots, kind=kind, sharpness=units**-0.5, steps=1)
    return Network(blocks, width=units)
