"""What the documents show works: every block of Python in them, and every doctest, is run."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

import isocortex
from isocortex import registry
from isocortex.cli.study import crossed_recipes
from isocortex.shipped import shipped_recipes
from tests.test_architecture import core_modules

ROOT = Path(__file__).parents[1]


def blocks(document: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / document).read_text(), re.M | re.S)


@pytest.fixture
def contributed(tmp_path, monkeypatch):
    """The three files of CONTRIBUTING.md, as a package that another distribution installs."""
    package = tmp_path / "contributed"
    package.mkdir()
    (package / "__init__.py").touch()
    for number, block in enumerate(blocks("CONTRIBUTING.md")):
        (package / f"entry{number}.py").write_text(block)
    metadata = tmp_path / "contributed-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: contributed\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[isocortex.entries]\nours = contributed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._index.cache_clear()
    yield
    registry._index.cache_clear()


def test_the_entries_of_the_contributors_guide_score_each_other(contributed, empty_home):
    assert len(blocks("CONTRIBUTING.md")) == 3
    found = isocortex.score("two_layers#1", "example2026/V4/participation-ratio")
    assert found.counts == {"stimuli": 20, "subjects": 1, "neuroids": 12}
    assert 0 < found.low < found.raw < found.high < 1


def test_the_readme_runs(empty_home, capsys):
    for block in blocks("README.md"):
        exec(compile(block, "README.md", "exec"), {})
    assert "of the ceiling; raw" in capsys.readouterr().out
    with isocortex.open_store() as store:
        assert store.model("mine").scores[0].benchmark == "simulated/IT/ridge"


def test_the_guide_to_the_zoo_runs(empty_home, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for block in blocks("docs/zoo.md"):
        exec(compile(block, "docs/zoo.md", "exec"), {})
    assert "blt3/none/softhebb@digits#0" in capsys.readouterr().out  # refused, for want of a chain
    assert (tmp_path / "curves.svg").exists()


def modules() -> list[str]:
    core = {f"isocortex.{room}" for room, path in core_modules() if path.parent.name == "isocortex"}
    folders = ("scorers", "model_zoo", "datasets")
    entries = {f"isocortex.{f}.{path.stem}" for f in folders for path in (ROOT / f).glob("*.py")}
    return sorted(core | {name.removesuffix(".__init__") for name in entries})


@pytest.mark.parametrize("module", modules())
def test_the_examples_of_docstrings_are_true(module):
    names = vars(importlib.import_module(module))
    result = doctest.testmod(importlib.import_module(module), extraglobs=dict(names))
    assert result.failed == 0


def test_relative_links_of_the_documents_lead_somewhere():
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def row_of(kind, card):
    needs, offers = (", ".join(each) or "–" for each in (card.needs, card.offers))
    facts = (card.mechanism or "–", needs) if kind == "learning_rule" else (needs, offers)
    return f"| `{card.name}` | " + " | ".join((card.summary, *facts, card.source)) + " |"


def test_every_part_of_the_zoo_has_its_row():
    _, parts = (ROOT / "docs" / "zoo.md").read_text().split("## Architectures\n")
    rows = {line for line in parts.splitlines() if line.startswith("| `")}
    kinds = ("architecture", "objective", "learning_rule", "diet", "constraint")
    expected = {row_of(kind, each.card) for kind in kinds for each in registry.entries(kind)}
    assert rows == expected


def test_every_shipped_network_is_in_the_table_of_networks():
    recipes = shipped_recipes()
    named = re.findall(r"^\| `([^`]+@[^`]+)` \|", (ROOT / "docs" / "zoo.md").read_text(), re.M)
    assert named == [each.name for each in recipes if each not in crossed_recipes(recipes)]


def test_every_scorer_has_its_row_in_the_table_of_measures():
    table = (ROOT / "docs" / "measures.md").read_text()
    rows = set(re.findall(r"`([a-z0-9-]+)`", table))
    presets = {f"brain-score{end}" for end in rows if end.startswith("-")}
    assert {entry.name for entry in registry.entries("scorer")} <= rows | presets
