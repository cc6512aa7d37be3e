"""Credit along other weights: networks stay as they are, only their backward pass is replaced.

A mode sees each product of a signal with a weight while the network runs. Where the weight has a
feedback weight, the product keeps its value and the gradient of its weight, but what it sends to
the signal before it goes through the feedback weight.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import FunctionType
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from isocortex.errors import IncompatibleError

Product = Callable[..., Tensor]
Watcher = Callable[[Tensor, Tensor, Product], None]
"""Called with a weight, the signal it met and their product (signal, weight), without a bias."""

_CONVOLUTIONS: Final = (torch.conv1d, torch.conv2d, torch.conv3d)
_PRODUCTS: Final = {"einsum", "matmul", "__matmul__", "__rmatmul__", "mm", "bmm"} | {
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
}
_VIEWS: Final = {"t", "transpose", "permute", "flatten", "view", "reshape", "unsqueeze"} | {
    *("squeeze", "movedim", "expand", "__getitem__", "__get__")  # the last is that of W.T and W.mT
}
_REFUSED: Final = {"lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell"} | {
    *("rnn_tanh_cell", "rnn_relu_cell", "bilinear", "addmm", "addbmm", "baddbmm")
}


class _Linear(torch.autograd.Function):
    """x Wᵀ + b; its credit to x (…, input) goes through B (output, input)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, back: Tensor) -> Tensor:
        ctx.save_for_backward(x, back)
        return functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *credit: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = credit
        x, back = ctx.saved_tensors
        flat = g.reshape(-1, g.shape[-1])
        to_x, to_weight, to_bias, _ = ctx.needs_input_grad
        return (
            g.matmul(back) if to_x else None,
            flat.t().mm(x.reshape(-1, x.shape[-1])) if to_weight else None,
            flat.sum(0) if to_bias else None,
            None,
        )


class _Convolution(torch.autograd.Function):
    """W ∗ x + b; its credit to x goes through B. The gradient of W does not depend on W."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, back: Tensor, how: tuple[Any, ...]
    ) -> Tensor:
        ctx.save_for_backward(x, back)
        ctx.how, ctx.biased = how, None if bias is None else [len(bias)]
        none = [0] * (x.dim() - 2)
        stride, padding, dilation, groups = how
        return torch.convolution(x, weight, bias, stride, padding, dilation, False, none, groups)

    @staticmethod
    def backward(ctx: Any, *credit: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = credit
        x, back = ctx.saved_tensors
        stride, padding, dilation, groups = ctx.how
        none, mask = [0] * (x.dim() - 2), ctx.needs_input_grad[:3]
        found = torch.ops.aten.convolution_backward(
            g, x, back, ctx.biased, stride, padding, dilation, False, none, groups, mask
        )
        return (*found, None, None)


class _Joined(torch.autograd.Function):
    """The value of y; the credit goes to y and to another path of the same shape."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, path: Tensor) -> Tensor:
        return y.clone()

    @staticmethod
    def backward(ctx: Any, *credit: Tensor) -> tuple[Tensor, Tensor]:
        return credit[0], credit[0]


