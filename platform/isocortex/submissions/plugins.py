"""Plug-ins: models that run their own code, in this very process, without a jail.

Only what an account with the role "trusted" or "admin" submitted comes here.
"""

import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..candidates import Candidate, default_layers
from ..cards import CandidateCard
from ..errors import InputError
from ..store.submitted import StoredSubmission


def loaded_plugin(submission: StoredSubmission, path: Path, *, card: CandidateCard) -> Candidate:
    """The candidate that the plug-in makes: this runs its code. Raises InputError if it fails."""
    from .loading import preprocessing_of

    form = submission.source["plugin"]
    try:
        module = _OPENERS[form["format"]](path, form["function"])
    except Exception as error:  # a stranger's code can raise anything
        raise InputError(
            f"the plug-in of {submission.model} failed: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(module, nn.Module):
        raise InputError(f"the plug-in made a {type(module).__name__}; a torch module is expected")
    vars(module)["submitted_file"] = submission.blob  # a fact of its version: code may hide much
    layers = tuple(submission.source["layers"]) or default_layers(module)
    return Candidate(card, module.eval(), preprocessing_of(submission.source), layers)


class Whole(nn.Module):
    """A network that can't be looked into, as its one layer `network`."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = Opaque(network)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """What the network answers."""
        answer: torch.Tensor = self.network(images)
        return answer


class Opaque(nn.Module):
    """Calls a network that is no part of the module tree: exported ones refuse to change mode."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.state = nn.ParameterList(
            nn.Parameter(each.detach(), requires_grad=False) for each in network.parameters()
        )
        self.call = network.forward

    def forward(self, images: torch.Tensor) -> Any:
        """What the network answers."""
        return self.call(images)


def _run_python(path: Path, function: str) -> Any:
    name = f"isocortex_plugin_{path.parent.name}{path.name}"
    loader = SourceFileLoader(name, str(path))
    spec = spec_from_loader(name, loader)
    assert spec is not None  # it is made of a loader
    module = module_from_spec(spec)
    sys.modules[name] = module  # classes find their source through it
    loader.exec_module(module)
    return getattr(module, function)()


def _open_exported(path: Path, function: str) -> nn.Module:
    with path.open("rb") as file:
        return Whole(torch.export.load(file).module())


def _open_scripted(path: Path, function: str) -> nn.Module:
    with path.open("rb") as file:
        scripted: Any = torch.jit.load(file, map_location="cpu")  # type: ignore[no-untyped-call]
        return Whole(scripted.eval())


def _open_pickled(path: Path, function: str) -> Any:
    return torch.load(path, map_location="cpu", weights_only=False)


_OPENERS = {
    "python": _run_python,
    "pt2": _open_exported,
    "torchscript": _open_scripted,
    "pickle": _open_pickled,
}
