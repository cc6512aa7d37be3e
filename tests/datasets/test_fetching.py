import hashlib
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from isocortex.errors import CardError, ChecksumError, FetchError, TooLargeError
from isocortex.fetching import RemoteFile, UnverifiedFileWarning, fetch

CONTENT = b"responses of a neuron"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NOWHERE = "http://127.0.0.1:9/lab/session.npy"  # the discard port: nothing listens there
FILE = RemoteFile(NOWHERE, SHA256)
UNPUBLISHED = RemoteFile(NOWHERE, None)


@pytest.fixture
def mirror(tmp_path: Path, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror that is a folder and holds the file; the home folder is empty."""
    folder = tmp_path / "mirror"
    (folder / "127.0.0.1:9/lab").mkdir(parents=True)
    (folder / FILE.mirror_path).write_bytes(CONTENT)
    monkeypatch.setenv("ISOCORTEX_MIRROR", str(folder))
    return folder


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(mirror: Path) -> Iterator[str]:
    """The address at which the mirror's folder is served."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=mirror))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class EndlessHandler(QuietHandler):
    """Declares a terabyte, and sends nothing of it until it is told to stop."""

    stop = threading.Event()

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(10**12))
        self.end_headers()
        self.stop.wait(60)


def test_a_file_that_is_declared_too_large_is_refused_before_it_comes(empty_home):
    server = ThreadingHTTPServer(("127.0.0.1", 0), EndlessHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        file = RemoteFile(f"http://127.0.0.1:{server.server_port}/weights", None)
        with pytest.raises(TooLargeError, match="more than the 1,000 bytes that are taken"):
            fetch(file, most_bytes=1000)
    finally:
        EndlessHandler.stop.set()
        server.shutdown()
        thread.join()
        server.server_close()
    assert files_of(empty_home) == []


def test_a_file_that_grows_too_large_is_refused_while_it_comes(served, empty_home):
    address = f"{served}/127.0.0.1:9/lab/session.npy"
    assert fetch(RemoteFile(address, SHA256), most_bytes=10**6).read_bytes() == CONTENT
    with pytest.raises(TooLargeError):
        fetch(RemoteFile(f"{address}?", SHA256), most_bytes=10, folder=empty_home / "else")


def files_of(home: Path) -> list[str]:
    return sorted(path.name for path in home.rglob("*") if path.is_file())


def test_mirror_folder_is_tried_before_the_address(mirror, empty_home):
    path = fetch(FILE)
    assert path == empty_home / "files" / "127.0.0.1:9/lab/session.npy"
    assert path.read_bytes() == CONTENT


def test_mirror_may_be_a_base_url(served, empty_home, monkeypatch):
    monkeypatch.setenv("ISOCORTEX_MIRROR", f"{served}/")
    assert fetch(FILE).read_bytes() == CONTENT


def test_address_is_tried_after_a_mirror_that_lacks_the_file(served, mirror):
    direct = RemoteFile(f"{served}/127.0.0.1:9/lab/session.npy", SHA256)
    assert not (mirror / direct.mirror_path).exists()
    assert fetch(direct).read_bytes() == CONTENT


def test_fetched_file_needs_no_mirror_again(mirror):
    fetch(FILE)
    shutil.rmtree(mirror)
    assert fetch(FILE).read_bytes() == CONTENT


def test_wrong_checksum_is_refused_and_leaves_nothing_behind(mirror, empty_home):
    (mirror / FILE.mirror_path).write_bytes(b"something else")
    actual = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(
        ChecksumError,
        match=f"SHA-256 {actual} and 14 bytes, expected SHA-256 {SHA256}: .*Nothing of it was kept",
    ):
        fetch(FILE)
    assert files_of(empty_home) == []


def test_a_file_of_another_size_is_refused(mirror, empty_home):
    longer = RemoteFile(FILE.url, SHA256, len(CONTENT) + 1)
    with pytest.raises(ChecksumError, match=f"and {len(CONTENT) + 1} bytes: it is damaged"):
        fetch(longer)
    assert files_of(empty_home) == []


def test_file_that_was_damaged_at_home_is_refused(mirror):
    fetch(FILE).write_bytes(b"damaged")
    with pytest.raises(ChecksumError, match="Delete it, and it is fetched again"):
        fetch(FILE)


def test_file_from_nowhere_says_what_was_tried_and_what_to_do(mirror, empty_home):
    (mirror / FILE.mirror_path).unlink()
    with pytest.raises(FetchError) as caught:
        fetch(FILE)
    message = str(caught.value)
    assert f"the mirror {mirror} has no 127.0.0.1:9/lab/session.npy" in message
    assert f"{NOWHERE}: ConnectionRefusedError" in message
    assert "set ISOCORTEX_MIRROR to a folder or URL" in message
    assert str(empty_home / "files" / FILE.mirror_path) in message
    assert files_of(empty_home) == []


def test_missing_file_of_a_web_mirror_is_said_to_be_missing(served, monkeypatch):
    monkeypatch.setenv("ISOCORTEX_MIRROR", served)
    absent = RemoteFile("http://127.0.0.1:9/lab/absent.npy", SHA256)
    with pytest.raises(FetchError, match=rf"{served}/127.0.0.1:9/lab/absent.npy: .*404"):
        fetch(absent)


def test_unpublished_checksum_is_pinned_and_a_changed_copy_refused(mirror, empty_home):
    with pytest.warns(UnverifiedFileWarning, match=f"pinned as {SHA256}"):
        path = fetch(UNPUBLISHED)
    assert fetch(UNPUBLISHED) == path  # and does not warn again
    path.unlink()
    (mirror / FILE.mirror_path).write_bytes(b"another version")
    with pytest.raises(ChecksumError, match=f"expected SHA-256 {SHA256}"):
        fetch(UNPUBLISHED)
    assert files_of(empty_home) == ["session.npy.sha256"]


def test_file_that_was_put_at_home_by_hand_is_pinned_too(mirror, empty_home):
    path = empty_home / "files" / FILE.mirror_path
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    with pytest.warns(UnverifiedFileWarning):
        fetch(UNPUBLISHED)
    path.write_bytes(b"changed since")
    with pytest.raises(ChecksumError):
        fetch(UNPUBLISHED)


def test_mirror_path_may_begin_at_the_users_home(mirror, monkeypatch):
    monkeypatch.setenv("HOME", str(mirror.parent))
    monkeypatch.setenv("ISOCORTEX_MIRROR", "~/mirror")
    assert fetch(FILE).read_bytes() == CONTENT


def test_card_must_describe_a_file_by_url_and_checksum():
    with pytest.raises(CardError, match=r"url, sha256 and bytes; got \['md5', 'url'\]"):
        RemoteFile.from_card({"url": NOWHERE, "md5": "…"})


def test_leading_digits_of_a_checksum_are_checked_if_no_more_was_published(mirror):
    assert fetch(RemoteFile(NOWHERE, SHA256[:8])).read_bytes() == CONTENT
    with pytest.raises(ChecksumError):
        fetch(RemoteFile(NOWHERE, "0123abcd"))
    with pytest.raises(CardError, match="is no SHA-256"):
        RemoteFile(NOWHERE, SHA256[:7])
