"""Replay: a slow learner that goes over what a fast one has kept."""

from typing import Final

import torch
from torch import Tensor, nn

from isocortex.errors import InputError
from isocortex.registry import learning_rule
from isocortex.training import Batch, Learner, Network, Objective

_EXPANSION: Final = 1024
"""Cells of the sparse code. The dentate gyrus of the rat has five times the cells of its input."""
_ACTIVE: Final = 0.05
"""The share of them that a pattern makes fire."""


@learning_rule(
    variants={
        "replay": {
            "summary": "backpropagation, interleaved with images that a fast store has kept",
            "options": {"capacity": 500},
        },
        "replay-small": {
            "summary": "replay from a store of 50 images",
            "options": {"capacity": 50},
        },
    },
    term="replay",
    mechanism="re-route",
    needs=("loss", "labels"),
    source="McClelland, McNaughton & O'Reilly 1995, Psychol Rev 102:419; Kumaran, Hassabis & "
    "McClelland 2016, Trends Cogn Sci 20:512",
    bibtex="""@article{mcclelland1995why,
  author = {McClelland, James L. and McNaughton, Bruce L. and O'Reilly, Randall C.},
  title = {Why there are complementary learning systems in the hippocampus and neocortex: insights
    from the successes and failures of connectionist models of learning and memory},
  journal = {Psychological Review},
  volume = {102},
  number = {3},
  pages = {419--457},
  year = {1995}
}
@article{kumaran2016what,
  author = {Kumaran, Dharshan and Hassabis, Demis and McClelland, James L.},
  title = {What learning systems do intelligent agents need? Complementary learning systems theory
    updated},
  journal = {Trends in Cognitive Sciences},
  volume = {20},
  number = {7},
  pages = {512--534},
  year = {2016}
}""",
)
def replay(network: Network, objective: Objective, *, capacity: int) -> Learner:
    """A learner of each batch together with as many stored images, drawn at random.

    Every batch is written into the store once, after it is learned from. The store keeps images
    and labels as they are, up to `capacity`, a fair sample of all that was seen (reservoir
    sampling): the hippocampus as a list of episodes, not as a network. Its cells are sparse and
    their patterns separate, which is how it finds an episode by a cue; see `FastStore`. Objectives
    that look at films or latents can't be replayed.
    """
    return _Replay(network, objective, capacity)


class FastStore(nn.Module):
    """Images and labels written in one go, addressed by a sparse code of the image.

    The code is which cells of a large layer of fixed random weights are driven most: patterns that
    are alike share fewer cells than pixels (pattern separation; Marr 1971, O'Reilly & McClelland
    1994). All that is stored is in buffers.
    """

    images: Tensor
    labels: Tensor
    seen: Tensor
    projection: Tensor

    def __init__(self, capacity: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(capacity, *shape))
        self.register_buffer("labels", torch.zeros(capacity, dtype=torch.long))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))
        self.register_buffer("projection", torch.randn(_EXPANSION, int(torch.tensor(shape).prod())))

    @property
    def filled(self) -> int:
        """How many images are stored."""
        return min(int(self.seen), len(self.images))

    def write(self, batch: Batch, generator: torch.Generator) -> None:
        """Store each image, in the place of a random one or not at all once the store is full."""
        assert batch.labels is not None  # the card needs them
        for image, label in zip(batch.images, batch.labels, strict=True):
            place = int(self.seen)
            if place >= len(self.images):
                place = int(torch.randint(place + 1, (), generator=generator))
            if place < len(self.images):
                self.images[place], self.labels[place] = image, label
            self.seen += 1

    def drawn(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images and labels of at most `count` that are stored, drawn at random."""
        places = torch.randperm(self.filled, generator=generator)[:count].to(self.images.device)
        return self.images[places], self.labels[places]

    def code(self, images: Tensor) -> Tensor:
        """The sparse code, (image, cell), 1 where a cell fires and 0 elsewhere."""
        flat = images.flatten(1)
        drive = (flat - flat.mean(dim=1, keepdim=True)) @ self.projection.to(flat).T
        firing = drive.topk(int(_ACTIVE * drive.shape[1]), dim=1).indices
        return torch.zeros_like(drive).scatter_(1, firing, 1)

    def recalled(self, cues: Tensor) -> tuple[Tensor, Tensor]:
        """The stored image and label whose code shares most cells with that of each cue."""
        stored = self.images[: self.filled]
        places = (self.code(cues) @ self.code(stored).T).argmax(dim=1)
        return stored[places], self.labels[places]


class _Replay(Learner):
    def __init__(self, network: Network, objective: Objective, capacity: int) -> None:
        super().__init__(network, objective)
        if network.image_size is None:
            raise InputError(
                "the network does not say which images it is for; set network.image_size to their "
                "height and width"
            )
        self.store = FastStore(capacity, (3, *network.image_size))

    def step(self, batch: Batch, generator: torch.Generator) -> Tensor:
        loss = self.loss(self._interleaved(batch, generator), generator)
        loss.backward()  # type: ignore[no-untyped-call]
        self.store.write(batch, generator)
        return loss.detach()

    def settling(self, batch: Batch, generator: torch.Generator) -> dict[str, float]:
        """How much of a batch's images the store would name right: what it knows of the new."""
        assert batch.labels is not None  # the card needs them
        if not self.store.filled:
            return {"named right by the store": 0.0}
        _, labels = self.store.recalled(batch.images)
        return {"named right by the store": float((labels == batch.labels).double().mean())}

    def _interleaved(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch, followed by as many images that are stored.

        Raises InputError for films, which are not kept.
        """
        assert batch.labels is not None  # the card needs them
        if batch.sequence is not None:
            raise InputError(
                "the store keeps single images, and the diet shows films; choose a diet without "
                "films, such as shapes32"
            )
        images, labels = self.store.drawn(len(batch), generator)
        return Batch(
            torch.cat([batch.images, images]),
            torch.cat([batch.labels, labels]),
            _NotStored() if batch.latents else {},
            progress=batch.progress,
        )


class _NotStored(dict[str, Tensor]):
    """The latents of replayed images."""

    def __missing__(self, name: str) -> Tensor:
        raise InputError(
            f"the store keeps images and labels, not {name!r}; choose an objective that does not "
            "look at latents, such as categorise"
        )
