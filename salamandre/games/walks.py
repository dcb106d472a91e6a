"""Walks through a generator's latent space, and the directions in it that matter most."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from salamandre.backend import Array
from salamandre.checks import numbers, real, whole
from salamandre.games.latent import Gaussian
from salamandre.layers.conditional import Conditional, Embedding
from salamandre.layers.convolution import TransposedConvolutionalLayer
from salamandre.layers.neuron import NeuronLayer
from salamandre.network import Network
from salamandre.parts import checked_part


def between(start: Any, end: Any, share: float, spherical: bool = True) -> np.ndarray:
    """Return the latent vector at a share of the way from one to another.

    On a straight line its norm becomes smaller than that of any Gaussian vector the generator has
    seen; on a great circle, sin((1 - t) ω) / sin ω · a + sin(t ω) / sin ω · b with ω the angle of a
    and b, it goes from one norm to the other (White 2016, "Sampling generative networks", section
    2.1).

    Args:
        start: a (size,).
        end: b (size,).
        share: t, from 0 to 1.
        spherical: on a great circle. Default True.
    """
    a, b = (np.asarray(numbers("latent vectors", v), np.float64) for v in (start, end))
    if a.ndim != 1 or a.shape != b.shape or not np.isfinite([a, b]).all():
        raise ValueError(
            f"a way is between two latent vectors (size,) of finite numbers, got shapes {a.shape} "
            f"and {b.shape}"
            + (" with NaN or infinity" if a.ndim == 1 and a.shape == b.shape else "")
        )
    share = real("share", share, 0, 1)
    units = [v / (np.abs(v).max(initial=0) or 1) for v in (a, b)]  # whose squares are finite
    norms = np.linalg.norm(units[0]) * np.linalg.norm(units[1])
    cosine = float(units[0] @ units[1]) / norms if norms else 1.0
    angle = np.arccos(np.clip(cosine, -1, 1))
    if not spherical or np.sin(angle) < 1e-6:  # of one direction, or of opposite ones
        return (1 - share) * a + share * b
    return (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)


def walk(
    generator: Network,
    latent: Any,
    labels: Any = None,
    steps: int = 10,
    spherical: bool = True,
    seed: int | Sequence[int] = 0,
) -> Array:
    """Return examples on a way through latent vectors, and of a conditional generator classes.

    Between two classes the generator computes with a mixture of what it has learned for each, so
    that one letter becomes another.

    Args:
        generator: from latent vectors to examples.
        latent: the latent vectors (points, size) that the way goes through, at least two.
        labels: the class at each of them (points,), as labels or names. Default none.
        steps: from one point to the next. Default 10.
        spherical: go on great circles, see :func:`between`. Default True.
        seed: of the generator's other noise, the same at all places. Default 0.

    Returns:
        ((points - 1) · steps + 1, ...): the first, and what follows each step.
    """
    backend = checked_part("generator", generator, Network).backend
    points = backend.to_numpy(backend.asarray(numbers("latent vectors", latent)))
    whole("steps of a walk", steps)
    if points.ndim != 2 or len(points) < 2 or points.shape[1:] != generator.input_shape:
        raise ValueError(
            f"a walk goes through two latent vectors or more, (points, "
            f"{', '.join(map(str, generator.input_shape))}), got shape {points.shape}"
        )
    known = generator.as_labels(labels, len(points))
    known = None if known is None else backend.to_numpy(known)
    walker = generator if known is None else copy.deepcopy(generator)
    examples = []
    for number in range((len(points) - 1) * steps + 1):
        stage = min(number // steps, len(points) - 2)
        share = number / steps - stage
        z = between(points[stage], points[stage + 1], share, spherical)[None]
        label = None
        if known is not None:
            label = known[stage : stage + 1]
            _mix(walker, generator, int(label[0]), int(known[stage + 1]), share)
        examples.append(walker.predict(z.astype(generator.dtype), labels=label, seed=seed))
    return backend.xp.concatenate(examples)


def walk_through(
    game: Any,
    seeds: Sequence[int] = (0,),
    labels: Any = None,
    steps: int = 10,
    spherical: bool | None = None,
) -> Array:
    """Return examples on a way through latent vectors and classes, see :func:`walk`.

    Args:
        game: whose method ``game.walk`` it is.
        seeds: the way goes through the first example of ``generate`` with each of these seeds.
            Default: seed 0 alone.
        labels: and through these classes; a single seed, or label, stays all the way.
        steps: from one to the next. Default 10.
        spherical: on great circles. Default: for a Gaussian latent space.
    """
    if game.latent is None or game.pairing.shape is not None:
        raise ValueError("this game makes pictures from conditions: there is no latent walk")
    if np.ndim(seeds) != 1 or np.ndim(labels) > 1 or (labels is not None and np.ndim(labels) == 0):
        raise ValueError(f"a walk needs lists of seeds and labels, got {seeds!r} and {labels!r}")
    labels = [0] * bool(game.classes) if labels is None else list(labels)
    stages = max(len(seeds), len(labels))
    for what, ends in (("seeds", seeds), ("labels", labels)):
        if len(ends) not in (0, 1, stages) or stages < 2 or (what == "seeds" and not len(ends)):
            raise ValueError(
                f"a walk needs two seeds or labels or more, and as many of the other or one, got "
                f"{len(seeds)} seeds and {len(labels)} labels"
            )
    streams = (game.backend.stream([game.seed, 3, whole("seed", seed, 0)]) for seed in seeds)
    points = [game.latent.draw(stream, 1, game.generator.dtype) for stream in streams]
    latent = game.backend.xp.concatenate(points * (stages if len(points) == 1 else 1))
    if len(labels) == 1:
        labels = [labels[0]] * stages
    if spherical is None:
        spherical = isinstance(game.latent, Gaussian)
    seed = [game.seed, 4, seeds[0]]
    return walk(game.best_generator, latent, labels or None, steps, spherical, seed)


def _mix(mixed: Network, network: Network, first: int, second: int, share: float) -> None:
    """Let the first class of a copy be at a share of the way to the second one."""
    with mixed.changing():
        for (_, layer), (_, original) in zip(mixed.walk(), network.walk(), strict=True):
            if not isinstance(layer, Conditional):
                continue
            for declared in layer.declared:
                if declared.shape[0] == layer.classes:
                    rows = getattr(original, declared.name)
                    way = share * (rows[second] - rows[first])
                    getattr(layer, declared.name)[first] = rows[first] + way


def truncated(count: int, size: int, threshold: float, seed: int = 0) -> np.ndarray:
    """Return Gaussian latent vectors (count, size) whose coordinates are at most a threshold.

    Those above it are drawn again: examples become better and more alike the smaller it is (the
    truncation trick: Brock et al. 2019, "Large scale GAN training", section 3.1).

    Args:
        count: of vectors; another count gives other ones.
        size: of each.
        threshold: of the absolute values, at least 0.01; 2 is mild, 0.5 strong.
        seed: Default 0.
    """
    limit = real("the threshold of a truncation", threshold, 0.01)
    random = np.random.default_rng([whole("seed", seed, 0), 6])
    z = random.standard_normal((whole("count", count), whole("size", size)), np.float32)
    while (far := np.abs(z) > limit).any():
        z[far] = random.standard_normal(int(far.sum()), np.float32)
    return z


class Directions(NamedTuple):
    """Directions of a latent space.

    Attributes:
        vectors: of length 1 (count, size), orthogonal, the most important first.
        strengths: by how much the first layer stretches each (count,).
    """

    vectors: np.ndarray
    strengths: np.ndarray


def principal_directions(generator: Network, count: int = 5) -> Directions:
    """Return the directions that change the inputs of the generator's second layer most.

    They are the right singular vectors of the first layer's weights A, the eigenvectors of AᵀA
    (Shen and Zhou 2021, "Closed-form factorization of latent semantics in GANs", section 3.2).
    ``latent + 2 * directions.vectors[0]`` often changes one thing that can be named.

    Args:
        generator: whose first layer with weights is a ``NeuronLayer`` or a
            ``TransposedConvolutionalLayer`` of one pixel.
        count: of directions, at most those of the latent space. Default 5.
    """
    shape = checked_part("generator", generator, Network).input_shape
    size = shape[0]
    if not isinstance(size, int):
        raise ValueError(
            f"principal directions are those of latent vectors alone, this generator's inputs have "
            f"the shapes {shape}"
        )
    learners = (
        x for x in generator.layers if x.parameter_count() and not isinstance(x, Conditional)
    )
    first = next(learners, None)
    width = size + sum(x.extra[0] for x in generator.layers if isinstance(x, Embedding))
    if isinstance(first, NeuronLayer) and len(generator.input_shape) == 1:
        weights = generator.backend.to_numpy(first.weights)[:, :size]  # then those of labels, noise
    elif isinstance(first, TransposedConvolutionalLayer) and first._place[-1] == (width, 1, 1):
        *_, (top, left), (_, height, width), _ = first._place
        seen = generator.backend.to_numpy(first.weights)[:size]
        seen = seen[:, :, top : top + height, left : left + width]  # padding cuts off the others
        weights = seen.reshape(size, -1).T
    else:
        raise ValueError(
            f"principal directions are those of a NeuronLayer or of a transposed convolution of "
            f"one pixel, which must be the generator's first layer with weights, got {first!r}"
        )
    whole("the count of directions", count)
    _, strengths, vectors = np.linalg.svd(weights.astype(np.float64), full_matrices=False)
    return Directions(vectors[:count], strengths[:count])
