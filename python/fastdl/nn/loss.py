"""Losses as modules. Targets of another shape than asked raise ShapeError; nothing is broadcast."""

from __future__ import annotations

from collections.abc import Sequence

from fastdl import functional as F
from fastdl._core import Tensor
from fastdl.errors import ArgumentError
from fastdl.nn.module import Module

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "FocalLoss",
    "GaussianNLLLoss",
    "HingeLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "MultiMarginLoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
]


class Loss(Module):
    """A loss with its reduction.

    Args:
        reduction: "mean" or "sum" over all values of the loss, or "none". Default: "mean".

    Raises:
        ArgumentError: for another reduction.
    """

    _reductions: tuple[str, ...] = ("mean", "sum", "none")

    def __init__(self, reduction: str = "mean") -> None:
        if reduction not in self._reductions:
            raise ArgumentError(
                type(self).__name__,
                f"reduction is {reduction!r}, expected one of {', '.join(self._reductions)}",
            )
        self.reduction = reduction

    def extra_repr(self) -> str:
        return "" if self.reduction == "mean" else f"reduction={self.reduction!r}"


class CrossEntropyLoss(Loss):
    """Negative log-likelihood of classes under softmax; see `fastdl.functional.cross_entropy`.

    Args:
        weight: scale of each class, [C]; part of the state dict.
        ignore_index: a target whose loss is 0.
        label_smoothing: share of the target that is spread over all classes, 0 to 1.

    Shapes: input [N, C, ...] (logits), target int64[N, ...] with values 0 to C - 1 (IndexRangeError
    otherwise), or probabilities [N, C, ...].
    """

    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )


class NLLLoss(Loss):
    """Minus the log-probability of the target; arguments and shapes as `CrossEntropyLoss`."""

    weight: Tensor | None

    def __init__(
        self, weight: Tensor | None = None, ignore_index: int = -100, reduction: str = "mean"
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, self.weight, self.ignore_index, self.reduction)


class FocalLoss(Loss):
    """Cross entropy that easy targets take little part in (Lin et al., 2017).

    Args:
        gamma: 0 is cross entropy; the larger, the less an easy target counts. Default: 2.
        weight, ignore_index: as in `CrossEntropyLoss`.
    """

    weight: Tensor | None

    def __init__(
        self,
        gamma: float = 2.0,
        weight: Tensor | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.gamma = gamma
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.focal_loss(
            input, target, self.gamma, self.weight, self.ignore_index, self.reduction
        )


class MultiMarginLoss(Loss):
    """Multiclass hinge of scores [N, C] and classes [N], squared with p = 2 (Crammer, Singer)."""

    weight: Tensor | None

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.p = p
        self.margin = margin
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, self.reduction)


class MSELoss(Loss):
    """Squared difference. Shapes: input and target alike."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, self.reduction)


class L1Loss(Loss):
    """Absolute difference. Shapes: input and target alike."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, self.reduction)


class SmoothL1Loss(Loss):
    """Squared below `beta`, absolute above (Girshick, 2015). Shapes: both alike."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, self.reduction, self.beta)


class HuberLoss(Loss):
    """Squared below `delta`, linear above (Huber, 1964). Shapes: both alike."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, self.reduction, self.delta)


class KLDivLoss(Loss):
    """Kullback-Leibler divergence of log-probabilities and probabilities; both alike.

    Args:
        reduction: "batchmean", the divergence per sample, besides the others.
        log_target: whether the targets are logarithms, too.
    """

    _reductions = ("mean", "sum", "none", "batchmean")

    def __init__(self, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, self.reduction, self.log_target)


class BCELoss(Loss):
    """Binary cross entropy of probabilities.

    Shapes: input (0 to 1) and target alike, weight broadcasts; logarithms are cut off at -100, as
    in PyTorch.
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, self.weight, self.reduction)


class BCEWithLogitsLoss(Loss):
    """Binary cross entropy of logits, computed without overflow.

    Shapes: input and target alike; weight and pos_weight, which scales positive targets, broadcast.
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, self.reduction, self.pos_weight
        )


class HingeLoss(Loss):
    """max(0, 1 - target input) for targets of -1 and 1, or its square. Shapes: both alike."""

    def __init__(self, squared: bool = False, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.squared = squared

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_loss(input, target, self.squared, self.reduction)


class SoftMarginLoss(Loss):
    """log(1 + exp(-target input)) for targets of -1 and 1. Shapes: both alike."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, self.reduction)


class GaussianNLLLoss(Loss):
    """Negative log-likelihood under predicted means and variances. Shapes: all three alike."""

    def __init__(self, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


class PoissonNLLLoss(Loss):
    """Negative log-likelihood of counts under (logarithms of) rates. Shapes: both alike."""

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        eps: float = 1e-8,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(
            input, target, self.log_input, self.full, self.eps, self.reduction
        )


class DiceLoss(Loss):
    """1 - Dice's coefficient of probabilities and targets [N, ...] (Milletari et al., 2016)."""

    def __init__(self, smooth: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(reduction)
        self.smooth = smooth

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.dice_loss(input, target, self.smooth, self.reduction)


class CTCLoss(Loss):
    """Connectionist temporal classification (Graves et al., 2006); see `functional.ctc_loss`.

    Args:
        blank: the class that stands for no label. Default: 0.
        zero_infinity: whether targets too long for their input count as 0 instead of infinity.
    """

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self,
        log_probs: Tensor,
        targets: Tensor,
        input_lengths: Sequence[int] | Tensor | int,
        target_lengths: Sequence[int] | Tensor | int,
    ) -> Tensor:
        return F.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )
