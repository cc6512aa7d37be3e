"""Files from the internet, and from a mirror where there is none: URL + SHA-256 through pooch."""

import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from . import settings
from .errors import CardError, ChecksumError, FetchError, TooLargeError
from .fingerprints import file_sha256

FETCHING: Final = ".fetching-"
"""How a folder's name begins in which a file arrives; one that is left over can be removed."""


class UnverifiedFileWarning(UserWarning):
    """A file without a published checksum was fetched; its SHA-256 is pinned from now on."""


@dataclass(frozen=True)
class RemoteFile:
    """A file's public address, and what proves that it is the right one.

    `sha256` may be its leading digits, at least 8, where no more was published. It is None only
    where no checksum was ever published: then the first copy that comes is pinned, with a warning,
    and every later one must equal it.
    """

    url: str
    sha256: str | None
    bytes: int | None = None

    def __post_init__(self) -> None:
        if self.sha256 is not None and not re.fullmatch("[0-9a-f]{8,64}", self.sha256):
            raise CardError(f"{self.url}: {self.sha256!r} is no SHA-256 (8 to 64 digits of 0-9a-f)")

    @classmethod
    def from_card(cls, facts: Mapping[str, Any]) -> "RemoteFile":
        """The file that a card describes as `{"url": …, "sha256": …, "bytes": …}`."""
        if not set(facts) <= {"url", "sha256", "bytes"} or "url" not in facts:
            raise CardError(f"a file is given as url, sha256 and bytes; got {sorted(facts)}")
        return cls(facts["url"], facts.get("sha256"), facts.get("bytes"))

    @property
    def mirror_path(self) -> str:
        """Where the file lies below a mirror's root: `<host>/<path>`."""
        parts = urlsplit(self.url)
        return f"{parts.netloc}{parts.path}"


def files_folder() -> Path:
    """Where fetched files lie, unless another folder is named."""
    return settings.home() / "files"


def fetch(file: RemoteFile, *, most_bytes: int | None = None, folder: Path | None = None) -> Path:
    """The path of a verified local copy of `file`, in `folder`; it is fetched on first use.

    The mirror is tried first, then the address itself. Nothing half-written ever bears the final
    name. Raises ChecksumError if what came is another file, FetchError if nothing came,
    TooLargeError if it has more than `most_bytes`: before it comes, where its size is declared.
    """
    target = (folder or files_folder()) / file.mirror_path
    if target.exists():
        _verify(target, target, file, origin=str(target))
        _pin(target, target, file)  # a file that was put there by hand
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=FETCHING) as arriving:
        arrived, origin = _obtain(file, Path(arriving), target, most_bytes)
        _verify(arrived, target, file, origin=origin)
        _pin(arrived, target, file)
        os.replace(arrived, target)  # noqa: PTH105 - atomic on one file system
    return target


def _obtain(
    file: RemoteFile, folder: Path, target: Path, most_bytes: int | None
) -> tuple[Path, str]:
    """A copy of the file in `folder`, and where it came from."""
    mirror, tried = settings.mirror(), []
    if mirror and "://" not in mirror:
        source = Path(mirror).expanduser() / file.mirror_path
        if source.exists():
            _Bounded(most_bytes).update(source.stat().st_size)
            return Path(shutil.copyfile(source, folder / "file")), str(source)
        tried.append(f"the mirror {mirror} has no {file.mirror_path}")
    urls = [f"{mirror.rstrip('/')}/{file.mirror_path}"] if mirror and "://" in mirror else []
    for url in [*urls, file.url]:
        try:
            return _download(url, folder, most_bytes), url
        except TooLargeError:
            raise
        except Exception as error:  # requests, urllib3 and the system each have their own tree
            tried.append(f"{url}: {_reason(error)}")
    raise FetchError(
        f"could not fetch {file.url} ({'; '.join(tried)}). Connect to the internet, set "
        f"ISOCORTEX_MIRROR to a folder or URL laid out as <host>/<path>, or put the file at "
        f"{target}",
        url=file.url,
    )


class _Bounded:
    """Stops a download that grows too large: pooch tells it of each piece as of progress."""

    def __init__(self, most_bytes: int | None) -> None:
        self.most_bytes = most_bytes
        self._total = 0
        self.came = 0

    @property
    def total(self) -> int:
        """How large the file is said to be: pooch sets it before the first byte has come."""
        return self._total

    @total.setter
    def total(self, size: int) -> None:
        self._total = size
        self._require(size)

    def update(self, count: int) -> None:
        """So many bytes more came. Raises TooLargeError if that is too many."""
        self.came += count
        self._require(self.came)

    def _require(self, size: int) -> None:
        if self.most_bytes is not None and size > self.most_bytes:
            raise TooLargeError(
                f"the file has more than the {self.most_bytes:,} bytes that are taken"
            )

    def reset(self) -> None:
        """Begin to count again: pooch does so at the end."""
        self.came = 0

    def close(self) -> None:
        """Nothing is held open."""


def _download(url: str, folder: Path, most_bytes: int | None) -> Path:
    import pooch

    pooch.get_logger().setLevel("ERROR")
    bounded = _Bounded(most_bytes) if most_bytes is not None else False
    downloader = pooch.HTTPDownloader(progressbar=bounded, timeout=30)
    return Path(pooch.retrieve(url, None, fname="file", path=folder, downloader=downloader))


def _reason(error: Exception) -> str:
    """The innermost cause, in one line: network libraries wrap it many times."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return f"{type(cause).__name__}: {str(cause).splitlines()[0] if str(cause) else 'no reason'}"


def _verify(path: Path, target: Path, file: RemoteFile, *, origin: str) -> None:
    expected = file.sha256 or _pinned(target)
    actual, size = file_sha256(path), path.stat().st_size
    if actual.startswith(expected or "") and size == (file.bytes or size):
        return
    wanted = f"SHA-256 {expected}" + (f" and {file.bytes} bytes" if file.bytes else "")
    remedy = (
        "Delete it, and it is fetched again"
        if origin == str(path)
        else f"Nothing of it was kept; compare it with {file.url}"
    )
    raise ChecksumError(
        f"{origin} has SHA-256 {actual} and {size} bytes, expected {wanted}: it is damaged or "
        f"another version. {remedy}",
        url=file.url,
    )


def _pin(arrived: Path, target: Path, file: RemoteFile) -> None:
    """Remember the checksum of a file that has no published one, so that it cannot change."""
    if file.sha256 is None and _pinned(target) is None:
        digest = file_sha256(arrived)
        warnings.warn(
            f"{file.url} has no published checksum; pinned as {digest}",
            UnverifiedFileWarning,
            stacklevel=3,
        )
        _pin_path(target).write_text(digest)


def _pinned(target: Path) -> str | None:
    path = _pin_path(target)
    return path.read_text().strip() if path.exists() else None


def _pin_path(target: Path) -> Path:
    return target.with_name(f"{target.name}.sha256")
