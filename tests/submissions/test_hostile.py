"""A stranger's corpus: each file and form ends in a clear refusal, and nothing else happens."""

import json
import os
from pathlib import Path

import pytest
from sqlalchemy import func, select

from isocortex.errors import IsocortexError, JailError, RejectedError
from isocortex.fingerprints import file_sha256
from isocortex.jail import Limits
from isocortex.store import Store, schema, service
from isocortex.store.opening import reading
from isocortex.submissions import entering
from isocortex.submissions.blobs import Blobs
from isocortex.submissions.forms import read_form

from .hostile import activations, cards, onnx_models
from .made import form_of, onnx_twin, written

CORPUS = {
    **{f"activations: {name}": each for name, each in activations.FILES.items()},
    **{f"onnx: {name}": each for name, each in onnx_models.FILES.items()},
    **{f"form: {name}": each for name, each in cards.FORMS.items()},
}
SECRET = "the decoy's secret, 7f3a"
KEPT = (service.Submission, service.Job, service.Event, schema.Candidate, schema.Score)


@pytest.fixture
def decoy(empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Secrets that lie where a file may look for them, and in the environment."""
    monkeypatch.setenv("ISOCORTEX_DECOY", SECRET)
    places = [tmp_path / "secret.txt", tmp_path / "weights.bin"]
    places += [empty_home / "blobs" / name for name in ("secret.txt", "weights.bin")]
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(SECRET * 3)
        os.utime(place, (0, place.stat().st_mtime))
    for folder in (tmp_path, empty_home / "blobs"):
        (folder / "link-to-secret").hardlink_to(places[0])
    return places


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bombs and loops are stopped after seconds."""
    limits = Limits(memory_bytes=2**30, cpu_seconds=4, wall_seconds=60, output_bytes=2**27)
    monkeypatch.setattr("isocortex.submissions.checking.check_limits", lambda kind, file: limits)


def handed_in(store: Store, account, name: str, folder: Path) -> None:
    """Upload and submit a piece of the corpus, as the command line and the site do."""
    hostile = CORPUS[name]
    form = dict(hostile.form or form_of(hostile.kind))
    if hostile.form is None or hostile.content:
        read_form(form)
        path = written(folder, hostile.content)
        Blobs(store.submissions).add(account.id, hostile.kind, path)
        form["sha256"] = file_sha256(path)
    entering.enter(store, account, read_form(form))


def rows(store: Store) -> list[int]:
    with reading(store.engine) as connection:
        return [connection.scalar(select(func.count(table.id))) or 0 for table in KEPT]


def test_the_corpus_is_no_small_one():
    assert len(CORPUS) >= 100


@pytest.mark.parametrize("name", CORPUS)
def test_it_is_refused_clearly_and_nothing_is_stored(small_store, ada, name, tmp_path, decoy):
    folder = tmp_path / "sent"
    folder.mkdir()
    with pytest.raises(IsocortexError) as caught:
        handed_in(small_store, ada, name, folder)
    message = str(caught.value)
    assert isinstance(caught.value, (RejectedError, JailError)), message
    assert CORPUS[name].says in message
    assert SECRET not in message
    assert message.isprintable()
    assert len(message) < 4_000
    assert rows(small_store) == [0] * len(KEPT)
    for place in decoy:
        assert place.stat().st_atime_ns == 0, "somebody read the secret"
        assert place.read_text() == SECRET * 3


def test_a_secret_that_is_read_is_noticed(decoy):
    decoy[0].read_text()
    if decoy[0].stat().st_atime_ns == 0:
        pytest.skip("this file system does not note when files are read")


def test_after_the_corpus_an_honest_file_is_still_taken(small_store, ada, tmp_path):
    for name in ("onnx: a loop without end", "activations: NaN"):
        with pytest.raises((RejectedError, JailError)):
            handed_in(small_store, ada, name, tmp_path)
    path = written(tmp_path, onnx_twin(), "honest.onnx")
    sha256 = Blobs(small_store.submissions).add(ada.id, "onnx", path)
    found = entering.enter(small_store, ada, read_form(form_of("onnx", sha256=sha256)))
    assert found.is_new
    assert json.dumps(dict(found.submission.source))
