"""The registry reads cards from source: nothing runs, and every fault is named with its place."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from isocortex import registry
from isocortex.benchmarks import offered_benchmarks, split_name
from isocortex.cards import CandidateCard
from isocortex.errors import CardError, DuplicateEntryError, UnknownNameError

SCORER = """
from isocortex.registry import scorer

@scorer(
    name={name!r},
    summary="a test", family="similarity", accepts=("responses",), invariant_to=("rotation",),
    range=(0.0, 1.0), splits={{"kind": "halves", "scored": 100, "seed": 0}},
    answers="?", source="none", bibtex="", {more}
)
def measure(model, brain):
    raise RuntimeError("listing must not run this")

raise RuntimeError("listing must not import this")
"""


def write(folder: Path, *, name: str = "mine", more: str = "", file: str = "mine.py") -> Path:
    path = folder / file
    path.write_text(textwrap.dedent(SCORER).format(name=name, more=more))
    return path


def test_a_card_is_read_without_running_the_file(tmp_path):
    (entry,) = registry.read_entries(write(tmp_path), "third.party")
    assert (entry.kind, entry.name, entry.function) == ("scorer", "mine", "measure")
    assert entry.place == f"{tmp_path / 'mine.py'}:4"


def test_variants_share_a_function_and_differ_in_facts(tmp_path):
    more = 'variants={"a": {"summary": "first"}, "b": {"summary": "second"}}'
    found = list(registry.read_entries(write(tmp_path, more=more), "third.party"))
    assert [(entry.name, entry.card.summary) for entry in found] == [
        ("a", "first"),
        ("b", "second"),
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("options=dict(a=1)", r"mine.py:4: options is not literal"),
        ("**FACTS", r"mine.py:4: a card is written as plain keywords"),
        ("colour='red'", r"mine.py:4: the scorer card 'mine' has no field colour"),
        ("normalisation='squared'", r"normalisation is 'squared'; choose from ratio"),
    ],
)
def test_a_faulty_card_is_named_with_its_place(tmp_path, more, message):
    with pytest.raises(CardError, match=message):
        list(registry.read_entries(write(tmp_path, more=more), "third.party"))


def test_all_missing_fields_are_named_at_once(tmp_path):
    path = tmp_path / "short.py"
    path.write_text("@dataset(name='short', version=1)\ndef short(card): ...\n")
    with pytest.raises(CardError, match="lacks benchmarks, bibtex, licence, method, recorded"):
        list(registry.read_entries(path, "third.party"))


def test_an_unknown_component_gets_a_suggestion(tmp_path):
    card = registry.candidate_card(registry.find_entry("candidate", "pixels"))
    facts = {key: getattr(card, key) for key in card.__dataclass_fields__}
    with pytest.raises(
        UnknownNameError, match="no learning rule is named 'backpropp'; did you mean"
    ):
        CandidateCard(**{**facts, "learning_rule": "backpropp"})


def test_a_file_that_is_not_python_is_named(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("def broken(:\n")
    with pytest.raises(CardError, match=r"broken.py:1 is not Python"):
        list(registry.read_entries(path, "third.party"))


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A package of another distribution, which names its entries in its metadata."""
    package = tmp_path / "brainy" / "measures"
    package.mkdir(parents=True)
    (tmp_path / "brainy" / "__init__.py").write_text("raise RuntimeError('must not be imported')")
    (package / "__init__.py").touch()
    metadata = tmp_path / "brainy-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: brainy\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[isocortex.entries]\nbrainy = brainy.measures\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._index.cache_clear()
    yield package
    registry._index.cache_clear()


def test_another_package_adds_an_entry_by_its_entry_point(plugin):
    write(plugin, name="brainy-measure")
    assert registry.find_entry("scorer", "brainy-measure").module == "brainy.measures.mine"


def test_two_entries_of_one_name_are_shown_with_both_places(plugin):
    path = write(plugin, name="cka")
    with pytest.raises(DuplicateEntryError, match=rf"named 'cka': .*cka.py:\d+ and {path}:4"):
        registry.entries("scorer")


def test_an_entry_point_that_names_nothing_is_an_error(plugin):
    entry_points = plugin.parents[1] / "brainy-1.0.dist-info" / "entry_points.txt"
    entry_points.write_text("[isocortex.entries]\nbrainy = brainy.nowhere\n")
    with pytest.raises(CardError, match=r"'brainy.nowhere' names no package or module"):
        registry.entries("scorer")


def test_unknown_names_get_suggestions():
    with pytest.raises(UnknownNameError, match="no scorer is named 'ckaa'; did you mean cka"):
        registry.find_entry("scorer", "ckaa")


def test_a_seeded_candidate_takes_any_seed():
    entry = registry.find_entry("candidate", "mobilenet_v1/untrained#41")
    assert registry.candidate_card(entry).seed == 41
    assert entry.card.name == "mobilenet_v1/untrained#41"


def test_listing_imports_neither_torch_nor_any_entry():
    code = (
        "import sys, isocortex.registry as registry\n"
        "kinds = ('candidate', 'candidate_family', 'dataset', 'scorer')\n"
        "assert all(registry.entries(kind) for kind in kinds)\n"
        "heavy = {'torch', 'torchvision', 'nilearn', 'sklearn', 'scipy', 'xarray', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)), [m for m in sys.modules if '.scorers.' in m])\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "[] []"


def test_every_entry_loads_as_a_function():
    for kind in ("scorer", "dataset", "candidate", "candidate_family"):
        for entry in registry.entries(kind):
            assert callable(entry.load()), entry.place


def test_every_scorer_of_a_benchmark_fits_its_dataset():
    for name in offered_benchmarks():
        dataset, _, scorer = split_name(name)
        accepted = registry.scorer_card(scorer).accepts
        assert registry.dataset_card(dataset).recorded in accepted, name
