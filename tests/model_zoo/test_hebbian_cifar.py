"""Lagani's networks: each response against the formula written out."""

from collections.abc import Callable

import pytest
import torch
from isocortex.model_zoo._whitening import Whitening
from isocortex.model_zoo.hebbian_cifar import GradientNetwork, HebbianConvolution, HebbianNetwork
from torch.nn import functional

from isocortex.candidates import Candidate

Load = Callable[[str], Candidate]


def convolution(*, cosine: bool) -> HebbianConvolution:
    layer = HebbianConvolution(2, 3, 4, cosine=cosine)
    torch.nn.init.normal_(layer.weight, generator=torch.Generator().manual_seed(0))
    return layer


@pytest.mark.parametrize("cosine", [False, True])
def test_a_hebbian_response_is_the_projection_on_the_kernel(cosine: bool):
    layer = convolution(cosine=cosine)
    images = torch.randn(1, 2, 6, 6, generator=torch.Generator().manual_seed(1))
    patch, kernels = images[0, :, 1:5, 2:6].flatten(), layer.weight.flatten(1)
    expected = kernels @ patch / kernels.norm(dim=1)
    assert expected.min() < 0 < expected.max()
    if cosine:
        expected = (expected / patch.norm()).clamp(min=0)
    torch.testing.assert_close(layer(images)[0, :, 1, 2], expected)


def test_a_cosine_response_does_not_depend_on_contrast_and_an_empty_patch_gives_none():
    layer, images = convolution(cosine=True), torch.rand(1, 2, 6, 6)
    torch.testing.assert_close(layer(images), layer(images * 100))
    assert not layer(torch.zeros(1, 2, 6, 6)).any()


def test_a_gradient_network_rectifies_pools_and_normalises_in_that_order():
    network, images = GradientNetwork(2).eval(), torch.randn(2, 3, 32, 32)
    network.bn1.running_mean.fill_(0.1)  # would not commute with the rectifier
    first = network.bn1(functional.max_pool2d(network.conv1(images).relu(), 2))
    second = network.bn2(network.conv2(first).relu())
    torch.testing.assert_close(network(images), network.fc3(second.flatten(1)))


@pytest.mark.parametrize(("depth", "units"), [(1, 18816), (2, 18432), (3, 4800), (4, 2304)])
def test_every_depth_takes_a_cifar_image(depth: int, units: int):
    network = GradientNetwork(depth).eval()
    assert network.features(torch.rand(1, 3, 32, 32)).numel() == units
    assert network(torch.rand(1, 3, 32, 32)).shape == (1, 10)


def coloured_noise(images: int) -> torch.Tensor:
    """Images with the covariance that the whitening assumes."""
    whitening = Whitening()
    colours, places, gains = (axis.double() for axis in whitening._axes())
    variances = (gains**-2 - whitening.smoothing).clamp(min=0)
    noise = torch.randn(images, 3, 1024, dtype=torch.float64)
    shaped = torch.einsum("ndq,pq,cd->ncp", noise * variances.sqrt(), places, colours)
    return shaped.reshape(images, 3, 32, 32)


def test_whitening_takes_the_correlation_out_of_images():
    torch.manual_seed(0)
    before = coloured_noise(500)
    after = Whitening()(before)

    def neighbours(images: torch.Tensor) -> float:
        pairs = torch.stack([images[:, 0, 10, 10], images[:, 0, 10, 11]])
        return float(torch.corrcoef(pairs)[0, 1])

    assert neighbours(before) == pytest.approx(torch.tensor(-1 / 8).exp().item(), abs=0.05)
    assert abs(neighbours(after)) < 0.2


def test_whitening_moves_nothing():
    spot = torch.zeros(1, 3, 32, 32)
    spot[0, :, 12, 20] = 1
    answer = Whitening()(spot)[0]
    assert divmod(int(answer.sum(0).argmax()), 32) == (12, 20)
    torch.testing.assert_close(answer, Whitening()(spot.mT)[0].mT)  # rows and columns alike


@pytest.mark.mirror
@pytest.mark.parametrize(("name", "whitened"), [("config_1l", True), ("config_1l_som", False)])
def test_only_the_network_that_was_trained_on_whitened_images_whitens(
    load_candidate: Load, name: str, whitened: bool
):
    network = load_candidate(f"hebb/{name}").module
    assert isinstance(network, HebbianNetwork)
    assert isinstance(network.whitening, Whitening) == whitened


@pytest.mark.mirror
def test_the_hybrid_stands_on_the_gradient_network(load_candidate: Load):
    hybrid, below = load_candidate("hebb/top4"), load_candidate("gdes/config_4l")
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(hybrid.module.trunk(images), below.module(images))
    assert hybrid.layers == (*(f"trunk.{layer}" for layer in below.layers), "bn5")


@pytest.mark.mirror
@pytest.mark.parametrize("name", ["config_1l", "config_1l_som"])
def test_hebbian_kernels_are_patches_of_natural_images(load_candidate: Load, name: str):
    # Gradient descent has no reason to find them smooth: neighbours correlate .2 there.
    kernels = load_candidate(f"hebb/{name}").module.conv1.weight.detach()
    left, right = kernels[..., :-1].flatten(), kernels[..., 1:].flatten()
    assert torch.corrcoef(torch.stack([left, right]))[0, 1] > 0.5
