"""LeNet-5."""

from __future__ import annotations

from fastdl import nn
from fastdl._core import Tensor
from fastdl.models.registry import register

__all__ = ["LeNet5"]


@register(
    "lenet5",
    "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, 'Gradient-based learning applied to "
    "document recognition', Proc. IEEE 86(11), 1998, section II.B and fig. 2",
    (1, 32, 32),
)
class LeNet5(nn.Module):
    """LeNet-5: two convolutions with pooling and three fully connected layers, for 32x32 images.

    The layers and their sizes are those of the paper, with what has become usual since: rectifiers
    for scaled tanh, max pooling for trainable averages, every map of the second convolution
    connected to every one of the first, and softmax over logits for radial basis functions.

    Args:
        num_classes: classes C. Default: 10.
        in_channels: channels of the images. Default: 1.

    Shapes: input [N, in_channels, 32, 32], output logits [N, C]. 61,706 parameters by default.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * 5 * 5, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits
