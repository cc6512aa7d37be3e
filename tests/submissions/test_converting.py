"""Converting on the submitter's side: every format ends in the same file."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from safetensors import safe_open

from isocortex.errors import InputError, MismatchError
from isocortex.submissions.converting import convert, from_xarray, write_activation_sets
from isocortex.submissions.forms import read_form

from .made import checked

IDS = ("face", "house", "chair", "Müller")
EARLY = np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)
LATE = np.arange(20.0).reshape(4, 5)


@pytest.fixture(params=["npz", "netcdf", "zarr", "zarr of xarray", "hdf5"])
def source(request, tmp_path):
    dataset = xr.Dataset(
        {"early": (("stimulus", "a", "b"), EARLY), "late": (("unit", "stimulus"), LATE.T)},
        coords={"stimulus": list(IDS)},
    )
    if request.param == "npz":
        np.savez_compressed(tmp_path / "a.npz", early=EARLY, late=LATE, stimuli=np.array(IDS))
        return tmp_path / "a.npz"
    if request.param == "netcdf":
        pytest.importorskip("h5netcdf")
        dataset.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
        return tmp_path / "a.nc"
    if request.param == "hdf5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.update({"early": EARLY, "late": LATE})
            file["stimuli"] = [each.encode() for each in IDS]
        return tmp_path / "a.h5"
    zarr = pytest.importorskip("zarr")
    if request.param == "zarr of xarray":
        dataset.to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False)
    else:
        group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
        group["early"], group["late"] = EARLY, LATE
        group.create_array("ids", data=np.array(IDS, dtype="U8"))
    return tmp_path / "a.zarr"


def test_every_format_gives_the_same_file_which_passes_the_check(source, tmp_path):
    target = tmp_path / "a.safetensors"
    found = convert(source, target)
    assert set(found.layers) == {"early", "late"}
    assert found.stimuli == {"": 4}
    assert found.bytes == target.stat().st_size
    with safe_open(target, "numpy") as file:
        np.testing.assert_array_equal(file.get_tensor("early"), EARLY)
        np.testing.assert_array_equal(file.get_tensor("late"), LATE)
        assert file.get_tensor("early").dtype == np.float32
    assert set(checked(target, "activations").source["layers"]) == {"early", "late"}


def test_an_npy_is_one_layer_and_needs_ids(tmp_path):
    np.save(tmp_path / "it.npy", LATE.astype(int))
    with pytest.raises(InputError, match="names no stimuli"):
        convert(tmp_path / "it.npy", tmp_path / "a.safetensors")
    found = convert(tmp_path / "it.npy", tmp_path / "a.safetensors", ids=IDS)
    assert found.layers == ("it",)


def test_arrays_of_xarray_are_turned_the_right_way(tmp_path):
    late = xr.DataArray(LATE.T, dims=("unit", "stimulus"), coords={"stimulus": list(IDS)})
    answers = from_xarray({"late": late})
    write_activation_sets(tmp_path / "a.safetensors", {"simulated": answers})
    with safe_open(tmp_path / "a.safetensors", "numpy") as file:
        np.testing.assert_array_equal(file.get_tensor("simulated/late"), LATE)
        assert "stimuli:simulated" in file.metadata()
    with pytest.raises(MismatchError, match="another order"):
        from_xarray({"a": late, "b": late.isel(stimulus=[1, 0, 2, 3])})


def test_another_number_of_stimuli_or_no_numbers_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", late=LATE[:3], ids=np.array(IDS))
    with pytest.raises(MismatchError, match="4 stimuli"):
        convert(tmp_path / "a.npz", tmp_path / "a.safetensors")
    np.savez(tmp_path / "b.npz", names=np.array([["a"]] * 4), ids=np.array(IDS))
    with pytest.raises(InputError, match="no layer"):
        convert(tmp_path / "b.npz", tmp_path / "a.safetensors")


def test_a_pickled_array_is_not_unpickled(tmp_path):
    np.save(tmp_path / "bad.npy", np.array([{"a": 1}] * 4), allow_pickle=True)
    with pytest.raises(InputError, match="Python objects"):
        convert(tmp_path / "bad.npy", tmp_path / "a.safetensors", ids=IDS)


def test_equal_activations_are_equal_files(tmp_path):
    np.savez(tmp_path / "a.npz", late=LATE, ids=np.array(IDS))
    digests = set()
    for name in ("one", "two"):
        convert(tmp_path / "a.npz", tmp_path / name)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_the_guide_s_examples_work(tmp_path, monkeypatch):
    guide = (Path(__file__).parents[2] / "docs" / "submitting.md").read_text()
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"^```python\n(.*?)^```", guide, re.M | re.S):
        exec(compile(block, "docs/submitting.md", "exec"), {})
    same = [(tmp_path / name).stat().st_size for name in ("net.safetensors", "same.safetensors")]
    assert same[0] == same[1]
    (form,) = re.findall(r"^```json\n(.*?)^```", guide, re.M | re.S)
    assert read_form(json.loads(form.replace("…", "a" * 64))).kind == "onnx"
