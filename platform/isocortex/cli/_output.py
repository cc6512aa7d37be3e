"""How results are shown: tables for people, JSON for programs, progress and errors apart."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from .. import __version__
from ..errors import RejectedError

_WIDE: Final = 200
"""The width of tables that go to a file or a pipe, where there is no terminal to fit."""


def screen() -> Console:
    """Standard output; wide where it is no terminal."""
    return Console(width=None if sys.stdout.isatty() else _WIDE, soft_wrap=False)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str = ""
) -> None:
    """Print a table; the first column never wraps."""
    table = Table(title=title, title_justify="left", caption=caption, caption_justify="left")
    for position, column in enumerate(columns):
        width = max(map(len, column.split("\n")))
        table.add_column(column, no_wrap=position == 0, overflow="fold", min_width=width)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    screen().print(table)


def print_facts(facts: dict[str, Any]) -> None:
    """Print the facts of one card, one a line; empty ones are left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        if value not in (None, "", [], {}):
            table.add_row(key.replace("_", " "), Text(_shown(value)))
    screen().print(table)


def _shown(value: Any, *, most: int = 12) -> str:
    """A fact as text; a mapping one item a line, a file by its address, a long one cut short."""
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    lines = [
        f"{key}: {item['url'] if isinstance(item, dict) and 'url' in item else _shown(item)}"
        for key, item in list(value.items())[:most]
    ]
    return "\n".join([*lines, f"… and {len(value) - most} more"] if len(value) > most else lines)


def print_note(text: str) -> None:
    """Print a line for the person at the keyboard, on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text, markup=False)


def print_error(error: Exception | str) -> None:
    """Print what went wrong on standard error."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print("error:", style="bold red", end=" ")
    faults = error.faults if isinstance(error, RejectedError) else ()
    if len(faults) > 1:
        console.print(f"{len(faults)} faults", *faults, sep="\n  ", markup=False)
    else:
        console.print(str(error), markup=False)


def print_version(wanted: bool) -> None:
    """Print the version and stop, if it is wanted."""
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A progress display on standard error that vanishes when it is done."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress
