"""The command that says what scoring will take, before it runs: one model, or a sweep of many."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ..benchmarks import Benchmark
from ..client.submission_schemas import PlannedSet, SubmissionPlan
from ..errors import FetchError
from ..jobs.sweeps import Step, Sweep, plan_submission, plan_sweep
from ..store import Store, open_store
from ..store.account_records import StoredAccount
from ..store.schema import now
from ..store.submitted import CheckedSubmission, StoredSubmission
from ._app import app
from ._benchmarks import load_fitting, wanted_names
from ._output import print_error, print_json, print_note, print_table
from .listing import AsJson
from .scoring import Device, Layers, Memory, Reduce, Scorers, Wished, make_engine

if TYPE_CHECKING:
    from ..answers import Engine
    from ..planning import LayerPlan, Plan


@app.command()
def plan(
    models: Annotated[list[str], typer.Argument(help="The candidates that would be scored.")],
    benchmark: Wished = None,
    scorer: Scorers = None,
    layer: Layers = None,
    device: Device = "cpu",
    memory: Memory = None,
    reduce: Reduce = None,
    workers: Annotated[int, typer.Option(min=1, help="How many workers a sweep has.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Show what scoring will take: passes, memory, disk and time.

    The networks see one stimulus of each set, no more. `isocortex score` keeps to the plan; what
    the cache holds already is not in it. Of several models, the whole sweep is shown: each is
    loaded and run once for all benchmarks, and what is stored is not scored again.
    """
    engine = make_engine(device, memory, reduce)
    asked = benchmark or []
    wanted = load_fitting(wanted_names(asked, scorer or []), asked=asked)
    layers = tuple(layer) if layer else None
    if len(models) == 1:
        _plan_one(models[0], wanted, layers=layers, engine=engine, as_json=as_json)
        return
    with open_store() as store:
        sweep = plan_sweep(models, wanted, store=store, engine=engine, layers=layers)
    _print_sweep(sweep, workers, as_json=as_json)
    for name, error in sweep.errors.items():
        print_error(f"{name}: {error}")
    for error in sweep.errors.values():
        raise error


def _plan_one(
    model: str,
    wanted: list[Benchmark],
    *,
    layers: tuple[str, ...] | None,
    engine: "Engine",
    as_json: bool,
) -> None:
    from ..runs import answers_for, load_candidate

    candidate = load_candidate(model, layers=layers)
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


def _print_sweep(sweep: Sweep, workers: int, *, as_json: bool) -> None:
    if as_json:
        print_json(_sweep_facts(sweep, workers))
        return
    print_table(
        "Sweep",
        ("model", "stimuli", "passes", "to score", "stored", "memory", "disk", "time"),
        [_step_row(step) for step in sweep.steps],
        caption=_sweep_caption(sweep, workers),
    )


def print_plan(model: str, found: SubmissionPlan) -> None:
    """Show what a submission will take, by cards and earlier jobs, and where it would wait."""
    if found.sets:
        columns = ("stimuli", "shown", "passes", "to score", "there already", "memory", "time")
        rows = [_set_row(each) for each in found.sets]
        print_table(f"{model}, by earlier jobs", columns, rows, caption=_plan_caption(found))
    else:
        print_note("No benchmark is asked for: nothing would be scored.")
    print_wait(found)


def print_wait(found: SubmissionPlan) -> None:
    """Say where a submission would wait, if there is something to do."""
    if (place := found.position) is None:
        return
    where = f"It would be number {place.place} in line, behind {_counted(place.ahead, 'job')}"
    if place.place == 1:
        where = "It would be the next in line"
    if not place.workers:
        print_note(f"{where}; no worker is running now")
    elif place.starts_in is None:
        print_note(where)
    else:
        print_note(f"{where}, and start in about {shown_seconds(place.starts_in)}")


def print_measured_plan(checked: CheckedSubmission, account: StoredAccount, store: Store) -> bool:
    """Show what one stimulus tells of a network in a file; False if it is none, or can't be had."""
    if checked.kind not in ("onnx", "weights") or not checked.benchmarks:
        return False
    facts: dict[str, Any] = {name: getattr(checked, name) for name in _SHARED}
    submission = StoredSubmission(
        **facts,
        model=f"{account.name}/{checked.model}",
        key="",
        account=account.name,
        account_id=account.id,
        version=0,
        created_at=now(),
        withdrawn_at=None,
    )
    try:
        benchmarks = load_fitting(checked.benchmarks, asked=checked.benchmarks)
    except FetchError as error:
        print_note(f"what it will take can't be measured: {error}")
        return False
    _print_sweep(plan_submission(submission, benchmarks, store=store), 1, as_json=False)
    return True


