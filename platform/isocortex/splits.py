"""Splits: which stimuli choose the layer and the penalty, and which ones are scored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .errors import InputError, UnknownNameError
from .geometry import Positions


@dataclass(frozen=True)
class Split:
    """Positions of the stimuli to choose and fit on, and of those to score; never the same."""

    train: Positions
    test: Positions


def make_splits(
    stimuli: int, protocol: Mapping[str, Any], *, strata: Sequence[Any] | None = None
) -> list[Split]:
    """The splits of `stimuli` stimuli that a scorer's card asks for.

    `protocol["kind"]` is one of

    - "halves": as many random halvings as it takes to score `scored` stimuli, each half scored
      once: few stimuli need more of them to even out the luck of a halving;
    - "k-fold": `folds` shuffled folds;
    - "shuffle": `count` random draws of a `train` share, balanced over `strata` where they are
      given (scikit-learn's StratifiedShuffleSplit, Brain-Score's protocol).

    All are drawn with `protocol["seed"]`. Raises InputError if there are too few stimuli.
    """
    arguments = {key: value for key, value in protocol.items() if key not in ("kind", "order")}
    kind = protocol["kind"]
    if kind not in _KINDS:
        raise UnknownNameError.among("kind of split", kind, _KINDS)
    if stimuli < 8:
        raise InputError(f"{stimuli} stimuli are too few to hold some out; at least 8 are needed")
    if kind == "shuffle":
        return _shuffle(stimuli, strata=strata, **arguments)
    return _KINDS[kind](stimuli, **arguments)


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

    splitter = KFold(folds, shuffle=True, random_state=seed)
    return [Split(train, test) for train, test in splitter.split(np.zeros(stimuli))]


def _shuffle(
    stimuli: int, *, count: int, train: float, seed: int, strata: Sequence[Any] | None = None
) -> list[Split]:
    from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

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


_KINDS: Final[Mapping[str, Callable[..., list[Split]]]] = {
    "halves": _halves,
    "k-fold": _k_fold,
    "shuffle": _shuffle,
}
