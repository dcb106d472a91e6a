"""Which pixels a classifier looks at: gradients of scores by the image, and what is made of them.

All are functions of (network, images, classes). The images (N, *input_shape) are what the network
takes; ``classes`` are the classes whose scores are explained: one for all images, one for each,
or ``None`` for the predicted ones. A map has one value for each pixel, (N, H, W), an attribution
one for each number of the image, (N, *input_shape). Arrays are the backend's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from salamandre.activations import Activation, ReLU
from salamandre.backend import Array
from salamandre.checks import real, whole
from salamandre.data.transforms import bilinear
from salamandre.inspection.probes import (
    Probe,
    Stand,
    convolutions,
    full_name,
    layer_names,
)
from salamandre.inspection.scores import (
    BATCH,
    Scores,
    blocks,
    checked_classes,
    checked_images,
    fitting,
    needed_image_shape,
)
from salamandre.layer import Layer
from salamandre.layers.containers import Container, Parallel
from salamandre.layers.normalization import BatchNorm
from salamandre.network import Network


def _explained(
    network: Network,
    images: Any,
    classes: Any,
    batch_size: int,
    explain: Callable[[Scores, Array, Array], Array],
    stand: Stand | None = None,
) -> Array:
    """Return what ``explain`` makes of the scores, images and classes, block by block."""
    x = checked_images(network, images)
    labels = checked_classes(network, classes, x)
    scores = Scores(network, stand)
    parts = blocks(len(x), batch_size, "saliency")
    return scores.xp.concatenate([explain(scores, x[part], labels[part]) for part in parts])


def gradient(
    network: Network, images: Any, classes: Any = None, *, batch_size: int = BATCH
) -> Array:
    """Return the gradient of each image's score by the image, (N, *input_shape).

    Args:
        network: a classifier, which is not changed.
        images: (N, *input_shape).
        classes: see the module. Default: the predicted ones.
        batch_size: images at a time. Default 32.
    """
    return _explained(
        network, images, classes, batch_size, lambda scores, x, c: scores.gradient(x, c)[1]
    )


def saliency(
    network: Network, images: Any, classes: Any = None, *, batch_size: int = BATCH
) -> Array:
    """Return |dscore/dx|, the largest over the colours, (N, H, W); of rows (N, size).

    Simonyan, Vedaldi, Zisserman 2014, "Deep Inside Convolutional Networks", section 3.

    Args:
        network: a classifier, which is not changed.
        images: (N, *input_shape).
        classes: see the module. Default: the predicted ones.
        batch_size: images at a time. Default 32.
    """
    return largest(gradient(network, images, classes, batch_size=batch_size))


def largest(attributions: Array) -> Array:
    """Return the largest absolute value over the colours: a map (N, H, W); of rows (N, size)."""
    return abs(attributions).max(axis=1) if attributions.ndim == 4 else abs(attributions)


def smooth_grad(
    network: Network,
    images: Any,
    classes: Any = None,
    *,
    samples: int = 25,
    noise: float = 0.15,
    seed: int = 0,
    batch_size: int = BATCH,
) -> Array:
    """Return the saliency map (N, H, W) of the mean gradient over noisy copies of each image.

    |1/n Σ dscore/dx (x + σ ε_i)|, ε_i drawn from N(0, 1), the largest over the colours;
    Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise", section 3.

    Args:
        network: a classifier, which is not changed.
        images: (N, *input_shape).
        classes: see the module. Default: the predicted ones.
        samples: noisy copies. Default 25.
        noise: σ, as a share of the range of each image's values. Default 0.15.
        seed: of the noise. Default 0.
        batch_size: images at a time, in whose blocks noise is drawn. Default 32.
    """
    whole("samples", samples)
    real("noise", noise, 0)
    random = network.backend.stream(whole("seed", seed, least=0))

    def mean(scores: Scores, x: Array, classes: Array) -> Array:
        axes = tuple(range(1, x.ndim))
        width = noise * (x.max(axis=axes, keepdims=True) - x.min(axis=axes, keepdims=True))
        total = scores.xp.zeros_like(x)
        for _ in range(samples):
            noisy = x + width * random.normal(x.shape, x.dtype)
            total += scores.gradient(noisy, classes)[1]
        return total / samples

    return largest(_explained(network, images, classes, batch_size, mean))


def integrated_gradients(
    network: Network,
    images: Any,
    classes: Any = None,
    *,
    baseline: Any = 0.0,
    steps: int = 50,
    batch_size: int = BATCH,
) -> Array:
    """Return attributions (N, *input_shape) whose sum is score(x) - score(baseline).

    (x - x₀) ∫ dscore/dx (x₀ + t (x - x₀)) dt from 0 to 1, by Gauss and Legendre's rule
    (Sundararajan, Taly, Yan 2017, "Axiomatic attribution for deep networks", section 3: the sum is
    its "completeness"; how nearly it holds tells whether there are enough points).

    Args:
        network: a classifier, which is not changed.
        images: (N, *input_shape).
        classes: see the module. Default: the predicted ones.
        baseline: x₀, a number or an array that fits an image. Default 0.
        steps: points of the integral. Default 50.
        batch_size: images at a time. Default 32.
    """
    whole("steps", steps)
    start = fitting("baseline", baseline, network)
    points, weights = np.polynomial.legendre.leggauss(steps)  # on -1 to 1

    def integral(scores: Scores, x: Array, classes: Array) -> Array:
        way = x - start
        total = scores.xp.zeros_like(x)
        for point, weight in zip(points.tolist(), weights.tolist(), strict=True):
            total += weight * scores.gradient(start + (point + 1) / 2 * way, classes)[1]
        return total * way / 2

    return _explained(network, images, classes, batch_size, integral)


class _Guided(Probe):
    """A layer that rectifies its output: the gradient that arrives is rectified too."""

    def backprop(self, dy: Array, ctx: Any) -> Any:
        """Carry back max(dE/dy, 0)."""
        return self.layer.backprop(ctx.xp.maximum(dy, 0), ctx)


def guided_backprop(
    network: Network, images: Any, classes: Any = None, *, batch_size: int = BATCH
) -> Array:
    """Return gradients (N, *input_shape) that pass a ReLU only where they are positive.

    dz = [z > 0] max(dy, 0) for y = max(z, 0) (Springenberg et al. 2015, "Striving for simplicity:
    the all convolutional net", section 3.4). It shows fine structures; they depend
    little on the class (Adebayo et al. 2018).

    Args:
        network: a classifier, which is not changed.
        images: (N, *input_shape).
        classes: see the module. Default: the predicted ones.
        batch_size: images at a time. Default 32.

    Raises:
        ValueError: a network without ReLU.
    """
    if not has_relu(network):
        raise ValueError("guided backprop needs a network with ReLU, this one has none")
    return _explained(
        network,
        images,
        classes,
        batch_size,
        lambda scores, x, c: scores.gradient(x, c)[1],
        lambda _, layer: _Guided(layer) if _rectifies(layer) else layer,
    )


def has_relu(network: Network) -> bool:
    """Return whether there is something for :func:`guided_backprop` to guide."""
    return any(map(_rectifies, layer_names(network).values()))


def _rectifies(layer: Layer) -> bool:
    return not isinstance(layer, Container) and isinstance(layer.output_activation, ReLU)


def grad_cam(
    network: Network,
    images: Any,
    classes: Any = None,
    *,
    layer: str | None = None,
    batch_size: int = BATCH,
) -> Array:
    """Return Grad-CAM's maps (N, H, W): where a layer's channels speak for the class.

    max(Σ_k w_k A_k, 0), A_k being the channels of the layer's output and w_k the mean of
    dscore/dA_k over positions, enlarged bilinearly (Selvaraju et al. 2017, section 3).

    Args:
        network: a classifier, which is not changed.
        images: (N, *input_shape).
        classes: see the module. Default: the predicted ones.
        layer: its name, such as ``"features.12"``; outputs are images. Default: the last
            convolution, with the batch-norm and the activation that follow it.
        batch_size: images at a time. Default 32.

    Raises:
        ValueError: no such layer, or one whose outputs are no images.
    """
    name = full_name(network, _last_channels(network) if layer is None else layer)
    probe = Probe(layer_names(network)[name])
    shape = needed_image_shape(network)

    def cam(scores: Scores, x: Array, classes: Array) -> Array:
        scores.gradient(x, classes)
        if probe.y.ndim != 4:
            raise ValueError(f"Grad-CAM needs a layer whose outputs are images, {name!r} has none")
        weights = probe.dy.mean(axis=(2, 3), keepdims=True)
        small = scores.xp.maximum((weights * probe.y).sum(axis=1), 0)
        rows, columns = (
            network.backend.asarray(bilinear(length, size))
            for length, size in zip(small.shape[1:], shape[1:], strict=True)
        )
        return scores.xp.matmul(scores.xp.matmul(rows, small), columns.T)

    return _explained(
        network, images, classes, batch_size, cam, lambda n, own: probe if n == name else own
    )


def _last_channels(network: Network) -> str:
    """Return the name of the last convolution, or of the last that belongs to it after it."""
    layers, name = layer_names(network), convolutions(network)[-1]
    outer = name.rpartition(".")[0]
    if isinstance(layers.get(outer), Parallel):
        return name
    names = [*layers]
    for after in names[names.index(name) + 1 :]:
        belongs = isinstance(layers[after], (BatchNorm, Activation))
        if not belongs or after.rpartition(".")[0] != outer:
            break
        name = after
    return name


def occlusion(
    network: Network,
    images: Any,
    classes: Any = None,
    *,
    patch: int = 16,
    stride: int = 8,
    value: Any = 0.0,
    batch_size: int = BATCH,
) -> Array:
    """Return maps (N, H, W): how much the score falls where a square hides the image.

    Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2. A
    pixel's value is the mean over the squares that hide it.

    Args:
        network: a classifier, which is not changed.
        images: (N, *input_shape).
        classes: see the module. Default: the predicted ones.
        patch: the side of the square. Default 16 pixels.
        stride: pixels from one square to the next; at most ``patch``. Default 8.
        value: inside the square, a number or an array that fits an image. Default 0.
        batch_size: images at a time. Default 32.

    Raises:
        ValueError: inputs that are no images, or a square that does not fit.
    """
    channels, height, width = needed_image_shape(network)
    if whole("patch", patch) > min(height, width) or whole("stride", stride) > patch:
        raise ValueError(
            f"the stride {stride} must be at most the patch {patch}, which must fit into images of "
            f"{height}×{width}"
        )
    filling = fitting("value", value, network)
    filling = network.backend.xp.broadcast_to(filling, network.input_shape)
    filling = filling.reshape(channels, height, width)
    corners = [
        (top, left)
        for top in (*range(0, height - patch, stride), height - patch)
        for left in (*range(0, width - patch, stride), width - patch)
    ]

    def falls(scores: Scores, x: Array, classes: Array) -> Array:
        chosen = scores.one_hot(classes)
        whole_score = (scores.compute(x) * chosen).sum(axis=1)
        total = scores.xp.zeros((len(x), height, width), x.dtype)
        count = scores.xp.zeros((height, width), x.dtype)
        for top, left in corners:
            hidden = (..., slice(top, top + patch), slice(left, left + patch))
            changed = x.reshape(-1, channels, height, width).copy()
            changed[hidden] = filling[hidden]
            fall = whole_score - (scores.compute(changed.reshape(x.shape)) * chosen).sum(axis=1)
            total[hidden] += fall[:, None, None]
            count[hidden] += 1
        return total / count

    return _explained(network, images, classes, batch_size, falls)
