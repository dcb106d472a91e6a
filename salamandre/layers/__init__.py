"""The layers, a small file each."""

from salamandre.layers.conditional import ConditionalBatchNorm, Embedding, LabelMap, Projection
from salamandre.layers.containers import Parallel, Sequential, Skip
from salamandre.layers.convolution import ConvolutionalLayer, TransposedConvolutionalLayer
from salamandre.layers.dropout import Dropout
from salamandre.layers.minibatch import MinibatchDeviation, MinibatchDiscrimination
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm, InstanceNorm, LayerNorm
from salamandre.layers.pooling import AveragePool, GlobalAveragePool, MaxPool, Upsample
from salamandre.layers.shape import Flatten, Reshape
