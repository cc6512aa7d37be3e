"""Sheets: locally connected units that each have a place of their own, as in cortex."""

import torch
from torch import Tensor, nn

from isocortex.registry import architecture
from isocortex.training import Network

from ._local import SIDE, LocallyConnected, halved


@architecture(
    name="sheet4",
    summary="four locally connected sheets, 16 to 64 units at each place of the image, ReLU",
    options={"patches": (4, 4, 6, 8)},
    term="topographic-sheet",
    offers=("chain", "sheet"),
    source="Lu et al. 2025, Nat Hum Behav, doi:10.1038/s41562-025-02220-7",
    bibtex="""@article{lu2025topographic,
  author = {Lu, Zejin and Doerig, Adrien and Bosch, Victoria and Krahmer, Bas and Kaiser, Daniel and
    Cichy, Radoslaw M. and Kietzmann, Tim C.},
  title = {End-to-end topographic networks as models of cortical map formation and human visual
    behaviour},
  journal = {Nature Human Behaviour},
  year = {2025},
  doi = {10.1038/s41562-025-02220-7}
}""",
)
def sheet4(image_size: tuple[int, int], *, patches: tuple[int, ...]) -> Network:
    """Blocks of local connections, batch normalisation and ReLU; each halves the map.

    The channels of one place are a square patch of the sheet, of `patches` units a side: patches
    meet, so that near units see the same or the next place. The last block is flat and not pooled,
    so its units keep their places too: the embedding is as wide as the last sheet has units. Which
    units are near matters only to what asks for it: without a constraint that needs "sheet", this
    is a plain locally connected network. Normalisation is by channel, as in local4.
    """
    blocks: dict[str, nn.Module] = {}
    below, map_size = torch.full((3, 2), 0.5), image_size  # colours are in the pixel's middle
    for number, side in enumerate(patches, start=1):
        blocks[f"block{number}"] = sheet(below, map_size, side=side)
        below, map_size = patch(side), halved(map_size)
    blocks[f"block{len(patches)}"].append(nn.Flatten())  # type: ignore[operator]
    return Network(blocks, width=len(below) * map_size[0] * map_size[1])


def sheet(below: Tensor, map_size: tuple[int, int], *, side: int) -> nn.Sequential:
    """A block whose units lie on a sheet, over a map of that size; see `patch` for `below`.

    The block has `unit_places` (unit, 2) in the order of its answer: row and column as shares of
    the sheet. Its connections have, in the order of their weight, `neighbours` (unit, 4), the units
    above, below, left and right, itself beyond an edge; and `wires`, of the weight's shape, the
    lengths of the connections if one sheet lay upon the other. All three follow from the shape, so
    checkpoints need not hold them.
    """
    connections = LocallyConnected(len(below), side**2, map_size, stride=2)
    rows, columns = connections.map_size
    units = on_sheet(patch(side), grid(rows, columns), (rows, columns))
    taken = 2 * grid(rows, columns)[:, None] - 1 + grid(SIDE, SIDE)  # beyond the map by its padding
    sources = on_sheet(below, taken, map_size).transpose(1, 2)
    wires = (units[:, :, None, None] - sources[:, None]).norm(dim=-1)
    block = nn.Sequential(connections, nn.BatchNorm2d(side**2), nn.ReLU())
    block.register_buffer("unit_places", units.transpose(0, 1).reshape(-1, 2), persistent=False)
    connections.register_buffer("neighbours", neighbours(rows, columns, side), persistent=False)
    lengths = wires.reshape(connections.weight.shape)
    connections.register_buffer("wires", lengths, persistent=False)
    return block


def patch(side: int) -> Tensor:
    """Where the units of a place lie in its patch, by channel: (unit, 2), as shares of it."""
    return (grid(side, side) + 0.5) / side


def on_sheet(within: Tensor, places: Tensor, map_size: tuple[int, int]) -> Tensor:
    """Where units `within` (channel, 2) the patches at `places` (…, 2) lie: (…, channel, 2)."""
    return (places[..., None, :] + within) / torch.tensor(map_size)


def grid(rows: int, columns: int) -> Tensor:
    """Row and column of each cell in reading order, (cell, 2)."""
    return torch.cartesian_prod(torch.arange(rows), torch.arange(columns))


def neighbours(rows: int, columns: int, side: int) -> Tensor:
    """The four neighbours of each unit, (unit, 4), units counted by place, then by channel."""
    units = torch.arange(rows * columns * side**2).reshape(rows, columns, side, side)
    laid = units.transpose(1, 2).reshape(rows * side, columns * side)
    around = (
        torch.cat([laid[:1], laid[:-1]]),
        torch.cat([laid[1:], laid[-1:]]),
        torch.cat([laid[:, :1], laid[:, :-1]], dim=1),
        torch.cat([laid[:, 1:], laid[:, -1:]], dim=1),
    )
    found = torch.empty(laid.numel(), 4, dtype=torch.long)
    found[laid.flatten()] = torch.stack(around, dim=-1).reshape(-1, 4)
    return found
