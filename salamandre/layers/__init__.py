"""The layers, a small file each."""

from salamandre.layers.convolution import ConvolutionalLayer, TransposedConvolutionalLayer
from salamandre.layers.dropout import Dropout
from salamandre.layers.example_normalization import InstanceNorm, LayerNorm
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm
from salamandre.layers.pooling import AveragePool, GlobalAveragePool, MaxPool
from salamandre.layers.shape import Flatten, Reshape
from salamandre.layers.upsampling import Upsample

__all__ = [
    "AveragePool",
    "BatchNorm",
    "ConvolutionalLayer",
    "Dropout",
    "Flatten",
    "GlobalAveragePool",
    "InstanceNorm",
    "LayerNorm",
    "MaxPool",
    "NeuronLayer",
    "Reshape",
    "TransposedConvolutionalLayer",
    "Upsample",
]
