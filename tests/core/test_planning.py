"""The plan: what fits where follows from shapes and the cap alone, and the run keeps to it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.core.test_extraction import candidate, images

from isocortex import planning
from isocortex.errors import InputError
from isocortex.extraction import extract_answers, extract_geometries
from isocortex.planning import Allowance, Plan, make_plan, plan_extraction
from isocortex.probing import Probe, probed
from isocortex.projection import error_bound, matrix_bytes
from isocortex.units import UNITS_READ

STIMULI = 100
ROWS = {"wide": 4 * STIMULI * 10**6, "middle": 4 * STIMULI * 10**5, "narrow": 4 * STIMULI * 10}
PROBE = Probe({"wide": (10**6,), "middle": (10**5,), "narrow": (10,)}, 10**5, seconds=0.01)


def planned(room: int, *, disk: int = 0, reduce: int | None = None, units: bool = False) -> Plan:
    """The plan where `room` bytes are left for rows."""
    made = {"stimuli": STIMULI, "batch_size": 8, "units_read": units}
    largest = make_plan(PROBE, Allowance(10**12, 0), **made)
    cap = room + max(largest.working_bytes, largest.fold_bytes)
    return make_plan(PROBE, Allowance(cap, disk, reduce), **made)


def places(plan: Plan) -> list[dict[str, str]]:
    """Where each pass holds its layers."""

    def place(each) -> str:
        return "disk" if each.spilled else "projected" if each.dimensions else "memory"

    return [{each.layer: place(each) for each in layers} for layers in plan.passes]


def test_all_layers_are_held_in_memory_if_they_fit():
    plan = planned(sum(ROWS.values()))
    assert places(plan) == [{"wide": "memory", "middle": "memory", "narrow": "memory"}]
    assert plan.memory_bytes == plan.cap
    assert plan.disk_bytes == 0


def test_what_does_not_fit_into_memory_is_spilled():
    plan = planned(ROWS["middle"] + ROWS["narrow"], disk=ROWS["wide"])
    assert places(plan) == [{"wide": "disk", "middle": "memory", "narrow": "memory"}]
    assert plan.disk_bytes == ROWS["wide"]
    assert plan.memory_bytes == plan.cap


def test_without_a_disk_the_rest_waits_for_another_pass():
    plan = planned(ROWS["wide"])
    assert places(plan) == [{"wide": "memory"}, {"middle": "memory", "narrow": "memory"}]
    assert plan.seconds > 2 * plan.pass_seconds


def test_a_layer_that_fits_nowhere_by_itself_is_projected():
    plan = planned(ROWS["middle"])
    assert places(plan) == [{"wide": "projected", "narrow": "memory"}, {"middle": "memory"}]
    (wide,) = [each for each in plan.layers if each.layer == "wide"]
    assert wide.rows_bytes == 4 * STIMULI * wide.dimensions + matrix_bytes(10**6, wide.dimensions)
    assert wide.bound == error_bound(STIMULI, wide.dimensions)
    assert plan.memory_bytes <= plan.cap


def test_a_projection_that_is_asked_for_spares_narrower_layers():
    plan = planned(sum(ROWS.values()), reduce=1000)
    assert {each.layer: each.dimensions for each in plan.layers} == {
        "wide": 1000,
        "middle": 1000,
        "narrow": None,
    }


def test_a_projection_that_does_not_fit_is_refused_and_not_made_smaller():
    with pytest.raises(InputError, match=r"layer wide, projected to 50000 dimensions, takes 2\.0"):
        planned(ROWS["middle"], reduce=50_000)


def test_units_that_are_read_count_as_memory():
    plan = planned(10**8, disk=10**9, units=True)
    read = {each.layer: each.units_bytes for each in plan.layers}
    assert read == {
        "wide": 4 * STIMULI * UNITS_READ,
        "middle": 4 * STIMULI * UNITS_READ,
        "narrow": 4 * STIMULI * 10,
    }
    assert plan.memory_bytes <= plan.cap


def test_batches_become_smaller_before_the_network_takes_more_than_a_fourth():
    allowance = Allowance(4 * 10**8, 10**12)
    probe = Probe(PROBE.shapes, 3 * 10**7, seconds=0.01)
    plan = make_plan(probe, allowance, stimuli=STIMULI, batch_size=32, units_read=False)
    assert plan.batch_size == 10**8 // (3 * 10**7)


def test_a_cap_too_small_for_one_layer_says_what_is_needed():
    with pytest.raises(InputError) as error:
        make_plan(PROBE, Allowance(10**6, 0), stimuli=20_000, batch_size=8, units_read=False)
    needed = re.search(r"takes ([\d.]+) GB", str(error.value))[1]
    assert "2 matrices of 20000 × 20000 are 6.40 GB" in str(error.value)
    enough = Allowance(int((float(needed) + 0.01) * 1e9), 0)
    assert make_plan(PROBE, enough, stimuli=20_000, batch_size=8, units_read=False).passes


def test_the_probe_sees_one_stimulus_and_the_shape_of_each_layer():
    seen = []
    chosen = candidate(layers=["0", "5"])
    chosen.module.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0].shape))
    found = probed(chosen, images())
    assert found.shapes == {"0": (4, 30, 30), "5": (5,)}
    assert [tuple(shape) for shape in seen] == [(1, 3, 32, 32)]
    assert found.working_bytes == 2 * 4 * (3 * 32**2 + 2 * 3600 + 3600)


@pytest.mark.parametrize(("reserve", "disk"), [(0, 10**9), (4 * 11 * 3600, 0)], ids=["disk", "RAM"])
def test_however_it_is_planned_the_geometries_are_the_same(reserve, disk, monkeypatch):
    monkeypatch.setattr(planning.machine, "free_disk", lambda folder: disk)
    chosen = candidate()
    whole = plan_extraction(chosen, images(), memory=10**9, batch_size=4)
    expected = extract_geometries(chosen, images(), batch_size=4)
    cap = max(whole.working_bytes, whole.fold_bytes) + reserve
    plan = plan_extraction(chosen, images(), memory=cap, batch_size=4)
    assert plan.disk_bytes or len(plan.passes) > 1
    found = {each.layer: each.geometry for each in extract_answers(chosen, images(), plan)}
    assert set(found) == set(expected)
    for layer, geometry in found.items():
        scale = np.abs(expected[layer].gram).max()
        np.testing.assert_allclose(geometry.gram, expected[layer].gram, rtol=0, atol=1e-12 * scale)


PEAK = """
import re, sys
import numpy as np
import torch
from isocortex import Preprocessing, StimulusSet, as_candidate
from isocortex.extraction import extract_answers
from isocortex.planning import plan_extraction
torch.set_num_threads(1)
wide = torch.nn.Sequential(torch.nn.Conv2d(3, 128, 1), torch.nn.ReLU())
pixels = np.random.default_rng(0).integers(0, 256, (80, 64, 64, 3), dtype=np.uint8)
stimuli = StimulusSet("noise", tuple(map(str, range(80))), list(pixels))
candidate = as_candidate(wide, Preprocessing(64, 64), name="wide")
peak = lambda: 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
before = peak()
plan = plan_extraction(candidate, stimuli, memory=int(sys.argv[1]))
for each in extract_answers(candidate, stimuli, plan): pass
print(peak() - before, plan.memory_bytes)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
def test_the_run_stays_under_the_cap():
    """The rows of both layers are 335 MB: most of them must lie on disk."""
    cap = 240 * 10**6
    command = [sys.executable, "-c", PEAK, str(cap)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    grown, expected = map(int, found.stdout.split())
    assert grown < expected <= cap
