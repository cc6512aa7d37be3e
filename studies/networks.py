"""What trained networks answer, checkpoint by checkpoint, gathered into one table."""

import logging
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import torch
import xarray as xr
from isocortex.scorers.activity import STATISTICS, activity_statistics, shared_part
from scipy.stats import rankdata

from isocortex.errors import InputError
from isocortex.registry import scorer_card
from isocortex.responses import Responses
from isocortex.shipped import shipped_path
from isocortex.trained import read_network, trained_folder
from isocortex.training import Keeper, Network, Recipe, Run
from isocortex.training.probes import spread_out
from isocortex.units import sampled_units

log = logging.getLogger(__name__)

Array = npt.NDArray[np.float64]

PARTS: Final = ("architecture", "objective", "rule")


def gather(recipes: Sequence[Recipe], *, stimuli: int, depths: int, trajectory: bool) -> xr.Dataset:
    """What networks of one budget answer to test images, before and after training.

    With `trajectory` also at every checkpoint between, which only networks have that were trained
    on this computer; without, what is shipped is enough.

    `rsa` (step, network, brain) is Spearman's ρ of `1 − r` RDMs, `activity` the same by the scorer
    activity-statistics; both are means over matched depths. `statistics` (step, network, depth,
    statistic) are NaN where fewer than two units of a block vary, and so is `activity` then. Step 0
    is before training. Raises InputError for a network that is not trained; none is trained here.
    """
    marks = Run.begin(recipes[0], "cpu").marks
    steps = marks if trajectory else (marks[0], marks[-1])
    tables = []
    for step in steps:
        log.info("step %d of %d: %d networks", step, steps[-1], len(recipes))
        answers = [_answers(each, step, stimuli=stimuli, depths=depths) for each in recipes]
        statistics = [[_statistics(block) for block in blocks] for blocks in answers]
        ranks = np.array([[standardised_ranks(block) for block in blocks] for blocks in answers])
        tables.append(_compared(ranks, xr.DataArray(statistics, dims=_STATISTICS_DIMS)))
    coords = {part: ("network", [getattr(each, part) for each in recipes]) for part in _NAMES}
    names = {"step": list(steps), "depth": np.linspace(0, 1, depths), "statistic": list(STATISTICS)}
    return xr.concat(tables, dim="step").assign_coords({**coords, **names})


_NAMES: Final = (*PARTS, "seed")
_STATISTICS_DIMS: Final = ("network", "depth", "statistic")


def _answers(recipe: Recipe, step: int, *, stimuli: int, depths: int) -> list[Array]:
    """The responses (stimulus, unit) of blocks at matched depths, from the first to the last."""
    run = Run.begin(recipe, "cpu")
    images = run.diet.test.batch(spread_out(run.diet.test, stimuli)).images
    with torch.no_grad():
        blocks = list(network_at(run, step).eval().answers(images).values())
    places = np.linspace(0, len(blocks) - 1, depths).round().astype(int)
    return [blocks[place].flatten(1).numpy().astype(np.float64) for place in places]


def network_at(run: Run, step: int) -> Network:
    """The network of a training that has just begun, as it was after a step.

    After the last it may be the shipped one. Raises InputError where it was not kept.
    """
    keeper = Keeper(trained_folder(run.recipe))
    if not step:
        return run.learner.network
    if step in keeper.steps():
        run.restore(keeper.load(step))
        return run.learner.network
    shipped = shipped_path(run.recipe)
    if step == run.steps and shipped.exists():
        return read_network(shipped).network
    raise InputError(
        f"{run.recipe.name} has no checkpoint of step {step}; train it first: isocortex train "
        f"'{run.recipe.name}'"
    )


def standardised_ranks(responses: Array) -> npt.NDArray[np.float32]:
    """The ranks of an RDM of `1 − r`, centred, of length 1: products of two are Spearman's ρ.

    All 0 for responses that have no correlation, which are like nothing else.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        dissimilarities = np.asarray(1 - np.corrcoef(responses))
    ranks = rankdata(dissimilarities[np.triu_indices(len(responses), k=1)])
    ranks -= ranks.mean()
    length = np.linalg.norm(ranks)
    known = np.isfinite(length) and length > 0
    return (ranks / length if known else np.zeros(len(ranks))).astype(np.float32)


def _statistics(responses: Array) -> Array:
    units = sampled_units(responses.shape[1])
    ids = tuple(str(place) for place in range(len(responses)))
    try:
        statistics: Array = activity_statistics(Responses(ids, responses[:, units])).values
    except InputError:  # a dead block is a fact about a network, not a fault of the study
        return np.full(len(STATISTICS), np.nan)
    return statistics


def _compared(ranks: npt.NDArray[np.float32], statistics: xr.DataArray) -> xr.Dataset:
    """The table of one step, of ranks (network, depth, pair) and statistics."""
    rsa = np.mean([own @ own.T for own in ranks.swapaxes(0, 1)], axis=0, dtype=np.float64)
    names = list(STATISTICS)
    scored = [names.index(n) for n in scorer_card("activity-statistics").options["statistics"]]
    own = statistics.isel(statistic=scored)
    known = own.notnull().all(("depth", "statistic"))
    alike = shared_part(own, own.rename(network="brain")).mean(("depth", "statistic"))
    return xr.Dataset(
        {
            "rsa": (("network", "brain"), rsa),
            "activity": alike.where(known).where(known.rename(network="brain")),
            "statistics": statistics,
        }
    )