_SHARED: Final = ("kind", "visibility", "card", "source", "blob", "content_hash")


def _set_row(found: PlannedSet) -> tuple[str, ...]:
    fresh = [job for job in found.jobs if job.state is None]
    states = [job.state for job in found.jobs if job.state is not None]
    memory = [job.peak_bytes for job in fresh if job.peak_bytes]
    seconds = sum(job.seconds or 0.0 for job in fresh)
    untimed = any(job.seconds is None for job in fresh)
    return (
        found.stimuli,
        "–" if found.count is None else f"{found.count:,}",
        str(found.passes),
        str(len(fresh)),
        ", ".join(f"{states.count(each)} {each}" for each in dict.fromkeys(states)),
        f"{max(memory) / 1e9:.2f} GB" if memory else "–",
        shown_seconds(seconds) + "+" * untimed,
    )


def _plan_caption(found: SubmissionPlan) -> str:
    fresh = sum(job.state is None for each in found.sets for job in each.jobs)
    told = (
        f"{_counted(fresh, 'score')} in {_counted(found.passes, 'pass', 'passes')}: "
        f"about {shown_seconds(found.seconds)} of one worker"
    )
    if found.peak_bytes:
        told += f" and {found.peak_bytes / 1e9:.2f} GB of memory"
    if found.untimed:
        told += f". + : not counted is the scoring of {len(found.untimed)}, as nothing like it"
        told += " was timed there"
    return told


def _step_row(step: Step) -> tuple[str, ...]:
    from ..planning import shown_bytes

    found = step.extraction
    return (
        step.model,
        step.stimuli,
        str(step.passes) if found or not step.benchmarks else "cached",
        str(len(step.benchmarks)),
        str(len(step.stored)),
        shown_bytes(found.memory_bytes) if found else "–",
        shown_bytes(found.disk_bytes) if found else "–",
        shown_seconds(step.seconds) + ("+" if step.untimed else ""),
    )


def _sweep_caption(sweep: Sweep, workers: int) -> str:
    from ..planning import shown_bytes

    wanted = sum(len(step.benchmarks) for step in sweep.steps)
    untimed = sum(len(step.untimed) for step in sweep.steps)
    told = (
        f"{_counted(len(sweep.loading), 'model')}, {_counted(wanted, 'score')} in "
        f"{_counted(sweep.passes, 'pass', 'passes')}: "
        f"{shown_seconds(sweep.seconds)} of one worker, {shown_seconds(sweep.lasts(workers))} with "
        f"{workers}; {shown_bytes(sweep.memory_bytes)} of memory and "
        f"{shown_bytes(sweep.disk_bytes)} of disk for each"
    )
    if untimed:
        told += f". + : not counted is the scoring of {untimed}, as nothing like it was timed here"
    return told


def _counted(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or one + 's'}"


def shown_seconds(seconds: float) -> str:
    """A time for people.

    >>> shown_seconds(3.2), shown_seconds(90), shown_seconds(9000)
    ('3 s', '2 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _sweep_facts(sweep: Sweep, workers: int) -> dict[str, Any]:
    return {
        "models": list(sweep.loading),
        "passes": sweep.passes,
        "seconds": sweep.seconds,
        "lasts_seconds": sweep.lasts(workers),
        "workers": workers,
        "memory_bytes": sweep.memory_bytes,
        "disk_bytes": sweep.disk_bytes,
        "loading_seconds": dict(sweep.loading),
        "errors": {name: str(error) for name, error in sweep.errors.items()},
        "steps": [
            {
                "model": step.model,
                "stimuli": step.stimuli,
                "benchmarks": list(step.benchmarks),
                "stored": list(step.stored),
                "passes": step.passes,
                "seconds": step.seconds,
                "scoring_seconds": dict(step.scoring),
                "untimed": list(step.untimed),
                "extraction": step.extraction and _facts(step.extraction),
            }
            for step in sweep.steps
        ],
    }


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
