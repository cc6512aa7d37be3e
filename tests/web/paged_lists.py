"""Every paged list of the API as something that rows come to and go from while it is read."""

import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from fastapi.testclient import TestClient
from sqlalchemy import insert, select
from tests.handed_in import checked
from tests.made_up_scores import benchmark_facts, candidate_facts, record_score

from isocortex.fingerprints import fingerprint
from isocortex.store import Store, opening, writing
from isocortex.store.service import Ownership, Submission
from isocortex.submissions.stimulus_sheets import (
    LIST,
    ListedStimulus,
    StimulusSheet,
    sheet_folder,
)

API = "/api/v1"
BENCHMARKS = ("faces/IT/rsa", "faces/V1/rsa", "monkey/IT/rsa")
RAW = (0.3, 0.1, 0.3, -0.2, 0.5, 0.1)
MOST = 500


class Listing(ABC):
    """A list that only this test's rows are in; every `place` that is drawn is any small number."""

    path: ClassVar[str]
    items: ClassVar[str] = "items"
    name: ClassVar[str] = "id"
    """The field that tells rows apart."""
    sorts: ClassVar[Mapping[str, str]] = {}
    """What may be sorted by, and the name that `value` knows it by; empty for a fixed order."""
    most: ClassVar[int] = MOST
    goes_on: ClassVar[str] = "cursor"

    def __init__(self, client: TestClient, number: int) -> None:
        self.client = client
        self.store: Store = client.app.state.store  # type: ignore[attr-defined]
        self.scope = f"p{number:04}-"
        self.count = 0
        self.query: dict[str, Any] = {}
        self.headers: dict[str, str] = {}
        self.last: Mapping[str, Any] = {}
        """The row that was read last: it is the first to go."""
        for place in range(len(RAW)):
            self.add(place)

    @property
    def address(self) -> str:
        """Where the list is."""
        return API + self.path

    @abstractmethod
    def add(self, place: int) -> None:
        """Have another row come, somewhere."""

    def remove(self, place: int) -> None:
        """Have a row go, or become another; here none goes, and one more comes."""
        self.add(place)

    def value(self, item: Mapping[str, Any], key: str) -> Any:
        """What a row is sorted by."""
        return item[key]

    def order(self, sort: str) -> list[tuple[str, bool]]:
        """The keys of an order, each with whether the greatest comes first."""
        signs = [(each.lstrip("-"), each.startswith("-")) for each in filter(None, sort.split(","))]
        return [(self.sorts[name], turned) for name, turned in signs] + [(self.name, False)]

    def page(self, **params: Any) -> Any:
        """The answer to a request for a page."""
        asked = {**self.query, **params}
        return self.client.get(self.address, params=asked, headers=self.headers)


class OfCandidates(Listing):
    """A list of candidates or their scores, told from others by a part of their names."""

    def __init__(self, client: TestClient, number: int) -> None:
        self.made: dict[str, list[int]] = defaultdict(list)
        super().__init__(client, number)
        self.query = {"search": self.scope}

    def add(self, place: int) -> None:
        self.count += 1
        # Before, between and after those that are there.
        name = f"{self.scope}{place * 7919 % 1000:03}-{self.count}"
        for benchmark in BENCHMARKS[: 3 if self.count == 1 else 1 + place % 3]:
            self.score(name, benchmark, RAW[place % len(RAW)])

    def remove(self, place: int) -> None:
        names = self.names()
        gone = str(self.last.get("candidate", self.last.get("name", "")))
        name = gone if gone in names else names[place % len(names)]
        if place % 3 == 0:
            self.score(name, BENCHMARKS[0], 0.7)  # in place of the former one
        elif place % 3 == 1:
            self.score(name, BENCHMARKS[0], 0.2, version=2 + self.count)  # of all former ones
        else:
            self.hide(name)

    def names(self) -> list[str]:
        """Those that can be seen."""
        return [one.name for one in self.store.models() if one.name.startswith(self.scope)]

    def score(self, name: str, benchmark: str, raw: float, *, version: int = 1) -> None:
        """Record a score; those on the last benchmark have no ceiling, so no value."""
        candidate = candidate_facts(name, version=version)
        without = {"ceiling": None} if benchmark == BENCHMARKS[-1] else {}
        made = record_score(self.store, candidate, benchmark_facts(benchmark), raw, **without)
        self.made[name].append(made)

    def hide(self, name: str) -> None:
        """Have a candidate be seen by its owner alone, as if it were withdrawn."""
        owner = self.store.accounts.create(f"o-{fingerprint({'of': name})[:12]}").id
        found, _ = self.store.submissions.add(owner, checked(name))
        with opening.writing(self.store.engine) as connection:
            of = connection.scalar(select(Submission.id).where(Submission.key == found.key))
            rows = [{"score_id": each, "submission_id": of} for each in self.made[name]]
            connection.execute(insert(Ownership), rows)
            writing.count_revision(connection)


class Models(OfCandidates):
    path = "/models"
    name = "name"
    sorts: ClassVar = {"name": "name", "parameters": "parameters"}


class AllModels(Models):
    """With the registered ones, of which many were never scored: their size is null."""

    def __init__(self, client: TestClient, number: int) -> None:
        super().__init__(client, number)
        self.query = {"diet": "imagenet-1k"}


