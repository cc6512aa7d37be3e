"""What a dry run answers: a checked submission, and what it will take as far as can be told here.

It is told by cards, by lists of stimuli that were made before and by earlier jobs; neither a
network nor a recording is loaded for it.
"""

from collections.abc import Iterable, Mapping, Sequence

from ..store import Store
from ..store.account_records import StoredAccount
from ..store.costs import memory_costs, scoring_costs
from ..store.submitted import CheckedSubmission
from ..submissions.stimulus_sheets import known_stimuli
from .answering import jobs_of
from .submission_schemas import (
    Job,
    PlannedJob,
    PlannedSet,
    Position,
    SubmissionChecked,
    SubmissionPlan,
)


def checked_answer(
    store: Store, account: StoredAccount, checked: CheckedSubmission
) -> SubmissionChecked:
    """A submission in which no fault was found, and its plan."""
    plan = submission_plan(store, account, checked)
    facts = vars(checked) | {"model": f"{account.name}/{checked.model}", "plan": plan}
    return SubmissionChecked.model_validate(facts)


def submission_plan(
    store: Store, account: StoredAccount, checked: CheckedSubmission
) -> SubmissionPlan:
    """What it will take to score a checked submission, if it is submitted now."""
    same = store.submissions.same_content(account.id, checked.content_hash)
    there = {} if same is None else {job.benchmark: job for job in jobs_of(store, same.key)}
    jobs = _jobs(store, checked, there)
    sets = list(_sets(jobs, shown=checked.kind != "activations"))
    fresh = [job for job in jobs if job.state is None]
    return SubmissionPlan(
        submission=None if same is None else same.key,
        sets=sets,
        passes=sum(each.passes for each in sets),
        seconds=sum(job.seconds or 0.0 for job in fresh),
        untimed=[job.benchmark for job in fresh if job.seconds is None],
        peak_bytes=max((job.peak_bytes for job in fresh if job.peak_bytes), default=None),
        position=_position(store, account, there.values(), fresh),
    )


def _jobs(store: Store, checked: CheckedSubmission, there: Mapping[str, Job]) -> list[PlannedJob]:
    costs, memory = scoring_costs(store.engine), memory_costs(store.engine, checked.kind)
    # Of a hub's network the layers are chosen when it is loaded.
    layers = len(checked.source.get("layers", ())) or costs.usual_layers
    return [
        PlannedJob(
            benchmark=name,
            state=there[name].state if name in there else None,
            seconds=costs.seconds(name, layers=layers),
            peak_bytes=memory.peak_bytes(name),
        )
        for name in checked.benchmarks
    ]


def _sets(jobs: Iterable[PlannedJob], *, shown: bool) -> Iterable[PlannedSet]:
    """The jobs by what a network is shown for them; `shown` is whether one is run at all."""
    groups: dict[str, list[PlannedJob]] = {}
    counts: dict[str, int] = {}
    names: dict[str, str] = {}
    for job in jobs:
        dataset = job.benchmark.partition("/")[0]
        known = known_stimuli(dataset)
        group = dataset if known is None else known.content_hash
        if known is not None:
            counts[group] = known.count
        names.setdefault(group, dataset)
        groups.setdefault(group, []).append(job)
    for group, members in groups.items():
        is_run = shown and any(job.state is None for job in members)
        yield PlannedSet(
            stimuli=names[group], count=counts.get(group), passes=int(is_run), jobs=members
        )


def _position(
    store: Store, account: StoredAccount, there: Iterable[Job], fresh: Sequence[PlannedJob]
) -> Position | None:
    """Where its jobs wait already, or where new ones would; None if there is nothing to do."""
    for job in there:
        if job.position is not None:
            return job.position
    return Position.model_validate(store.queue.prospect(account.id)) if fresh else None
