"""The command that shows how far scorers agree."""

from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
import xarray as xr

from ..agreements import agreement as agreement_of
from ..agreements import cluster_order, plot_agreement, score_table
from ..errors import InputError, UnknownNameError
from ..store import open_store
from ._app import app
from ._output import print_json, print_note, print_table
from .listing import AsJson

_WITH_INTERVALS: Final = 8
"""So many scorers fit side by side with their intervals; of more, a table holds ρ alone."""


@app.command()
def agreement(
    region: Annotated[str, typer.Argument(help="dataset/region, such as cichy2014/IT.")],
    plot: Annotated[
        Path | None, typer.Option(help="Draw the matrix into this file, .png or .svg.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show how alike scorers rank the scored candidates on one region.

    Spearman's ρ of each two scorers over the candidates that both scored, with a 95 % interval
    over candidates.
    """
    if region.count("/") != 1:
        raise UnknownNameError(f"{region!r} is no region; name one as dataset/region")
    with open_store() as store:
        names = [each.name for each in store.benchmarks() if each.name.startswith(f"{region}/")]
        scores = score_table(store, names)
    if scores.sizes["scorer"] < 2:
        raise InputError(
            f"{scores.sizes['scorer']} scorers have scores on {region}; 2 are needed: run "
            f"isocortex score … -b {region}/all"
        )
    agreed = agreement_of(scores)
    if plot is not None:
        plot_agreement(agreed).savefig(_drawable(plot), dpi=150)
        print_note(f"drawn into {plot}")
    if as_json:
        print_json(_facts(agreed))
    elif plot is None:
        _print_agreement(agreed, region)


def _drawable(path: Path) -> Path:
    if path.suffix not in (".png", ".svg", ".pdf"):
        raise InputError(f"{path.name!r} can't be drawn; end it in .png, .svg or .pdf")
    return path


def _facts(agreed: xr.DataArray) -> list[dict[str, Any]]:
    """Each two scorers once, in their order."""
    names = agreed.scorer.values
    return [
        {
            "scorer": str(names[one]),
            "other_scorer": str(names[other]),
            "rho": _known(agreed.values[one, other]),
            "low": _known(agreed.low.values[one, other]),
            "high": _known(agreed.high.values[one, other]),
            "candidates": int(agreed.candidates.values[one, other]),
        }
        for one, other in zip(*np.triu_indices(len(names), 1), strict=True)
    ]


def _print_agreement(agreed: xr.DataArray, region: str) -> None:
    order = cluster_order(agreed)
    wide = len(order) <= _WITH_INTERVALS
    print_table(
        f"Agreement of scorers on {region}",
        ("scorer", *(str(place + 1) for place in range(len(order)))),
        [
            (
                f"{place + 1} {agreed.scorer.values[one]}",
                *(_cell(agreed[one, other], wide=wide) for other in order[:place]),
            )
            for place, one in enumerate(order)
        ],
        caption="Spearman's ρ over candidates"
        + (", below it the 95 % interval" if wide else " (its intervals: --json)")
        + "; – where fewer than 4 candidates have both scores",
    )


def _cell(pair: xr.DataArray, *, wide: bool) -> str:
    if np.isnan(pair):
        return "–"
    rho = f"{float(pair):.2f}"
    return f"{rho}\n{float(pair.low):.2f}…{float(pair.high):.2f}" if wide else rho


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