class Scores(OfCandidates):
    path = "/scores"
    sorts: ClassVar = {
        **{name: name for name in ("id", "raw", "value", "candidate", "benchmark")},
        "score": "value",
        "name": "candidate",
        "model": "candidate",
    }

    def order(self, sort: str) -> list[tuple[str, bool]]:
        return super().order(sort or "-id")


class Leaderboard(OfCandidates):
    path = "/leaderboard"
    items = "rows"
    name = "candidate"
    sorts: ClassVar = {
        **{name: name for name in ("mean", "covered", "parameters", *BENCHMARKS)},
        "name": "candidate",
    }

    def order(self, sort: str) -> list[tuple[str, bool]]:
        return super().order("-mean,-covered" if sort in ("", "-mean") else sort)

    def value(self, item: Mapping[str, Any], key: str) -> Any:
        if key in BENCHMARKS:
            cell = item["scores"].get(key) or {"value": None, "raw": None}
            return cell["raw"] if cell["value"] is None else cell["value"]
        if key == "mean":
            return None if item["standing"] is None else item["standing"]["mean"]
        return item[key]


class FormerLeaderboard(Leaderboard):
    """As of a time: whatever is scored since, and on whatever benchmark, it stays as it was."""

    def __init__(self, client: TestClient, number: int) -> None:
        super().__init__(client, number)
        newest = client.get(f"{API}/scores", params={"limit": 1}).json()["items"][0]
        self.query["as_of"] = newest["scored_at"]

    def remove(self, place: int) -> None:
        self.score(self.names()[0], f"later{self.count}-{place}/IT/rsa", 0.5)


class OfAccount(Listing):
    """A list of what an account of its own has handed in."""

    def __init__(self, client: TestClient, number: int) -> None:
        self.account = client.app.state.store.accounts.create(  # type: ignore[attr-defined]
            f"p{number:04}", role="admin"
        )
        super().__init__(client, number)
        secret, _ = self.store.accounts.make_token(self.account.id, "x", ["read"])
        self.headers = {"Authorization": f"Bearer {secret}"}

    def add(self, place: int) -> None:
        self.count += 1
        asked = BENCHMARKS[: 1 + place % 3]
        found, _ = self.store.submissions.add(self.account.id, checked(f"m{self.count}", *asked))
        self.store.queue.add(found.key, asked)

    def keys(self) -> list[str]:
        """The submissions that are not withdrawn, newest first."""
        return [one.key for one in self.store.submissions.of_account(self.account.id, limit=MOST)]


class Submissions(OfAccount):
    path = "/submissions"
    name = "key"
    most = 100

    def remove(self, place: int) -> None:
        if keys := self.keys():
            gone = self.last.get("key")
            self.store.submissions.withdraw(gone if gone in keys else keys[place % len(keys)])

    def order(self, sort: str) -> list[tuple[str, bool]]:
        return [("made", True)]

    def value(self, item: Mapping[str, Any], key: str) -> Any:
        return int(item["model"].rpartition("/m")[2])


class WithdrawnSubmissions(Submissions):
    def __init__(self, client: TestClient, number: int) -> None:
        super().__init__(client, number)
        self.query = {"withdrawn": True}


class Jobs(OfAccount):
    path = "/jobs"

    def remove(self, place: int) -> None:
        found = self.store.queue.jobs(account=self.account.id, states=("queued",), limit=MOST)
        if found:
            same = [job for job in found if job.id == self.last.get("id")]
            job = (same or found)[0 if same else place % len(found)]
            self.store.queue.cancel(job.submission, job_ids=[job.id])

    def order(self, sort: str) -> list[tuple[str, bool]]:
        return [("id", True)]


class QueuedJobs(Jobs):
    def __init__(self, client: TestClient, number: int) -> None:
        super().__init__(client, number)
        self.query = {"state": "queued"}


class Events(OfAccount):
    """What happens while it is read comes at the end; a page always says where to go on."""

    path = "/submissions/{key}/events"
    goes_on = "after"

    @property
    def address(self) -> str:
        return API + self.path.format(key=self.keys()[-1])

    def add(self, place: int) -> None:
        if not self.count:
            super().add(2)
        key = self.keys()[-1]
        if place % 2:
            self.store.queue.cancel(key)
        else:
            self.store.queue.rerun(key)


class Stimuli(Listing):
    """A list that never changes: that of a dataset's version."""

    path = "/datasets/{name}/stimuli"
    name = "position"
    most = 5_000

    @property
    def address(self) -> str:
        return API + self.path.format(name="simulated")

    def add(self, place: int) -> None:
        folder = sheet_folder("simulated")
        if self.count or folder.exists():
            return
        stimuli = tuple(
            ListedStimulus(at, f"s{at:02}", f"{at:05}.png", "0" * 64, 8, 8) for at in range(17)
        )
        facts = {"dataset": "simulated", "version": 1, "modality": "image", "degrees": None}
        facts |= {"content_hash": "0" * 64, "licence": "CC0", "handed_out": True}
        sheet = StimulusSheet(**facts, obtained_from=(), stimuli=stimuli)  # type: ignore[arg-type]
        folder.mkdir(parents=True)
        (folder / LIST).write_text(json.dumps(asdict(sheet)))


LISTINGS: Sequence[type[Listing]] = (
    *(Models, AllModels, Scores, Leaderboard, FormerLeaderboard),
    *(Submissions, WithdrawnSubmissions, Jobs, QueuedJobs, Events, Stimuli),
)
