"""MobileNetV1 × 0.25: one architecture with three objectives: objects, faces, none."""

from typing import Final

import torch
from torch import nn

from isocortex.candidates import Candidate, Preprocessing
from isocortex.cards import CandidateCard
from isocortex.registry import candidate

from ._weights import drawn, filled, read_state

_LEAK: Final = 0.1
_CLASSES: Final = 1000
_BLOCKS: Final = {"stage1": 6, "stage2": 6, "stage3": 2}


class MobileNetV1(nn.Module):
    """MobileNetV1 with a quarter of the channels and leaky rectifiers, as in Pytorch_Retinaface.

    A face detector takes its three stages and leaves the classifier out (`classes` is None): then
    the last stage's mean over positions, (image, 256), is returned instead of class scores.
    """

    def __init__(self, classes: int | None = _CLASSES) -> None:
        super().__init__()
        self.stage1 = nn.Sequential(
            _convolution(3, 8, stride=2),
            _separable(8, 16),
            _separable(16, 32, stride=2),
            _separable(32, 32),
            _separable(32, 64, stride=2),
            _separable(64, 64),
        )
        self.stage2 = nn.Sequential(
            _separable(64, 128, stride=2), *(_separable(128, 128) for _ in range(5))
        )
        self.stage3 = nn.Sequential(_separable(128, 256, stride=2), _separable(256, 256))
        self.avg = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Identity() if classes is None else nn.Linear(256, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores, (image, class), of images (image, 3, height, width)."""
        features = self.stage3(self.stage2(self.stage1(images)))
        scores: torch.Tensor = self.fc(self.avg(features).flatten(1))
        return scores


@candidate(
    variants={
        "mobilenet_v1/imagenet": {
            "summary": "MobileNetV1 × 0.25 trained to name objects",
            "objective": "categorise",
            "diet": "imagenet-1k",
            "preprocessing": {
                "resize": 256,
                "crop": 224,
                "mean": (0.485, 0.456, 0.406),
                "std": (0.229, 0.224, 0.225),
            },
            "files": {
                "weights": {
                    "url": "https://raw.githubusercontent.com/biubug6/Pytorch_Retinaface/3c31dcd0049aff7fce28394ca96257be0657d17c/model_best.pth.tar",
                    "sha256": "1a73859ca67b1d1753f5e01af050d660880dc6a97b4b346905356d65f3ee8755",
                    "bytes": 3827150,
                }
            },
            "accuracy": "ImageNet top-1 46.75 %",
            "options": {"entry": "state_dict", "prefix": "module.", "classes": 1000},
        },
        "mobilenet_v1/faces": {
            "summary": "MobileNetV1 × 0.25 trained to detect faces, starting from …/imagenet",
            "objective": "detect-faces",
            "diet": "imagenet-1k-then-wider-face",
            "preprocessing": {
                "resize": 256,
                "crop": 224,
                "scale": 255.0,
                "channels": "BGR",
                "mean": (104.0, 117.0, 123.0),
            },
            "files": {
                "weights": {
                    "url": "https://raw.githubusercontent.com/biubug6/Pytorch_Retinaface/3c31dcd0049aff7fce28394ca96257be0657d17c/weights/Final_Retinaface.pth",
                    "sha256": "78b0533ceea681a290e98efca85e3a2815b22310f1fe7e287788e7f55f0743a9",
                    "bytes": 1789735,
                }
            },
            "accuracy": "WIDER FACE validation AP: easy 90.58 %, medium 87.94 %, hard 73.96 %",
            "options": {"prefix": "body.", "classes": None},
        },
    },
    architecture="depthwise-separable",
    learning_rule="backprop",
    source="Howard et al. 2017, arXiv:1704.04861; Deng et al. 2020, CVPR, arXiv:1905.00641",
    bibtex="""@article{howard2017mobilenets,
  title = {{MobileNets}: Efficient Convolutional Neural Networks for Mobile Vision Applications},
  author = {Howard, Andrew G. and Zhu, Menglong and Chen, Bo and Kalenichenko, Dmitry and
    Wang, Weijun and Weyand, Tobias and Andreetto, Marco and Adam, Hartwig},
  journal = {arXiv preprint arXiv:1704.04861},
  year = {2017}
}
@inproceedings{deng2020retinaface,
  title = {{RetinaFace}: Single-Shot Multi-Level Face Localisation in the Wild},
  author = {Deng, Jiankang and Guo, Jia and Ververas, Evangelos and Kotsia, Irene and
    Zafeiriou, Stefanos},
  booktitle = {IEEE/CVF Conference on Computer Vision and Pattern Recognition},
  pages = {5203--5212},
  year = {2020}
}""",
    licence="MIT",
    code="https://github.com/biubug6/Pytorch_Retinaface",
)
def trained_mobilenet_v1(card: CandidateCard) -> Candidate:
    """The trained network; of the face detector only its backbone, without pyramid and heads."""
    options = dict(card.options)
    classes = options.pop("classes")
    state = read_state(card.files["weights"], **options)
    return _candidate(card, filled(lambda: MobileNetV1(classes), state, origin=card.name))


@candidate(
    name="mobilenet_v1/untrained",
    seeds=(0, 1, 2),
    summary="MobileNetV1 × 0.25 with the random weights that training starts from",
    architecture="depthwise-separable",
    objective="none",
    learning_rule="untrained",
    diet="none",
    preprocessing={
        "resize": 256,
        "crop": 224,
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
    },
    source="Howard et al. 2017, arXiv:1704.04861",
    bibtex="""@article{howard2017mobilenets,
  title = {{MobileNets}: Efficient Convolutional Neural Networks for Mobile Vision Applications},
  author = {Howard, Andrew G. and Zhu, Menglong and Chen, Bo and Kalenichenko, Dmitry and
    Wang, Weijun and Weyand, Tobias and Andreetto, Marco and Adam, Hartwig},
  journal = {arXiv preprint arXiv:1704.04861},
  year = {2017}
}""",
    licence="MIT",
    code="https://github.com/biubug6/Pytorch_Retinaface",
)
def untrained_mobilenet_v1(card: CandidateCard) -> Candidate:
    """The network before training, drawn from the card's seed.

    Responses keep their size from block to block (He et al. 2015). The original begins with torch's
    default, which is this times a constant: there responses end at 1e-11, but no geometry differs,
    as the network has no biases and its rectifiers are homogeneous.
    """
    return _candidate(card, drawn(_initialised, seed=card.seed or 0))


def _initialised() -> MobileNetV1:
    network = MobileNetV1()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, a=_LEAK, nonlinearity="leaky_relu")
    return network


def _candidate(card: CandidateCard, network: MobileNetV1) -> Candidate:
    # The same blocks for every objective, so that none has more layers to choose from.
    layers = tuple(f"{stage}.{block}" for stage, n in _BLOCKS.items() for block in range(n))
    return Candidate(card, network, Preprocessing(**card.preprocessing), layers)


def _convolution(inputs: int, outputs: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(_LEAK),
    )


def _separable(inputs: int, outputs: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs, bias=False),
        nn.BatchNorm2d(inputs),
        nn.LeakyReLU(_LEAK),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(_LEAK),
    )
