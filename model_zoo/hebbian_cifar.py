"""Lagani's CIFAR-10 networks: gradient descent against Hebbian learning, with all else near."""

from typing import Final

import torch
from torch import nn
from torch.nn import functional

from isocortex.candidates import Candidate, Preprocessing
from isocortex.cards import CandidateCard
from isocortex.registry import candidate

from ._weights import State, filled, read_state
from ._whitening import Whitening

_CHANNELS: Final = (3, 96, 128, 192, 256)
_KERNELS: Final = (5, 3, 3, 3)
_POOLED: Final = (1, 3)
_FEATURE_SIDES: Final = (14, 12, 5, 3)
"""Rows and columns that are left after each convolution of a 32 × 32 image."""

_TRAINING_ONLY: Final = ("eta", "lfb_kernel")
"""What a Hebbian layer keeps for its next update: the learning rate and the map's neighbourhood."""


class GradientNetwork(nn.Module):
    """One to four convolutions, each rectified, normalised and in part pooled, and a classifier."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth
        for stage in range(1, depth + 1):
            inputs, outputs = _CHANNELS[stage - 1], _CHANNELS[stage]
            self.add_module(f"conv{stage}", nn.Conv2d(inputs, outputs, _KERNELS[stage - 1]))
            self.add_module(f"bn{stage}", nn.BatchNorm2d(outputs))
        units = _CHANNELS[depth] * _FEATURE_SIDES[depth - 1] ** 2
        self.add_module(f"fc{depth + 1}", nn.Linear(units, 10))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores, (image, 10), of images (image, 3, 32, 32)."""
        scores: torch.Tensor = self.get_submodule(f"fc{self.depth + 1}")(
            self.features(images).flatten(1)
        )
        return scores

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """The last convolution's response, pooled and normalised."""
        for stage in range(1, self.depth + 1):
            images = functional.relu(self.get_submodule(f"conv{stage}")(images))
            if stage in _POOLED:
                images = functional.max_pool2d(images, 2)
            images = self.get_submodule(f"bn{stage}")(images)
        return images


