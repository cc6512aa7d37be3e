"""The queue: leases, fencing, fair shares, and one transaction for all that is one thing."""

import threading

import pytest
from sqlalchemy import select, update
from tests.jobs.made_up_jobs import FACES, PLACES, account, kinds, outcome, queued, submit

from isocortex.errors import InputError, LeaseLostError, MismatchError, UnknownNameError
from isocortex.store import Store, open_store, opening, service, transitions, writing
from isocortex.store.account_records import Actor
from isocortex.store.lapsing import Watch
from isocortex.store.losing import MOST_TRIES
from isocortex.store.opening import reading
from isocortex.store.schema import now
from isocortex.store.service import Job, Ownership, Submission


def take(store: Store, worker: str = "one"):
    claim = store.queue.claim(worker)
    assert claim is not None
    return claim


def owners(store: Store) -> list[str]:
    with reading(store.engine) as connection:
        shown = select(Submission.visibility).join(
            Ownership, Ownership.submission_id == Submission.id
        )
        return list(connection.scalars(shown))


def test_a_job_that_is_asked_for_twice_is_one_job(store: Store) -> None:
    key = submit(store, account(store))
    (first,) = store.queue.add(key, [FACES])
    both = store.queue.add(key, [PLACES, FACES, FACES])
    assert [job.benchmark for job in both] == [PLACES, FACES]
    assert both[1] == first
    assert (first.state, first.model, first.attempt) == ("queued", "ann/net", 0)


def test_a_claim_takes_all_jobs_of_one_submission(store: Store) -> None:
    key = queued(store, FACES, PLACES)
    store.queue.add(submit(store, account(store, "bob")), [FACES])
    claim = take(store)
    assert claim.submission.key == key
    assert [(lease.benchmark, lease.attempt) for lease in claim.leases] == [(FACES, 1), (PLACES, 1)]
    assert {job.state for job in store.queue.jobs(submission=key)} == {"running"}
    assert take(store).submission.account == "bob"
    assert store.queue.claim("one") is None


def test_a_claim_takes_no_more_than_asked_for(small_store: Store) -> None:
    queued(small_store, FACES, PLACES)
    first, second = small_store.queue.claim("one", most=1), small_store.queue.claim("two", most=1)
    assert first is not None
    assert second is not None
    assert [lease.benchmark for lease in (*first.leases, *second.leases)] == [FACES, PLACES]


def test_a_score_ends_its_job_in_one_transaction(store: Store) -> None:
    key = queued(store)
    claim = take(store)
    score_id = store.queue.finish(claim.leases[0], outcome(claim))
    (job,) = store.queue.jobs(submission=key)
    assert (job.state, job.score_id, job.error) == ("done", score_id, None)
    (score,) = store.scores().scores
    assert (score.id, score.candidate) == (score_id, "ann/net")
    (run,) = store.runs()
    assert (run.state, run.seconds) == ("done", 1.5)
    assert owners(store) == ["public"]
    assert kinds(store, key) == ["queued", "started", "done"]


