"""Activations as modules; elementwise where they name no dimension. Shapes pass unchanged."""

from __future__ import annotations

from fastdl import _core
from fastdl._core import Tensor
from fastdl.nn.module import Module

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "Identity",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]


class Identity(Module):
    """x."""

    def forward(self, input: Tensor) -> Tensor:
        return input


class ReLU(Module):
    """max(x, 0) (Nair and Hinton, 2010)."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.relu(input)


class ReLU6(Module):
    """min(max(x, 0), 6) (Krizhevsky, 2010)."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.relu6(input)


class SELU(Module):
    """1.0507 x above 0, 1.7581 (exp(x) - 1) below (Klambauer et al., 2017)."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.selu(input)


class SiLU(Module):
    """x sigmoid(x), also called swish (Hendrycks and Gimpel, 2016)."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.silu(input)


class Mish(Module):
    """x tanh(softplus(x)) (Misra, 2019)."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.mish(input)


class Hardswish(Module):
    """x min(max(x + 3, 0), 6) / 6 (Howard et al., 2019)."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.hardswish(input)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.sigmoid(input)


class LogSigmoid(Module):
    """log(sigmoid(x)), without overflow."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.logsigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.tanh(input)


class Tanhshrink(Module):
    """x - tanh(x)."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.tanhshrink(input)


class Softsign(Module):
    """x / (1 + |x|) (Bergstra et al., 2009)."""

    def forward(self, input: Tensor) -> Tensor:
        return _core.softsign(input)


class GELU(Module):
    """x times the probability that a normal variable is below x (Hendrycks and Gimpel, 2016).

    Args:
        approximate: "tanh" for the paper's approximation. Default: "none".

    Raises:
        ArgumentError: `approximate` is neither, when the layer is called.
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return _core.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class LeakyReLU(Module):
    """x above 0, negative_slope * x below (Maas, Hannun and Ng, 2013).

    Args:
        negative_slope: slope below 0. Default: 0.01.
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        return _core.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """x above 0, alpha * (exp(x) - 1) below (Clevert, Unterthiner and Hochreiter, 2015).

    Args:
        alpha: minus the value that very negative x come to. Default: 1.0.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        return _core.elu(input, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class CELU(Module):
    """x above 0, alpha * (exp(x / alpha) - 1) below (Barron, 2017).

    Args:
        alpha: minus the value that very negative x come to. Default: 1.0.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        return _core.celu(input, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class Softplus(Module):
    """log(1 + exp(beta * x)) / beta (Dugas et al., 2000).

    Args:
        beta: sharpness of the bend at 0. Default: 1.0.
        threshold: above this beta * x, the result is x. Default: 20.0.
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        return _core.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Hardtanh(Module):
    """x between two bounds, which take its place outside (Collobert, 2004).

    Args:
        min_val: the lower bound. Default: -1.0.
        max_val: the upper bound. Default: 1.0.
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        self.min_val, self.max_val = min_val, max_val

    def forward(self, input: Tensor) -> Tensor:
        return _core.hardtanh(input, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class Hardsigmoid(Module):
    """min(max(alpha * x + beta, 0), 1) (Courbariaux, Bengio and David, 2015).

    Args:
        alpha: slope. Default: 1 / 6.
        beta: value at 0. Default: 0.5.
    """

    def __init__(self, alpha: float = 1 / 6, beta: float = 0.5) -> None:
        self.alpha, self.beta = alpha, beta

    def forward(self, input: Tensor) -> Tensor:
        return _core.hardsigmoid(input, self.alpha, self.beta)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}, beta={self.beta}"


class Hardshrink(Module):
    """x beyond -lambd and lambd, 0 between.

    Args:
        lambd: where values begin to pass. Default: 0.5.
    """

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return _core.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return f"lambd={self.lambd}"


class Softshrink(Module):
    """x drawn towards 0 by lambd, 0 between -lambd and lambd (Donoho, 1995).

    Args:
        lambd: what is taken off. Default: 0.5.
    """

    def __init__(self, lambd: float = 0.5) -> None:
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return _core.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return f"lambd={self.lambd}"


class Threshold(Module):
    """x above a threshold, else a value.

    Args:
        threshold: what x has to exceed.
        value: what is in the place of the others.
    """

    def __init__(self, threshold: float, value: float) -> None:
        self.threshold, self.value = threshold, value

    def forward(self, input: Tensor) -> Tensor:
        return _core.threshold(input, self.threshold, self.value)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}"


class Softmax(Module):
    """exp(x) / sum(exp(x)) over a dimension.

    Args:
        dim: the dimension whose values sum to one. Default: -1.
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return _core.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of softmax, computed without overflow.

    Args:
        dim: the dimension whose probabilities sum to one. Default: -1.
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return _core.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
