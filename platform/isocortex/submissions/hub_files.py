"""Files of hubs: fetched on first use, pinned for good, and kept while there is room for them.

    home/hub/<host>/<path>           a file that a submission names
    home/hub/<host>/<path>.sha256    what it must be if it is fetched again; it is never removed

They hold `ISOCORTEX_HUB_BYTES` at most, besides the one that is used just now.
"""

import os
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from .. import settings
from ..errors import ChecksumError, InputError, TooLargeError
from ..fetching import FETCHING, RemoteFile, UnverifiedFileWarning, fetch, files_folder
from .admission import MOST_BYTES

_LEFT_OVER_SECONDS: Final = 24 * 3600.0
"""How old what arrives may become: whoever fetched it was killed."""


def hub_file(reference: Mapping[str, Any]) -> Path:
    """The path of the file that a submission's reference names, fetched and pinned on first use.

    Raises InputError if the hub holds another file by now, or one that is too large; FetchError.
    """
    file = RemoteFile(reference["url"], reference.get("sha256"))
    shared = (files_folder() / file.mirror_path).exists()  # the zoo has it as well
    with warnings.catch_warnings():
        # A hub publishes no checksum: the first copy is pinned, and is part of the version.
        warnings.simplefilter("ignore", UnverifiedFileWarning)
        try:
            path = fetch(
                file, most_bytes=MOST_BYTES["hub"], folder=files_folder() if shared else _folder()
            )
        except ChecksumError:  # no trouble that passes
            raise InputError(
                f"{file.url} is another file than the one that was named, or fetched at first; "
                "submit what the hub holds now as a new version"
            ) from None
        except TooLargeError as error:
            raise InputError(f"{file.url}: {error}") from None
    if not shared:
        os.utime(path)  # the least recently used go first
        prune_hub_files(keep=path)
    return path


def prune_hub_files(*, keep: Path | None = None) -> int:
    """The number of files removed, the least recently used first, so that all are within the cap.

    `keep`, by default the one that was used last, stays. Pins stay: a file that is fetched again
    must be the same.
    """
    found = sorted(_files(), key=lambda each: each[1].st_mtime)
    kept = keep or (found[-1][0] if found else None)
    excess = sum(facts.st_size for _, facts in found) - settings.hub_bytes()
    removed = 0
    for path, facts in found:
        if _is_left_over(path, facts) or (excess > 0 and path != kept):
            path.unlink(missing_ok=True)
            excess -= facts.st_size
            removed += 1
            if path.parent.name.startswith(FETCHING):
                shutil.rmtree(path.parent, ignore_errors=True)
    return removed


def _is_left_over(path: Path, facts: os.stat_result) -> bool:
    arrived = path.parent.name.startswith(FETCHING)
    return arrived and time.time() - facts.st_mtime > _LEFT_OVER_SECONDS


def _files() -> Iterator[tuple[Path, os.stat_result]]:
    for path in _folder().rglob("*"):
        with suppress(FileNotFoundError):  # another process prunes as well
            if path.suffix != ".sha256" and path.is_file():
                yield path, path.stat()


def _folder() -> Path:
    return settings.home() / "hub"
