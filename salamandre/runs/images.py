"""The images of a run, opened as the options of its program say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from salamandre import data
from salamandre.program import WrongUsage
from salamandre.runs.run import Run
from salamandre.texts import option_name

PAIR_OPTIONS = ("data_dir", "image_size", "test_share", "seed")
OPTIONS = (*PAIR_OPTIONS, "class_names", "label_column")


def open_images(
    source: str, options: Mapping[str, Any], classes: bool = True
) -> tuple[data.Images, data.Images | None]:
    """Return the training images and, if there are some, the test images of a data set.

    Args:
        source: a name or a path, for :func:`salamandre.data.open`.
        options: ``grey`` and those of :data:`OPTIONS`, by name; others are passed over, and those
            that are absent or ``None`` have their default.
        classes: whether folders of pictures are classes. Default True.

    Raises:
        WrongUsage: the source is no data set, or the options, which are called ``--test-share``
            rather than ``test_share``, do not fit it.
        CorruptData: a file in it is damaged.
        OSError: a file cannot be read, or not be downloaded.
    """
    chosen = {name: options[name] for name in OPTIONS if options.get(name) is not None}
    channels = 1 if options.get("grey") else None
    with _usage():
        return data.open(source, channels=channels, classes=classes, **chosen)


def open_pairs(source: str, options: Mapping[str, Any]) -> tuple[data.Pairs, data.Pairs | None]:
    """Return the training pairs and, if there are some, the test pairs of a data set.

    Args:
        source: a name or a path, for :func:`salamandre.data.pairs`.
        options: ``pairs`` (the conditions), ``jitter``, ``grey`` and those of :data:`OPTIONS` that
            pairs have; as of :func:`open_images`.

    Raises:
        WrongUsage, CorruptData, OSError: as of :func:`open_images`.
    """
    chosen = {name: options[name] for name in PAIR_OPTIONS if options.get(name) is not None}
    with _usage():
        return data.pairs(
            source,
            options.get("pairs") or "right",
            channels=1 if options.get("grey") else None,
            transform=data.Jitter() if options.get("jitter") else None,
            **chosen,
        )


@contextmanager
def _usage() -> Iterator[None]:
    """Make each ValueError that is not of a damaged file one of options, as they are typed."""
    try:
        yield
    except data.CorruptData:
        raise
    except ValueError as error:
        names = rf"(?<![/\\\w.~-])({'|'.join(OPTIONS)})(?![/\\\w-]|\.\w)"  # not within a path
        text = re.sub(names, lambda found: option_name(found[0]), str(error))
        raise WrongUsage(text) from None


def test_images(run: Run) -> data.Images:
    """Return the images that a classifier was tested with.

    Raises:
        ValueError: the run has none.
    """
    _, test = open_images(run.options.get("dataset") or run.images.name, run.options)
    if test is None:
        raise ValueError(f"{run.name} has no test images")
    return test
