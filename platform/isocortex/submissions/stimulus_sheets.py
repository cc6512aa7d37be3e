"""What a network must be shown, for others: the stimuli of a dataset as a list with its files.

    home/stimulus_sheets/NAME-VERSION/list.json     a `StimulusSheet`
    home/stimulus_sheets/NAME-VERSION/00000.png …   the files, where they may be handed out

A site has the lists made by a process of its own, since it loads neither recordings nor images.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .. import registry, settings
from ..cards import DatasetCard
from ..errors import FetchError, IsocortexError, StoreError

if TYPE_CHECKING:
    from ..stimuli import StimulusSet

LIST: Final = "list.json"

_OPEN: Final = ("BSD", "MIT", "Apache", "CC0", "CC BY", "CC-BY", "PDDL", "ODC", "public domain")
_CLOSED: Final = ("BY-NC", "BY-ND", "(repository)", "no licence")
_LONGEST: Final = 3600
_MOST_ADDRESSES: Final = 200


@dataclass(frozen=True)
class ListedStimulus:
    """A stimulus and its file; `width` and `height` are pixels, None for what is no image."""

    position: int
    id: str
    file: str
    sha256: str
    width: int | None
    height: int | None


@dataclass(frozen=True)
class StimulusSheet:
    """The stimuli of a dataset in their order; `obtained_from` are the dataset's own addresses."""

    dataset: str
    version: int
    modality: str
    degrees: float | None
    content_hash: str
    licence: str
    handed_out: bool
    obtained_from: tuple[str, ...]
    stimuli: tuple[ListedStimulus, ...]


def may_hand_out(card: DatasetCard) -> bool:
    """Whether a server may give the images to others: their own licence must be an open one.

    The licence of a repository that the images lie in says nothing of the images.
    """
    licence = card.licence
    return licence.startswith(_OPEN) and not any(word in licence for word in _CLOSED)


def write_stimuli(dataset: str, folder: Path) -> StimulusSheet:
    """The list of a dataset's stimuli, which is written to `folder` with all files.

    Image files come as they were published, drawn pictures as PNG, other arrays as NumPy files.
    Raises UnknownNameError, FetchError.
    """
    from ..benchmarks import load_dataset

    recording = load_dataset(dataset)
    folder.mkdir(parents=True, exist_ok=True)
    card = recording.card
    sheet = StimulusSheet(
        dataset=card.name,
        version=card.version,
        modality=recording.stimuli.modality,
        degrees=recording.stimuli.degrees,
        content_hash=recording.stimuli.content_hash,
        licence=card.licence,
        handed_out=may_hand_out(card),
        obtained_from=tuple(sorted({file.url for file in card.files.values()}))[:_MOST_ADDRESSES],
        stimuli=tuple(_written(recording.stimuli, folder)),
    )
    (folder / LIST).write_text(json.dumps(asdict(sheet), indent=1, ensure_ascii=False) + "\n")
    return sheet


def read_sheet(folder: Path) -> StimulusSheet:
    """The list that was written to `folder`."""
    facts: dict[str, Any] = json.loads((folder / LIST).read_text())
    stimuli = tuple(ListedStimulus(**each) for each in facts.pop("stimuli"))
    addresses = tuple(facts.pop("obtained_from"))
    return StimulusSheet(**facts, obtained_from=addresses, stimuli=stimuli)


def sheet_folder(dataset: str) -> Path:
    """Where the list of a dataset lies once it is made. Raises UnknownNameError."""
    card = registry.dataset_card(dataset)
    name = card.name.replace(":", "_").replace("/", "_")
    return settings.home() / "stimulus_sheets" / f"{name}-{card.version}"


def is_prepared(dataset: str) -> bool:
    """Whether the list is made already. Raises UnknownNameError."""
    return (sheet_folder(dataset) / LIST).exists()


@dataclass(frozen=True)
class KnownStimuli:
    """What is known of a dataset's stimuli without their list: their hash, and how many."""

    content_hash: str
    count: int


def known_stimuli(dataset: str) -> KnownStimuli | None:
    """The hash and the number of a dataset's stimuli; None if their list was never made here."""
    path = sheet_folder(dataset) / LIST
    return _counted(path) if path.exists() else None


@lru_cache(maxsize=256)
def _counted(path: Path) -> KnownStimuli:
    sheet = read_sheet(path.parent)
    return KnownStimuli(sheet.content_hash, len(sheet.stimuli))


def prepared_sheet(dataset: str) -> tuple[StimulusSheet, Path]:
    """The list and its folder; it is made now, by a process of its own, if it is not there.

    Raises FetchError with what that process said, StoreError if another makes a list meanwhile.
    """
    folder = sheet_folder(dataset)
    if not (folder / LIST).exists():
        with _only_one(folder.parent):
            _prepare(dataset, folder)
    return read_sheet(folder), folder


def _prepare(dataset: str, folder: Path) -> None:
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    command = [sys.executable, "-m", __name__, dataset, str(made)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LONGEST, check=False
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
            raise FetchError(f"the stimuli of {dataset} can't be had here now: {reason}")
        if not read_sheet(made).handed_out:
            for path in made.iterdir():
                if path.name != LIST:
                    path.unlink()
        os.replace(made, folder)  # noqa: PTH105 - atomic on one file system
    except subprocess.TimeoutExpired:
        raise FetchError(f"the stimuli of {dataset} can't be had here within an hour") from None
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Only one list is made at a time, whoever asks."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError("a list of stimuli is being made; ask again in a moment") from None
        yield


def _written(stimuli: "StimulusSet", folder: Path) -> Iterator[ListedStimulus]:
    for position, name in enumerate(stimuli.ids):
        suffix, content = _file(stimuli, position)
        file = f"{position:05d}{suffix}"
        (folder / file).write_bytes(content)
        height, width = (None, None)
        if stimuli.modality == "image":
            height, width = stimuli.read(position).shape[:2]
        digest = hashlib.sha256(content).hexdigest()
        yield ListedStimulus(position, name, file, digest, width, height)


def _file(stimuli: "StimulusSet", position: int) -> tuple[str, bytes]:
    """The suffix and the bytes of a stimulus' file."""
    import zipfile

    import numpy as np
    from PIL import Image

    from ..stimuli import ZippedImage

    source = stimuli.sources[position]
    if isinstance(source, Path):
        return source.suffix.lower(), source.read_bytes()
    if isinstance(source, ZippedImage):
        with zipfile.ZipFile(source.archive) as archive:
            return Path(source.member).suffix.lower(), archive.read(source.member)
    buffer = io.BytesIO()
    if stimuli.modality == "array":
        np.save(buffer, np.asarray(source), allow_pickle=False)
        return ".npy", buffer.getvalue()
    Image.fromarray(stimuli.read(position)).save(buffer, "PNG")
    return ".png", buffer.getvalue()


def main(dataset: str, folder: str) -> None:
    """Write the list and the files; what goes wrong is one line on standard error."""
    try:
        write_stimuli(dataset, Path(folder))
    except IsocortexError as error:
        sys.exit(" ".join(str(error).split()))


if __name__ == "__main__":
    main(*sys.argv[1:])
