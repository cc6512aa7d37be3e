"""Shares of variance agree with regressions, and name what a planted effect follows."""

from itertools import product

import numpy as np
import pytest
import xarray as xr

from isocortex.attribution import crossed_values, variance_shares
from isocortex.errors import InputError

LEVELS = {"architecture": ["a", "b", "c"], "objective": ["x", "y"], "rule": ["p", "q", "r", "s"]}


def values(seeds=3, rng=0, **effects):
    """Noise of spread 1 on a crossing, and what each component adds by its level's place."""
    sizes = {name: len(each) for name, each in LEVELS.items()}
    noise = np.random.default_rng(rng).standard_normal((*sizes.values(), seeds))
    found = xr.DataArray(noise, dims=(*LEVELS, "seed"), coords={**LEVELS, "seed": range(seeds)})
    for name, size in effects.items():
        found = found + size * xr.DataArray(np.arange(sizes[name]), dims=name)
    return found.transpose(*LEVELS, "seed")


def dummies(places, count):
    return (places[:, None] == np.arange(1, count)).astype(float)


def regression_shares(table):
    """Sums of squares as what each group of dummies adds to a regression, in order."""
    rows = list(product(*(range(size) for size in table.shape)))
    places = np.array(rows)
    main = [dummies(places[:, axis], table.shape[axis]) for axis in range(3)]
    groups = {name: main[axis] for axis, name in enumerate(LEVELS)}
    for one, other in ((0, 1), (0, 2), (1, 2)):
        names = f"{list(LEVELS)[one]} × {list(LEVELS)[other]}"
        groups[names] = np.einsum("ni,nj->nij", main[one], main[other]).reshape(len(rows), -1)
    whole = np.einsum("ni,nj,nk->nijk", *main).reshape(len(rows), -1)
    groups[" × ".join(LEVELS)] = whole
    y = table.values.ravel()
    design, left, found = np.ones((len(rows), 1)), ((y - y.mean()) ** 2).sum(), {}
    for name, group in groups.items():
        design = np.hstack([design, group])
        fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
        after = ((y - fitted) ** 2).sum()
        found[name], left = left - after, after
    total = ((y - y.mean()) ** 2).sum()
    return {name: squares / total for name, squares in {**found, "seeds": left}.items()}


def test_shares_are_those_of_a_regression_and_add_up_to_1():
    table = values(objective=0.7)
    found = variance_shares(table).eta_squared
    expected = regression_shares(table)
    assert found.source.values.tolist() == list(expected)
    np.testing.assert_allclose(found, list(expected.values()), rtol=1e-9)
    assert float(found.sum()) == pytest.approx(1, abs=1e-12)


def test_p_of_one_component_is_that_of_scipy():
    from scipy import stats

    table = values(rule=0.3).isel(architecture=0, objective=0, drop=True)
    groups = [table.isel(rule=place).values for place in range(4)]
    found = float(variance_shares(table).p.sel(source="rule"))
    assert found == pytest.approx(stats.f_oneway(*groups).pvalue, rel=1e-9)


def test_a_planted_effect_is_named_and_noise_is_not():
    found = variance_shares(values(seeds=4, rule=1.0))
    assert found.eta_squared.sel(source="rule") > 0.4
    assert found.p.sel(source="rule") < 1e-6
    assert found.omega_squared.sel(source="rule") < found.eta_squared.sel(source="rule")
    p = [float(variance_shares(values(rng=seed)).p.sel(source="rule")) for seed in range(400)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_without_noise_only_what_has_an_effect_is_named():
    effect = xr.DataArray([0.1, 0.3, 0.7, 0.2], dims="rule")
    p = variance_shares((0 * values() + effect).transpose(*values().dims)).p
    expected = {name: float(name != "rule") for name in p.source.values if name != "seeds"}
    assert {name: float(p.sel(source=name)) for name in expected} == expected


def test_numbers_of_recipes_are_crossed():
    recipes = {
        f"{a}/{o}/{r}@d:smoke#{seed}": place
        for place, (a, o, r, seed) in enumerate(product("ab", "xy", "pq", range(2)))
    }
    found = crossed_values(recipes)
    assert found.dims == ("architecture", "objective", "rule", "seed")
    assert float(found.sel(architecture="b", objective="x", rule="q", seed=1)) == 11
    with pytest.raises(InputError, match="1 of 16 crossed cells have no value"):
        crossed_values({n: v for n, v in recipes.items() if n != "a/x/p@d:smoke#0"})
    with pytest.raises(InputError, match="no network has a value"):
        crossed_values({})
    with pytest.raises(InputError, match="2 diets, budgets or constraints"):
        crossed_values(recipes | {"a/x/p@e:smoke#0": 1.0})


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        (values(seeds=1), "two or more of each"),
        (values().where(values() < 1), "values are missing"),
        (xr.zeros_like(values()), "all values are equal"),
        (values().rename(seed="repeat"), "expected components × seed"),
    ],
)
def test_what_cannot_be_attributed_is_refused(table, fault):
    with pytest.raises(InputError, match=fault):
        variance_shares(table)
