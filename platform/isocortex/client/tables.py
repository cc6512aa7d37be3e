"""Answers as tables of pandas and arrays of xarray."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from ..errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

STATISTICS: Final = ("value", "value_low", "value_high", "raw", "low", "high")
_LISTS: Final = ("items", "rows", "pairs", "scores", "jobs")


def table_of(answer: BaseModel) -> "pd.DataFrame":
    """A row for each item that an answer lists; nested facts become columns such as ceiling.upper.

    Raises InputError for an answer that lists nothing.
    """
    import pandas as pd

    name = next((name for name in _LISTS if isinstance(getattr(answer, name, None), list)), None)
    if name is None:
        raise InputError(f"{type(answer).__name__} lists nothing that a table could hold")
    # Times stay times; JSON would make text of them.
    rows = [_flat(item.model_dump()) for item in getattr(answer, name)]
    return pd.DataFrame(rows)


def board_table(board: Any) -> "pd.DataFrame":
    """A row for each model: rank, mean with interval, components, and its value by benchmark."""
    import pandas as pd

    rows = []
    for row in board.rows:
        place = row.standing
        facts = {name: getattr(place, name, None) for name in ("rank", "rank_low", "rank_high")}
        facts |= {name: getattr(place, name, None) for name in ("mean", "mean_low", "mean_high")}
        facts |= {
            name: getattr(row, name)
            for name in ("architecture", "objective", "learning_rule", "diet")
        }
        facts |= {"evidence": row.evidence, "parameters": row.parameters}
        values = {name: _value(row.scores.get(name)) for name in board.benchmarks}
        rows.append({"candidate": row.candidate, **facts, **values})
    columns = None if rows else ["candidate"]
    return pd.DataFrame(rows, columns=columns).set_index("candidate")


def board_array(board: Any) -> "xr.DataArray":
    """(candidate, benchmark, statistic), NaN where a model was not scored."""
    import numpy as np
    import xarray as xr

    shape = (len(board.rows), len(board.benchmarks), len(STATISTICS))
    values = np.full(shape, np.nan)
    for place, row in enumerate(board.rows):
        for column, name in enumerate(board.benchmarks):
            if (cell := row.scores.get(name)) is not None:
                found = [getattr(cell, statistic) for statistic in STATISTICS]
                values[place, column] = [np.nan if one is None else one for one in found]
    return xr.DataArray(
        values,
        dims=("candidate", "benchmark", "statistic"),
        coords={
            "candidate": [row.candidate for row in board.rows],
            "benchmark": list(board.benchmarks),
            "statistic": list(STATISTICS),
        },
        attrs={"data_version": board.data_version},
    )


def _value(cell: Any) -> float | None:
    return None if cell is None else cell.value


def _flat(facts: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as columns; lists stay as they are."""
    found: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found
