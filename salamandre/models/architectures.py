"""Layers of known networks, under the names that PyTorch's published weights have.

A container that PyTorch's names do not show is called ``body`` or ``expand`` (:data:`UNNAMED`). A
layer that rectifies its own output stands for two of PyTorch's, so that numbers are left out.
"""

from __future__ import annotations

from salamandre.activations import ReLU, Softmax, Tanh
from salamandre.initializers import Gaussian
from salamandre.layer import Layer
from salamandre.layers.containers import Parallel, Sequential, Skip
from salamandre.layers.convolution import ConvolutionalLayer
from salamandre.layers.dropout import Dropout
from salamandre.layers.neuron import NeuronLayer
from salamandre.layers.normalization import BatchNorm
from salamandre.layers.pooling import (
    AdaptiveAveragePool,
    AveragePool,
    GlobalAveragePool,
    MaxPool,
)
from salamandre.layers.shape import Flatten

Named = dict[str, Layer]

UNNAMED = ("body", "expand")


def lenet5(classes: int) -> Named:
    """LeCun et al. 1998, section II-B, with Softmax instead of its distances to drawn digits."""
    return {
        "conv1": ConvolutionalLayer(6, 5, padding=2, activation=Tanh()),
        "pool1": AveragePool(2),
        "conv2": ConvolutionalLayer(16, 5, activation=Tanh()),
        "pool2": AveragePool(2),
        "flatten": Flatten(),
        "fc1": NeuronLayer(120, Tanh()),
        "fc2": NeuronLayer(84, Tanh()),
        "fc3": NeuronLayer(classes),
        "softmax": Softmax(),
    }


def squeezenet1_1(classes: int) -> Named:
    """Iandola et al. 2016, version 1.1: pooling earlier, 2.4 times less to compute.

    Pooling rounds sizes down: of 227×227 pixels 13×13 are left, where Caffe and torchvision, which
    round up, have 14×14. Of 224×224 all have 13×13.
    """
    features: Named = {
        "0": ConvolutionalLayer(64, 3, stride=2, activation=ReLU()),
        "2": MaxPool(3, 2),
        "3": _fire(16, 64),
        "4": _fire(16, 64),
        "5": MaxPool(3, 2),
        "6": _fire(32, 128),
        "7": _fire(32, 128),
        "8": MaxPool(3, 2),
        "9": _fire(48, 192),
        "10": _fire(48, 192),
        "11": _fire(64, 256),
        "12": _fire(64, 256),
    }
    head: Named = {
        "0": Dropout(0.5),
        "1": ConvolutionalLayer(classes, 1, activation=ReLU(), initializer=Gaussian(0.01)),
        "3": GlobalAveragePool(),
    }
    return {
        "features": Sequential(features),
        "classifier": Sequential(head),
        "softmax": Softmax(),
    }


def _fire(squeezed: int, expanded: int) -> Sequential:
    """Return a Fire module (section 3.2): few channels, then two convolutions side by side."""
    return Sequential(
        {
            "squeeze": ConvolutionalLayer(squeezed, 1, activation=ReLU()),
            "expand": Parallel(
                {
                    "expand1x1": ConvolutionalLayer(expanded, 1, activation=ReLU()),
                    "expand3x3": ConvolutionalLayer(expanded, 3, padding=1, activation=ReLU()),
                }
            ),
        }
    )


def alexnet(classes: int) -> Named:
    """Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks"."""
    features: Named = {
        "0": ConvolutionalLayer(64, 11, stride=4, padding=2, activation=ReLU()),
        "2": MaxPool(3, 2),
        "3": ConvolutionalLayer(192, 5, padding=2, activation=ReLU()),
        "5": MaxPool(3, 2),
        "6": ConvolutionalLayer(384, 3, padding=1, activation=ReLU()),
        "8": ConvolutionalLayer(256, 3, padding=1, activation=ReLU()),
        "10": ConvolutionalLayer(256, 3, padding=1, activation=ReLU()),
        "12": MaxPool(3, 2),
    }
    head: Named = {
        "0": Dropout(0.5),
        "1": NeuronLayer(4096, ReLU()),
        "3": Dropout(0.5),
        "4": NeuronLayer(4096, ReLU()),
        "6": NeuronLayer(classes),
    }
    return {
        "features": Sequential(features),
        "avgpool": AdaptiveAveragePool(6),
        "flatten": Flatten(),
        "classifier": Sequential(head),
        "softmax": Softmax(),
    }


def vgg11(classes: int, batch_norm: bool = False) -> Named:
    """Simonyan and Zisserman 2015, configuration A."""
    return _vgg([[64], [128], [256] * 2, [512] * 2, [512] * 2], classes, batch_norm)


def vgg16(classes: int, batch_norm: bool = False) -> Named:
    """Simonyan and Zisserman 2015, configuration D."""
    return _vgg([[64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3], classes, batch_norm)


def _vgg(blocks: list[list[int]], classes: int, batch_norm: bool) -> Named:
    """Return blocks of convolutions with so many channels, each before a pooling."""
    features: Named = {}
    number = 0
    for block in blocks:
        for channels in block:
            if batch_norm:
                features[f"{number}"] = ConvolutionalLayer(channels, 3, padding=1)
                features[f"{number + 1}"] = BatchNorm()
                features[f"{number + 2}"] = ReLU()
            else:
                features[f"{number}"] = ConvolutionalLayer(
                    channels, 3, padding=1, activation=ReLU()
                )
            number += 3 if batch_norm else 2
        features[f"{number}"] = MaxPool(2)
        number += 1
    head: Named = {
        "0": NeuronLayer(4096, ReLU()),
        "2": Dropout(0.5),
        "3": NeuronLayer(4096, ReLU()),
        "5": Dropout(0.5),
        "6": NeuronLayer(classes),
    }
    return {
        "features": Sequential(features),
        "avgpool": AdaptiveAveragePool(7),
        "flatten": Flatten(),
        "classifier": Sequential(head),
        "softmax": Softmax(),
    }


def resnet18(classes: int) -> Named:
    """He et al. 2016, table 1, 18 layers; where sizes change, the way past a block is projected."""
    layers: Named = {
        "conv1": ConvolutionalLayer(64, 7, stride=2, padding=3, bias=False),
        "bn1": BatchNorm(),
        "relu": ReLU(),
        "maxpool": MaxPool(3, 2, padding=1),
    }
    for stage, channels in enumerate((64, 128, 256, 512), start=1):
        first = _residual(channels, stride=1 if stage == 1 else 2, projected=stage > 1)
        layers[f"layer{stage}"] = Sequential({"0": first, "1": _residual(channels)})
    return layers | {
        "avgpool": GlobalAveragePool(),
        "fc": NeuronLayer(classes),
        "softmax": Softmax(),
    }


def _residual(channels: int, stride: int = 1, projected: bool = False) -> Sequential:
    """Return a residual block (figure 2)."""
    inside: Named = {
        "conv1": ConvolutionalLayer(channels, 3, stride, padding=1, bias=False),
        "bn1": BatchNorm(),
        "relu1": ReLU(),
        "conv2": ConvolutionalLayer(channels, 3, padding=1, bias=False),
        "bn2": BatchNorm(),
    }
    body: Layer = Skip(inside, join="add")
    if projected:
        projection = [ConvolutionalLayer(channels, 1, stride, bias=False), BatchNorm()]
        ways = {"body": Sequential(inside), "downsample": Sequential(projection)}
        body = Parallel(ways, join="add")
    return Sequential({"body": body, "relu2": ReLU()})
