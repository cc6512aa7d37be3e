"""A scorer's code makes its version: what it does counts, how it is said does not."""

import pytest

from isocortex.code_hashes import code_sha256

SCORER = '''"""A family."""
from ._kernel import kernel

@scorer(name="a", summary="one")
def measure(model, brain):
    """What it returns."""
    return kernel(model) + 1  # why
'''
KERNEL = "def kernel(x):\n    return x * 2\n"


def written(folder, scorer=SCORER, kernel=KERNEL):
    (folder / "_kernel.py").write_text(kernel)
    (folder / "measure.py").write_text(scorer)
    return code_sha256(folder / "measure.py")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# why", "# because"),
        ("What it returns.", "What comes back."),
        ('summary="one"', 'summary="first"'),
        ("model) + 1", "model) +  1"),
    ],
    ids=["comment", "docstring", "card", "layout"],
)
def test_wording_makes_no_new_version(tmp_path, old, new):
    assert old in SCORER
    assert written(tmp_path, SCORER.replace(old, new)) == written(tmp_path)


def test_a_changed_line_makes_a_new_version(tmp_path):
    assert written(tmp_path, SCORER.replace("+ 1", "+ 2")) != written(tmp_path)


def test_a_changed_kernel_makes_a_new_version(tmp_path):
    assert written(tmp_path, kernel=KERNEL.replace("* 2", "* 3")) != written(tmp_path)
