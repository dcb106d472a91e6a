"""The layers, a small file each."""

from salamandre.layers.conditional import ConditionalBatchNorm, Embedding, LabelMap, Projection
from salamandre.layers.convolution import ConvolutionalLayer, TransposedConvolutionalLayer
from salamandre.layers.dropout import Dropout
from salamandre.layers.example_normalization import InstanceNorm, LayerNorm
from salamandre.layers.minibatch import MinibatchDeviation, MinibatchDiscrimination
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm
from salamandre.layers.pooling import AveragePool, GlobalAveragePool, MaxPool
from salamandre.layers.shape import Flatten, Reshape
from salamandre.layers.upsampling import Upsample

__all__ = [
    "AveragePool",
    "BatchNorm",
    "ConditionalBatchNorm",
    "ConvolutionalLayer",
    "Dropout",
    "Embedding",
    "Flatten",
    "GlobalAveragePool",
    "InstanceNorm",
    "LabelMap",
    "LayerNorm",
    "MaxPool",
    "MinibatchDeviation",
    "MinibatchDiscrimination",
    "NeuronLayer",
    "Projection",
    "Reshape",
    "TransposedConvolutionalLayer",
    "Upsample",
]
