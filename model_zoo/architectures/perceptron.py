"""Three fully connected blocks: no weight sharing, no knowledge of space."""

from torch import nn

from isocortex.registry import architecture
from isocortex.training import Network


@architecture(
    variants={
        "mlp3": {
            "summary": "three fully connected blocks of 128 units, ReLU",
            "options": {"width": 128, "activation": "ReLU"},
        },
        "mlp3-narrow": {
            "summary": "mlp3 with 64 units: as wide as dann3",
            "options": {"width": 64, "activation": "ReLU"},
        },
        "mlp3-tanh": {
            "summary": "mlp3 with hyperbolic tangents",
            "options": {"width": 128, "activation": "Tanh"},
            "offers": ("chain", "smooth"),
        },
        "mlp3-sigmoid": {
            "summary": "mlp3 with sigmoids",
            "options": {"width": 128, "activation": "Sigmoid"},
            "offers": ("chain", "smooth"),
        },
    },
    term="multilayer-perceptron",
    offers=("chain",),
    source="Rumelhart, Hinton & Williams 1986, Nature 323:533",
    bibtex="""@article{rumelhart1986learning,
  author = {Rumelhart, David E. and Hinton, Geoffrey E. and Williams, Ronald J.},
  title = {Learning representations by back-propagating errors},
  journal = {Nature},
  volume = {323},
  pages = {533--536},
  year = {1986},
  doi = {10.1038/323533a0}
}""",
)
def mlp3(image_size: tuple[int, int], *, width: int, activation: str) -> Network:
    """Blocks of a linear map with biases and an activation, named as in `torch.nn`."""
    height, wide = image_size
    blocks: dict[str, nn.Module] = {
        f"block{number}": nn.Sequential(nn.Linear(inputs, width), getattr(nn, activation)())
        for number, inputs in enumerate((3 * height * wide, width, width), start=1)
    }
    blocks["block1"] = nn.Sequential(nn.Flatten(), *blocks["block1"].children())
    return Network(blocks, width=width)
