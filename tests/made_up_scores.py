"""Stores of made-up scores, filled through the public way of writing and no other."""

from typing import Any

import numpy as np
import xarray as xr

from isocortex.cards import CandidateCard, DatasetCard, ScorerCard, card_facts
from isocortex.fingerprints import fingerprint
from isocortex.scores import Ceiling, Score, normalise
from isocortex.store import BenchmarkFacts, CandidateFacts, DatasetFacts, ScorerFacts, Store

HEBBIAN = {"learning_rule": "hebbian", "objective": "cluster-inputs", "diet": "cifar-10"}
LAYERS = ("block1", "block2", "block3", "block4")
SUBJECTS = ("subject01", "subject02", "subject03")


def candidate_facts(name: str = "net", *, version: int = 1, **components: str) -> CandidateFacts:
    """A candidate; `version` stands for anything that changes its fingerprint."""
    terms = {"architecture": "residual", "objective": "categorise", "learning_rule": "backprop"}
    card = CandidateCard(
        name=name,
        summary="A made-up network.",
        **{**terms, "diet": "imagenet-1k", **components},
        source="Nobody et al. 2026",
        bibtex="@article{nobody2026,\n  title = {Made up},\n  year = {2026}\n}",
        licence="BSD-3-Clause",
        preprocessing={"resize": 256, "crop": 224},
        seed=0,
    )
    return CandidateFacts(
        card=card_facts(card),
        fingerprint=fingerprint({"name": name, "version": version}),
        weights_hash=fingerprint({"weights": name}),
        parameters=1_234_567,
        layers=LAYERS,
    )


def benchmark_facts(
    name: str = "faces/IT/rsa",
    *,
    version: int = 1,
    simulated: bool = False,
    normalisation: str = "ratio",
) -> BenchmarkFacts:
    """A benchmark whose name is dataset/region/scorer."""
    dataset, region, scorer = name.split("/")
    dataset_card = DatasetCard(
        name=dataset,
        summary="Made-up recordings.",
        version=1,
        species="human",
        method="fMRI",
        recorded="dissimilarities",
        regions=(region,),
        benchmarks=((region, scorer),),
        simulated=simulated,
        source="Nobody et al. 2026",
        bibtex="",
        licence="CC0",
    )
    return BenchmarkFacts(
        name=name,
        fingerprint=fingerprint({"name": name, "version": version}),
        dataset=DatasetFacts(
            card=card_facts(dataset_card), content_hash=fingerprint({"of": dataset})
        ),
        scorer=_scorer_facts(scorer, normalisation),
        region=region,
        protocol={"version": version, "seed": 0},
        normalisation=normalisation,
    )


def made_up_score(
    candidate: CandidateFacts,
    benchmark: BenchmarkFacts,
    raw: float = 0.4,
    *,
    ceiling: Ceiling | None = Ceiling(lower=0.5, upper=0.8),  # noqa: B008 - frozen
    draws: Any = None,
) -> Score:
    """A score of `raw`; without `draws`, its resamples spread by 0.05 around it."""
    noise = np.random.default_rng(0).normal(0, 0.05, 200)
    draws = raw + noise if draws is None else np.asarray(draws, dtype=float)
    low, high = np.percentile(draws, [2.5, 97.5])
    return Score(
        candidate=candidate.name,
        benchmark=benchmark.name,
        raw=raw,
        ceiling=ceiling,
        value=normalise(raw, ceiling, benchmark.normalisation),
        low=float(low),
        high=float(high),
        confidence=0.95,
        resampled=("stimuli", "subjects"),
        layer="block3",
        counts={"stimuli": 92, "subjects": len(SUBJECTS)},
        detail=_detail(raw, draws, benchmark.normalisation),
    )


def record_score(
    store: Store,
    candidate: CandidateFacts,
    benchmark: BenchmarkFacts,
    raw: float = 0.4,
    **score: Any,
) -> int:
    """Record such a score; its id."""
    with store.record(candidate, benchmark, seed=0) as run:
        return run.keep(made_up_score(candidate, benchmark, raw, **score))


def fill_store(store: Store) -> None:
    """Three models on two benchmarks; the last model lacks one, and one has no ceiling."""
    benchmarks = [benchmark_facts("faces/IT/rsa"), benchmark_facts("faces/V1/rsa")]
    for number, benchmark in enumerate(benchmarks):
        record_score(store, candidate_facts("family/best#0"), benchmark, 0.6)
        record_score(store, candidate_facts("family/hebb", **HEBBIAN), benchmark, 0.3)
        if number == 0:
            record_score(store, candidate_facts("family/partial"), benchmark, -0.1)
    noiseless = benchmark_facts("monkey/IT/rsa")
    record_score(store, candidate_facts("family/best#0"), noiseless, 0.2, ceiling=None)


def _scorer_facts(name: str, normalisation: str) -> ScorerFacts:
    card = ScorerCard(
        name=name,
        summary="A made-up scorer.",
        family="similarity",
        accepts=("dissimilarities",),
        invariant_to=("stimulus order",),
        range=(-1, 1),
        splits={},
        normalisation=normalisation,
        answers="Whether the same stimuli look alike to network and brain.",
        source="Nobody et al. 2026",
        bibtex="",
    )
    made = {"name": name, "normalisation": normalisation}
    return ScorerFacts(card=card_facts(card), options={}, fingerprint=fingerprint(made))


def _detail(raw: float, draws: Any, normalisation: str) -> xr.Dataset:
    profile = np.array([0.4, 0.8, 1.0, 0.7])
    return xr.Dataset(
        {
            "layer_score": ("layer", raw * profile),
            "subject_score": ("subject", raw + np.array([-0.02, 0.0, 0.02])),
            "fold_score": ("fold", [raw, raw]),
            "fold_layer": ("fold", ["block3", "block3"]),
            "resampled_raw": ("resample", draws),
        },
        coords={"layer": list(LAYERS), "subject": list(SUBJECTS)},
        attrs={"normalisation": normalisation},
    )
