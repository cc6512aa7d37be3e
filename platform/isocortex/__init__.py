"""Compares neural networks with brains: by objective, architecture and learning rule.

The public names below are loaded when they are first used, so that `import isocortex` is light.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agreements import agreement as agreement
    from .agreements import plot_agreement as plot_agreement
    from .agreements import score_table as score_table
    from .answers import Engine as Engine
    from .attribution import variance_shares as variance_shares
    from .benchmarks import Benchmark as Benchmark
    from .benchmarks import load_benchmark as load_benchmark
    from .benchmarks import load_dataset as load_dataset
    from .benchmarks import load_scorer as load_scorer
    from .benchmarks import offered_benchmarks as offered_benchmarks
    from .candidates import Candidate as Candidate
    from .candidates import Preprocessing as Preprocessing
    from .candidates import as_candidate as as_candidate
    from .cards import CandidateCard as CandidateCard
    from .cards import DatasetCard as DatasetCard
    from .cards import ScorerCard as ScorerCard
    from .client.remote import Client as Client
    from .errors import IsocortexError as IsocortexError
    from .evaluation import evaluate as evaluate
    from .extraction import extract_geometries as extract_geometries
    from .extraction import extract_responses as extract_responses
    from .geometry import Brain as Brain
    from .geometry import Dissimilarities as Dissimilarities
    from .geometry import Geometry as Geometry
    from .geometry import geometry_of as geometry_of
    from .inference import adjusted_p_values as adjusted_p_values
    from .inference import max_statistic_p_values as max_statistic_p_values
    from .inference import p_values as p_values
    from .planning import plan_extraction as plan_extraction
    from .recipes import Recipe as Recipe
    from .recipes import grid as grid
    from .recordings import Recording as Recording
    from .registry import candidate as candidate
    from .registry import candidate_family as candidate_family
    from .registry import dataset as dataset
    from .registry import entries as entries
    from .registry import scorer as scorer
    from .reliability import explained_signal_variance as explained_signal_variance
    from .reliability import noise_corrected_correlation as noise_corrected_correlation
    from .reliability import signal_ceiling as signal_ceiling
    from .reliability import signal_reliability as signal_reliability
    from .resampling import bootstrap as bootstrap
    from .resampling import jackknife as jackknife
    from .resampling import permutation_null as permutation_null
    from .responses import Choices as Choices
    from .responses import Responses as Responses
    from .responses import Trials as Trials
    from .runs import load_candidate as load_candidate
    from .runs import score as score
    from .runs import score_all as score_all
    from .scores import Score as Score
    from .stimuli import StimulusSet as StimulusSet
    from .store import Store as Store
    from .store import open_store as open_store
    from .trained import find_trained as find_trained
    from .trained import plot_history as plot_history
    from .trained import read_network as read_network
    from .trained import train as train
    from .trained import train_all as train_all
    from .trained import train_recipe as train_recipe
    from .trained import write_network as write_network

__version__ = "0.1.0"

_NAMES = {
    "agreements": ("agreement", "plot_agreement", "score_table"),
    "answers": ("Engine",),
    "attribution": ("variance_shares",),
    "benchmarks": (
        "Benchmark",
        "load_benchmark",
        "load_dataset",
        "load_scorer",
        "offered_benchmarks",
    ),
    "candidates": ("Candidate", "Preprocessing", "as_candidate"),
    "cards": ("CandidateCard", "DatasetCard", "ScorerCard"),
    "client.remote": ("Client",),
    "errors": ("IsocortexError",),
    "evaluation": ("evaluate",),
    "extraction": ("extract_geometries", "extract_responses"),
    "geometry": ("Brain", "Dissimilarities", "Geometry", "geometry_of"),
    "inference": ("adjusted_p_values", "max_statistic_p_values", "p_values"),
    "planning": ("plan_extraction",),
    "recipes": ("Recipe", "grid"),
    "recordings": ("Recording",),
    "registry": ("candidate", "candidate_family", "dataset", "entries", "scorer"),
    "reliability": (
        "explained_signal_variance",
        "noise_corrected_correlation",
        "signal_ceiling",
        "signal_reliability",
    ),
    "resampling": ("bootstrap", "jackknife", "permutation_null"),
    "responses": ("Choices", "Responses", "Trials"),
    "runs": ("load_candidate", "score", "score_all"),
    "scores": ("Score",),
    "stimuli": ("StimulusSet",),
    "store": ("Store", "open_store"),
    "trained": (
        "find_trained",
        "plot_history",
        "read_network",
        "train",
        "train_all",
        "train_recipe",
        "write_network",
    ),
}
_HOME_OF = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
