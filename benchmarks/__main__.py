"""`python -m benchmarks`: every comparison in turn, one BLAS thread each, printed as a table."""

import json
import platform
import sys
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from . import cases, encoding, jobs, learning_rules, matching, shape, similarity
from .timing import Measurement


def main() -> None:
    """Run the cases that are named on the command line, or all of them."""
    wanted = sys.argv[1:]
    known = {
        name: case
        for module in (cases, similarity, shape, matching, encoding, learning_rules, jobs)
        for name, case in module.CASES.items()
    }
    chosen = {name: case for name, case in known.items() if not wanted or name in wanted}
    if unknown := set(wanted) - set(known):
        sys.exit(f"no case is named {', '.join(unknown)}; known are {', '.join(known)}")
    torch.set_num_threads(1)
    with threadpool_limits(1):
        found = [row for name, case in chosen.items() for row in _run(name, case)]
    table = Table(title=f"one thread, {platform.machine()}, Python {platform.python_version()}")
    for column in ("case", "unit", "ours", "other", "theirs", "ratio", "largest difference"):
        table.add_column(column)
    for name, row in found:
        table.add_row(
            name,
            row.unit,
            f"{row.ours:.3f}",
            row.other,
            f"{row.theirs:.3f}",
            f"{row.theirs / row.ours:.1f} ×",
            f"{row.difference:.1e}",
        )
    Console(width=140).print(table)
    print(json.dumps([{"case": name, **vars(row)} for name, row in found]))


def _run(name: str, case: Callable[[], list[Measurement]]) -> list[tuple[str, Measurement]]:
    Console(stderr=True).print(f"{name} …")
    np.random.seed(0)
    rows = case()
    for row in rows:
        Console(stderr=True).print(f"  {row.ours:.3f} {row.unit}, {row.other} {row.theirs:.3f}")
    return [(name, row) for row in rows]


if __name__ == "__main__":
    main()
