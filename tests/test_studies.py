"""The identification study finds what is planted, and only that."""

import json
from itertools import product

import numpy as np
import pytest
import xarray as xr
from studies import identification
from studies.identification import (
    exchanged,
    in_cells,
    labels_of,
    main,
    named_by_forest,
    named_by_nearest,
    outcome,
    periods,
)
from studies.networks import PARTS, gather, network_at, standardised_ranks

from isocortex.budgets import BUDGETS, Budget
from isocortex.errors import InputError
from isocortex.shipped import shipped_path
from isocortex.trained import train_recipe, write_network
from isocortex.training import Run, grid, train
from tests.scorers.pairs import similarity

SEEDS, EXCHANGES = 2, 4
VALUES = ("first", "second", "third")


def planted(statistics: np.ndarray, *, order: np.ndarray | None = None) -> xr.Dataset:
    """27 cells × 2 seeds with those statistics (network, statistic); like ones are similar."""
    networks = np.array(list(product(VALUES, VALUES, VALUES, range(SEEDS))))
    apart = np.linalg.norm(statistics[:, None] - statistics, axis=2)
    table = xr.Dataset(
        {
            "rsa": (("network", "brain"), -apart),
            "statistics": (("network", "statistic"), statistics),
        },
        coords={
            name: ("network", networks[:, place]) for place, name in enumerate((*PARTS, "seed"))
        },
    )
    return table if order is None else table.isel(network=order, brain=order)


def noise(count: int = 54, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4))


def fingerprints() -> np.ndarray:
    """Statistics that are a cell's own, and nothing that cells share."""
    return np.repeat(noise(27), SEEDS, axis=0) + 0.01 * noise(seed=1)


def of_rules() -> np.ndarray:
    """Statistics that all cells of a rule share."""
    return np.tile(np.repeat(3 * noise(3), SEEDS, axis=0), (9, 1)) + noise(seed=1)


def by_nearest(table: xr.Dataset, part: str):
    named = named_by_nearest(table, table.rsa.values, part)
    return outcome(table, named, part=part, measure="rsa", when="endpoint")


def by_forest(table: xr.Dataset, held_out: str):
    named = named_by_forest(table, held_out, exchanges=EXCHANGES)
    return outcome(table, named, part="rule", measure="forest", when="endpoint")


def test_whoever_knows_each_cell_names_its_parts_but_by_heart():
    for part in PARTS:
        found = by_nearest(planted(fingerprints()), part)
        assert (found.share, found.fewest, found.most, found.cells) == (1, 27, 27, 27)
        assert found.p < 0.001
        assert (found.by_heart, found.p_by_heart) == (1, 1)


def test_a_mark_of_the_rule_names_rules_and_neither_architectures_nor_objectives():
    table = planted(of_rules())
    rule = by_nearest(table, "rule")
    assert rule.share > 0.9
    assert rule.low <= rule.share <= rule.high
    assert rule.by_heart < 0.5 > by_nearest(table, "objective").share
    assert rule.p_by_heart < 0.001 < by_nearest(table, "objective").p


def test_noise_names_parts_by_chance():
    found = by_nearest(planted(noise()), "rule")
    assert found.low < 1 / 3 < found.high
    assert found.p > 0.05


def test_a_forest_names_new_cells_only_by_what_cells_share(monkeypatch):
    monkeypatch.setattr(identification, "TREES", 20)
    shared, own = by_forest(planted(of_rules()), "objective"), planted(fingerprints())
    assert shared.share > 0.9
    assert shared.p_by_heart == 1 / (1 + EXCHANGES)
    by_heart = by_forest(own, "seed")
    assert by_heart.share > 0.9 < by_heart.by_heart
    assert by_forest(own, "objective").share < 0.6


def test_the_order_of_the_networks_does_not_matter():
    order = np.random.default_rng(0).permutation(54)
    shuffled = in_cells(planted(of_rules(), order=order))
    xr.testing.assert_equal(shuffled, planted(of_rules()))


