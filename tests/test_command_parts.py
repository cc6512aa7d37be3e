"""The command that lists parts shows all of them, or one whole."""

import json

from typer.testing import CliRunner

from isocortex import registry
from isocortex.cli import app
from isocortex.errors import UnknownNameError


def shown(*words):
    return CliRunner().invoke(app, ["parts", *words])


def test_all_parts_are_listed_with_what_they_need():
    found = json.loads(shown("--json").stdout)
    assert {kind: [card["name"] for card in cards] for kind, cards in found.items()} == {
        kind: [entry.name for entry in registry.entries(kind)]
        for kind in ("architecture", "objective", "learning_rule", "diet", "constraint")
    }
    table = shown().stdout
    assert "conv4" in table
    assert "softhebb" in table


def test_one_kind_or_one_part_is_shown():
    assert list(json.loads(shown("diet", "--json").stdout)) == ["diet"]
    (facts,) = json.loads(shown("softhebb", "--json").stdout)
    assert facts["kind"] == "learning_rule"
    assert facts["needs"] == ["no-loss", "chain"]
    assert "bibtex" in facts


def test_a_part_that_does_not_exist_is_named_with_the_nearest():
    found = shown("softheb")
    assert isinstance(found.exception, UnknownNameError)
    assert "did you mean softhebb" in str(found.exception)
