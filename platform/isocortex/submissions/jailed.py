"""Networks that run in a jail, as modules: only workers import this, it needs torch."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from ..errors import InputError, JailError
from ..jail import Jailed
from ..networks import StandIn

Shape = tuple[int, ...]


class JailedNetwork(StandIn):
    """Stands for a network in a jail: images go in, and each layer's answer comes out of a stub.

    Whoever hooks the stubs, as extraction does, sees what the layers answered. Only layers that
    are hooked are asked for. Neither file nor code of a stranger is touched here. The network runs
    on the processor, whatever device the images are on.
    """

    __slots__ = ("_count", "_facts", "_hash", "_jailed", "_shapes")

    def __init__(
        self,
        jailed: Jailed,
        shapes: Mapping[str, Shape],
        *,
        weights_hash: str,
        facts: Mapping[str, Any],
        parameters: int,
    ) -> None:
        super().__init__()
        self._jailed = jailed
        self._shapes = dict(shapes)
        self._hash, self._facts, self._count = weights_hash, dict(facts), parameters
        for layer in shapes:
            # Not by `add_module`: names of ONNX hold dots, and may be those of methods.
            self._modules[layer] = nn.Identity()

    @property
    def weights_hash(self) -> str:
        """The SHA-256 of the file."""
        return self._hash

    @property
    def facts(self) -> Mapping[str, Any]:
        """Kind, form of the input, architecture and engine."""
        return self._facts

    @property
    def parameter_count(self) -> int:
        """How many parameters the network says it has."""
        return self._count

    def get_submodule(self, target: str) -> nn.Module:
        """The stub of that layer; names are whole, dots in them mean nothing."""
        found = self._modules.get(target) if target else self
        if found is None:
            raise AttributeError(f"no layer is named {target!r}")
        return found

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The images themselves, once each hooked layer has been given its answer to them.

        Raises InputError for answers that are not what was declared, JailError as `Jailed` does.
        """
        wanted = [layer for layer, stub in self._modules.items() if stub and stub._forward_hooks]
        batch = images.detach().to("cpu", torch.float32).contiguous().numpy()
        self._jailed.send({"layers": wanted}, {"images": batch})
        refused: Exception | None = None
        for _ in range(len(wanted) * _MOST_CALLS + 1):
            header, arrays = self._jailed.receive(most_bytes=self._most_bytes(wanted, len(batch)))
            if header.get("done") is True:
                if refused is not None:
                    raise refused
                return images
            try:  # what follows is read to its end, so that the next batch can be asked for
                if refused is None:
                    self._give(str(header.get("layer")), wanted, arrays, batch, images.device)
            except Exception as error:
                refused = error
        raise JailError("the jailed network answers without end")

    def _give(
        self,
        layer: str,
        wanted: Sequence[str],
        arrays: Mapping[str, npt.NDArray[Any]],
        batch: npt.NDArray[Any],
        device: torch.device,
    ) -> None:
        if layer not in wanted or set(arrays) != {"answer"}:
            raise JailError(f"the jailed network answered for {layer[:80]!r}, unasked")
        answer, expected = arrays["answer"], (len(batch), *self._shapes[layer])
        if answer.dtype != np.float32 or answer.shape != expected:
            raise InputError(
                f"layer {layer} answers with {answer.dtype} of shape {answer.shape}; float32 "
                f"{expected} was seen before: stimuli must reach the network in one size"
            )
        if not np.isfinite(answer).all():
            raise InputError(f"layer {layer} answers with NaN or infinity")
        stub = self.get_submodule(layer)
        stub(torch.from_numpy(answer).to(device))

    def _most_bytes(self, wanted: Sequence[str], images: int) -> int:
        widest = max((prod(self._shapes[layer]) for layer in wanted), default=0)
        return 4 * images * widest


_MOST_CALLS = 64
"""How often a layer may answer to one batch, as parts do that are used more than once."""