def test_a_grid_with_a_gap_or_one_seed_is_refused():
    table = planted(noise())
    for kept in (np.arange(53), np.arange(0, 54, 2)):
        with pytest.raises(InputError, match=r"3 × 3 × 3 × [12] architectures.*; expected all"):
            in_cells(table.isel(network=kept, brain=kept))


def test_a_similarity_that_is_missing_is_never_the_largest():
    table = planted(fingerprints())
    table.rsa[10:12] = np.nan
    assert by_nearest(table, "rule").share == pytest.approx(26 / 27)


def test_names_are_exchanged_between_cells_that_differ_in_one_part_alone():
    table = planted(noise())
    for labels in exchanged(table, "rule", 20):
        assert sorted(labels) == sorted(labels_of(table, "rule"))
        assert all(len(set(labels[start : start + 3])) == 3 for start in range(0, 27, 3))
    assert any((labels != labels_of(table, "rule")).any() for labels in exchanged(table, "rule", 2))


def test_products_of_ranks_are_the_scorer_rsa():
    first, second = np.random.default_rng(0).normal(size=(2, 20, 30))
    product_of_ranks = standardised_ranks(first) @ standardised_ranks(second)
    assert product_of_ranks == pytest.approx(similarity("rsa", first, second), abs=1e-6)
    assert not standardised_ranks(np.ones((20, 30))).any()


@pytest.fixture
def trained(monkeypatch, empty_home):
    """A grid of two rules × two seeds, trained for ten steps."""
    monkeypatch.setitem(BUDGETS, "brief", Budget("brief", 10))
    parts = {"architectures": ["conv4"], "objectives": ["categorise"], "diets": ["digits"]}
    cells = grid(**parts, rules=["backprop", "feedback"], seeds=[0, 1], budget="brief")
    return list(cells)


def test_a_table_holds_every_checkpoint_of_trained_networks(trained, capsys, monkeypatch):
    with pytest.raises(InputError, match=r"conv4/categorise/backprop@digits:brief#0 has no chec"):
        gather(trained, stimuli=12, depths=3, trajectory=True)
    networks = [train_recipe(each.name).network for each in trained]
    table = gather(trained, stimuli=12, depths=3, trajectory=True)
    assert table.step.values.tolist()[0] == 0
    assert table.step.values.tolist()[-1] == 10
    rsa = table.rsa.transpose("step", "network", "brain").values
    np.testing.assert_allclose(rsa[:, range(4), range(4)], 1, atol=1e-5)
    first, last = table.statistics.isel(step=0), table.statistics.isel(step=-1)
    np.testing.assert_array_equal(first[0], first[2])  # seed 0 of both rules
    assert not np.array_equal(last[0], last[2], equal_nan=True)
    weights = network_at(Run.begin(trained[3], "cpu"), 10).state_dict()
    assert all((value == weights[name]).all() for name, value in networks[3].state_dict().items())
    options = "--architectures conv4 --objectives categorise --rules backprop feedback --seeds 0 1"
    options += " --diet digits --budget brief --stimuli 12 --depths 3 --exchanges 1 --trajectory"
    monkeypatch.setattr("sys.argv", ["identification", *options.split()])
    main()
    outcomes = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {each["measure"] for each in outcomes} == {"rsa", "activity", "forest, another seed"}
    assert {each["part"] for each in outcomes} == {"rule"}


def test_shipped_networks_suffice_for_the_endpoint(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("isocortex.shipped.shipped_folder", lambda: tmp_path)
    for recipe in trained:
        write_network(train(recipe), shipped_path(recipe))
    table = gather(trained, stimuli=12, depths=3, trajectory=False)
    assert table.step.values.tolist() == [0, 10]
    assert set(periods(table)) == {"untrained", "endpoint"}
    kept = [train_recipe(each.name) for each in trained]
    again = gather(trained, stimuli=12, depths=3, trajectory=False)
    assert len(kept) == 4
    np.testing.assert_allclose(table.rsa, again.rsa, atol=0.02)  # weights in half precision
