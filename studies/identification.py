"""`python -m studies.identification`: can the parts of a network be told from its activity?

Networks of a crossed grid, architectures × objectives × rules, each with several seeds, are shown
the same test images. (i) Each is planted as a brain: of the networks of another seed, the most
similar one names its architecture, objective and rule. (ii) A random forest learns to name the rule
from statistics of activity, and is asked about other seeds, objectives or architectures.

A cell's seeds are one draw: intervals resample cells, and two nulls exchange the names of a part
between cells that differ in it alone. With names exchanged after all is learned, what is left is
chance; `p` is the share of such exchanges that do as well. With names exchanged before, what is
left is owed to knowing each cell by heart, whatever it is called; only what is above `by_heart`
says that the part leaves a mark which cells have in common.

Without `--trajectory` the shipped networks are enough; with it, each is trained before by
`isocortex train`, which keeps checkpoints. Their test images are needed in any case. It takes about
a second for each network and checkpoint with 300 images of 32 pixels, and some minutes of forests.
"""

import argparse
import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import RandomForestClassifier
from threadpoolctl import threadpool_limits

from isocortex.errors import InputError
from isocortex.training import grid

from .networks import PARTS, Array, gather

Labels = npt.NDArray[np.str_]
Positions = npt.NDArray[np.intp]

BOOTSTRAPS: Final = 10_000
EXCHANGES: Final = 2_000
TREES: Final = 100


@dataclass(frozen=True)
class Outcome:
    """How often a part was named right, as a share of networks; nulls as the module says.

    `fewest` and `most` are the cells that were right for one pair of seeds (of a brain and of those
    it is compared with), or for one seed.
    """

    measure: str
    when: str
    part: str
    share: float
    low: float
    high: float
    fewest: int
    most: int
    cells: int
    chance: float
    p: float
    by_heart: float
    p_by_heart: float


@dataclass(frozen=True, eq=False)
class Named:
    """What was named: `labels` (cell, round), and the share that was right by heart (exchange,)."""

    labels: Labels
    by_heart: Array


def in_cells(table: xr.Dataset) -> xr.Dataset:
    """The networks in the order of their parts, seeds innermost: each cell's stand together.

    Raises InputError unless parts and seeds are fully crossed, with two seeds or more.
    """
    sizes = [len(np.unique(table[name])) for name in (*PARTS, "seed")]
    if math.prod(sizes) != table.sizes["network"] or sizes[-1] < 2:
        raise InputError(
            f"{table.sizes['network']} networks of {' × '.join(map(str, sizes))} architectures, "
            "objectives, rules and seeds; expected all crossings, with 2 seeds or more"
        )
    order = np.lexsort([table[name].values for name in ("seed", *reversed(PARTS))])
    return table.isel(network=order, brain=order)


def labels_of(table: xr.Dataset, part: str) -> Labels:
    """The value of a part in each cell, (cell,)."""
    labels: Labels = table[part].values[:: len(np.unique(table.seed))]
    return labels


def exchanged(table: xr.Dataset, part: str, count: int) -> list[Labels]:
    """`labels_of` with values exchanged at random among cells that differ in this part alone."""
    generator = np.random.default_rng(0)
    own = labels_of(table, part)
    others = np.array([labels_of(table, other) for other in PARTS if other != part])
    alike = np.unique(others, axis=1, return_inverse=True)[1].ravel()
    groups = [np.flatnonzero(alike == group) for group in np.unique(alike)]
    made = []
    for _ in range(count):
        labels = own.copy()
        for members in groups:
            labels[members] = own[generator.permutation(members)]
        made.append(labels)
    return made


def nearest_cells(similarity: Array, seeds: int) -> Positions:
    """The cell most similar to each brain, among those of one other seed: (cell, pair of seeds).

    A similarity (network, brain) that is NaN is less than any other.
    """
    cells = len(similarity) // seeds
    by_seed = np.nan_to_num(similarity, nan=-np.inf).reshape(cells, seeds, cells, seeds)
    pairs = [(own, other) for own in range(seeds) for other in range(seeds) if own != other]
    return np.array([by_seed[:, other, :, own].argmax(axis=0) for own, other in pairs]).T


def named_by_nearest(table: xr.Dataset, similarity: Array, part: str) -> Named:
    """A part's value in the network of another seed that is most similar to each brain."""
    nearest = nearest_cells(similarity, len(np.unique(table.seed)))
    others = exchanged(table, part, EXCHANGES)
    by_heart = [(labels[nearest] == labels[:, None]).mean() for labels in others]
    return Named(labels_of(table, part)[nearest], np.array(by_heart))


def named_by_forest(table: xr.Dataset, held_out: str, *, exchanges: int) -> Named:
    """The rule of networks whose `held_out` (seed, objective …) a forest has not seen.

    It sees all statistics at all checkpoints of the table. Each value is held out in turn.
    """
    seeds, groups = len(np.unique(table.seed)), table[held_out].values
    features = table.statistics.transpose("network", ...).values.reshape(len(groups), -1)

    def named(labels: Labels) -> Labels:
        rules = np.repeat(labels, seeds)
        found = np.empty_like(rules)
        for group in np.unique(groups):
            held = groups == group
            forest = RandomForestClassifier(TREES, random_state=0)
            found[held] = forest.fit(features[~held], rules[~held]).predict(features[held])
        return found.reshape(-1, seeds)

    others = exchanged(table, "rule", exchanges)
    by_heart = [(named(labels) == labels[:, None]).mean() for labels in others]
    return Named(named(labels_of(table, "rule")), np.array(by_heart))