class Rerouting(TorchFunctionMode):
    """Within it, signals that meet a weight take their credit through its feedback weight.

    `feedback` holds feedback weights, shaped as the weights, by the `id` of the weight. Linear maps
    and convolutions cost what they cost without it; other products are made twice. Views of a
    weight are followed. Raises IncompatibleError for fused recurrent layers.
    """

    def __init__(self, feedback: Mapping[int, Tensor], watch: Watcher | None = None) -> None:
        super().__init__()
        self._feedback = dict(feedback)
        self._watch = watch
        self._views: list[Tensor] = []  # an id is a name only as long as its tensor lives

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """What `func` gives, its credit re-routed if a weight with feedback is among `args`."""
        kwargs = kwargs or {}
        if func is functional.multi_head_attention_forward:
            with self:  # its products are made by functions that it calls
                return _UNCHECKED_ATTENTION(*args, **kwargs)
        if not any(id(each) in self._feedback for each in _tensors((args, *kwargs.values()))):
            return func(*args, **kwargs)
        if func is functional.linear:
            return self._linear(*args, **kwargs)
        if func in _CONVOLUTIONS:
            return self._convolution(func, *args, **kwargs)
        return self._other(func, args, kwargs)

    def _other(self, func: Product, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if func.__name__ in _REFUSED:
            raise IncompatibleError(
                f"credit can't be re-routed within torch's {func.__name__}; write it with linear "
                "layers or matrix products, or choose another learning rule"
            )
        if func.__name__ in _PRODUCTS:
            return self._product(func, args, kwargs)
        answer = func(*args, **kwargs)
        if func.__name__ in _VIEWS and isinstance(answer, Tensor):
            self._feedback[id(answer)] = func(*_swapped(args, self._back), **kwargs)
            self._views.append(answer)
        return answer

    def _linear(
        self,
        input: Tensor,  # noqa: A002 - torch's own name, which may be used as a keyword
        weight: Tensor,
        bias: Tensor | None = None,
    ) -> Any:
        self._tell(weight, input, functional.linear)
        return _Linear.apply(input, weight, bias, self._feedback[id(weight)])

    def _convolution(
        self,
        func: Product,
        input: Tensor,  # noqa: A002
        weight: Tensor,
        bias: Tensor | None = None,
        *how: Any,
        **named: Any,
    ) -> Any:
        dims = weight.dim() - 2
        given = dict(zip(_USUAL, how, strict=False)) | named
        steps = {name: given.get(name, usual) for name, usual in _USUAL.items()}
        self._tell(weight, input, partial(func, bias=None, **steps))
        if isinstance(steps["padding"], str) or input.dim() != weight.dim():
            return self._product(partial(func, **steps), (input, weight, bias), {})
        each = {k: v if k == "groups" else _spread(v, dims) for k, v in steps.items()}
        back = self._feedback[id(weight)]
        return _Convolution.apply(input, weight, bias, back, tuple(each.values()))

    def _product(self, func: Product, args: tuple[Any, ...], kwargs: Any) -> Any:
        """Any other product, made twice: with its weights, and with their feedback."""
        valued = _swapped(args, lambda t: t if self._is_weight(t) else t.detach())
        credited = _swapped(args, self._back)
        return _Joined.apply(func(*valued, **kwargs), func(*credited, **kwargs))

    def _back(self, tensor: Tensor) -> Tensor:
        """The feedback of a weight; a signal as it is."""
        own = tensor.detach() if isinstance(tensor, nn.Parameter) else tensor
        return self._feedback.get(id(tensor), own)

    def _is_weight(self, tensor: Tensor) -> bool:
        return id(tensor) in self._feedback or isinstance(tensor, nn.Parameter)

    def _tell(self, weight: Tensor, signal: Tensor, product: Product) -> None:
        if self._watch is not None:
            self._watch(weight, signal, product)


_USUAL: Final[Mapping[str, Any]] = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}


def _spread(steps: int | Sequence[int], dims: int) -> list[int]:
    """One number for each dimension of space."""
    return [steps] * dims if isinstance(steps, int) else list(steps) * (dims // len(steps))


def _tensors(arguments: Any) -> Iterator[Tensor]:
    if isinstance(arguments, Tensor):
        yield arguments
    elif isinstance(arguments, (tuple, list)):
        for each in arguments:
            yield from _tensors(each)


def _swapped(arguments: Any, swap: Callable[[Tensor], Tensor]) -> Any:
    """The arguments with other tensors in the place of theirs."""
    if isinstance(arguments, Tensor):
        return swap(arguments)
    if isinstance(arguments, (tuple, list)):
        return type(arguments)(_swapped(each, swap) for each in arguments)
    return arguments


# Attention asks first whether a mode is on and, if so, hands itself over instead of running. The
# copy is told that none is, so that it runs and the products within it are seen.
_attention = functional.multi_head_attention_forward
_UNCHECKED_ATTENTION: Final = FunctionType(
    _attention.__code__,
    {**_attention.__globals__, "has_torch_function": lambda tensors: False},
    _attention.__name__,
    _attention.__defaults__,
)
