"""RDMs of models beside the brain's: on the page that compares, and on a model's own."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fastapi.testclient import TestClient
from isocortex.web.app import create_app
from isocortex.web.images import heat_png
from isocortex.web.matrix_views import percentiles, spearman
from PIL import Image
from scipy import stats
from tests.kept_rdms import answers, record_with_rdm, stimuli
from tests.made_up_scores import benchmark_facts, candidate_facts, made_up_score, record_score
from tests.owned import own
from tests.web.browsers import read_page

from isocortex.matrices import Matrix, read_matrix, write_matrices
from isocortex.scores import ALL_LAYERS
from isocortex.store import Store, open_store

IT = "simulated/IT/rsa"
BOTH = "/compare?model=net/one%230&model=net/two"
PICTURE = re.compile(r'<img class="matrix" src="([^"]+)" width="\d+" height="\d+" alt="([^"]+)"')


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two networks that keep RDMs on IT and none on V1, one that keeps none, and the brain's."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("matrices")
        patch.setenv("ISOCORTEX_HOME", str(folder))
        write_matrices("simulated")
        with open_store() as store:
            for seed, name in enumerate(("net/one#0", "net/two")):
                record_with_rdm(store, name, IT, layer=answers(seed), raw=0.3)
                old = benchmark_facts("another/V1/rsa", simulated=True)
                record_score(store, candidate_facts(name), old, 0.7)
            record_score(store, candidate_facts("net/old"), benchmark_facts(IT, simulated=True))
        yield folder


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[TestClient]:
    with TestClient(create_app(), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def fresh(empty_home: Path) -> Iterator[Store]:
    with open_store() as store:
        yield store


def opened(store: Store) -> TestClient:
    return TestClient(create_app(str(store.engine.url)), raise_server_exceptions=False)


def pictures(html: str) -> list[tuple[str, str]]:
    """Address and words of each RDM of a page."""
    return [(unescape(address), unescape(words)) for address, words in PICTURE.findall(html)]


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(content)).convert("RGB"))


def plain(html: str) -> str:
    """What a page says, on one line."""
    return " ".join(unescape(re.sub(r"<(?!img)[^>]*>", "", html)).split())


def test_the_brain_and_the_models_stand_side_by_side(client: TestClient) -> None:
    html = read_page(client, BOTH)
    brain, one, two = pictures(html)
    assert brain[0] == "/matrices/simulated/IT.png?ranks=true"
    assert [each[1].partition(":")[0] for each in (one, two)] == ["net/one#0", "net/two"]
    assert f"dissimilarities between {len(stimuli())} stimuli, from 0." in one[1]
    for address, _ in (brain, one, two):
        assert client.get(address).headers["content-type"] == "image/png"
    assert "each matrix is drawn by the ranks of its own dissimilarities" in plain(html)


def test_a_picture_shows_the_ranks_of_what_is_kept(client: TestClient) -> None:
    address = pictures(read_page(client, BOTH))[1][0]
    expected = percentiles(1 - np.corrcoef(answers(0).values))
    assert (pixels(client.get(address).content) == pixels(heat_png(expected))).all()


def test_the_brain_is_drawn_by_ranks_only_where_it_is_asked_for(client: TestClient) -> None:
    found = read_matrix("simulated", "IT")
    assert found is not None
    for query, values in (("", found.values), ("?ranks=true", percentiles(found.values))):
        content = client.get(f"/matrices/simulated/IT.png{query}").content
        assert (pixels(content) == pixels(heat_png(values))).all()


def test_correlations_are_spearmans_over_the_pairs(client: TestClient) -> None:
    brain = read_matrix("simulated", "IT")
    assert brain is not None
    matrices = [np.array(brain.values), *(1 - np.corrcoef(answers(seed)) for seed in (0, 1))]
    pairs = [each[np.triu_indices(len(each), k=1)] for each in matrices]
    html = read_page(client, BOTH)
    table = html[html.index("Spearman's ρ between each two") :]
    numbers = [
        float(each.replace("−", "-"))
        for each in re.findall(r'<td class="number">([^<]+)</td>', table[: table.index("</table>")])
    ]
    expected = [stats.spearmanr(a, b)[0] for a in pairs for b in pairs if a is not b]
    np.testing.assert_allclose(numbers, expected, rtol=0, atol=0.5e-3 + 1e-6)


def test_the_first_benchmark_with_rdms_is_shown_unless_another_is_asked_for(
    client: TestClient,
) -> None:
    """Of "another/V1" nothing is kept, and it comes first."""
    assert f"<option selected>{IT}</option>" in read_page(client, BOTH)
    html = read_page(client, f"{BOTH}&on=another/V1/rsa")
    assert "<option selected>another/V1/rsa</option>" in html
    assert pictures(html) == []
    for name in ("net/one#0", "net/two"):
        assert f"No RDM of {name} on another/V1/rsa: it was scored before RDMs" in plain(html)
    assert "Score again with --force" in plain(html)


@pytest.mark.parametrize("path", [f"{BOTH}&on=none/IT/rsa", "/models/net/two?on=none/IT/rsa"])
def test_a_benchmark_that_is_not_there_is_refused(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_a_score_without_an_rdm_stands_beside_those_with_one(client: TestClient) -> None:
    html = read_page(client, "/compare?model=net/old&model=net/two")
    assert [words.partition(":")[0] for _, words in pictures(html)] == ["Brain", "net/two"]
    assert "No RDM of net/old on simulated/IT/rsa: it was scored before" in plain(html)


def test_the_form_keeps_the_models_and_needs_no_script(client: TestClient) -> None:
    html = read_page(client, BOTH)
    form = html[html.index('action="/compare#rdms"') :]
    form = form[: form.index("</form>")]
    assert re.findall(r'name="model" value="([^"]+)"', form) == ["net/one#0", "net/two"]
    assert "<button>" in form


def test_a_models_page_shows_its_best_similarity_that_keeps_an_rdm(client: TestClient) -> None:
    """It scores higher on "another/V1", of which nothing is kept."""
    html = read_page(client, "/models/net/one%230")
    assert [words.partition(":")[0] for _, words in pictures(html)] == ["Brain", "net/one#0"]
    assert re.search(r"Spearman's ρ between the two is −?0\.\d{3} over the", plain(html))
    options = html[html.index('name="on"') : html.index("</select>", html.index('name="on"'))]
    assert re.findall(r"<option[^>]*>([^<]+)<", options) == ["another/V1/rsa", IT]
    other = read_page(client, "/models/net/one%230?on=another/V1/rsa")
    assert pictures(other) == []
    assert "it was scored before RDMs were kept" in plain(other)


def test_without_the_brains_matrix_the_models_are_shown_and_it_is_said(fresh: Store) -> None:
    for seed, name in enumerate(("a", "b")):
        record_with_rdm(fresh, name, layer=answers(seed))
    with opened(fresh) as client:
        html = read_page(client, "/compare?model=a&model=b")
    assert [words.partition(":")[0] for _, words in pictures(html)] == ["a", "b"]
    assert "was not made here yet: isocortex matrices simulated" in plain(html)


def test_a_matrix_of_other_stimuli_is_not_set_beside(fresh: Store) -> None:
    write_matrices("simulated")
    record_with_rdm(fresh, "a", layer=answers(0)[::-1])
    with opened(fresh) as client:
        html = read_page(client, "/models/a")
    assert [words.partition(":")[0] for _, words in pictures(html)] == ["a"]
    assert "is of other stimuli; make it anew" in plain(html)


def test_an_estimate_is_called_one(fresh: Store) -> None:
    record_with_rdm(fresh, "a", layer=answers(0), layer_units=70_000, layer_projected_to=4096)
    with opened(fresh) as client:
        told = plain(read_page(client, "/models/a"))
    assert "of 70,000 units, estimated from a random projection to 4,096 dimensions, in" in told


def test_a_stimulus_without_a_pattern_is_white_and_explained(fresh: Store) -> None:
    layer = answers(0)
    layer[3] = 1.0
    record_with_rdm(fresh, "a", layer=layer)
    with opened(fresh) as client:
        html = read_page(client, "/models/a")
        found = pixels(client.get(pictures(html)[0][0]).content)
    assert "White are the pairs of a stimulus to which all units answer alike" in plain(html)
    assert (found[3, :3] == 255).all()
    assert not (found[0, :3] == 255).all()


def test_lost_arrays_are_said_to_be_lost(fresh: Store) -> None:
    record_with_rdm(fresh, "a", layer=answers(0))
    shutil.rmtree(fresh.artifacts.folder)
    with opened(fresh) as client:
        html = read_page(client, "/models/a")
        assert client.get("/matrices/1.png?model=a").status_code == 503
    assert "Some figures are missing" in html
    assert pictures(html) == []


def test_the_rdm_of_a_private_model_is_its_owners(fresh: Store) -> None:
    ada, bob = (fresh.accounts.create(name) for name in ("ada", "bob"))
    record_with_rdm(fresh, "open", layer=answers(0))
    secret = record_with_rdm(fresh, "ada/net", layer=answers(1))
    own(fresh, "ada/net", ada.id, "private")
    tokens = [fresh.accounts.make_token(each.id, "t", ["read"], None)[0] for each in (ada, bob)]
    hers, his = ({"Authorization": f"Bearer {token}"} for token in tokens)
    address = f"/matrices/{secret}.png?model=ada/net"
    with opened(fresh) as client:
        assert client.get(address, headers=hers).status_code == 200
        for path in (address, f"/matrices/{secret}.png", f"/matrices/{secret}.png?model=open"):
            for headers in ({}, his):
                assert client.get(path, headers=headers).status_code == 404, path
        both = "/compare?model=open&model=ada/net"
        assert address in dict(pictures(client.get(both, headers=hers).text))
        assert client.get(both).status_code == 404


def test_an_unlisted_models_rdm_is_had_by_its_name(fresh: Store) -> None:
    ada = fresh.accounts.create("ada")
    score = record_with_rdm(fresh, "ada/net", layer=answers(1))
    own(fresh, "ada/net", ada.id, "unlisted")
    with opened(fresh) as client:
        ((address, _),) = pictures(read_page(client, "/models/ada/net"))
        assert client.get(address).status_code == 200
        assert client.get(f"/matrices/{score}.png").status_code == 404


def test_a_score_without_an_rdm_has_no_picture(client: TestClient) -> None:
    (old,) = client.get("/api/v1/scores?model=net/old").json()["items"]
    answer = client.get(f"/matrices/{old['id']}.png")
    assert answer.status_code == 404
    assert "keeps no matrix" in answer.text
    assert client.get("/matrices/99999.png").status_code == 404


def test_the_arrays_of_a_score_hold_its_rdm(client: TestClient) -> None:
    scores = client.get("/api/v1/scores?model=net/one%230").json()["items"]
    one = next(each for each in scores if each["benchmark"] == IT)
    content = client.get(f"/api/v1/scores/{one['id']}/detail.nc").content
    detail = xr.load_dataset(BytesIO(content), engine="scipy")
    assert [str(each) for each in detail.rdm_stimulus.values] == list(stimuli())
    expected = 1 - np.corrcoef(answers(0))
    pairs = expected[np.triu_indices(len(expected), k=1)]
    np.testing.assert_allclose(detail.layer_rdm.values, pairs, rtol=0, atol=1e-6)


def test_a_score_of_all_layers_together_has_no_rdm_and_leaves_the_page_standing(
    fresh: Store,
) -> None:
    facts, measured = candidate_facts("a"), benchmark_facts("simulated/IT/banded-ridge")
    score = made_up_score(facts, measured)
    detail = score.detail.drop_vars(["layer_score", "layer"]).assign(layer_score=("layer", [0.4]))
    with fresh.record(facts, measured, seed=0) as run:
        together = detail.assign_coords(layer=[ALL_LAYERS])
        run.keep(replace(score, layer=ALL_LAYERS, detail=together))
    record_score(fresh, facts, benchmark_facts())
    with opened(fresh) as client:
        told = plain(read_page(client, "/models/a?on=simulated/IT/banded-ridge"))
    assert "No RDM of a on simulated/IT/banded-ridge: its score is of all layers together." in told
    assert "Score of each layer on each benchmark" in told


def matrix(values: list[list[float]], stimuli: tuple[str, ...] = ("a", "b", "c")) -> Matrix:
    return Matrix("d", "r", stimuli, 3, "", tuple(map(tuple, values)))


def test_percentiles_share_ties_and_leave_out_what_is_undefined() -> None:
    nan = float("nan")
    given = [[0, 1.0, 3.0, nan], [1.0, 0, 1.0, 5.0], [3.0, 1.0, 0, 9.0], [nan, 5.0, 9.0, 0]]
    tied, third, fourth = ((1 + 2) / 2 - 1) / 4, 2 / 4, 3 / 4
    np.testing.assert_array_equal(
        percentiles(given),
        [
            [0, tied, third, nan],
            [tied, 0, tied, fourth],
            [third, tied, 0, 1],
            [nan, fourth, 1, 0],
        ],
    )


def test_a_correlation_needs_the_same_stimuli_and_sides_that_vary() -> None:
    varied = matrix([[0, 1, 2], [1, 0, 3], [2, 3, 0]])
    assert spearman(varied, varied) == pytest.approx(1)
    assert spearman(varied, matrix([[0, 1, 2], [1, 0, 3], [2, 3, 0]], ("a", "c", "b"))) is None
    assert spearman(varied, matrix([[0, 1, 1], [1, 0, 1], [1, 1, 0]])) is None
    nan = float("nan")
    falling = matrix([[0, nan, 2], [nan, 0, 1], [2, 1, 0]])
    assert spearman(varied, falling) == pytest.approx(-1)
