"""The command that says what an extraction will take, before it runs."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._app import app
from ._benchmarks import load_fitting, wanted_names
from ._output import print_json, print_note, print_table
from .listing import AsJson
from .scoring import Device, Layers, Memory, Reduce, Scorers, Wished, make_engine

if TYPE_CHECKING:
    from ..planning import LayerPlan, Plan


@app.command()
def plan(
    model: Annotated[str, typer.Argument(help="The candidate that would be scored.")],
    benchmark: Wished = None,
    scorer: Scorers = None,
    layer: Layers = None,
    device: Device = "cpu",
    memory: Memory = None,
    reduce: Reduce = None,
    as_json: AsJson = False,
) -> None:
    """Show what scoring a model will take: passes, memory, disk and time.

    The network sees one stimulus of each set, no more. `isocortex score` keeps to the plan; what
    the cache holds already is not in it.
    """
    from ..runs import answers_for, load_candidate

    candidate = load_candidate(model, layers=tuple(layer) if layer else None)
    engine = make_engine(device, memory, reduce)
    asked = benchmark or []
    wanted = load_fitting(wanted_names(asked, scorer or []), asked=asked)
    plans = {
        answers.stimuli.name: answers.plan()
        for answers, _ in answers_for(candidate, wanted, engine=engine)
    }
    if as_json:
        print_json({name: found and _facts(found) for name, found in plans.items()})
        return
    for name, found in plans.items():
        if found is None:
            print_note(f"{model} on {name}: every layer is in the cache, nothing to extract")
        else:
            _print_plan(f"{model} on {name}", found)


def _print_plan(title: str, found: "Plan") -> None:
    from ..planning import shown_bytes

    print_table(
        title,
        ("layer", "pass", "units", "geometry", "rows are held", "bytes", "folding"),
        [
            (
                each.layer,
                str(number),
                f"{each.units:,}",
                _geometry(each),
                "on disk" if each.spilled else "in memory",
                shown_bytes(each.memory_bytes + each.disk_bytes),
                f"{each.seconds:.1f} s",
            )
            for number, layers in enumerate(found.passes, start=1)
            for each in layers
        ],
        caption=f"{found.summary}. The cap is {shown_bytes(found.cap)}; a forward pass takes about "
        f"{found.pass_seconds:.0f} s in batches of {found.batch_size}",
    )


def _geometry(layer: "LayerPlan") -> str:
    if layer.dimensions is None:
        return "exact"
    return f"projected to {layer.dimensions:,}, error of distances² ≤ {layer.bound:.0%}"


def _facts(found: "Plan") -> dict[str, Any]:
    return {
        "cap": found.cap,
        "memory_bytes": found.memory_bytes,
        "disk_bytes": found.disk_bytes,
        "seconds": found.seconds,
        "pass_seconds": found.pass_seconds,
        "batch_size": found.batch_size,
        "stimuli": found.stimuli,
        "passes": [[_layer_facts(each) for each in layers] for layers in found.passes],
    }


def _layer_facts(layer: "LayerPlan") -> dict[str, Any]:
    return {
        "layer": layer.layer,
        "units": layer.units,
        "memory_bytes": layer.memory_bytes,
        "disk_bytes": layer.disk_bytes,
        "projected_to": layer.dimensions,
        "error_bound": layer.bound,
        "seconds": layer.seconds,
    }
