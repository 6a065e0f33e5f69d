"""Layers that read the size of their input off the first input.

A lazy layer is an ordinary one with a stand-in size, 1 or `groups`, whose tensors are kept aside in
`_pending`: it has no parameters yet, only their dtype, device and options. The first input, or a
`load_state_dict`, tells the size; the tensors are repeated along the dimension that depends on it,
drawn anew, and put in their places, and the object takes the class of the ordinary layer.

Until then whatever would hand out a tensor raises `UninitializedError`: `parameters()` (so that no
optimizer is made without them), `state_dict()`, the attribute `weight`. PyTorch hands out objects
that stand for the parameters; they can reach code that takes their size for a real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from fastdl._core import Tensor
from fastdl.errors import ShapeError
from fastdl.nn.conv import Conv1d, Conv2d, Conv3d, ConvBase, Sizes
from fastdl.nn.conv_transpose import (
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    TransposedConvolution,
)
from fastdl.nn.linear import Linear
from fastdl.nn.module import Module
from fastdl.nn.normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    _ChannelNorm,
)
from fastdl.nn.parameter import Parameter
from fastdl.nn.state import uninitialized

if TYPE_CHECKING:
    from fastdl._core import DeviceLike, DTypeLike

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyBatchNorm3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyInstanceNorm3d",
    "LazyLinear",
    "LazyModuleMixin",
]


class LazyModuleMixin(Module):
    """What lazy layers share. It stands before the ordinary layer among the bases.

    A subclass makes the ordinary layer with a stand-in for the size, then calls `_wait`.
    """

    _size_name: ClassVar[str]  # the attribute that holds the size
    _axes: ClassVar[dict[str, int]]  # of each tensor that depends on it, the dimension that does
    _pending: dict[str, Tensor]
    _stand_in: int
    _text: str

    def _wait(self) -> None:
        """Put the tensors aside until the size is known."""
        self._stand_in = getattr(self, self._size_name)
        setattr(self, self._size_name, 0)
        self._text = super().extra_repr()
        own = vars(self)
        self._pending = {name: own.pop(name) for name in [*own] if isinstance(own[name], Tensor)}

    def forward(self, input: Tensor, *args: Any, **kwargs: Any) -> Any:
        self.initialize_parameters(input)
        return self.forward(input, *args, **kwargs)  # that of the ordinary class, by now

    def initialize_parameters(self, input: Tensor) -> None:
        """Become the ordinary layer for inputs like this one.

        Raises:
            ShapeError: the input has a number of dimensions that the layer does not take, or a
                size that does not fit its options, or is 0.
        """
        size = input.shape[self._axis(input)]
        if size < 1 or size % self._stand_in:
            wanted = f"a multiple of {self._stand_in}" if size else "1 or more"
            raise ShapeError(
                type(self).__name__,
                f"{self._size_name} is {size}, expected {wanted}",
                {"input": str(list(input.shape))},
            )
        self._become(size // self._stand_in)

    def has_uninitialized_params(self) -> bool:
        """True: with its parameters the layer gets the ordinary class."""
        return True

    def reset_parameters(self) -> None:
        """Nothing: there are no parameters yet."""

    def extra_repr(self) -> str:
        return self._text

    def _axis(self, input: Tensor) -> int:
        """The dimension of an input that tells the size; ShapeError for inputs of no such kind."""
        raise NotImplementedError

    def _factor_in(self, saved: Mapping[str, Any], prefix: str) -> int | None:
        """How many times the stand-in a saved layer's size is; None where it is not to be seen."""
        for name, axis in self._axes.items():
            shape: tuple[int, ...] = tuple(getattr(saved.get(prefix + name), "shape", ()))
            if name in self._pending and len(shape) == self._pending[name].ndim:
                return max(shape[axis] // self._pending[name].shape[axis], 1)
        return None

    def _become(self, factor: int) -> None:
        """Take the class and the tensors of the ordinary layer of `factor` times the size."""
        setattr(self, self._size_name, self._stand_in * factor)
        own = vars(self)
        own |= {name: self._grown(name, factor) for name in self._pending}
        del own["_pending"], own["_stand_in"], own["_text"]
        ordinary = next(c for c in type(self).__mro__ if not issubclass(c, LazyModuleMixin))
        self.__class__ = ordinary  # type: ignore[assignment]
        if hasattr(self, "reset_parameters"):
            self.reset_parameters()

    def _grown(self, name: str, factor: int) -> Tensor:
        value = self._pending[name]
        if name not in self._axes:
            return value
        repeats = [1] * value.ndim
        repeats[self._axes[name]] = factor
        grown = value.detach().repeat(repeats)
        return Parameter(grown, value.requires_grad) if isinstance(value, Parameter) else grown

    def __getattr__(self, name: str) -> Any:
        if name in vars(self).get("_pending", ()):
            raise uninitialized(self, repr(name))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class LazyLinear(LazyModuleMixin, Linear):
    """A `Linear` whose `in_features` is the last dimension of its first input.

    Args:
        out_features, bias, device, dtype: as those of `Linear`.
    """

    _size_name, _axes = "in_features", {"weight": 1}

    def __init__(
        self,
        out_features: int,
        bias: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(1, out_features, bias, device, dtype)
        self._wait()

    def _axis(self, input: Tensor) -> int:
        if input.ndim == 0:
            raise ShapeError("LazyLinear", "the input has no dimensions, expected [..., I]")
        return -1


class _LazyConvBase(LazyModuleMixin, ConvBase):
    """What lazy convolutions share: which dimension of the input holds the channels."""

    _size_name = "in_channels"

    def _axis(self, input: Tensor) -> int:
        axis = input.ndim - self.rank - 1
        if axis not in (0, 1):
            image = ", ".join(["C", *"DHW"[-self.rank :]]) if self.rank > 1 else "C, L"
            raise ShapeError(
                type(self).__name__,
                f"the input has {input.ndim} dimensions, expected [N, {image}] or [{image}]",
                {"input": str(list(input.shape))},
            )
        return axis


class _LazyConv(_LazyConvBase):
    _axes = {"weight": 1}  # noqa: RUF012 - a ClassVar of the base

    def __init__(
        self,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(
            max(groups, 1),
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )
        self._wait()


class _LazyConvTranspose(_LazyConvBase, TransposedConvolution):
    _axes = {"weight": 0}  # noqa: RUF012 - a ClassVar of the base

    def __init__(
        self,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(
            max(groups, 1),
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups,
            bias,
            dilation,
            padding_mode,
            device,
            dtype,
        )
        self._wait()


class _LazyNorm(LazyModuleMixin, _ChannelNorm):
    _size_name = "num_features"
    _axes = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), 0)

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: DeviceLike | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        super().__init__(1, eps, momentum, affine, track_running_stats, device, dtype)
        self._wait()

    def _axis(self, input: Tensor) -> int:
        self._check(type(self).__name__, input)
        return 1


class _LazyInstanceNorm(_LazyNorm):
    def _axis(self, input: Tensor) -> int:
        super()._axis(input)
        return int(input.ndim > self._ranks[0])


class LazyConv1d(_LazyConv, Conv1d):
    """A `Conv1d` whose `in_channels` are those of its first input; other arguments likewise."""


class LazyConv2d(_LazyConv, Conv2d):
    """A `Conv2d` whose `in_channels` are those of its first input; other arguments likewise."""


class LazyConv3d(_LazyConv, Conv3d):
    """A `Conv3d` whose `in_channels` are those of its first input; other arguments likewise."""


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A `ConvTranspose1d` whose `in_channels` are those of its first input."""


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A `ConvTranspose2d` whose `in_channels` are those of its first input."""


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A `ConvTranspose3d` whose `in_channels` are those of its first input."""


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """A `BatchNorm1d` whose `num_features` are the channels of its first input."""


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """A `BatchNorm2d` whose `num_features` are the channels of its first input."""


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """A `BatchNorm3d` whose `num_features` are the channels of its first input."""


class LazyInstanceNorm1d(_LazyInstanceNorm, InstanceNorm1d):
    """An `InstanceNorm1d` whose `num_features` are the channels of its first input.

    `affine` and `track_running_stats` are True by default, as in PyTorch, and not False.
    """


class LazyInstanceNorm2d(_LazyInstanceNorm, InstanceNorm2d):
    """An `InstanceNorm2d` whose `num_features` are the channels of its first input.

    `affine` and `track_running_stats` are True by default, as in PyTorch, and not False.
    """


class LazyInstanceNorm3d(_LazyInstanceNorm, InstanceNorm3d):
    """An `InstanceNorm3d` whose `num_features` are the channels of its first input.

    `affine` and `track_running_stats` are True by default, as in PyTorch, and not False.
    """
