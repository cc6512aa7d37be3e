"""Details come back as they went, under a name that is their content."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from isocortex.errors import InputError, StoreError
from isocortex.store.artifacts import Artifacts


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "artifacts")


def detail() -> xr.Dataset:
    return xr.Dataset(
        {
            "neuroid_score": ("neuroid", np.array([0.5, np.nan, -0.25], dtype=np.float32)),
            "chosen": (("fold", "layer"), [[True, False], [False, True]]),
            "fold_layer": ("fold", ["αβγ", ""]),
            "total": 3,
        },
        coords={"neuroid": ["n1", "n2", "n3"], "layer": ["conv1", "conv2"], "fold": [0, 1]},
        attrs={"normalisation": "ratio", "penalties": [0.1, 1.0], "count": np.int64(7)},
    )


def files(artifacts: Artifacts) -> list[Path]:
    return [path for path in artifacts.folder.rglob("*") if path.is_file()]


def test_a_detail_comes_back_as_it_went(artifacts: Artifacts) -> None:
    loaded = artifacts.load_detail(artifacts.save_detail(detail()))
    xr.testing.assert_identical(loaded, detail().assign_attrs(count=7))
    assert loaded.neuroid_score.dtype == np.float32


def test_equal_details_are_one_file(artifacts: Artifacts) -> None:
    turned = detail()[["total", "fold_layer", "chosen", "neuroid_score"]]
    assert artifacts.save_detail(detail()) == artifacts.save_detail(turned)
    assert len(files(artifacts)) == 1


def test_a_file_is_named_by_its_content(artifacts: Artifacts) -> None:
    sha256 = artifacts.save_detail(detail())
    (path,) = files(artifacts)
    assert path == artifacts.folder / sha256[:2] / f"{sha256}.safetensors"
    assert artifacts.save_detail(detail().assign(total=4)) != sha256


def test_one_array_can_be_read_alone(artifacts: Artifacts) -> None:
    sha256 = artifacts.save_detail(detail())
    np.testing.assert_array_equal(artifacts.load_array(sha256, "chosen"), detail().chosen)
    assert artifacts.load_array(sha256, "resampled_raw") is None


def test_a_damaged_file_is_refused(artifacts: Artifacts) -> None:
    sha256 = artifacts.save_detail(detail())
    (path,) = files(artifacts)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        artifacts.load_detail(sha256)


def test_a_missing_file_is_named(artifacts: Artifacts) -> None:
    with pytest.raises(StoreError, match=r"00/00.*--force"):
        artifacts.load_detail("0" * 64)


def test_what_is_no_number_or_string_is_refused(artifacts: Artifacts) -> None:
    dated = xr.Dataset({"day": ("time", np.array(["2026-01-01"], dtype="datetime64[ns]"))})
    with pytest.raises(InputError, match=r"'day' is datetime64\[ns\]"):
        artifacts.save_detail(dated)
    with pytest.raises(InputError, match="attribute"):
        artifacts.save_detail(xr.Dataset(attrs={"made by": object()}))
    assert files(artifacts) == []


def test_nothing_half_written_stays(artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        artifacts.save_detail(detail())
    assert files(artifacts) == []
