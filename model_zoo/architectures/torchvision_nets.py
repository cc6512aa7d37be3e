"""Networks put together from torchvision's blocks, with stems for small images."""

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from isocortex.registry import architecture
from isocortex.training import Network

_GRID: Final = 8
"""A transformer sees an image as 8 × 8 patches, fewer where they would be below 2 × 2 pixels."""


class Tokens(nn.Module):
    """Patches as tokens with learned positions; no class token, since tokens are averaged later."""

    def __init__(self, image_size: tuple[int, int], width: int) -> None:
        super().__init__()
        patch = max(2, image_size[0] // _GRID), max(2, image_size[1] // _GRID)
        places = (image_size[0] // patch[0]) * (image_size[1] // patch[1])
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.positions = nn.Parameter(torch.empty(1, places, width).normal_(std=0.02))

    def forward(self, images: Tensor) -> Tensor:
        """Tokens (image, place, width)."""
        patches: Tensor = self.patches(images)
        return patches.flatten(2).transpose(1, 2) + self.positions


class Readout(nn.Module):
    """Normalised tokens, averaged over places."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor) -> Tensor:
        """The embedding, (image, width)."""
        normalised: Tensor = self.norm(tokens)
        return normalised.mean(dim=1)


@architecture(
    variants={
        "resnet18": {
            "summary": "torchvision's ResNet-18, its stem a 3 × 3 convolution without pooling",
            "term": "residual",
            "options": {"network": "resnet18"},
        },
        "vit-tiny": {
            "summary": "four transformer blocks of 128 units and 4 heads on 8 × 8 patches",
            "term": "transformer",
            "options": {"network": "vit-tiny"},
        },
        "convnext-tiny": {
            "summary": "six ConvNeXt blocks of 32 to 128 channels, 2 × 2 patches",
            "term": "convnext",
            "options": {"network": "convnext-tiny"},
        },
    },
    offers=("chain",),
    source="He et al. 2016, arXiv:1512.03385; Dosovitskiy et al. 2021, arXiv:2010.11929; Liu et "
    "al. 2022, arXiv:2201.03545",
    bibtex="""@inproceedings{he2016deep,
  title = {Deep Residual Learning for Image Recognition},
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {770--778},
  year = {2016}
}
@inproceedings{dosovitskiy2021image,
  title = {An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale},
  author = {Dosovitskiy, Alexey and Beyer, Lucas and Kolesnikov, Alexander and Weissenborn, Dirk and
    Zhai, Xiaohua and Unterthiner, Thomas and Dehghani, Mostafa and Minderer, Matthias and Heigold,
    Georg and Gelly, Sylvain and Uszkoreit, Jakob and Houlsby, Neil},
  booktitle = {International Conference on Learning Representations},
  year = {2021}
}
@inproceedings{liu2022convnet,
  title = {A {ConvNet} for the 2020s},
  author = {Liu, Zhuang and Mao, Hanzi and Wu, Chao-Yuan and Feichtenhofer, Christoph and Darrell,
    Trevor and Xie, Saining},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  year = {2022}
}""",
    licence="BSD-3-Clause",
)
def torchvision_network(image_size: tuple[int, int], *, network: str) -> Network:
    """The stem, stages and pooling of a torchvision network as blocks, without its classifier."""
    return _NETWORKS[network](image_size)


def _resnet18(image_size: tuple[int, int]) -> Network:
    from torchvision.models import resnet18

    whole = resnet18(weights=None)
    stem = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out")
    blocks = {"stem": nn.Sequential(stem, whole.bn1, whole.relu)}
    blocks |= {f"layer{stage}": getattr(whole, f"layer{stage}") for stage in (1, 2, 3, 4)}
    return Network({**blocks, "pool": nn.Sequential(whole.avgpool, nn.Flatten())}, width=512)


def _vit_tiny(image_size: tuple[int, int]) -> Network:
    from torchvision.models.vision_transformer import EncoderBlock

    width = 128
    blocks: dict[str, nn.Module] = {"tokens": Tokens(image_size, width)}
    for number in range(1, 5):
        # 192 hidden units, not 4 × 128, keep the whole below half a million weights.
        blocks[f"block{number}"] = EncoderBlock(4, width, 192, dropout=0.0, attention_dropout=0.0)
    return Network({**blocks, "readout": Readout(width)}, width=width)


def _convnext_tiny(image_size: tuple[int, int]) -> Network:
    from torchvision.models.convnext import CNBlock, LayerNorm2d

    blocks: dict[str, nn.Module] = {}
    inputs = 3
    for number, width in enumerate((32, 64, 128), start=1):
        halving = nn.Conv2d(inputs, width, 2, 2)
        entry = [halving, LayerNorm2d(width)] if number == 1 else [LayerNorm2d(inputs), halving]
        inner = (CNBlock(width, layer_scale=1e-6, stochastic_depth_prob=0.0) for _ in range(2))
        blocks[f"stage{number}"] = nn.Sequential(*entry, *inner)
        inputs = width
    blocks["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), LayerNorm2d(inputs), nn.Flatten())
    return Network(blocks, width=inputs)


_NETWORKS: Final[Mapping[str, Callable[[tuple[int, int]], Network]]] = {
    "resnet18": _resnet18,
    "vit-tiny": _vit_tiny,
    "convnext-tiny": _convnext_tiny,
}
