"""The command that makes the dissimilarity matrices which the site shows."""

from typing import Annotated

import typer

from ..matrices import write_matrices
from ._app import app
from ._output import print_note


@app.command()
def matrices(
    datasets: Annotated[list[str], typer.Argument(help="The datasets, such as cichy2014.")],
) -> None:
    """Make the dissimilarity matrices of datasets, for the pages of their benchmarks.

    The site loads no recordings; it shows the matrices that were made on its computer.
    """
    for dataset in datasets:
        for path in write_matrices(dataset):
            print_note(f"{dataset}: {path}")
