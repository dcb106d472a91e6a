"""Known networks by name."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from salamandre.checks import one_of
from salamandre.initializers import Zeros
from salamandre.layer import Layer
from salamandre.layers.containers import Sequential
from salamandre.layers.convolution import ConvolutionalLayer
from salamandre.layers.neuron import NeuronLayer
from salamandre.models import architectures
from salamandre.models.model import Model
from salamandre.models.preprocessing import Preprocessing
from salamandre.models.weights import TORCHVISION, Weights, find_weights
from salamandre.network import Network

PUBLISHED = "published"


@functools.cache
def imagenet_classes() -> tuple[str, ...]:
    """Return the names of the 1,000 classes of ImageNet (ILSVRC 2012)."""
    text = Path(__file__).with_name("imagenet_classes.txt").read_text(encoding="utf-8")
    return tuple(text.splitlines())


class Known(NamedTuple):
    """A known architecture.

    Attributes:
        layers: for a number of classes, by name.
        source: the work that describes it.
        file: its published weights, ``""`` if there are none.
        preprocessing: what pictures need, if the weights do not say otherwise.
    """

    layers: Callable[[int], dict[str, Layer]]
    source: str
    file: str = ""
    preprocessing: Preprocessing = TORCHVISION


_vgg = "Simonyan and Zisserman 2015, Very Deep Convolutional Networks, arXiv:1409.1556"
#: The known networks by name.
KNOWN = {
    "lenet5": Known(
        architectures.lenet5,
        "LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition",
        preprocessing=Preprocessing((28, 28), order="L", mean=(0.0,), std=(1.0,)),
    ),
    "squeezenet1_1": Known(
        architectures.squeezenet1_1,
        "Iandola et al. 2016, SqueezeNet, arXiv:1602.07360; github.com/forresti/SqueezeNet",
        "squeezenet1_1-b8a52dc0.pth",
    ),
    "alexnet": Known(
        architectures.alexnet,
        "Krizhevsky 2014, One Weird Trick, arXiv:1404.5997",
        "alexnet-owt-7be5be79.pth",
    ),
    "vgg11": Known(architectures.vgg11, _vgg, "vgg11-8a719046.pth"),
    "vgg11_bn": Known(
        functools.partial(architectures.vgg11, batch_norm=True), _vgg, "vgg11_bn-6002323d.pth"
    ),
    "vgg16": Known(architectures.vgg16, _vgg, "vgg16-397923af.pth"),
    "vgg16_bn": Known(
        functools.partial(architectures.vgg16, batch_norm=True), _vgg, "vgg16_bn-6c64b313.pth"
    ),
    "resnet18": Known(
        architectures.resnet18,
        "He et al. 2016, Deep Residual Learning, arXiv:1512.03385",
        "resnet18-f37072fd.pth",
    ),
}


def load(
    name: str,
    weights: str | os.PathLike[str] | None = PUBLISHED,
    *,
    classes: Sequence[str] | None = None,
    preprocessing: Preprocessing | None = None,
    **options: Any,
) -> Model:
    """Return a known network.

    Args:
        name: a name of :data:`KNOWN`.
        weights: a file (``.safetensors``, ``.pth``) or a folder; ``"published"`` for what
            ``SALAMANDRE_WEIGHTS`` names (a folder, or a file of the network's name), without it or
            them for the cache, else the internet; ``None`` for random weights, and for lenet5, of
            which none are published. Default ``"published"``.
        classes: the names of other classes than the weights were made for; the last layer is then
            drawn at random, all others have the weights. Default: the weights' own.
        preprocessing: of pictures. Default: what the weights are known to expect.
        options: of the :class:`Network`: loss, optimizer, seed, backend, dtype, frozen.

    Raises:
        ValueError: an unknown name, or weights of another network.
        FileNotFoundError: there are no weights.
    """
    known = KNOWN[one_of("model", name, KNOWN)]
    found: Weights | None = None
    if weights is not None:
        found = find_weights(name, known.file, None if weights == PUBLISHED else weights)
    if preprocessing is None:
        default = known.preprocessing
        preprocessing = found.preprocessing(default) if found else default
    own = imagenet_classes() if known.preprocessing.order != "L" else tuple("0123456789")
    names = own if classes is None else tuple(classes)
    layers = known.layers(len(names))
    weighted = {
        prefix: layer
        for prefix, layer in Sequential(layers).walk()
        if isinstance(layer, (ConvolutionalLayer, NeuronLayer))
    }
    head = "" if classes is None else list(weighted)[-1]
    if found:  # values that would be drawn only to be replaced take time and memory
        for prefix, layer in weighted.items():
            layer.initializer = layer.initializer if prefix == head else Zeros()
    network = Network(layers, preprocessing.shape, **options)
    if found:
        found.give(network, but=head)
    return Model(name, network, preprocessing, names, known.source)


def lenet5(weights: str | os.PathLike[str] | None = None, **options: Any) -> Model:
    """LeNet-5 for grey digits of 28×28; see :func:`load`."""
    return load("lenet5", weights, **options)


def squeezenet1_1(weights: str | os.PathLike[str] | None = PUBLISHED, **options: Any) -> Model:
    """SqueezeNet 1.1, 1.2 million parameters; see :func:`load`.

    The authors' own weights (blue first, means subtracted, 227×227) and torchvision's (red first,
    scaled, 224×224) expect different pictures: they are told apart by their values.
    """
    return load("squeezenet1_1", weights, **options)


def alexnet(weights: str | os.PathLike[str] | None = PUBLISHED, **options: Any) -> Model:
    """AlexNet in its version for one GPU, 61 million parameters; see :func:`load`."""
    return load("alexnet", weights, **options)


def vgg11(
    weights: str | os.PathLike[str] | None = PUBLISHED, *, batch_norm: bool = False, **options: Any
) -> Model:
    """VGG with 11 layers, 133 million parameters; see :func:`load`."""
    return load("vgg11_bn" if batch_norm else "vgg11", weights, **options)


def vgg16(
    weights: str | os.PathLike[str] | None = PUBLISHED, *, batch_norm: bool = False, **options: Any
) -> Model:
    """VGG with 16 layers, 138 million parameters; see :func:`load`."""
    return load("vgg16_bn" if batch_norm else "vgg16", weights, **options)


def resnet18(weights: str | os.PathLike[str] | None = PUBLISHED, **options: Any) -> Model:
    """ResNet with 18 layers, 11.7 million parameters; see :func:`load`."""
    return load("resnet18", weights, **options)
