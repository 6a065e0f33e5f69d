# Made by tools/stubs.py. Do not edit.

from fastdl.nn import utils as utils
from fastdl.nn.activation import CELU as CELU
from fastdl.nn.activation import ELU as ELU
from fastdl.nn.activation import GELU as GELU
from fastdl.nn.activation import SELU as SELU
from fastdl.nn.activation import Hardshrink as Hardshrink
from fastdl.nn.activation import Hardsigmoid as Hardsigmoid
from fastdl.nn.activation import Hardswish as Hardswish
from fastdl.nn.activation import Hardtanh as Hardtanh
from fastdl.nn.activation import Identity as Identity
from fastdl.nn.activation import LeakyReLU as LeakyReLU
from fastdl.nn.activation import LogSigmoid as LogSigmoid
from fastdl.nn.activation import LogSoftmax as LogSoftmax
from fastdl.nn.activation import Mish as Mish
from fastdl.nn.activation import ReLU as ReLU
from fastdl.nn.activation import ReLU6 as ReLU6
from fastdl.nn.activation import Sigmoid as Sigmoid
from fastdl.nn.activation import SiLU as SiLU
from fastdl.nn.activation import Softmax as Softmax
from fastdl.nn.activation import Softplus as Softplus
from fastdl.nn.activation import Softshrink as Softshrink
from fastdl.nn.activation import Softsign as Softsign
from fastdl.nn.activation import Tanh as Tanh
from fastdl.nn.activation import Tanhshrink as Tanhshrink
from fastdl.nn.activation import Threshold as Threshold
from fastdl.nn.adaptive_pooling import AdaptiveAvgPool1d as AdaptiveAvgPool1d
from fastdl.nn.adaptive_pooling import AdaptiveAvgPool2d as AdaptiveAvgPool2d
from fastdl.nn.adaptive_pooling import AdaptiveAvgPool3d as AdaptiveAvgPool3d
from fastdl.nn.adaptive_pooling import AdaptiveMaxPool1d as AdaptiveMaxPool1d
from fastdl.nn.adaptive_pooling import AdaptiveMaxPool2d as AdaptiveMaxPool2d
from fastdl.nn.adaptive_pooling import AdaptiveMaxPool3d as AdaptiveMaxPool3d
from fastdl.nn.adaptive_pooling import GlobalAveragePool as GlobalAveragePool
from fastdl.nn.adaptive_pooling import GlobalLpPool as GlobalLpPool
from fastdl.nn.adaptive_pooling import GlobalMaxPool as GlobalMaxPool
from fastdl.nn.adaptive_pooling import RoIAlign as RoIAlign
from fastdl.nn.adaptive_pooling import RoIPool as RoIPool
from fastdl.nn.adaptive_pooling import SpatialPyramidPool as SpatialPyramidPool
from fastdl.nn.attention import AdditiveAttention as AdditiveAttention
from fastdl.nn.attention import MultiheadAttention as MultiheadAttention
from fastdl.nn.container import ModuleDict as ModuleDict
from fastdl.nn.container import ModuleList as ModuleList
from fastdl.nn.container import ParameterList as ParameterList
from fastdl.nn.container import Sequential as Sequential
from fastdl.nn.conv import Conv1d as Conv1d
from fastdl.nn.conv import Conv2d as Conv2d
from fastdl.nn.conv import Conv3d as Conv3d
from fastdl.nn.conv_transpose import ConvTranspose1d as ConvTranspose1d
from fastdl.nn.conv_transpose import ConvTranspose2d as ConvTranspose2d
from fastdl.nn.conv_transpose import ConvTranspose3d as ConvTranspose3d
from fastdl.nn.distance import CosineSimilarity as CosineSimilarity
from fastdl.nn.distance import PairwiseDistance as PairwiseDistance
from fastdl.nn.embedding_loss import ContrastiveLoss as ContrastiveLoss
from fastdl.nn.embedding_loss import CosineEmbeddingLoss as CosineEmbeddingLoss
from fastdl.nn.embedding_loss import HingeEmbeddingLoss as HingeEmbeddingLoss
from fastdl.nn.embedding_loss import MarginRankingLoss as MarginRankingLoss
from fastdl.nn.embedding_loss import TripletMarginLoss as TripletMarginLoss
from fastdl.nn.gan_loss import DiscriminatorLoss as DiscriminatorLoss
from fastdl.nn.gan_loss import GeneratorLoss as GeneratorLoss
from fastdl.nn.gates import GLU as GLU
from fastdl.nn.gates import BipolarSigmoid as BipolarSigmoid
from fastdl.nn.gates import ClippedReLU as ClippedReLU
from fastdl.nn.gates import GumbelSoftmax as GumbelSoftmax
from fastdl.nn.gates import Maxout as Maxout
from fastdl.nn.gates import PReLU as PReLU
from fastdl.nn.gates import Step as Step
from fastdl.nn.lazy import LazyBatchNorm1d as LazyBatchNorm1d
from fastdl.nn.lazy import LazyBatchNorm2d as LazyBatchNorm2d
from fastdl.nn.lazy import LazyBatchNorm3d as LazyBatchNorm3d
from fastdl.nn.lazy import LazyConv1d as LazyConv1d
from fastdl.nn.lazy import LazyConv2d as LazyConv2d
from fastdl.nn.lazy import LazyConv3d as LazyConv3d
from fastdl.nn.lazy import LazyConvTranspose1d as LazyConvTranspose1d
from fastdl.nn.lazy import LazyConvTranspose2d as LazyConvTranspose2d
from fastdl.nn.lazy import LazyConvTranspose3d as LazyConvTranspose3d
from fastdl.nn.lazy import LazyInstanceNorm1d as LazyInstanceNorm1d
from fastdl.nn.lazy import LazyInstanceNorm2d as LazyInstanceNorm2d
from fastdl.nn.lazy import LazyInstanceNorm3d as LazyInstanceNorm3d
from fastdl.nn.lazy import LazyLinear as LazyLinear
from fastdl.nn.linear import Linear as Linear
from fastdl.nn.loss import BCELoss as BCELoss
from fastdl.nn.loss import BCEWithLogitsLoss as BCEWithLogitsLoss
from fastdl.nn.loss import CrossEntropyLoss as CrossEntropyLoss
from fastdl.nn.loss import CTCLoss as CTCLoss
from fastdl.nn.loss import DiceLoss as DiceLoss
from fastdl.nn.loss import FocalLoss as FocalLoss
from fastdl.nn.loss import GaussianNLLLoss as GaussianNLLLoss
from fastdl.nn.loss import HingeLoss as HingeLoss
from fastdl.nn.loss import HuberLoss as HuberLoss
from fastdl.nn.loss import KLDivLoss as KLDivLoss
from fastdl.nn.loss import L1Loss as L1Loss
from fastdl.nn.loss import MSELoss as MSELoss
from fastdl.nn.loss import MultiMarginLoss as MultiMarginLoss
from fastdl.nn.loss import NLLLoss as NLLLoss
from fastdl.nn.loss import PoissonNLLLoss as PoissonNLLLoss
from fastdl.nn.loss import SmoothL1Loss as SmoothL1Loss
from fastdl.nn.loss import SoftMarginLoss as SoftMarginLoss
from fastdl.nn.module import Module as Module
from fastdl.nn.normalization import AdaptiveInstanceNorm as AdaptiveInstanceNorm
from fastdl.nn.normalization import BatchNorm1d as BatchNorm1d
from fastdl.nn.normalization import BatchNorm2d as BatchNorm2d
from fastdl.nn.normalization import BatchNorm3d as BatchNorm3d
from fastdl.nn.normalization import GroupNorm as GroupNorm
from fastdl.nn.normalization import InstanceNorm1d as InstanceNorm1d
from fastdl.nn.normalization import InstanceNorm2d as InstanceNorm2d
from fastdl.nn.normalization import InstanceNorm3d as InstanceNorm3d
from fastdl.nn.normalization import LayerNorm as LayerNorm
from fastdl.nn.normalization import LocalResponseNorm as LocalResponseNorm
from fastdl.nn.normalization import PixelNorm as PixelNorm
from fastdl.nn.normalization import RMSNorm as RMSNorm
from fastdl.nn.padding import CircularPad1d as CircularPad1d
from fastdl.nn.padding import CircularPad2d as CircularPad2d
from fastdl.nn.padding import CircularPad3d as CircularPad3d
from fastdl.nn.padding import ConstantPad1d as ConstantPad1d
from fastdl.nn.padding import ConstantPad2d as ConstantPad2d
from fastdl.nn.padding import ConstantPad3d as ConstantPad3d
from fastdl.nn.padding import ReflectionPad1d as ReflectionPad1d
from fastdl.nn.padding import ReflectionPad2d as ReflectionPad2d
from fastdl.nn.padding import ReflectionPad3d as ReflectionPad3d
from fastdl.nn.padding import ReplicationPad1d as ReplicationPad1d
from fastdl.nn.padding import ReplicationPad2d as ReplicationPad2d
from fastdl.nn.padding import ReplicationPad3d as ReplicationPad3d
from fastdl.nn.padding import ZeroPad1d as ZeroPad1d
from fastdl.nn.padding import ZeroPad2d as ZeroPad2d
from fastdl.nn.padding import ZeroPad3d as ZeroPad3d
from fastdl.nn.parameter import Parameter as Parameter
from fastdl.nn.pixelshuffle import ChannelShuffle as ChannelShuffle
from fastdl.nn.pixelshuffle import DepthToSpace as DepthToSpace
from fastdl.nn.pixelshuffle import PixelShuffle as PixelShuffle
from fastdl.nn.pixelshuffle import PixelUnshuffle as PixelUnshuffle
from fastdl.nn.pixelshuffle import SpaceToDepth as SpaceToDepth
from fastdl.nn.pooling import AvgPool1d as AvgPool1d
from fastdl.nn.pooling import AvgPool2d as AvgPool2d
from fastdl.nn.pooling import AvgPool3d as AvgPool3d
from fastdl.nn.pooling import LPPool1d as LPPool1d
from fastdl.nn.pooling import LPPool2d as LPPool2d
from fastdl.nn.pooling import LPPool3d as LPPool3d
from fastdl.nn.pooling import MaxPool1d as MaxPool1d
from fastdl.nn.pooling import MaxPool2d as MaxPool2d
from fastdl.nn.pooling import MaxPool3d as MaxPool3d
from fastdl.nn.pooling import MaxUnpool1d as MaxUnpool1d
from fastdl.nn.pooling import MaxUnpool2d as MaxUnpool2d
from fastdl.nn.pooling import MaxUnpool3d as MaxUnpool3d
from fastdl.nn.recurrent import GRU as GRU
from fastdl.nn.recurrent import LSTM as LSTM
from fastdl.nn.recurrent import RNN as RNN
from fastdl.nn.recurrent_cells import GRUCell as GRUCell
from fastdl.nn.recurrent_cells import LSTMCell as LSTMCell
from fastdl.nn.recurrent_cells import RNNCell as RNNCell
from fastdl.nn.regularization import AlphaDropout as AlphaDropout
from fastdl.nn.regularization import Dropout as Dropout
from fastdl.nn.regularization import Dropout1d as Dropout1d
from fastdl.nn.regularization import Dropout2d as Dropout2d
from fastdl.nn.regularization import Dropout3d as Dropout3d
from fastdl.nn.regularization import DropPath as DropPath
from fastdl.nn.regularization import FeatureAlphaDropout as FeatureAlphaDropout
from fastdl.nn.regularization import GaussianDropout as GaussianDropout
from fastdl.nn.regularization import GaussianNoise as GaussianNoise
from fastdl.nn.regularization import StochasticDepth as StochasticDepth
from fastdl.nn.shape import Flatten as Flatten
from fastdl.nn.shape import Fold as Fold
from fastdl.nn.shape import Unflatten as Unflatten
from fastdl.nn.shape import Unfold as Unfold
from fastdl.nn.sparse import Embedding as Embedding
from fastdl.nn.sparse import EmbeddingBag as EmbeddingBag
from fastdl.nn.textbook import Addition as Addition
from fastdl.nn.textbook import ClassificationOutput as ClassificationOutput
from fastdl.nn.textbook import DepthConcatenation as DepthConcatenation
from fastdl.nn.textbook import ImageInput as ImageInput
from fastdl.nn.textbook import RegressionOutput as RegressionOutput
from fastdl.nn.textbook import SequenceInput as SequenceInput
from fastdl.nn.upsampling import Blur2d as Blur2d
from fastdl.nn.upsampling import Upsample as Upsample
from fastdl.nn.upsampling import UpsamplingBilinear2d as UpsamplingBilinear2d
from fastdl.nn.upsampling import UpsamplingNearest2d as UpsamplingNearest2d
from fastdl.nn.word_vectors import HierarchicalSoftmax as HierarchicalSoftmax
from fastdl.nn.word_vectors import NegativeSampling as NegativeSampling

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "GRU",
    "LSTM",
    "RNN",
    "SELU",
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveInstanceNorm",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "Addition",
    "AdditiveAttention",
    "AlphaDropout",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "BCELoss",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "BipolarSigmoid",
    "Blur2d",
    "CTCLoss",
    "ChannelShuffle",
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ClassificationOutput",
    "ClippedReLU",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ContrastiveLoss",
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "CosineEmbeddingLoss",
    "CosineSimilarity",
    "CrossEntropyLoss",
    "DepthConcatenation",
    "DepthToSpace",
    "DiceLoss",
    "DiscriminatorLoss",
    "DropPath",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "Embedding",
    "EmbeddingBag",
    "FeatureAlphaDropout",
    "Flatten",
    "FocalLoss",
    "Fold",
    "GRUCell",
    "GaussianDropout",
    "GaussianNLLLoss",
    "GaussianNoise",
    "GeneratorLoss",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "GroupNorm",
    "GumbelSoftmax",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "HierarchicalSoftmax",
    "HingeEmbeddingLoss",
    "HingeLoss",
    "HuberLoss",
    "Identity",
    "ImageInput",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "KLDivLoss",
    "L1Loss",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "LSTMCell",
    "LayerNorm",
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
    "LeakyReLU",
    "Linear",
    "LocalResponseNorm",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MarginRankingLoss",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
    "Maxout",
    "Mish",
    "Module",
    "ModuleDict",
    "ModuleList",
    "MultiMarginLoss",
    "MultiheadAttention",
    "NLLLoss",
    "NegativeSampling",
    "PReLU",
    "PairwiseDistance",
    "Parameter",
    "ParameterList",
    "PixelNorm",
    "PixelShuffle",
    "PixelUnshuffle",
    "PoissonNLLLoss",
    "RMSNorm",
    "RNNCell",
    "ReLU",
    "ReLU6",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "RegressionOutput",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "RoIAlign",
    "RoIPool",
    "SequenceInput",
    "Sequential",
    "SiLU",
    "Sigmoid",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "Softmax",
    "Softplus",
    "Softshrink",
    "Softsign",
    "SpaceToDepth",
    "SpatialPyramidPool",
    "Step",
    "StochasticDepth",
    "Tanh",
    "Tanhshrink",
    "Threshold",
    "TripletMarginLoss",
    "Unflatten",
    "Unfold",
    "Upsample",
    "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
    "utils",
]
HOMES: dict[str, str]
