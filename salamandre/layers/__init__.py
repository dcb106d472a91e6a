"""The layers, a small file each."""

from salamandre.layers.conditional import (
    ConditionalBatchNorm,
    Embedding,
    LabelMap,
    Projection,
)
from salamandre.layers.dropout import Dropout
from salamandre.layers.minibatch import MinibatchDeviation, MinibatchDiscrimination
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm
from salamandre.layers.shape import Flatten, Reshape

__all__ = [
    "BatchNorm",
    "ConditionalBatchNorm",
    "Dropout",
    "Embedding",
    "Flatten",
    "LabelMap",
    "MinibatchDeviation",
    "MinibatchDiscrimination",
    "NeuronLayer",
    "Projection",
    "Reshape",
]
