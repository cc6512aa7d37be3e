"""The application that the commands register with."""

from typing import Any, Final

import typer
from typer.core import TyperGroup

from ._output import print_version

_SECTIONS: Final = {
    "Look": (
        *("leaderboard", "compare", "agreement", "models", "datasets", "scorers", "benchmarks"),
        *("parts", "cite"),
    ),
    "Score": ("demo", "score", "plan", "study"),
    "Submit": (
        *("submit", "submissions", "publish", "withdraw", "stimuli", "convert"),
        *("jobs", "job", "cancel", "rerun", "prioritise"),
    ),
    "Train": ("train", "grid"),
    "Serve": ("serve", "worker", "users", "tokens", "audit", "db", "matrices"),
}


class _Sections(TyperGroup):
    """The commands by what one wants to do, each with its whole summary."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands of each section; one that is in none comes last."""
        placed = {name for names in _SECTIONS.values() for name in names}
        others = tuple(name for name in self.commands if name not in placed)
        for title, names in {**_SECTIONS, "Others": others}.items():
            rows = [(name, self.commands[name].get_short_help_str(200)) for name in names]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


app = typer.Typer(
    cls=_Sections,
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