class HebbianNetwork(nn.Module):
    """One Hebbian convolution, pooled and normalised, and a Hebbian classifier."""

    def __init__(self, *, whitened: bool) -> None:
        super().__init__()
        self.whitening = Whitening() if whitened else nn.Identity()
        self.conv1 = HebbianConvolution(3, 96, 5, cosine=True)
        self.bn1 = nn.BatchNorm2d(96)
        self.fc2 = HebbianConvolution(96, 10, 14)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores, (image, 10), of images (image, 3, 32, 32)."""
        responses = self.conv1(self.whitening(images))
        scores: torch.Tensor = self.fc2(self.bn1(functional.max_pool2d(responses, 2)))
        return scores.flatten(1)


class HybridNetwork(nn.Module):
    """Four convolutions learnt by gradient descent, and two full Hebbian layers above."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = GradientNetwork(4)
        self.fc5 = HebbianConvolution(256, 300, 3, cosine=True)
        self.bn5 = nn.BatchNorm2d(300)
        self.fc6 = HebbianConvolution(300, 10, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Class scores, (image, 10), of images (image, 3, 32, 32)."""
        scores: torch.Tensor = self.fc6(self.bn5(self.fc5(self.trunk.features(images))))
        return scores.flatten(1)


class HebbianConvolution(nn.Module):
    """The projection of each patch on a kernel's direction, w·x / |w|.

    With `cosine`, of the patch's direction, and nothing below 0: max(0, w·x / (|w| |x|)).
    """

    def __init__(self, inputs: int, outputs: int, side: int, *, cosine: bool = False) -> None:
        super().__init__()
        self.cosine = cosine
        self.weight = nn.Parameter(torch.empty(outputs, inputs, side, side), requires_grad=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The responses, (image, kernel, row, column), without padding."""
        lengths = self.weight.flatten(1).norm(dim=1).reshape(-1, 1, 1)
        projections = functional.conv2d(images, self.weight) / _nonzero(lengths)
        if not self.cosine:
            return projections
        patch = torch.ones_like(self.weight[:1])
        return (projections / _nonzero(functional.conv2d(images**2, patch).sqrt())).clamp(min=0)


def _nonzero(lengths: torch.Tensor) -> torch.Tensor:
    return torch.where(lengths == 0, 1.0, lengths)


@candidate(
    variants={
        "gdes/config_1l": {
            "summary": "One convolution learnt by gradient descent",
            "files": {
                "weights": {
                    "url": "https://raw.githubusercontent.com/GabrieleLagani/HebbianLearning/ce7486cc669e9c79adf06b90522c283276e64cd7/results/gdes/config_1l/save/model0.pt",
                    "sha256": "327fb9d9ecd2e36ed3999cde4c4c93b0f22d456a380f3c6bbfe8942441027020",
                    "bytes": 784795,
                },
            },
            "accuracy": "CIFAR-10 top-1 69.04 %",
            "options": {"depth": 1},
        },
        "gdes/config_2l": {
            "summary": "Two convolutions learnt by gradient descent",
            "files": {
                "weights": {
                    "url": "https://raw.githubusercontent.com/GabrieleLagani/HebbianLearning/ce7486cc669e9c79adf06b90522c283276e64cd7/results/gdes/config_2l/save/model0.pt",
                    "sha256": "3359a7cad7a82cf1a13faf80a6c55b2f9a35acde293d25b7e822c0fd40b801de",
                    "bytes": 1215199,
                },
            },
            "accuracy": "CIFAR-10 top-1 76.91 %",
            "options": {"depth": 2},
        },
        "gdes/config_3l": {
            "summary": "Three convolutions learnt by gradient descent",
            "files": {
                "weights": {
                    "url": "https://raw.githubusercontent.com/GabrieleLagani/HebbianLearning/ce7486cc669e9c79adf06b90522c283276e64cd7/results/gdes/config_3l/save/model0.pt",
                    "sha256": "6051e6cae934ae7c07642e51b7d295e670b6ed28f1849087a256b1df129ac3b1",
                    "bytes": 1559329,
                },
            },
            "accuracy": "CIFAR-10 top-1 81.37 %",
            "options": {"depth": 3},
        },
        "gdes/config_4l": {
            "summary": "Four convolutions learnt by gradient descent",
            "files": {
                "weights": {
                    "url": "https://raw.githubusercontent.com/GabrieleLagani/HebbianLearning/ce7486cc669e9c79adf06b90522c283276e64cd7/results/gdes/config_4l/save/model0.pt",
                    "sha256": "d695f9bf128d7a73c44be88dafa0a161e7cc73304259a4607ac53d53a4d3f61f",
                    "bytes": 3235063,
                },
            },
            "accuracy": "CIFAR-10 top-1 83.97 %",
            "options": {"depth": 4},
        },
    },
    architecture="convolutional",
    objective="categorise",
    learning_rule="backprop",
    diet="cifar-10",
    preprocessing={
        "resize": 32,
        "crop": 32,
        "mean": (0.4914, 0.4822, 0.4465),
        "std": (0.2470, 0.2435, 0.2616),
    },
    source="Amato et al. 2019, ICIAP, doi:10.1007/978-3-030-30642-7_29",
    bibtex="""@inproceedings{amato2019hebbian,
  title = {Hebbian Learning Meets Deep Convolutional Neural Networks},
  author = {Amato, Giuseppe and Carrara, Fabio and Falchi, Fabrizio and Gennaro, Claudio and
    Lagani, Gabriele},
  booktitle = {Image Analysis and Processing - {ICIAP} 2019},
  series = {Lecture Notes in Computer Science},
  volume = {11751},
  pages = {324--334},
  publisher = {Springer},
  year = {2019},
  doi = {10.1007/978-3-030-30642-7_29}
}""",
    licence="MIT",
    code="https://github.com/GabrieleLagani/HebbianLearningThesis",
)
def gradient_network(card: CandidateCard) -> Candidate:
    """The network of that depth; each normalised stage is a layer, the class scores are not."""
    depth = card.options["depth"]
    state = read_state(card.files["weights"])
    network = filled(lambda: GradientNetwork(depth), state, origin=card.name)
    return _candidate(card, network, tuple(f"bn{stage}" for stage in range(1, depth + 1)))


@candidate(
    variants={
        "hebb/config_1l": {
            "summary": "One convolution learnt by Hebbian winner-take-all",
            "learning_rule": "hebbian-winner-take-all",
            "files": {
                "weights": {
                    "url": "https://raw.githubusercontent.com/GabrieleLagani/HebbianLearning/ce7486cc669e9c79adf06b90522c283276e64cd7/results/hebb/config_1l/save/model0.pt",
                    "sha256": "d99ba978364dd3aea63b3616e4697b369986fd25b7e1e1c68383ccf9fafcdd64",
                    "bytes": 784370,
                },
            },
            "accuracy": "CIFAR-10 top-1 41.84 %",
            "options": {"whitened": True},
        },
        "hebb/config_1l_som": {
            "summary": "One convolution learnt as a self-organising map",
            "learning_rule": "self-organising-map",
            "files": {
                "weights": {
                    "url": "https://raw.githubusercontent.com/GabrieleLagani/HebbianLearning/ce7486cc669e9c79adf06b90522c283276e64cd7/results/hebb/config_1l_som/save/model0.pt",
                    "sha256": "4261cbad8531290c41398df60f54ebfc9dee4356b6d8c925fcd0a447816e065f",
                    "bytes": 784880,
                },
            },
            "accuracy": "CIFAR-10 top-1 25.88 %",
            "options": {"whitened": False},
        },
    },
    architecture="convolutional",
    objective="cluster-inputs",
    diet="cifar-10",
    preprocessing={
        "resize": 32,
        "crop": 32,
        "mean": (0.4914, 0.4822, 0.4465),
        "std": (0.2470, 0.2435, 0.2616),
    },
    source="Amato et al. 2019, ICIAP, doi:10.1007/978-3-030-30642-7_29",
    bibtex="""@inproceedings{amato2019hebbian,
  title = {Hebbian Learning Meets Deep Convolutional Neural Networks},
  author = {Amato, Giuseppe and Carrara, Fabio and Falchi, Fabrizio and Gennaro, Claudio and
    Lagani, Gabriele},
  booktitle = {Image Analysis and Processing - {ICIAP} 2019},
  series = {Lecture Notes in Computer Science},
  volume = {11751},
  pages = {324--334},
  publisher = {Springer},
  year = {2019},
  doi = {10.1007/978-3-030-30642-7_29}
}""",
    licence="MIT",
    code="https://github.com/GabrieleLagani/HebbianLearningThesis",
)
def hebbian_network(card: CandidateCard) -> Candidate:
    """The network whose convolution saw no labels; the class scores, which did, are no layer."""
    whitened = card.options["whitened"]
    state = _without_training(read_state(card.files["weights"]))
    network = filled(lambda: HebbianNetwork(whitened=whitened), state, origin=card.name)
    return _candidate(card, network, ("bn1",))


@candidate(
    name="hebb/top4",
    summary="gdes/config_4l with a layer learnt by supervised Hebbian winner-take-all on top",
    architecture="convolutional",
    objective="categorise",
    learning_rule="backprop-then-hebbian",
    diet="cifar-10",
    files={
        "trunk": {
            "url": "https://raw.githubusercontent.com/GabrieleLagani/HebbianLearning/ce7486cc669e9c79adf06b90522c283276e64cd7/results/gdes/config_4l/save/model0.pt",
            "sha256": "d695f9bf128d7a73c44be88dafa0a161e7cc73304259a4607ac53d53a4d3f61f",
            "bytes": 3235063,
        },
        "weights": {
            "url": "https://raw.githubusercontent.com/GabrieleLagani/HebbianLearning/ce7486cc669e9c79adf06b90522c283276e64cd7/results/hebb/top4/save/model0.pt",
            "sha256": "06ce02361e5087eb018408a763b7ac393c0810f0dbeb28da8336959fb680cbc8",
            "bytes": 2783036,
        },
    },
    accuracy="CIFAR-10 top-1 83.16 %",
    preprocessing={
        "resize": 32,
        "crop": 32,
        "mean": (0.4914, 0.4822, 0.4465),
        "std": (0.2470, 0.2435, 0.2616),
    },
    source="Amato et al. 2019, ICIAP, doi:10.1007/978-3-030-30642-7_29",
    bibtex="""@inproceedings{amato2019hebbian,
  title = {Hebbian Learning Meets Deep Convolutional Neural Networks},
  author = {Amato, Giuseppe and Carrara, Fabio and Falchi, Fabrizio and Gennaro, Claudio and
    Lagani, Gabriele},
  booktitle = {Image Analysis and Processing - {ICIAP} 2019},
  series = {Lecture Notes in Computer Science},
  volume = {11751},
  pages = {324--334},
  publisher = {Springer},
  year = {2019},
  doi = {10.1007/978-3-030-30642-7_29}
}""",
    licence="MIT",
    code="https://github.com/GabrieleLagani/HebbianLearningThesis",
)
def hybrid_network(card: CandidateCard) -> Candidate:
    """Both parts in one; the trunk keeps its own classifier, which answers to nothing here."""
    trunk = read_state(card.files["trunk"])
    top = _without_training(read_state(card.files["weights"]))
    state = {f"trunk.{name}": value for name, value in trunk.items()} | top
    layers = (*(f"trunk.bn{stage}" for stage in range(1, 5)), "bn5")
    return _candidate(card, filled(HybridNetwork, state, origin=card.name), layers)


def _without_training(state: State) -> State:
    return {
        name: value
        for name, value in state.items()
        if name.rpartition(".")[2] not in _TRAINING_ONLY
    }


def _candidate(card: CandidateCard, network: nn.Module, layers: tuple[str, ...]) -> Candidate:
    return Candidate(card, network, Preprocessing(**card.preprocessing), layers)
