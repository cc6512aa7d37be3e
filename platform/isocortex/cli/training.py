"""Commands that train networks from parts."""

from typing import Annotated

import numpy as np
import typer

from ._app import app
from ._output import print_json, print_table, progress_bar
from .listing import AsJson
from .scoring import Device


@app.command()
def train(
    recipe: Annotated[
        str, typer.Argument(help="architecture/objective/rule@diet#seed; it is the network's name.")
    ],
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Train a network from parts, or go on where its last run stopped.

    Then `isocortex score RECIPE -b …` scores it like any other candidate.
    """
    from ..trained import train_recipe

    with progress_bar() as bar:
        task = bar.add_task(recipe, total=None)
        trained = train_recipe(
            recipe,
            device=device,
            progress=lambda done, steps: bar.update(task, completed=done, total=steps),
        )
    history = trained.history
    if as_json:
        print_json({"recipe": trained.recipe.name, "history": history.to_dict()})
        return
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
    return f"{losses[max(0, step - 20) : max(1, step)].mean():.3f}"
