"""Layers, losses and containers, a file per subject, each imported when it is first used."""

from __future__ import annotations

from fastdl._lazy import attach

# The files and what each defines. `tools/stubs.py` makes __init__.pyi of it.
HOMES = {
    "activation": (
        "CELU ELU GELU Hardshrink Hardsigmoid Hardswish Hardtanh Identity LeakyReLU LogSigmoid "
        "LogSoftmax Mish ReLU ReLU6 SELU SiLU Sigmoid Softmax Softplus Softshrink Softsign Tanh "
        "Tanhshrink Threshold"
    ),
    "adaptive_pooling": (
        "AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d "
        "AdaptiveMaxPool2d AdaptiveMaxPool3d GlobalAveragePool GlobalLpPool GlobalMaxPool "
        "RoIAlign RoIPool SpatialPyramidPool"
    ),
    "attention": "AdditiveAttention MultiheadAttention",
    "container": "ModuleDict ModuleList ParameterList Sequential",
    "conv": "Conv1d Conv2d Conv3d",
    "conv_transpose": "ConvTranspose1d ConvTranspose2d ConvTranspose3d",
    "distance": "CosineSimilarity PairwiseDistance",
    "embedding_loss": (
        "ContrastiveLoss CosineEmbeddingLoss HingeEmbeddingLoss MarginRankingLoss TripletMarginLoss"
    ),
    "gan_loss": "DiscriminatorLoss GeneratorLoss",
    "gates": "BipolarSigmoid ClippedReLU GLU GumbelSoftmax Maxout PReLU Step",
    "lazy": (
        "LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d "
        "LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d "
        "LazyInstanceNorm2d LazyInstanceNorm3d LazyLinear"
    ),
    "linear": "Linear",
    "loss": (
        "BCELoss BCEWithLogitsLoss CTCLoss CrossEntropyLoss DiceLoss FocalLoss GaussianNLLLoss "
        "HingeLoss HuberLoss KLDivLoss L1Loss MSELoss MultiMarginLoss NLLLoss PoissonNLLLoss "
        "SmoothL1Loss SoftMarginLoss"
    ),
    "module": "Module",
    "normalization": (
        "AdaptiveInstanceNorm BatchNorm1d BatchNorm2d BatchNorm3d GroupNorm InstanceNorm1d "
        "InstanceNorm2d InstanceNorm3d LayerNorm LocalResponseNorm PixelNorm RMSNorm"
    ),
    "padding": (
        "CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d "
        "ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d "
        "ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d"
    ),
    "parameter": "Parameter",
    "pixelshuffle": "ChannelShuffle DepthToSpace PixelShuffle PixelUnshuffle SpaceToDepth",
    "pooling": (
        "AvgPool1d AvgPool2d AvgPool3d LPPool1d LPPool2d LPPool3d MaxPool1d MaxPool2d MaxPool3d "
        "MaxUnpool1d MaxUnpool2d MaxUnpool3d"
    ),
    "recurrent": "GRU LSTM RNN",
    "recurrent_cells": "GRUCell LSTMCell RNNCell",
    "regularization": (
        "AlphaDropout DropPath Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout "
        "GaussianDropout GaussianNoise StochasticDepth"
    ),
    "shape": "Flatten Fold Unflatten Unfold",
    "sparse": "Embedding EmbeddingBag",
    "textbook": (
        "Addition ClassificationOutput DepthConcatenation ImageInput RegressionOutput SequenceInput"
    ),
    "upsampling": "Blur2d Upsample UpsamplingBilinear2d UpsamplingNearest2d",
    "utils": "",
    "word_vectors": "HierarchicalSoftmax NegativeSampling",
}

__all__ = sorted(["utils", *" ".join(HOMES.values()).split()])
__getattr__, __dir__ = attach(__name__, HOMES)
