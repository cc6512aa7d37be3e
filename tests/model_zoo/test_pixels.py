"""The image itself as a candidate."""

from collections.abc import Callable

import numpy as np
import torch

from isocortex.candidates import Candidate


def test_the_pixels_come_out_as_they_go_in(load_candidate: Callable[[str], Candidate]):
    candidate = load_candidate("pixels")
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    answer = candidate.module(candidate.preprocessing(picture)[None])
    assert candidate.layers == ("pixels",)
    assert torch.equal((answer[0] * 255).round(), torch.from_numpy(picture).permute(2, 0, 1))
