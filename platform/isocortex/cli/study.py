"""The command that scores all shipped networks and asks which component their scores follow."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from ..attribution import FACTORS, crossed_values, variance_shares
from ..errors import InputError
from ..inference import adjusted_p_values
from ..recipes import Recipe
from ..shipped import shipped_recipes
from ..store import Leaderboard, open_store
from ._app import app
from ._output import print_error, print_json, print_table
from .listing import AsJson
from .scoring import (
    Device,
    Memory,
    make_engine,
    print_leaderboard,
    recorded_or_simulated,
    score_models,
)


@app.command()
def study(device: Device = "cpu", memory: Memory = None, as_json: AsJson = False) -> None:
    """Score all networks that isocortex trained, and say which component their scores follow.

    On the recordings at hand, with the scorers that the data sets offer. What is stored is not
    scored again.
    """
    recipes = shipped_recipes()
    crossing = crossed_recipes(recipes)
    wanted, simulated = recorded_or_simulated()
    names = [recipe.name for recipe in recipes]
    with open_store() as store:
        _, errors = score_models(names, wanted, store=store, engine=make_engine(device, memory))
        board = store.leaderboard(simulated=simulated)
    for name, error in errors.items():  # first, as they say why a crossing has gaps
        print_error(f"{name}: {error}")
    values = {each.name: crossed_values(_values(board, each.name, crossing)) for each in wanted}
    if as_json:
        print_json({name: _facts(each) for name, each in values.items()})
    else:
        print_leaderboard(board)
        _print_shares(values)
        _print_means(values)


def crossed_recipes(recipes: Sequence[Recipe]) -> tuple[Recipe, ...]:
    """Those of which there are several seeds: the crossed core. Raises InputError without any."""
    seeds = Counter(each.cell for each in recipes)
    found = tuple(each for each in recipes if seeds[each.cell] > 1)
    if not found:
        raise InputError("no shipped network has several seeds: there is no crossing to attribute")
    return found


def _values(board: Leaderboard, benchmark: str, crossing: Sequence[Recipe]) -> dict[str, float]:
    """The score of each crossed network relative to the ceiling, or raw where there is none."""
    rows = {row.candidate: row.scores.get(benchmark) for row in board.rows}
    stored = {each.name: rows.get(each.name) for each in crossing}
    return {
        name: one.raw if one.value is None else one.value
        for name, one in stored.items()
        if one is not None
    }


def _print_shares(values: Mapping[str, xr.DataArray]) -> None:
    shares = {name: variance_shares(each) for name, each in values.items()}
    tested = xr.concat([each.p.sel(source=list(FACTORS)) for each in shares.values()], "benchmark")
    adjusted = adjusted_p_values(tested)
    rows = []
    for place, (name, each) in enumerate(shares.items()):
        marks = ["*" if float(p) < 0.05 else "" for p in adjusted[place]]
        main = [f"{float(each.eta_squared.sel(source=f)):.0%}" for f in FACTORS]
        joint = each.eta_squared.sel(source=[s for s in each.source.values if " × " in str(s)])
        rows.append(
            (
                name,
                *(f"{share}{mark}" for share, mark in zip(main, marks, strict=True)),
                f"{float(joint.sum()):.0%}",
                f"{float(each.eta_squared.sel(source='seeds')):.0%}",
            )
        )
    print_table(
        "Which component do scores follow?",
        ("benchmark", *FACTORS, "interactions", "seeds"),
        rows,
        caption="share of the variance over the crossed networks (η²); * p < .05, F-test against "
        "seeds, Holm over the table. The networks are small controls: shares say how much a "
        "component matters among them",
    )


def _print_means(values: Mapping[str, xr.DataArray]) -> None:
    first = next(iter(values.values()))
    levels = [(factor, str(level)) for factor in FACTORS for level in first[factor].values]
    print_table(
        "Mean score of each component",
        ("benchmark", *(level for _, level in levels)),
        [
            (name, *(f"{float(each.sel({f: level}).mean()):.3f}" for f, level in levels))
            for name, each in values.items()
        ],
        caption="relative to the ceiling, or raw where there is none; over all others and seeds",
    )


def _facts(values: xr.DataArray) -> dict[str, Any]:
    shares = variance_shares(values).to_dataframe()
    return {
        "shares": {
            str(source): {name: None if x != x else float(x) for name, x in row.items()}
            for source, row in shares.iterrows()
        },
        "means": {
            factor: {
                str(level): float(values.sel({factor: level}).mean())
                for level in values[factor].values
            }
            for factor in FACTORS
        },
    }
