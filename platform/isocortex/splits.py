"""Splits: which stimuli choose the layer and the penalty, and which ones are scored."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .errors import InputError, UnknownNameError
from .geometry import Positions

Metadata = Mapping[str, Sequence[Any]]
"""What is known of the stimuli: one value for each stimulus under each name."""

Mask = npt.NDArray[np.bool_]

FEWEST: Final = 4
"""So few stimuli a split may score, or leave to fit on, where their number is not ours to choose:
the correlation of three points says next to nothing."""


@dataclass(frozen=True, eq=False)
class Split:
    """Positions of the stimuli to choose and fit on, and of those to score.

    They have none in common, but for the kind "all". `groups` (train,) numbers what belongs
    together among the training stimuli: inner folds keep it together. None where nothing does.
    """

    train: Positions
    test: Positions
    groups: Positions | None = None

    def facts(self) -> list[list[int] | None]:
        """All of it as plain lists, for the fingerprint of what is split so."""
        groups = None if self.groups is None else self.groups.tolist()
        return [self.train.tolist(), self.test.tolist(), groups]


def make_splits(
    stimuli: int, protocol: Mapping[str, Any], *, metadata: Metadata | None = None
) -> list[Split]:
    """The splits of `stimuli` stimuli that a scorer's card asks for.

    `protocol["kind"]` is one of

    - "halves": as many random halvings as it takes to score `scored` stimuli, each half scored
      once: few stimuli need more of them to even out the luck of a halving;
    - "k-fold": `folds` shuffled folds;
    - "shuffle": `count` random draws of a `train` share, balanced over the `category` of the
      stimuli where they have one (scikit-learn's StratifiedShuffleSplit, Brain-Score's protocol);
    - "group": `folds` of whole groups, about equally many stimuli in each (scikit-learn's
      GroupKFold), a group being all stimuli with one value of the metadata `by` ("group");
    - "leave-one-category-out": each value of the metadata `by` ("category") in turn;
    - "fixed": the one split that the metadata `by` ("split") tells, "train" or "test";
    - "temporal-blocks": `folds` blocks of stimuli that were recorded one after another, the `gap`
      stimuli (0) on either side of the scored block left out of both sides;
    - "all": one split whose two sides are all stimuli. The layer is then chosen on what is scored,
      which flatters candidates with many layers: only for conventions that hold nothing out.

    The random ones are drawn with `protocol["seed"]`. `protocol["order"]` is "recorded" where they
    follow the order of the recording, which temporal blocks always do. Raises InputError if there
    are too few stimuli or groups, or if the stimuli lack the metadata.
    """
    arguments = {key: value for key, value in protocol.items() if key not in ("kind", "order")}
    if "kind" not in protocol:
        raise InputError(f"splits need a kind, one of {', '.join(_KINDS)}; got {arguments}")
    kind, order = protocol["kind"], protocol.get("order", "recorded")
    if kind not in _KINDS:
        raise UnknownNameError.among("kind of split", kind, _KINDS)
    if order != "recorded":
        raise UnknownNameError.among("order of splits", order, ("recorded",))
    if stimuli < 2 * FEWEST:
        raise InputError(
            f"{stimuli} stimuli are too few to hold some out; at least {2 * FEWEST} are needed"
        )
    split = _BLIND.get(kind) or partial(_LABELLED[kind], metadata=metadata or {})
    try:
        inspect.signature(split).bind(stimuli, **arguments)
    except TypeError as error:  # a missing or unknown argument
        raise InputError(f"splits of the kind {kind!r}: {error}; got {arguments}") from None
    _check_whole_numbers(arguments)
    return split(stimuli, **arguments)


def _check_whole_numbers(arguments: Mapping[str, Any]) -> None:
    for name in _LEAST.keys() & arguments:
        value, least = arguments[name], _LEAST[name]
        if not isinstance(value, (int, np.integer)) or value < least:
            raise InputError(
                f"the {name} of splits is {value!r}; give a whole number, {least} or more"
            )


def follows_recording(protocol: Mapping[str, Any]) -> bool:
    """Whether stimuli enter the splits in the order in which they were recorded."""
    return protocol.get("order") == "recorded" or protocol.get("kind") == "temporal-blocks"


def _halves(stimuli: int, *, scored: int, seed: int) -> list[Split]:
    generator = np.random.default_rng(seed)
    splits = []
    for _ in range(-(-scored // stimuli)):
        order = generator.permutation(stimuli)
        first, second = np.sort(order[: stimuli // 2]), np.sort(order[stimuli // 2 :])
        splits += [Split(first, second), Split(second, first)]
    return splits


def _k_fold(stimuli: int, *, folds: int, seed: int) -> list[Split]:
    from sklearn.model_selection import KFold

    if not 2 <= folds <= stimuli:
        raise InputError(f"{folds} folds of {stimuli} stimuli; ask for at least 2, at most all")
    splitter = KFold(folds, shuffle=True, random_state=seed)
    return [Split(train, test) for train, test in splitter.split(np.zeros(stimuli))]


def _temporal_blocks(stimuli: int, *, folds: int, gap: int = 0) -> list[Split]:
    if folds < 3 or stimuli < folds * FEWEST:
        raise InputError(
            f"{folds} blocks of {stimuli} stimuli; ask for 3 blocks or more, "
            f"of at least {FEWEST} stimuli each"
        )
    order = np.arange(stimuli)
    blocks = np.repeat(np.arange(folds), [len(block) for block in np.array_split(order, folds)])
    splits = []
    for block in range(folds):
        test = np.flatnonzero(blocks == block)
        near = (order >= test[0] - gap) & (order <= test[-1] + gap)
        splits.append(_grouped_split(~near, blocks == block, blocks))
    return splits


def _all(stimuli: int) -> list[Split]:
    return [Split(np.arange(stimuli), np.arange(stimuli))]


def _shuffle(
    stimuli: int, *, metadata: Metadata, count: int, train: float, seed: int
) -> list[Split]:
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

    strata = [str(label) for label in metadata["category"]] if "category" in metadata else None
    kind = ShuffleSplit if strata is None else StratifiedShuffleSplit
    splitter = kind(count, train_size=train, random_state=seed)
    try:
        drawn = list(splitter.split(np.zeros(stimuli), strata))
    except ValueError as error:  # a stratum of one, or more strata than stimuli in a draw
        raise InputError(
            f"{stimuli} stimuli can't be drawn with all their categories on both sides: {error}. "
            "Use a scorer with other splits, such as ridge"
        ) from None
    return [Split(np.sort(first), np.sort(second)) for first, second in drawn]


def _group(stimuli: int, *, metadata: Metadata, folds: int, by: str = "group") -> list[Split]:
    from sklearn.model_selection import GroupKFold

    names, groups = np.unique(_labels(metadata, by), return_inverse=True)
    if not 2 <= folds <= len(names):
        raise InputError(
            f"{folds} folds of whole groups, and {by!r} tells {len(names)} groups apart; "
            "ask for at least 2 folds and at most as many as there are groups"
        )
    held_out = (test for _, test in GroupKFold(folds).split(np.zeros(stimuli), groups=groups))
    tests = [np.isin(np.arange(stimuli), test) for test in held_out]
    return [_grouped_split(~test, test, groups) for test in tests]


def _leave_one_category_out(
    stimuli: int, *, metadata: Metadata, by: str = "category"
) -> list[Split]:
    names, groups = np.unique(_labels(metadata, by), return_inverse=True)
    return [_grouped_split(groups != each, groups == each, groups) for each in range(len(names))]


def _fixed(stimuli: int, *, metadata: Metadata, by: str = "split") -> list[Split]:
    labels = _labels(metadata, by)
    if unknown := sorted(set(labels) - {"train", "test"}):
        raise InputError(
            f"{by!r} says {', '.join(map(repr, unknown[:3]))} of some of the {stimuli} stimuli; "
            "a fixed split is told by 'train' and 'test'"
        )
    train, test = (np.flatnonzero(np.equal(labels, side)) for side in ("train", "test"))
    split = Split(train, test)
    _require_enough(split)
    return [split]


def _labels(metadata: Metadata, name: str) -> list[str]:
    if name not in metadata:
        raise InputError(
            f"the stimuli have no metadata {name!r} to split them by; "
            f"there are: {', '.join(sorted(metadata)) or 'none'}"
        )
    return [str(label) for label in metadata[name]]


def _grouped_split(train: Mask, test: Mask, groups: Positions) -> Split:
    """The split of two masks over all stimuli; at least two groups are left to choose on."""
    split = Split(np.flatnonzero(train), np.flatnonzero(test), groups[train])
    _require_enough(split)
    if len(np.unique(groups[train])) < 2:
        raise InputError(
            "a split leaves a single group to fit on, and penalties are chosen on whole groups "
            "as well; ask for more folds, or use at least 3 groups"
        )
    return split


def _require_enough(split: Split) -> None:
    fewest = min(len(split.train), len(split.test))
    if fewest < FEWEST:
        raise InputError(
            f"a split fits {len(split.train)} stimuli and scores {len(split.test)}; "
            f"at least {FEWEST} of each are needed"
        )


_LEAST: Final = {"scored": 1, "count": 1, "folds": 2, "gap": 0, "seed": 0}
"""The arguments that are whole numbers, and the least that each can be."""

_BLIND: Final[Mapping[str, Callable[..., list[Split]]]] = {
    "halves": _halves,
    "k-fold": _k_fold,
    "temporal-blocks": _temporal_blocks,
    "all": _all,
}
"""The kinds that know nothing of the stimuli but their number."""

_LABELLED: Final[Mapping[str, Callable[..., list[Split]]]] = {
    "shuffle": _shuffle,
    "group": _group,
    "leave-one-category-out": _leave_one_category_out,
    "fixed": _fixed,
}
"""The kinds that read their metadata."""

_KINDS: Final = (*_BLIND, *_LABELLED)
