"""The two short forms of a card: a table of checksums, and a table of variants."""

from pathlib import Path

import pytest

from isocortex.errors import CardError
from isocortex.registry import read_entries

CARD = """
@dataset(
    version=1, species="", method="", recorded="responses", regions=("V1",), benchmarks=(),
    source="", bibtex="{{}}", licence="",
    files={{
        "run {{run}}": {{
            "url": "https://lab.org/{url}.npy",
            "sha256": {{"1": "aaaaaaaa", "2": "bbbbbbbb"}},
        }},
    }},
    {names}
)
def entry(card): ...
"""
ONE = 'name="one", summary="",'
TABLE = """variants={
    "one:{run}": {"summary": "run {run} of {who}", "table": (("run", "who"), %s)},
},"""


def cards(tmp_path: Path, names: str, url: str = "{run}"):
    source = tmp_path / "entry.py"
    source.write_text(CARD.format(url=url, names=names))
    return [entry.card for entry in read_entries(source, "entry")]


def test_table_of_checksums_is_one_file_of_each_row(tmp_path):
    (card,) = cards(tmp_path, ONE)
    files = {key: (file.url, file.sha256) for key, file in card.files.items()}
    assert files == {
        "run 1": ("https://lab.org/1.npy", "aaaaaaaa"),
        "run 2": ("https://lab.org/2.npy", "bbbbbbbb"),
    }


def test_row_of_a_table_of_variants_is_its_options_name_summary_and_file(tmp_path):
    first, third = cards(tmp_path, TABLE % '("1", "Ann"), ("3", "Bob")')
    assert (first.name, first.summary) == ("one:1", "run 1 of Ann")
    assert third.options == {"run": "3", "who": "Bob"}
    assert [file.sha256 for file in first.files.values()] == ["aaaaaaaa"]
    assert [(file.url, file.sha256) for file in third.files.values()] == [
        ("https://lab.org/3.npy", None)
    ]


def test_row_that_does_not_fit_its_header_is_shown_with_its_place(tmp_path):
    with pytest.raises(CardError, match=r"entry.py:2: the row \('1',\) does not fit"):
        cards(tmp_path, TABLE % '("1",),')


def test_url_of_a_table_of_checksums_holds_one_word(tmp_path):
    with pytest.raises(CardError, match=r"holds one \{word\}: https://lab.org/session.npy"):
        cards(tmp_path, ONE, url="session")
