"""Small networks of timm, as they are: built by name, cut into their stages."""

import re

from torch import nn

from isocortex.registry import architecture
from isocortex.training import Network

from ._timm import timm_made


@architecture(
    variants={
        "timm-resnet10t": {
            "summary": "timm's ResNet-10-T, 4.9 million weights",
            "term": "residual",
            "options": {"network": "resnet10t"},
        },
        "timm-mobilenetv3-small-050": {
            "summary": "timm's MobileNetV3-Small of half width, .6 million weights",
            "term": "depthwise-separable",
            "options": {"network": "mobilenetv3_small_050"},
        },
        "timm-regnetx-002": {
            "summary": "timm's RegNetX of 200 MFLOP, 2.3 million weights",
            "term": "residual",
            "options": {"network": "regnetx_002"},
        },
    },
    offers=("chain",),
    source="Wightman 2019, PyTorch Image Models, https://github.com/huggingface/pytorch-image-models",
    bibtex="""@software{wightman2019timm,
  author = {Wightman, Ross},
  title = {{PyTorch} Image Models},
  year = {2019},
  doi = {10.5281/zenodo.4414861},
  url = {https://github.com/huggingface/pytorch-image-models}
}""",
    licence="Apache-2.0",
)
def timm_network(image_size: tuple[int, int], *, network: str) -> Network:
    """What timm makes of the name, without its classifier: stem, stages and head as blocks.

    Nothing is fitted to small images: of 32 pixels the last map is one place. Raises InputError
    where timm is not installed.
    """
    whole = timm_made(network)
    return Network(_cut(whole), width=whole.head_hidden_size)


def _cut(whole: nn.Module) -> dict[str, nn.Module]:
    """The children one after the other: those before the stages, each stage, those after them."""
    stages: dict[str, nn.Module] = {}
    around: dict[str, list[nn.Module]] = {"stem": [], "head": []}
    for name, child in whole.named_children():
        if name == "blocks":
            stages |= {f"stage{place}": each for place, each in enumerate(child.children(), 1)}
        elif re.fullmatch(r"(layer|s)\d", name):
            stages[f"stage{name[-1]}"] = child
        else:
            around["head" if stages else "stem"].append(child)
    stem, head = (nn.Sequential(*children) for children in around.values())
    return {"stem": stem, **stages, "head": head}