def outcome(table: xr.Dataset, named: Named, *, part: str, measure: str, when: str) -> Outcome:
    """How much of what was named is right, and how sure that is."""
    truth = labels_of(table, part)
    right = named.labels == truth[:, None]
    by_cell, totals = right.mean(axis=1), right.sum(axis=0)
    drawn = np.random.default_rng(0).integers(len(truth), size=(BOOTSTRAPS, len(truth)))
    low, high = np.quantile(by_cell[drawn].mean(axis=1), [0.025, 0.975])
    others = exchanged(table, part, EXCHANGES)
    by_chance = np.array([(named.labels == labels[:, None]).mean() for labels in others])
    return Outcome(
        measure,
        when,
        part,
        share=float(right.mean()),
        low=float(low),
        high=float(high),
        fewest=int(totals.min()),
        most=int(totals.max()),
        cells=len(truth),
        chance=1 / len(np.unique(truth)),
        p=_share_as_high(by_chance, right.mean()),
        by_heart=float(named.by_heart.mean()),
        p_by_heart=_share_as_high(named.by_heart, right.mean()),
    )


def _share_as_high(null: Array, share: float) -> float:
    return float(((null >= share - 1e-9).sum() + 1) / (len(null) + 1))


def periods(table: xr.Dataset) -> dict[str, xr.Dataset]:
    """The checkpoints to tell by: before training, the last and, of more, all but the first."""
    ends = {"untrained": table.isel(step=[0]), "endpoint": table.isel(step=[-1])}
    if table.sizes["step"] == 2:
        return ends
    return {**ends, "trajectory": table.isel(step=slice(1, None))}


def study(table: xr.Dataset, *, exchanges: int) -> list[Outcome]:
    """All outcomes for a table of `gather`; those of a part with one value only are left out."""
    table, outcomes = in_cells(table), []
    varied = [part for part in (*PARTS, "seed") if len(np.unique(table[part])) > 1]
    for when, period in periods(table).items():
        for measure in ("rsa", "activity"):
            similarity = period[measure].mean("step").values
            for part in [each for each in PARTS if each in varied]:
                named = named_by_nearest(table, similarity, part)
                outcomes.append(outcome(table, named, part=part, measure=measure, when=when))
        for held_out in varied:
            if held_out != "rule":
                named = named_by_forest(period, held_out, exchanges=exchanges)
                measure = f"forest, another {held_out}"
                outcomes.append(outcome(table, named, part="rule", measure=measure, when=when))
    return outcomes


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """The table for people, and JSON for machines."""
    table = Table(title=f"named right, of {outcomes[0].cells} cells")
    for column in ("by", "when", "part", "right", "95 %", "cells", "p", "by heart", "p"):
        table.add_column(column)
    for each in sorted(outcomes, key=lambda each: (each.measure, each.part, each.when)):
        table.add_row(
            each.measure,
            each.when,
            each.part,
            f"{each.share:.0%} (chance {each.chance:.0%})",
            f"{each.low:.0%} – {each.high:.0%}",
            f"{each.fewest} – {each.most}",
            f"{each.p:.4f}",
            f"{each.by_heart:.0%}",
            f"{each.p_by_heart:.4f}",
        )
    Console(width=120).print(table)
    print(json.dumps([asdict(each) for each in outcomes]))


def main() -> None:
    """Gather the answers of the grid, or read them from a table of an earlier run, and tell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--architectures", nargs="+", default=["conv4", "local4", "blt3"])
    parser.add_argument("--objectives", nargs="+", default=["categorise", "contrast", "autoencode"])
    parser.add_argument("--rules", nargs="+", default=["backprop", "feedback", "greedy"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--diet", default="cifar10")
    parser.add_argument("--budget", default="short")
    parser.add_argument("--stimuli", type=int, default=300, help="test images that are shown")
    parser.add_argument("--depths", type=int, default=4, help="matched blocks, first to last")
    parser.add_argument("--trajectory", action="store_true", help="use all checkpoints, too")
    parser.add_argument("--exchanges", type=int, default=100, help="forests under other names")
    parser.add_argument("--table", type=Path, help="NetCDF file to keep the answers in")
    chosen = parser.parse_args()
    logging.basicConfig(format="%(message)s")
    logging.getLogger(__package__).setLevel(logging.INFO)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        table = _table(chosen)
        print_outcomes(study(table, exchanges=chosen.exchanges))


def _table(chosen: argparse.Namespace) -> xr.Dataset:
    if chosen.table is not None and chosen.table.exists():
        return xr.load_dataset(chosen.table, engine="scipy")
    cells = grid(
        architectures=chosen.architectures,
        objectives=chosen.objectives,
        rules=chosen.rules,
        diets=[chosen.diet],
        seeds=chosen.seeds,
        budget=chosen.budget,
    )
    table = gather(
        list(cells), stimuli=chosen.stimuli, depths=chosen.depths, trajectory=chosen.trajectory
    )
    if chosen.table is not None:
        table.to_netcdf(chosen.table, engine="scipy")
    return table


if __name__ == "__main__":
    main()