def test_nothing_is_kept_of_a_commit_that_breaks_off(store: Store, monkeypatch) -> None:
    key = queued(store)
    claim = take(store)

    def break_off(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(transitions, "move", break_off)
    with pytest.raises(RuntimeError):
        store.queue.finish(claim.leases[0], outcome(claim))
    monkeypatch.undo()
    assert store.scores().scores == ()
    assert store.runs() == ()
    assert owners(store) == []
    assert kinds(store, key) == ["queued", "started"]
    store.queue.finish(claim.leases[0], outcome(claim))
    assert len(store.scores().scores) == 1


def test_a_private_candidate_is_never_seen_without_its_owner(small_store: Store) -> None:
    small_store.queue.add(submit(small_store, account(small_store), visibility="private"), [FACES])
    claim = take(small_store)
    small_store.queue.finish(claim.leases[0], outcome(claim))
    assert owners(small_store) == ["private"]


def test_whoever_lost_the_lease_can_change_nothing(store: Store) -> None:
    key = queued(store)
    late = take(store, "late")
    store.queue.lapse_worker("late", "it was killed")
    present = take(store, "present")
    lease = late.leases[0]
    for change in (
        lambda: store.queue.finish(lease, outcome(late, raw=0.9)),
        lambda: store.queue.finish_with_stored(lease, 1),
        lambda: store.queue.fail(lease, "mine"),
        lambda: store.queue.release(lease, "mine"),
        lambda: store.queue.retry(lease, "mine"),
        lambda: store.queue.log(lease, "log", "mine"),
    ):
        with pytest.raises(LeaseLostError, match="another worker"):
            change()
    assert store.queue.beat("late", late.leases) == frozenset()
    store.queue.finish(present.leases[0], outcome(present, raw=0.3))
    with pytest.raises(LeaseLostError):
        store.queue.finish(lease, outcome(late, raw=0.9))
    assert [score.raw for score in store.scores().scores] == [0.3]
    assert kinds(store, key) == ["queued", "started", "lapsed", "started", "done"]


def test_a_transition_from_elsewhere_is_refused(store: Store) -> None:
    queued(store)

    def work(connection):
        (job,) = transitions.locked_jobs(connection, Job.id == 1)
        transitions.move(connection, [job], "done", text="never started")

    with pytest.raises(LeaseLostError):
        writing.commit(store.engine, work)
    assert store.queue.job(1).state == "queued"


def test_a_score_of_another_pair_is_refused(small_store: Store) -> None:
    queued(small_store, FACES, PLACES)
    claim = take(small_store)
    with pytest.raises(MismatchError, match="the score is of"):
        small_store.queue.finish(claim.leases[0], outcome(claim, claim.leases[1]))
    assert small_store.scores().scores == ()


def test_versions_that_were_scored_before_are_linked(store: Store) -> None:
    key = queued(store)
    claim = take(store)
    score_id = store.queue.finish(claim.leases[0], outcome(claim))
    store.queue.rerun(key, force=True)
    again = take(store)
    store.queue.finish_with_stored(again.leases[0], score_id)
    (job,) = store.queue.jobs(submission=key)
    assert (job.state, job.score_id) == ("done", score_id)
    assert len(store.runs()) == 1


def test_a_link_that_shows_a_score_changes_the_data_version(store: Store) -> None:
    """Else what was kept of the data before would go on to hide it."""
    ann = account(store)
    store.queue.add(submit(store, ann, visibility="private"), [FACES])
    claim = take(store)
    score_id = store.queue.finish(claim.leases[0], outcome(claim))
    store.queue.add(submit(store, ann, content="the same weights elsewhere"), [FACES])
    before = store.data_version()
    assert store.models() == ()
    store.queue.finish_with_stored(take(store).leases[0], score_id)
    assert [model.name for model in store.models()] == ["ann/net"]
    assert store.data_version() != before


@pytest.mark.parametrize("change", [{"role": "user"}, {"disabled_at": now()}])
def test_a_plug_in_is_not_run_once_its_account_is_not_approved(store: Store, change) -> None:
    ann, bob = account(store, "ann"), account(store, "bob")
    keys = [submit(store, owner) for owner in (ann, bob)]
    for key in keys:
        store.queue.add(key, [FACES])
    with opening.writing(store.engine) as connection:
        connection.execute(update(service.Submission).values(kind="plugin"))
        connection.execute(update(service.Account).values(role="trusted"))
        own = update(service.Account).where(service.Account.id == ann)
        connection.execute(own.values(**change))
    assert take(store).submission.key == keys[1]
    assert store.queue.claim("another") is None
    (job,) = store.queue.jobs(submission=keys[0])
    assert job.state == "cancelled"
    assert "approved by no operator" in store.queue.events(keys[0])[-1].text


def test_a_score_of_another_model_can_not_be_linked(small_store: Store) -> None:
    queued(small_store, name="ann")
    queued(small_store, name="bob")
    first, second = take(small_store), take(small_store)
    score_id = small_store.queue.finish(first.leases[0], outcome(first))
    with pytest.raises(MismatchError, match="but score"):
        small_store.queue.finish_with_stored(second.leases[0], score_id)


def test_a_fault_of_the_model_is_not_tried_again(store: Store) -> None:
    key = queued(store)
    store.queue.fail(take(store).leases[0], "the layer 'conv9' is not there\x00")
    (job,) = store.queue.jobs(submission=key)
    assert (job.state, job.error) == ("failed", "the layer 'conv9' is not there\ufffd")
    assert store.queue.claim("one") is None


def test_trouble_of_ours_is_tried_again_until_it_is_enough(store: Store) -> None:
    key = queued(store)
    states = [store.queue.retry(take(store).leases[0], "no room") for _ in range(MOST_TRIES)]
    assert states == ["queued"] * (MOST_TRIES - 1) + ["dead"]
    (job,) = store.queue.jobs(submission=key)
    assert (job.tries, job.error) == (MOST_TRIES, "no room")
    assert "given up after 3 tries" in store.queue.events(key)[-1].text


def test_a_worker_that_lets_go_costs_no_try(small_store: Store) -> None:
    key = queued(small_store)
    for _ in range(MOST_TRIES + 1):
        small_store.queue.release(take(small_store).leases[0], "the worker stops")
    (job,) = small_store.queue.jobs(submission=key)
    assert (job.state, job.tries, job.worker) == ("queued", 0, None)


def test_jobs_that_only_waited_are_not_to_blame(store: Store) -> None:
    queued(store, FACES, PLACES)
    for _ in range(MOST_TRIES):
        faces, places = take(store).leases
        stages = {faces.job_id: {"stage": "scoring"}, places.job_id: {"stage": "waiting"}}
        store.queue.beat("one", [faces, places], progress=stages)
        store.queue.lapse_worker("one", "it was killed")
    dead, innocent = store.queue.job(faces.job_id), store.queue.job(places.job_id)
    assert (dead.state, dead.tries) == ("dead", MOST_TRIES)
    assert (innocent.state, innocent.tries) == ("queued", 0)


def test_if_all_only_waited_all_are_to_blame(small_store: Store) -> None:
    """Or a worker that dies between two stages would be given its jobs for ever."""
    queued(small_store, FACES, PLACES)
    leases = take(small_store).leases
    small_store.queue.beat(
        "one", leases, progress={each.job_id: {"stage": "waiting"} for each in leases}
    )
    small_store.queue.lapse_worker("one", "it was killed")
    assert {job.tries for job in small_store.queue.jobs()} == {1}


class Clock:
    """Time that passes as it is told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def look(watching: Watch, clock: Clock, seconds: int) -> list[int]:
    """The jobs that are taken away while the watch looks once a second for so long."""
    taken = []
    for _ in range(seconds):
        clock.seconds += 1
        taken += [job.id for job in watching.look()]
    return taken


def test_a_beat_that_stands_still_loses_the_lease(store: Store) -> None:
    key, clock = queued(store), Clock()
    store.queue.enlist("one", "embedded", {})
    watching, claim = Watch(store.queue, 20, clock), take(store)
    assert look(watching, clock, 20) == []
    assert look(watching, clock, 2) == [claim.leases[0].job_id]
    (job,) = store.queue.jobs(submission=key)
    assert (job.state, job.tries) == ("queued", 1)
    assert "not heard of for 20 seconds" in str(job.error)
    assert store.queue.workers() == ()


def test_a_beat_that_moves_keeps_the_lease(store: Store) -> None:
    queued(store)
    store.queue.enlist("one", "embedded", {})
    clock = Clock()
    watching, claim = Watch(store.queue, 20, clock), take(store)
    for _ in range(10):
        assert look(watching, clock, 15) == []
        assert store.queue.beat("one", claim.leases) == {claim.leases[0].job_id}
    assert [worker.beat for worker in store.queue.workers()] == [10]


def test_a_watch_that_slept_takes_nobody_for_dead(small_store: Store) -> None:
    queued(small_store)
    clock = Clock()
    watching, _ = Watch(small_store.queue, 20, clock), take(small_store)
    look(watching, clock, 3)
    clock.seconds += 3600
    assert watching.look() == ()
    clock.seconds -= 7200
    assert watching.look() == ()


def test_a_beat_between_two_looks_saves_the_lease(store: Store) -> None:
    """What is taken away is what was seen to stand still, not what has moved since."""
    queued(store)
    claim = take(store)
    lease = claim.leases[0]
    store.queue.beat("one", claim.leases)
    assert store.queue.lapse({lease.job_id: (lease.attempt, 0)}, "late") == ()
    assert store.queue.job(lease.job_id).state == "running"


def test_a_cancelled_job_is_no_longer_held(store: Store) -> None:
    key = queued(store, FACES, PLACES)
    claim = take(store)
    faces, places = claim.leases
    assert [job.id for job in store.queue.cancel(key, job_ids=[faces.job_id])] == [faces.job_id]
    assert store.queue.beat("one", claim.leases) == {places.job_id}
    store.queue.cancel(key)
    assert store.queue.beat("one", claim.leases) == frozenset()
    assert store.queue.cancel(key) == ()
    assert {job.state for job in store.queue.jobs()} == {"cancelled"}


@pytest.mark.parametrize("end", ["fail", "cancel", "die"])
def test_what_ended_can_be_run_again(small_store: Store, end: str) -> None:
    key = queued(small_store)
    for _ in range(MOST_TRIES if end == "die" else 1):
        (lease,) = take(small_store).leases
        if end == "fail":
            small_store.queue.fail(lease, "bad")
        elif end == "die":
            small_store.queue.retry(lease, "no room")
        else:
            small_store.queue.cancel(key)
    (job,) = small_store.queue.rerun(key)
    assert (job.state, job.tries, job.error, job.finished_at) == ("queued", 0, None, None)
    claim = take(small_store)
    assert claim.leases[0].attempt == lease.attempt + 1
    small_store.queue.finish(claim.leases[0], outcome(claim))


def test_what_is_done_is_run_again_only_by_force(store: Store) -> None:
    key = queued(store)
    claim = take(store)
    store.queue.finish(claim.leases[0], outcome(claim, raw=0.3))
    assert store.queue.rerun(key) == ()
    assert len(store.queue.rerun(key, force=True)) == 1
    again = take(store)
    assert (claim.leases[0].anew, again.leases[0].anew) == (False, True)
    store.queue.finish(again.leases[0], outcome(again, raw=0.5))
    assert [score.raw for score in store.scores().scores] == [0.5]


def test_what_was_withdrawn_is_not_run_again(small_store: Store) -> None:
    key = queued(small_store)
    small_store.submissions.withdraw(key)
    for change in (
        lambda: small_store.queue.rerun(key),
        lambda: small_store.queue.add(key, [PLACES]),
    ):
        with pytest.raises(InputError, match="withdrawn"):
            change()
    assert transitions.follow(kinds(small_store, key)) == "cancelled"


def test_higher_priority_goes_first(store: Store) -> None:
    queued(store, name="ann")
    later = queued(store, name="bob")
    (job,) = store.queue.prioritise(later, 5)
    assert (job.priority, store.queue.position(job.id).place) == (5, 1)
    assert take(store).submission.key == later
    assert kinds(store, later) == ["queued", "priority", "started"]


def test_priority_comes_before_fair_shares(store: Store) -> None:
    """Ann, who keeps a worker busy, is served again before Bob, who waits for his first turn."""
    queued(store, name="ann")
    queued(store, name="bob")
    urgent = submit(store, take(store).submission.account_id, "urgent")
    store.queue.add(urgent, [FACES])
    store.queue.prioritise(urgent, 1)
    assert [take(store).submission.model for _ in range(2)] == ["ann/urgent", "bob/net"]


def test_lower_priority_waits_for_all_others(store: Store) -> None:
    first = queued(store, name="ann")
    queued(store, name="bob")
    store.queue.prioritise(first, -1)
    assert [take(store).submission.account for _ in range(2)] == ["bob", "ann"]


def test_the_audit_log_says_who_prioritised_what(store: Store) -> None:
    key, eve = queued(store, FACES, PLACES), account(store, "eve")
    store.queue.prioritise(key, 7, actor=Actor(eve, "192.0.2.1"))
    (noted,) = store.accounts.audits(action="submission.priority")
    assert (noted.account, noted.target, noted.address) == ("eve", key, "192.0.2.1")
    assert noted.detail == {"model": "ann/net", "priority": 7, "jobs": 2}
    take(store)
    assert store.queue.prioritise(key, 8) == ()  # nothing waits any more
    assert len(store.accounts.audits(action="submission.priority")) == 1


@pytest.mark.parametrize("priority", [1_001, -1_001, 2**70])
def test_a_priority_out_of_range_is_refused(store: Store, priority: int) -> None:
    key = queued(store)
    with pytest.raises(InputError, match="expected -1000 to 1000"):
        store.queue.prioritise(key, priority)
    assert kinds(store, key) == ["queued"]


def test_no_account_starves_behind_a_thousand_jobs(small_store: Store) -> None:
    """With one worker no job ever runs when the next is claimed: only turns tell accounts apart."""
    store = small_store
    many, few = account(store, "ann"), account(store, "bob")
    for number in range(100):
        key = submit(store, many, f"net{number}")
        store.queue.add(key, [f"faces/V{region}/rsa" for region in range(10)])
    for number in range(3):
        store.queue.add(submit(store, few, f"net{number}"), [FACES])
    taken = []
    for _ in range(7):
        claim = take(store)
        taken.append(claim.submission.account)
        for lease in claim.leases:
            store.queue.fail(lease, "tried")
    assert taken == ["ann", "bob", "ann", "bob", "ann", "bob", "ann"]


def test_the_account_that_keeps_the_fewest_workers_busy_is_served(small_store: Store) -> None:
    store = small_store
    accounts = [account(store, name) for name in ("ann", "bob", "cleo")]
    for number, own in enumerate(accounts):
        for model in range(6 - 2 * number):
            store.queue.add(submit(store, own, f"net{model}"), [FACES, PLACES])
    taken = [take(store, f"worker{number}").submission.account for number in range(9)]
    assert sorted(taken[:3]) == sorted(taken[3:6]) == ["ann", "bob", "cleo"]


def test_no_two_workers_are_given_one_job(url: str) -> None:
    taken: list[int] = []
    with open_store(url) as store:
        own = account(store)
        for number in range(30):
            store.queue.add(submit(store, own, f"net{number}"), [FACES])

        def work(name: str) -> None:
            while (claim := store.queue.claim(name)) is not None:
                taken.extend(lease.job_id for lease in claim.leases)

        threads = [threading.Thread(target=work, args=(f"worker{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == sorted(job.id for job in store.queue.jobs())
        assert len(taken) == 30
        assert {job.attempt for job in store.queue.jobs()} == {1}


def test_a_position_counts_submissions_in_the_order_they_are_claimed(store: Store) -> None:
    many, few = account(store, "ann"), account(store, "bob")
    keys = [submit(store, many, f"net{number}") for number in range(3)]
    for key in keys:
        store.queue.add(key, [FACES, PLACES])
    keys.insert(1, submit(store, few))
    store.queue.add(keys[1], [FACES])
    places = [store.queue.position(store.queue.jobs(submission=key)[0].id) for key in keys]
    assert [(each.place, each.ahead) for each in places] == [(1, 0), (2, 2), (3, 3), (4, 5)]
    assert [take(store, f"worker{n}").submission.key for n in range(4)] == keys
    assert store.queue.position(1) is None


def test_a_position_knows_whose_turn_was_longest_ago(store: Store) -> None:
    many, few = account(store, "ann"), account(store, "bob")
    jobs = [store.queue.add(submit(store, many, f"net{n}"), [FACES])[0] for n in range(2)]
    store.queue.fail(take(store).leases[0], "tried")
    assert store.queue.prospect(few).place == 1
    (other,) = store.queue.add(submit(store, few), [FACES])
    places = {each.id: store.queue.position(each.id).place for each in (jobs[1], other)}
    assert places == {other.id: 1, jobs[1].id: 2}
    assert take(store).submission.account == "bob"


def test_what_is_still_to_come_is_placed_where_it_then_stands(store: Store) -> None:
    many, few, new = (account(store, name) for name in ("ann", "bob", "cleo"))
    for number in range(2):
        store.queue.add(submit(store, many, f"net{number}"), [FACES, PLACES])
    store.queue.add(submit(store, few), [FACES])
    take(store, "busy")
    for number, own in enumerate((many, few, new)):
        foreseen = store.queue.prospect(own)
        key = submit(store, own, f"later{number}")
        (job,) = store.queue.add(key, [FACES])
        assert foreseen == store.queue.position(job.id)
        store.queue.cancel(key)


def test_a_start_is_estimated_only_from_what_is_known(store: Store) -> None:
    key = queued(store)
    (job,) = store.queue.jobs(submission=key)
    assert "no worker is running" in store.queue.events(key)[0].text
    store.queue.enlist("one", "embedded", {"host": "here"})
    assert store.queue.position(job.id).starts_in is None
    claim = take(store)
    store.queue.finish(claim.leases[0], outcome(claim))
    for number in range(2):
        store.queue.add(submit(store, claim.submission.account_id, f"more{number}"), [FACES])
    last = store.queue.jobs()[0]
    assert store.queue.position(last.id).starts_in == 1.5 * 1 / 1
    store.queue.dismiss("one")
    assert store.queue.position(last.id).starts_in is None


def test_events_are_followed_from_where_one_was(store: Store) -> None:
    key = queued(store)
    first = store.queue.events(key)[-1]
    claim = take(store)
    store.queue.log(claim.leases[0], "log", "loaded")
    store.queue.log(key, "log", "about all of it")
    later = store.queue.events(key, after=first.id)
    assert [(each.kind, each.attempt) for each in later] == [
        ("started", 1),
        ("log", 1),
        ("log", None),
    ]


def test_a_log_has_a_bounded_number_of_bounded_lines(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(transitions, "MOST_LOGGED", 3)
    key = queued(store)
    (lease,) = take(store).leases
    for _ in range(5):
        store.queue.log(lease, "log", "x" * 10_000)
    lines = [each.text for each in store.queue.events(key) if each.kind == "log"]
    assert [len(line) for line in lines[:2]] == [transitions.LONGEST_TEXT] * 2
    assert lines[2:] == ["2 lines were logged; further ones are left out"]


def test_a_line_about_a_submission_is_of_none_of_its_jobs(store: Store) -> None:
    """Also where another submission's job has the number of this submission, or none has it."""
    owner = account(store)
    first, second, bare = (submit(store, owner, f"net{number}") for number in range(3))
    store.queue.add(first, [FACES, PLACES])
    store.queue.add(second, [FACES])
    for key in (first, second):
        store.queue.prioritise(key, 1)
    store.queue.log(bare, "log", "it has no job")
    told = [store.queue.events(key)[-1] for key in (first, second, bare)]
    assert [(each.kind, each.job_id) for each in told] == [
        ("priority", None),
        ("priority", None),
        ("log", None),
    ]


def test_a_log_line_is_no_transition(small_store: Store) -> None:
    key = queued(small_store)
    with pytest.raises(InputError, match="kind 'done'"):
        small_store.queue.log(key, "done", "not at all")


def test_jobs_are_listed_by_whose_they_are_and_how_they_are(store: Store) -> None:
    first, second = queued(store, FACES, PLACES, name="ann"), queued(store, name="bob")
    store.queue.cancel(second)
    (cancelled,) = store.queue.jobs(states=["cancelled"])
    assert store.queue.jobs(account=cancelled.account_id) == (cancelled,)
    assert store.queue.jobs(limit=1) == (cancelled,)
    rest = store.queue.jobs(after=cancelled.id)
    assert rest == store.queue.jobs(submission=first)
    assert store.queue.counts() == {"queued": 2, "cancelled": 1}


def test_unknown_names_are_told(small_store: Store) -> None:
    key, other = queued(small_store), queued(small_store, name="bob")
    (foreign,) = small_store.queue.jobs(submission=other)
    for ask in (
        lambda: small_store.queue.add("nobody", [FACES]),
        lambda: small_store.queue.events("nobody"),
        lambda: small_store.queue.cancel("nobody"),
        lambda: small_store.queue.cancel(key, job_ids=[foreign.id]),
        lambda: small_store.queue.job(99),
    ):
        with pytest.raises(UnknownNameError):
            ask()


def test_workers_come_and_go(store: Store) -> None:
    store.queue.enlist("one", "embedded", {"process": 1})
    store.queue.enlist("two", "dask", {})
    store.queue.dismiss("one")
    assert [worker.name for worker in store.queue.workers()] == ["two"]
    store.queue.beat("one")
    assert [worker.name for worker in store.queue.workers()] == ["one", "two"]
    store.queue.enlist("two", "pull", {})
    assert [worker.executor for worker in store.queue.workers(stopped=True)] == ["embedded", "pull"]


@pytest.mark.parametrize(
    "path", [["started"], ["queued", "done"], ["queued", "started", "done", "cancelled"]]
)
def test_an_illegal_path_is_seen(path: list[str]) -> None:
    with pytest.raises(InputError, match="can't become"):
        transitions.follow(path)
