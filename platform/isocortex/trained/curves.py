"""Learning curves as a plot."""

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_history(history: xr.Dataset, *, title: str = "") -> "Figure":
    """The curves of a training, `Trained.history`, over steps; save it by `savefig`.

    Loss; readout, spread and dimensions of the embedding; of each block the angle between the
    rule's update and the gradient (below 90° it lowers the loss) and the ratio of their norms; and
    how far relaxation came, of rules that relax.
    """
    from matplotlib.figure import Figure

    panels = [_plot_loss, _plot_embedding, _plot_angle, _plot_ratio]
    if history.sizes["quantity"]:
        panels.append(_plot_settling)
    figure = Figure(figsize=(10, 3 * -(-len(panels) // 2)), layout="constrained")
    figure.suptitle(title)
    grid = figure.subplots(-(-len(panels) // 2), 2).flatten()
    for axes, panel in zip(grid, panels, strict=False):
        panel(axes, history)
        _finish(axes, steps=int(history.probed_step[-1]))
    for axes in grid[len(panels) :]:
        axes.remove()
    return figure


def _plot_loss(axes: "Axes", history: xr.Dataset) -> None:
    steps = np.arange(1, history.sizes["step"] + 1)
    window = max(1, len(steps) // 50)
    axes.plot(steps, history.loss, color="0.8", linewidth=0.8)
    if len(steps):  # of a network that is not taught there are none
        axes.plot(steps, history.loss.rolling(step=window, min_periods=1).mean(), color="C0")
    axes.set_ylabel("loss")


def _plot_embedding(axes: "Axes", history: xr.Dataset) -> None:
    steps = history.probed_step.values
    axes.plot(steps, history.accuracy, marker=".", label="readout of the labels, share right")
    axes.plot(steps, history.spread, marker=".", label="spread over images")
    axes.set_ylim(0, max(1.05, float(history.spread.max()) * 1.05))
    axes.set_ylabel("embedding")
    dimensions = axes.twinx()
    dimensions.plot(steps, history["rank"], marker=".", color="0.5", label="dimensions (right)")
    dimensions.set_ylim(0)
    dimensions.spines["top"].set_visible(False)
    lines = [*axes.get_lines(), *dimensions.get_lines()]
    axes.legend(lines, [str(line.get_label()) for line in lines], frameon=False, fontsize=8)


def _plot_angle(axes: "Axes", history: xr.Dataset) -> None:
    _plot_each(axes, history.angle, "block")
    axes.axhline(90, color="0.6", linewidth=1, linestyle=":")
    axes.set_ylim(-3, max(100.0, float(np.nanmax(history.angle.values, initial=0.0)) + 5))
    axes.set_ylabel("angle to the gradient (°)")


def _plot_ratio(axes: "Axes", history: xr.Dataset) -> None:
    _plot_each(axes, history.ratio, "block")
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.1), max(high, 10))
    axes.set_ylabel("length, update / gradient")


def _plot_settling(axes: "Axes", history: xr.Dataset) -> None:
    _plot_each(axes, history.settling, "quantity")
    if float(history.settling.min()) > 0:
        axes.set_yscale("log")
    axes.set_ylabel("relaxation")


def _plot_each(axes: "Axes", values: xr.DataArray, dim: str) -> None:
    """A line for each that was measured, dark to light."""
    from matplotlib import colormaps

    names = values[dim].values.tolist()
    for place, name in enumerate(names):
        own = values.sel({dim: name})
        if bool(own.notnull().any()):
            colour = colormaps["viridis"](0.9 * place / max(1, len(names) - 1))
            axes.plot(values.probed_step, own, marker=".", color=colour, label=name)
    if axes.get_lines():
        axes.legend(frameon=False, fontsize=8)


def _finish(axes: "Axes", *, steps: int) -> None:
    """The axis of steps: linear up to the first, then logarithmic."""
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(-0.1, max(steps, 1) * 1.1)
    marks = [0, *(10**power for power in range(len(str(steps))))]
    axes.set_xticks(marks, [f"{mark:,}" for mark in marks])
    axes.set_xlabel("step")
    axes.spines["top"].set_visible(False)
