"""The short way from a network and arrays to a trained network."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from salamandre.checks import array, real, whole
from salamandre.data.arrays import Data, split, split_rows
from salamandre.network import Network
from salamandre.told import argument
from salamandre.training.callback import Callback, checked_callbacks
from salamandre.training.callbacks import EpochLines, ProgressBar
from salamandre.training.engine import Engine
from salamandre.training.history import History
from salamandre.training.testing import as_data


def fit(
    network: Network,
    x: Any,
    y: Any = None,
    *,
    epochs: int = 1,
    batch_size: int = 64,
    validation_split: float = 0.0,
    validation_data: Data | None = None,
    callbacks: Sequence[Callback] | Callback | Callable[[Any], Any] = (),
    verbose: bool | int = True,
    **options: Any,
) -> History:
    """Train a network on arrays by an :class:`Engine`, which can do more: stop, resume, save.

    Args:
        network: has a loss and an optimizer.
        x: inputs, or a data set as an engine takes it, such as :class:`salamandre.data.Images`.
        y: targets; for an autoencoder the inputs again. Default: x has them.
        epochs: how often each example is seen. A further call goes on with the network as it is.
            Default 1.
        batch_size: examples a step, at most all of them. Default 64.
        validation_split: the share of the examples that is tested instead of learned, by chance,
            with the same shares of each class. ``sample_weights`` are of all examples; the tests
            count theirs alike. Default 0.
        validation_data: a data set to be tested. Default: that share.
        callbacks: see :class:`Engine`.
        verbose: whether there is a bar; 2 means a line after each epoch instead. Default True.
        options: of :class:`Engine`, such as ``metrics`` and ``seed``.

    Returns:
        The history; its ``records`` are the tests.
    """
    taken = (p for made in (fit, Engine) for p in inspect.signature(made).parameters.values())
    known = list(dict.fromkeys(p.name for p in taken if p.kind is p.KEYWORD_ONLY))
    for name in options:
        if name not in known:
            raise TypeError(
                f"fit has no option {name!r}{argument(name, known)} (options: {', '.join(known)})"
            )
    whole("batch_size", batch_size)
    train = as_data(x, y)
    if validation_split:
        share = real("validation_split", validation_split, 0, 1, above=True, below=True)
        if validation_data is not None:
            raise ValueError("give a validation_split or validation_data, not both")
        seed = options.get("seed", 0)
        if options.get("sample_weights") is not None:
            rows = split_rows(train, share, seed)
            weights = array("sample_weights", options["sample_weights"])
            if weights.shape != rows.shape:
                raise ValueError(
                    f"sample_weights must be one number for each of the {len(rows)} examples, got "
                    f"shape {weights.shape}"
                )
            options["sample_weights"] = weights[~rows]
        train, validation_data = split(train, share, seed)
    shown = [EpochLines() if verbose == 2 else ProgressBar()] if verbose else []
    watching = [*checked_callbacks(callbacks), *shown]
    count = len(train[0]) if isinstance(train, (tuple, list)) else len(train)
    engine = Engine(
        network,
        train,
        validation_data,
        batch_size=min(batch_size, count),
        callbacks=watching,
        **options,
    )
    return engine.run(epochs)
