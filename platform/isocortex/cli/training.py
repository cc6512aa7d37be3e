"""Commands that train networks from parts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from ..budgets import BUDGETS
from ..errors import InputError
from ..recipes import Grid
from ..recipes import grid as crossed
from ..shipped import shipped_path
from ._app import app
from ._output import print_error, print_json, print_note, print_table, progress_bar
from .listing import AsJson
from .scoring import Device

if TYPE_CHECKING:
    from ..training import Trained

Plot = Annotated[
    Path | None, typer.Option(help="Draw the learning curves into this file (.svg, .png, .pdf).")
]
Export = Annotated[
    Path | None,
    typer.Option(help="Write weights (float16), card and audit into this .safetensors file."),
]


@app.command()
def train(
    recipe: Annotated[
        str, typer.Argument(help="architecture/objective/rule@diet#seed; it is the network's name.")
    ],
    device: Device = "cpu",
    plot: Plot = None,
    export: Export = None,
    as_json: AsJson = False,
) -> None:
    """Train a network from parts, or go on where its last run stopped.

    Then `isocortex score RECIPE -b …` scores it like any other candidate. Of a network that
    isocortex ships it tells how near the new weights come.
    """
    from ..trained import history_document, plot_history, train_recipe, write_network

    _require_ending(plot, (".svg", ".png", ".pdf"))
    _require_ending(export, (".safetensors",))
    with progress_bar() as bar:
        task = bar.add_task(recipe, total=None)
        trained = train_recipe(
            recipe,
            device=device,
            progress=lambda done, steps: bar.update(task, completed=done, total=steps),
        )
    if plot is not None:
        plot_history(trained.history, title=trained.recipe.name).savefig(plot)
    if export is not None:
        write_network(trained, export)
    if as_json:
        print_json({"recipe": trained.recipe.name, "history": history_document(trained.history)})
        return
    _print_history(trained)
    if shipped_path(trained.recipe).exists():
        print_note(_likeness(trained))


@app.command()
def grid(
    architecture: Annotated[list[str], typer.Option("--architecture", "-a")],
    objective: Annotated[list[str], typer.Option("--objective", "-o")],
    rule: Annotated[list[str], typer.Option("--rule", "-r")],
    diet: Annotated[list[str], typer.Option("--diet", "-d")],
    seeds: Annotated[int, typer.Option(min=1, help="So many seeds of each cell, from 0.")] = 1,
    budget: Annotated[str, typer.Option(help=f"One of {', '.join(BUDGETS)}.")] = "pocket",
    train: Annotated[bool, typer.Option("--train", help="Train the cells that fit.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Train so many at a time.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Let the Dask cluster at this address train.")
    ] = None,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Cross parts: list the cells that fit and those that make no sense, and train the former.

    Each option may be repeated. Every part that is named is crossed with every other.
    """
    cells = crossed(
        architectures=architecture,
        objectives=objective,
        rules=rule,
        diets=diet,
        seeds=range(seeds),
        budget=budget,
    )
    if as_json:
        print_json({"cells": [each.name for each in cells], "refused": cells.refused})
    else:
        _print_grid(cells)
    if train:
        _train_grid(cells, workers=workers, scheduler=scheduler, device=device)


def _train_grid(cells: Grid, **how: Any) -> None:
    """Train all cells; the first error is raised when the others have been tried."""
    from ..trained import train_all

    errors: dict[str, Exception] = {}
    with progress_bar() as bar:
        task = bar.add_task("cells", total=len(cells))
        for name, error in train_all([each.name for each in cells], **how):
            bar.update(task, advance=1, description=name)
            if error is not None:
                errors[name] = error
    for name, error in errors.items():
        print_error(f"{name}: {error}")
    for error in errors.values():
        raise error


def _print_grid(cells: Grid) -> None:
    """Cells with what there is of them, then the refused with what they lack."""
    print_table(
        f"{len(cells)} cells",
        ("recipe", "shipped"),
        [(each.name, "yes" if shipped_path(each).exists() else "") for each in cells],
    )
    if not cells.refused:
        return
    lacks = {
        name: "; ".join(f"{part} needs {' and '.join(missing)}" for part, missing in gaps.items())
        for name, gaps in cells.refused.items()
    }
    print_table(f"{len(lacks)} refused", ("recipe", "what no part offers"), list(lacks.items()))


def _print_history(trained: "Trained") -> None:
    history = trained.history
    print_table(
        trained.recipe.name,
        ("step", "loss", "readout", "spread", "rank", "angle to the gradient"),
        [
            (
                f"{step:,}",
                _loss_at(history["loss"].values, step),
                f"{float(history['accuracy'][place]):.1%}",
                f"{float(history['spread'][place]):.2f}",
                f"{float(history['rank'][place]):.1f}",
                "  ".join(f"{angle:.0f}°" for angle in history["angle"].values[place]),
            )
            for place, step in enumerate(history["probed_step"].values.tolist())
        ],
        caption="readout: linear, of the labels, on test images; angles block by block, last the "
        "head (nan: a block that has no gradient, or that the rule does not teach)",
    )


def _loss_at(losses: np.ndarray, step: int) -> str:
    """The mean loss of up to 20 steps before this one."""
    before = losses[max(0, step - 20) : max(1, step)]
    return f"{before.mean():.3f}" if len(before) else "–"


def _likeness(trained: "Trained") -> str:
    """How near the weights are to those that are shipped, in half precision."""
    from ..trained import read_network

    shipped = read_network(shipped_path(trained.recipe)).network.state_dict()
    far, size = 0.0, 0.0
    for name, own in trained.network.state_dict().items():
        weights = own.cpu().double()  # what is shipped is read onto the CPU
        far += float((weights - shipped[name]).square().sum())
        size += float(weights.square().sum())
    return (
        f"The shipped weights differ by {(far / size) ** 0.5 if size else 0.0:.1e} of their size "
        "(rounding to float16 alone: about 2e-4)"
    )


def _require_ending(path: Path | None, endings: tuple[str, ...]) -> None:
    """Raise InputError before anything is trained for a file that can't be written after it."""
    if path is None:
        return
    if path.suffix not in endings:
        raise InputError(f"{path} should end in {' or '.join(endings)}")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} to write {path.name} into")
