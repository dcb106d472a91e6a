"""Adversarial examples: images that are changed a little, so that a classifier errs.

All attacks are functions of (network, images, classes) and return changed images (N, *input_shape),
an array of the backend. ``classes`` are the true ones, which the network shall miss; with
``targets`` it shall take these instead. A size such as ``epsilon`` is in units of the network's
inputs: a number, or an array that fits an image, such as ``4 * model.preprocessing.level``, of
which sizes are multiples: the ball ‖δ‖ ≤ ε is then {δ : ‖δ / ε‖ ≤ 1}.
``bounds`` are the smallest and the largest input, between which images stay. E is each image's
cross-entropy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from salamandre.backend import Array
from salamandre.checks import one_of, real, whole
from salamandre.inspection.scores import (
    BATCH,
    Scores,
    blocks,
    checked_bounds,
    checked_classes,
    checked_images,
    fitting,
)
from salamandre.network import Network

Seed = int | Sequence[int]
Attack = Callable[..., Array]
UNIT = (0.0, 1.0)


def fgsm(
    network: Network,
    images: Any,
    classes: Any,
    epsilon: Any,
    *,
    targets: Any = None,
    step: Any = None,
    random_start: bool = False,
    bounds: tuple[Any, Any] = UNIT,
    seed: Seed = 0,
    batch_size: int = BATCH,
) -> Array:
    """Change each pixel by epsilon, as the sign of the loss's gradient says.

    x + ε sign(dE/dx), the fast gradient sign method (Goodfellow, Shlens, Szegedy 2015, section 4).
    With a random start and ``step`` = 1.25 ε it is the attack of fast adversarial training (Wong,
    Rice, Kolter 2020, section 4). As in the authors' program the start may lie beyond the bounds:
    of pixels at a bound the result would not be random otherwise, and the network would learn to
    withstand this attack alone.

    Args:
        network: a classifier, which is not changed.
        images: (N, *input_shape).
        classes: the true ones.
        epsilon: the largest change of a pixel.
        targets: other classes, see the module. Default: none.
        step: length of the step. Default epsilon.
        random_start: begin at a random point, at most epsilon away. Default False.
        bounds: see the module. Default (0, 1).
        seed: of the random start. Default 0.
        batch_size: images at a time. Default 32.
    """
    return pgd(
        network,
        images,
        classes,
        epsilon,
        targets=targets,
        steps=1,
        step=epsilon if step is None else step,
        random_start=random_start,
        bounds=bounds,
        seed=seed,
        batch_size=batch_size,
    )


def pgd(
    network: Network,
    images: Any,
    classes: Any,
    epsilon: Any,
    *,
    targets: Any = None,
    steps: int = 40,
    step: Any = None,
    norm: str = "inf",
    random_start: bool = True,
    bounds: tuple[Any, Any] = UNIT,
    seed: Seed = 0,
    batch_size: int = BATCH,
) -> Array:
    """Climb the loss by small steps, never farther than epsilon from the image.

    x ← Π(x + α u(dE/dx)), projected gradient descent (Madry et al. 2018, section 2.1). In the norm
    ``"inf"`` u is the sign, and Π clips the change to at most ε; in ``"2"`` u(g) = g / ‖g‖, and Π
    multiplies the change δ by min(1, ε / ‖δ‖).

    Args:
        network: a classifier, which is not changed.
        images: (N, *input_shape).
        classes: the true ones.
        epsilon: the largest change, in the norm.
        targets: other classes, see the module. Default: none.
        steps: how many. Default 40.
        step: α, the length of a step. Default 2.5 ε / steps.
        norm: ``"inf"`` (the default) or ``"2"``.
        random_start: begin at a random point of the ball, uniformly; steps end within the bounds.
            Default True.
        bounds: see the module. Default (0, 1).
        seed: of the random start. Default 0.
        batch_size: images at a time, in whose blocks starts are drawn. Default 32.
    """
    whole("steps", steps)
    one_of("norm", norm, ("inf", "2"))
    known = classes if targets is None else targets
    x0, goal, low, high = _prepared(network, images, known, bounds)
    xp, sign = network.backend.xp, 1 if targets is None else -1
    limit = _size("epsilon", epsilon, network)
    length = 2.5 * limit / steps if step is None else _size("step", step, network)
    climb, project, draw = (_sign, _into_box, _box) if norm == "inf" else (_unit, _into_ball, _ball)
    scores, random, parts = Scores(network), network.backend.stream(seed), []
    for part in blocks(len(x0), batch_size, "attack"):
        x = x0[part]
        if random_start:
            x = x + draw(xp, x, limit, random)
        for _ in range(steps):
            _, slope = scores.loss_gradient(x, goal[part])
            change = x + sign * climb(xp, slope, length) - x0[part]
            x = xp.clip(x0[part] + project(xp, change, limit), low, high)
        parts.append(x)
    return xp.concatenate(parts)


def _sign(xp: Any, slope: Array, length: Array) -> Array:
    return length * xp.sign(slope)


def _unit(xp: Any, slope: Array, length: Array) -> Array:
    return length * unit(xp, length * slope)


def _into_box(xp: Any, change: Array, limit: Array) -> Array:
    return xp.clip(change, -limit, limit)


def _into_ball(xp: Any, change: Array, limit: Array) -> Array:
    return change / xp.maximum(norms(xp, change / limit), 1)


def _box(xp: Any, x: Array, limit: Array, random: Any) -> Array:
    return limit * (2 * random.uniform(x.shape, x.dtype) - 1)


def _ball(xp: Any, x: Array, limit: Array, random: Any) -> Array:
    """Return points that are uniform in the ball: a direction, and a radius r with r^d uniform."""
    radius = random.uniform((len(x), *(1,) * (x.ndim - 1)), x.dtype) ** (1 / x[0].size)
    return limit * radius * unit(xp, random.normal(x.shape, x.dtype))


def unit(xp: Any, x: Array) -> Array:
    """Return each example over its Euclidean norm; zeros stay zeros.

    Gradients may be so small that their squares are zero: they are first made 1 at most.
    """
    axes = tuple(range(1, x.ndim))
    scaled = x / xp.maximum(abs(x).max(axis=axes, keepdims=True), np.finfo(x.dtype).tiny)
    return scaled / xp.maximum(norms(xp, scaled), np.finfo(x.dtype).tiny)


def norms(xp: Any, x: Array) -> Array:
    """Return the Euclidean norm of each example, (N, 1, ...)."""
    return xp.sqrt((x * x).sum(axis=tuple(range(1, x.ndim)), keepdims=True))


def targeted_ascent(
    network: Network,
    images: Any,
    targets: Any,
    *,
    rate: float = 1.0,
    steps: int = 100,
    bounds: tuple[Any, Any] | None = None,
    batch_size: int = BATCH,
) -> Array:
    """Climb the score of another class by steps of one length, until the network takes it.

    x ← x + η g / ‖g‖, g = dscore/dx (the laboratory "Network Visualization" of Stanford's course
    CS231n, 2017). An image stops when the target's score is the largest.

    Args:
        network: a classifier, which is not changed.
        images: (N, *input_shape).
        targets: the classes to be taken for, one for all images or one for each.
        rate: η, the Euclidean length of a step. Default 1.
        steps: at most so many. Default 100.
        bounds: see the module. Default: none.
        batch_size: images at a time. Default 32.
    """
    whole("steps", steps)
    real("rate", rate, 0, above=True)
    x0, goal, low, high = _prepared(network, images, targets, bounds or (-np.inf, np.inf))
    xp, scores, parts = network.backend.xp, Scores(network), []
    for part in blocks(len(x0), batch_size, "attack"):
        x, chosen = x0[part] + 0, scores.one_hot(goal[part])
        for _ in range(steps):
            missed = scores.compute(x).argmax(axis=1) != goal[part]
            if not bool(missed.any()):
                break
            moving = _rows(missed, x)
            x = xp.clip(x + moving * rate * unit(xp, scores.backprop(chosen)), low, high)
        parts.append(x)
    return xp.concatenate(parts)


def deepfool(
    network: Network,
    images: Any,
    *,
    candidates: int = 10,
    overshoot: float = 0.02,
    steps: int = 50,
    batch_size: int = BATCH,
) -> Array:
    """Move each image just beyond the nearest border of its predicted class.

    The borders are taken as planes, by the gradients w_k of the differences f_k of the other
    scores from the predicted one's; the step |f_k| w_k / ‖w_k‖² to the nearest one is repeated
    until the class changes (Moosavi-Dezfooli, Fawzi, Frossard 2016, algorithm 2). As in the
    authors' program the way r so far counts as 1 + overshoot of it already between the steps.

    Args:
        network: a classifier, which is not changed.
        images: (N, *input_shape).
        candidates: of the classes, the most likely so many are considered. Default 10, as in the
            authors' program.
        overshoot: how much farther than the border, as a share of the way. Default 0.02.
        steps: at most so many. Default 50.
        batch_size: images at a time. Default 32.
    """
    whole("candidates", candidates, least=2)
    whole("steps", steps)
    real("overshoot", overshoot, 0)
    x0 = checked_images(network, images)
    xp, scores, parts = network.backend.xp, Scores(network), []
    _require_classes("DeepFool", network)
    for part in blocks(len(x0), batch_size, "attack"):
        first = scores.compute(x0[part])
        order = xp.argsort(-first, axis=1)[:, : min(candidates, scores.classes)]
        chosen = [scores.one_hot(order[:, k]) for k in range(order.shape[1])]
        x, way = x0[part], xp.zeros_like(x0[part])
        for _ in range(steps):
            outputs = scores.compute(x)
            moving = outputs.argmax(axis=1) == order[:, 0]
            if not bool(moving.any()):
                break
            way += xp.where(_column(moving, x), _to_border(scores, outputs, chosen), 0)
            x = x0[part] + (1 + overshoot) * way
        parts.append(x)
    return xp.concatenate(parts)


def _to_border(scores: Scores, outputs: Array, chosen: Sequence[Array]) -> Array:
    """Return the step |f_k| w_k / ‖w_k‖² to the nearest border, f and w being differences.

    Of an image whose scores do not depend on it the step is 0.
    """
    xp = scores.xp
    own = scores.backprop(chosen[0])
    best = step = None
    for one_hot in chosen[1:]:
        w = scores.backprop(one_hot) - own
        f = abs((outputs * (one_hot - chosen[0])).sum(axis=1))
        direction = unit(xp, w)
        size = (w * direction).sum(axis=tuple(range(1, w.ndim)))
        flat = size < np.finfo(w.dtype).tiny ** 0.5  # by which a score cannot be divided
        length = f / xp.where(flat, 1, size)
        distance = xp.where(flat, np.inf, length)
        here = _column(xp.where(flat, 0, length), w) * direction
        if best is None:
            best, step = distance, here
        else:
            nearer = distance < best
            best = xp.where(nearer, distance, best)
            step = xp.where(_column(nearer, w), here, step)
    return step


def _column(values: Array, x: Array) -> Array:
    """Return values (N,) in a shape that is multiplied with x (N, ...) example by example."""
    return values.reshape(-1, *(1,) * (x.ndim - 1))


def _rows(chosen: Array, x: Array) -> Array:
    return _column(chosen.astype(x.dtype), x)


def _size(what: str, value: Any, network: Network) -> Array:
    """Return a positive size as an array of the backend."""
    found = fitting(what, value, network)
    if not bool((found > 0).all()):
        raise ValueError(f"{what} must be positive, got {value!r}")
    return found


def _require_classes(what: str, network: Network) -> None:
    if network.output_shape == (1,):
        raise ValueError(f"{what} needs a classifier with two outputs or more, this one has one")


def _prepared(
    network: Network, images: Any, classes: Any, bounds: tuple[Any, Any]
) -> tuple[Array, Array, Array, Array]:
    """Return the images, their classes and both bounds, all checked."""
    x = checked_images(network, images)
    _require_classes("an attack", network)
    labels = checked_classes(network, classes, x)
    low, high = checked_bounds(network, bounds)
    slack = 1e-4 * abs(high - low)
    if not bool(((x >= low - slack) & (x <= high + slack)).all()):
        x = network.backend.to_numpy(x)
        raise ValueError(
            f"the images reach from {x.min():.4g} to {x.max():.4g}, beyond the bounds: give "
            f"bounds=(smallest, largest) of the network's inputs, such as "
            f"model.preprocessing.bounds"
        )
    return x, labels, low, high


def robustness(
    network: Network, images: Any, classes: Any, attack: Attack, *, batch_size: int = 256
) -> dict[str, float]:
    """Return how well a network withstands an attack.

    Args:
        network: a classifier.
        images: (N, *input_shape).
        classes: the true ones, (N,).
        attack: called as ``attack(network, images, classes)``, such as
            ``functools.partial(pgd, epsilon=0.1)``.
        batch_size: images attacked at a time. Default 256.

    Returns:
        ``accuracy`` before and ``accuracy_attacked`` after, ``success`` (the share of those that
        were right and are wrong now), and the mean ``l2`` and ``linf`` norms of the changes of
        these.
    """
    x = checked_images(network, images)
    _require_classes("robustness", network)
    labels = checked_classes(network, classes, x)
    right, fooled, euclidean, largest = 0, 0, 0.0, 0.0
    attacked_right = 0
    for part in blocks(len(x), batch_size, "attacked"):
        before = network.predict(x[part]).argmax(axis=1) == labels[part]
        changed = attack(network, x[part], labels[part])
        if np.shape(changed) != x[part].shape:
            raise ValueError(
                f"the attack must return images of the shape that it is given, {x[part].shape}, "
                f"got {np.shape(changed)}"
            )
        after = network.predict(changed).argmax(axis=1) == labels[part]
        won = before & ~after
        change = abs(changed - x[part]).reshape(len(changed), -1)[won]
        right, fooled = right + int(before.sum()), fooled + int(won.sum())
        attacked_right += int(after.sum())
        if len(change):
            euclidean += float(((change * change).sum(axis=1) ** 0.5).sum())
            largest += float(change.max(axis=1).sum())
    return {
        "accuracy": right / len(x),
        "accuracy_attacked": attacked_right / len(x),
        "success": fooled / max(1, right),
        "l2": euclidean / max(1, fooled),
        "linf": largest / max(1, fooled),
    }
