"""The application that the commands register with."""

import typer

from ._output import print_version

app = typer.Typer(
    name="isocortex",
    help="Compares neural networks with brains: by objective, architecture and learning rule.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def isocortex(
    version: bool = typer.Option(
        False, "--version", help="Print the version.", callback=print_version, is_eager=True
    ),
) -> None:
    """Compares neural networks with brains: by objective, architecture and learning rule."""
