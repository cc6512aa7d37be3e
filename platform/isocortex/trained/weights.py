"""Networks as files: half-precision weights, with the recipe and its history in the header."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from ..errors import InputError, MismatchError
from ..recipes import Recipe
from ..shipped import HEADER, network_header
from ..training import Trained
from ..training.loop import built_network
from .facts import history_document, history_of, network_facts


def write_network(trained: Trained, path: Path) -> None:
    """Write a network's weights as float16, with recipe, history and facts: whole or not at all.

    The head and what the rule keeps for itself are left out. Raises InputError for weights that
    float16 can't hold.
    """
    weights = {name: _halved(name, each) for name, each in trained.network.state_dict().items()}
    header = {
        "recipe": trained.recipe.name,
        "image_size": trained.network.image_size,
        "seconds": trained.seconds,
        "history": history_document(trained.history),
        "facts": network_facts(trained),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    save_file(weights, unfinished, {HEADER: json.dumps(header, allow_nan=False)})
    unfinished.replace(path)


def read_network(path: Path) -> Trained:
    """The network of a file that `write_network` wrote, in single precision.

    Raises InputError for another file, MismatchError where the architecture has changed since.
    """
    header = network_header(path)
    recipe = Recipe.parse(header["recipe"])
    with torch.random.fork_rng(devices=[]):  # the weights it draws are replaced
        network = built_network(recipe.architecture, tuple(header["image_size"]))
    weights = {
        name: each.float() if each.is_floating_point() else each
        for name, each in load_file(path).items()
    }
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise MismatchError(f"{path} is not of today's {recipe.architecture}: {error}") from None
    history = history_of(header["history"])
    return Trained(recipe, network.eval(), history, header["seconds"])


def _halved(name: str, values: torch.Tensor) -> torch.Tensor:
    values = values.detach().cpu()
    halved = values.half() if values.is_floating_point() else values
    if not bool(torch.isfinite(halved).all()):
        raise InputError(f"{name} holds {float(values.abs().max()):.3g}, more than float16 can")
    return halved.clone(memory_format=torch.contiguous_format)
