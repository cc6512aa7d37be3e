"""CIFAR-10 residual networks of 20 to 56 layers: depth with all else equal."""

from typing import Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from isocortex.candidates import Candidate, Preprocessing
from isocortex.cards import CandidateCard
from isocortex.registry import candidate

from ._weights import drawn, filled, read_state

_BLOCKS_READ: Final = 3  # of each stage


class CifarResNet(nn.Module):
    """The residual network of He et al. 2016, section 4.2: three stages of `blocks` blocks each.

    It has 6 · `blocks` + 2 layers with weights. Shortcuts have none ("option A").
    """

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, blocks)
        self.layer2 = _stage(16, 32, blocks)
        self.layer3 = _stage(32, 64, blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(64, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores, (image, 10), of images (image, 3, height, width)."""
        stem = functional.relu(self.bn1(self.conv1(images)))
        features = self.pool(self.layer3(self.layer2(self.layer1(stem))))
        scores: torch.Tensor = self.linear(features.flatten(1))
        return scores


class ResidualBlock(nn.Module):
    """Two convolutions, added to a shortcut that halves the image where the channels double."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.stride = outputs // inputs
        self.padding = (outputs - inputs) // 2
        self.conv1 = nn.Conv2d(inputs, outputs, 3, self.stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The block's response, (image, channel, row, column)."""
        hidden = functional.relu(self.bn1(self.conv1(images)))
        thinned = images[:, :, :: self.stride, :: self.stride]
        shortcut = functional.pad(thinned, (0, 0, 0, 0, self.padding, self.padding))
        return functional.relu(self.bn2(self.conv2(hidden)) + shortcut)


@candidate(
    variants={
        "cifar_resnet/20": {
            "summary": "Residual network of 20 layers",
            "files": {
                "weights": {
                    "url": "https://raw.githubusercontent.com/akamaster/pytorch_resnet_cifar10/d5489e8995e81e91ce6b1d69dcc98ad579b0b153/pretrained_models/resnet20-12fca82f.th",
                    "sha256": "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8",
                    "bytes": 1099231,
                }
            },
            "accuracy": "CIFAR-10 top-1 91.78 %",
            "options": {"blocks": 3},
        },
        "cifar_resnet/32": {
            "summary": "Residual network of 32 layers",
            "files": {
                "weights": {
                    "url": "https://raw.githubusercontent.com/akamaster/pytorch_resnet_cifar10/d5489e8995e81e91ce6b1d69dcc98ad579b0b153/pretrained_models/resnet32-d509ac18.th",
                    "sha256": "d509ac1820d7f25398913559d7e81a13229b1e7adc5648e3bfa5e22dc137f850",
                    "bytes": 1890043,
                }
            },
            "accuracy": "CIFAR-10 top-1 92.78 %",
            "options": {"blocks": 5},
        },
        "cifar_resnet/44": {
            "summary": "Residual network of 44 layers",
            "files": {
                "weights": {
                    "url": "https://raw.githubusercontent.com/akamaster/pytorch_resnet_cifar10/d5489e8995e81e91ce6b1d69dcc98ad579b0b153/pretrained_models/resnet44-014dd654.th",
                    "sha256": "014dd6541728a1c700b1642ab640e211dc6eb8ed507d70697458dc8f8a0ae2e4",
                    "bytes": 2680855,
                }
            },
            "accuracy": "CIFAR-10 top-1 93.14 %",
            "options": {"blocks": 7},
        },
        "cifar_resnet/56": {
            "summary": "Residual network of 56 layers",
            "files": {
                "weights": {
                    "url": "https://raw.githubusercontent.com/akamaster/pytorch_resnet_cifar10/d5489e8995e81e91ce6b1d69dcc98ad579b0b153/pretrained_models/resnet56-4bfd9763.th",
                    "sha256": "4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367",
                    "bytes": 3471733,
                }
            },
            "accuracy": "CIFAR-10 top-1 93.62 %",
            "options": {"blocks": 9},
        },
    },
    architecture="residual",
    objective="categorise",
    learning_rule="backprop",
    diet="cifar-10",
    preprocessing={
        "resize": 32,
        "crop": 32,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    },
    source="He et al. 2016, CVPR, arXiv:1512.03385, section 4.2",
    bibtex="""@inproceedings{he2016deep,
  title = {Deep Residual Learning for Image Recognition},
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {770--778},
  year = {2016}
}
@misc{idelbayev2018resnet,
  title = {Proper {ResNet} Implementation for {CIFAR10/CIFAR100} in {PyTorch}},
  author = {Idelbayev, Yerlan},
  howpublished = {https://github.com/akamaster/pytorch_resnet_cifar10}
}""",
    licence="BSD-2-Clause",
    code="https://github.com/akamaster/pytorch_resnet_cifar10",
)
def trained_cifar_resnet(card: CandidateCard) -> Candidate:
    """The trained network of Idelbayev's repository; its image statistics are ImageNet's."""
    blocks = card.options["blocks"]
    state = read_state(card.files["weights"], entry="state_dict", prefix="module.")
    return _candidate(card, filled(lambda: CifarResNet(blocks), state, origin=card.name))


@candidate(
    name="cifar_resnet/20-untrained",
    seeds=(0,),
    summary="Residual network of 20 layers with the random weights that training starts from",
    architecture="residual",
    objective="none",
    learning_rule="untrained",
    diet="none",
    preprocessing={
        "resize": 32,
        "crop": 32,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    },
    source="He et al. 2016, CVPR, arXiv:1512.03385, section 4.2",
    bibtex="""@inproceedings{he2016deep,
  title = {Deep Residual Learning for Image Recognition},
  author = {He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  pages = {770--778},
  year = {2016}
}""",
    licence="BSD-2-Clause",
    code="https://github.com/akamaster/pytorch_resnet_cifar10",
    options={"blocks": 3},
)
def untrained_cifar_resnet(card: CandidateCard) -> Candidate:
    """The network before training: He initialisation, drawn from the card's seed."""
    return _candidate(
        card, drawn(lambda: _initialised(card.options["blocks"]), seed=card.seed or 0)
    )


def _initialised(blocks: int) -> CifarResNet:
    network = CifarResNet(blocks)
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
    return network


def _candidate(card: CandidateCard, network: CifarResNet) -> Candidate:
    # Three blocks of each stage, at equal relative depth, so that a deeper network has no more
    # layers to choose from than a shallow one.
    last = len(network.layer1) - 1
    chosen = np.linspace(0, last, _BLOCKS_READ).round().astype(int)
    blocks = tuple(f"layer{stage}.{block}" for stage in (1, 2, 3) for block in chosen)
    return Candidate(card, network, Preprocessing(**card.preprocessing), (*blocks, "pool"))


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    rest = (ResidualBlock(outputs, outputs) for _ in range(blocks - 1))
    return nn.Sequential(ResidualBlock(inputs, outputs), *rest)
