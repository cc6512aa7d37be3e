"""Many cells: crossed, refused with reasons, and trained side by side."""

import json

import pytest
from typer.testing import CliRunner

from isocortex.cli import app
from isocortex.errors import IncompatibleError, InputError, UnknownNameError
from isocortex.trained import train_all, trained_folder
from isocortex.training import Recipe

CELLS = [f"mlp3/categorise/{rule}@digits:smoke#0" for rule in ("backprop", "feedback")]
NO_CELL = "mlp3/none/backprop@digits:smoke#0"


@pytest.fixture(autouse=True)
def home(empty_home):
    return empty_home


def kept(name):
    return sorted(path.name for path in trained_folder(Recipe.parse(name)).iterdir())


def test_cells_are_trained_by_processes_and_faults_are_told():
    found = dict(train_all([*CELLS, NO_CELL], workers=2))
    assert set(found) == {*CELLS, NO_CELL}
    assert [found[name] for name in CELLS] == [None, None]
    assert isinstance(found[NO_CELL], IncompatibleError)
    assert all(kept(name)[-1] == "step-00000300.safetensors" for name in CELLS)


def test_cells_are_trained_by_a_dask_cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        assert dict(train_all(CELLS[:1], scheduler=cluster.scheduler_address)) == {CELLS[0]: None}
    assert kept(CELLS[0])[-1] == "step-00000300.safetensors"


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("isocortex.trained.grids._PATIENCE", "1s")
    with pytest.raises(InputError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        list(train_all(CELLS, scheduler="tcp://127.0.0.1:9"))


def listed(*options):
    parts = ["-a", "mlp3", "-a", "blt3", "-o", "categorise", "-o", "none", "-r", "backprop"]
    return CliRunner().invoke(
        app, ["grid", *parts, "-r", "softhebb", "-d", "digits", "--budget", "smoke", *options]
    )


def test_the_command_lists_cells_and_refused_ones_with_what_they_lack():
    found = json.loads(listed("--json", "--seeds", "2").stdout)
    assert len(found["cells"]) == 2 * 3
    assert found["refused"]["blt3/none/softhebb@digits:smoke#1"] == {"softhebb": ["chain"]}
    shown = listed().stdout
    assert "3 cells" in shown
    assert "softhebb needs no-loss and chain" in shown


def test_the_command_trains_the_cells():
    parts = ["-a", "mlp3", "-o", "categorise", "-r", "backprop", "-d", "digits"]
    found = CliRunner().invoke(app, ["grid", *parts, "--budget", "smoke", "--train"])
    assert found.exit_code == 0
    assert kept(CELLS[0])[-1] == "step-00000300.safetensors"


def test_a_part_that_does_not_exist_is_named():
    found = CliRunner().invoke(app, ["grid", "-a", "conv5", "-o", "none", "-r", "oja", "-d", "x"])
    assert isinstance(found.exception, UnknownNameError)
