"""What pages say of a dry run: what a submission would take, and where it would wait."""

from collections import Counter
from dataclasses import dataclass

from isocortex.client.submission_schemas import PlannedSet, SubmissionPlan

from .submission_views import STATE_WORDS, duration, size, waiting_words


@dataclass(frozen=True)
class PlanView:
    """A plan as sentences, and a row for each set of stimuli."""

    sentences: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def plan_view(plan: SubmissionPlan) -> PlanView:
    """How a plan is shown."""
    fresh = sum(job.state is None for each in plan.sets for job in each.jobs)
    told = [_cost(plan, fresh)]
    if plan.untimed and fresh > len(plan.untimed):
        count = len(plan.untimed)
        those = "One is not counted" if count == 1 else f"{count} are not counted"
        told.append(f"{those}, as nothing like it was timed here.")
    if plan.submission is not None:
        told.append("The same content was submitted before; its jobs stay as they are.")
    if plan.position is not None:
        told.append(f"If it came now: {waiting_words(plan.position)}.")
    return PlanView(tuple(told), tuple(_row(each) for each in plan.sets))


def _cost(plan: SubmissionPlan, fresh: int) -> str:
    if not fresh:
        asked = any(each.jobs for each in plan.sets)
        return "Nothing is left to be scored." if asked else "No benchmark is asked for yet."
    scores = "one score" if fresh == 1 else f"{fresh} scores"
    passes = "one pass" if plan.passes == 1 else f"{plan.passes or 'no'} passes"
    work = f"It takes {passes} of the network to make {scores}"
    if len(plan.untimed) == fresh:
        return f"{work}; how long is not known, as nothing like it was timed here."
    memory = f" and {size(plan.peak_bytes)} of memory" if plan.peak_bytes else ""
    return f"{work}: by earlier jobs, about {duration(plan.seconds)} of one worker{memory}."


def _row(found: PlannedSet) -> tuple[str, ...]:
    fresh = [job for job in found.jobs if job.state is None]
    timed = [job.seconds for job in fresh if job.seconds is not None]
    states = Counter(STATE_WORDS[job.state] for job in found.jobs if job.state is not None)
    return (
        found.stimuli,
        "" if found.count is None else f"{found.count:,}",
        str(found.passes),
        str(len(fresh)),
        ", ".join(f"{count} {word}" for word, count in states.items()),
        size(max((job.peak_bytes or 0 for job in fresh), default=0) or None),
        duration(sum(timed)) + " or more" * (len(timed) < len(fresh)) if timed else "",
    )
