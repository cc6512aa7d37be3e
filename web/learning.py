"""How a network that isocortex trained and ships came to be: its curves and its credit audit."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from isocortex.errors import InputError
from isocortex.recipes import Recipe
from isocortex.shipped import network_header, shipped_path

from .charts import Chart, frame, legend_of, line_through, span
from .rendering import number

_POINTS: Final = 120
_SIZE: Final = (420.0, 240.0)


def retrained(name: str) -> bool:
    """Whether the name is a recipe, by which anyone may train the network again."""
    try:
        Recipe.parse(name)
    except InputError:
        return False
    return True


@lru_cache(4096)
def training_seconds(name: str) -> float | None:
    """How long the training of a shipped network took, in seconds of the processor; else None."""
    header = shipped_header(name)
    return None if header is None else float(header["seconds"])


@lru_cache(16)
def shipped_header(name: str) -> Mapping[str, Any] | None:
    """The header of the shipped network of that name, or None; no weights are read."""
    try:
        path = shipped_path(Recipe.parse(name))
        return network_header(path) if path.exists() else None
    except InputError:
        return None


def learning_charts(name: str) -> tuple[Chart, ...]:
    """Loss, readout and angle to the true gradient over training, as far as they were kept."""
    header = shipped_header(name)
    if header is None or not header.get("history"):
        return ()
    history = header["history"]
    variables = history.get("data_vars", {})
    steps = history.get("coords", {}).get("probed_step", {}).get("data", [])
    blocks = history.get("coords", {}).get("block", {}).get("data", [])
    charts = (
        _loss_chart(_numbers(variables, "loss")),
        _readout_chart(steps, _numbers(variables, "accuracy")),
        _angle_chart(steps, blocks, variables.get("angle", {}).get("data", [])),
    )
    return tuple(chart for chart in charts if chart is not None)


def _numbers(variables: Mapping[str, Any], name: str) -> list[float]:
    listed = variables.get(name, {}).get("data", [])
    return [float("nan") if value is None else float(value) for value in listed]


def _loss_chart(loss: Sequence[float]) -> Chart | None:
    size = max(1, -(-len(loss) // _POINTS))
    means = [sum(part) / len(part) for part in _parts(loss, size)]
    points = [(size * (place + 0.5), mean) for place, mean in enumerate(means) if mean == mean]
    if len(points) < 2:
        return None
    ends = span([mean for _, mean in points])
    x, y = frame(("step of training", 0, len(loss)), ("loss", *ends), _SIZE)
    caption = "Loss of the objective over training" + (f", means of {size} steps" * (size > 1))
    words = f"{caption}: from {number(points[0][1], 3)} to {number(points[-1][1], 3)}"
    return Chart(caption, words, *_SIZE, x, y, lines=(line_through(points, x, y, caption),))


def _readout_chart(steps: Sequence[float], accuracy: Sequence[float]) -> Chart | None:
    points = [
        (step + 1, value) for step, value in zip(steps, accuracy, strict=False) if value == value
    ]
    if len(points) < 2:
        return None
    ends = span([value for _, value in points])
    x, y = _over_steps(points[-1][0], "share right", ends)
    caption = "Linear readout of the diet's own labels"
    words = f"{caption}: from {number(points[0][1])} to {number(points[-1][1])}"
    return Chart(caption, words, *_SIZE, x, y, lines=(line_through(points, x, y, caption),))


def _angle_chart(
    steps: Sequence[float], blocks: Sequence[str], angles: Sequence[Sequence[float | None]]
) -> Chart | None:
    curves = {
        block: [
            (step + 1, float(row[place] or 0.0))
            for step, row in zip(steps, angles, strict=False)
            if row[place] is not None and row[place] == row[place]
        ]
        for place, block in enumerate(blocks)
    }
    curves = {block: points for block, points in curves.items() if len(points) > 1}
    if not curves:
        return None
    most = max(90.0, *(angle for points in curves.values() for _, angle in points))
    x, y = _over_steps(max(steps) + 1, "degrees", (0.0, most * 1.03))
    lines = tuple(
        line_through(points, x, y, block, place)
        for place, (block, points) in enumerate(curves.items())
    )
    caption = "Credit audit: angle of each block's update to the true gradient; 90° is mere chance"
    told = ", ".join(f"{block} {points[-1][1]:.0f}°" for block, points in curves.items())
    return Chart(
        caption,
        f"{caption}. At the end: {told}",
        *_SIZE,
        x,
        y,
        lines=lines,
        legend=legend_of(curves),
    )


def _over_steps(last: float, label: str, ends: tuple[float, float]) -> tuple[Any, Any]:
    return frame(("step of training + 1", 1, max(last, 10)), (label, *ends), _SIZE, x_log=True)


def _parts(values: Sequence[float], size: int) -> list[Sequence[float]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
