"""What runs of the named bases have in common: images in the settings, tables, checkpoints."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from salamandre.data import Images
from salamandre.runs import open_images
from salamandre.runs.run import CHECKPOINT
from salamandre.runs.settings import FILE, LearnedImages, read_settings
from salamandre.studies.pruning import Reporting, Reports
from salamandre.training import Callback, Checkpoint, Curves, Engine, Seconds, Steps
from salamandre.training.loop import Loop

OF_IMAGES = ("dataset", "test_share", "grey", "image_size")  # options that say which images
TEST_SHARE = 0.1  # of a data set without test images


def images_of(options: dict[str, Any]) -> tuple[Images, Images]:
    """Return training and test images; of a data set without test images a tenth is kept."""
    return _opened(**{name: options[name] for name in OF_IMAGES})


@lru_cache(1)
def _opened(dataset: str, test_share: float, **others: Any) -> tuple[Images, Images]:
    """Return the images; each process opens them once."""
    train, test = open_images(dataset, {**others, "test_share": test_share})
    return (train, test) if test is not None else train.train_test_split(TEST_SHARE, 0)


def continued(
    run: Loop, images: Images, folder: Path, report: Reports | None = None
) -> list[Callback]:
    """Resume a run where it was stopped in its folder; return what keeps it there and reports."""
    settings = read_settings(folder) if (folder / FILE).is_file() else None
    if settings is not None and not settings.images.count:
        settings.images = LearnedImages.of(images, run.steps_per_epoch)
        settings.write(folder)
    checkpoint = folder / CHECKPOINT
    if checkpoint.exists():
        run.resume(checkpoint)
    reporting = [] if report is None else [Reporting(report)]
    return [_Tables(folder, Steps(1000)), Checkpoint(checkpoint, Seconds(30)), *reporting]


def trained(engine: Engine, epochs: int, folder: Path) -> Engine:
    """Train a network until so many epochs are done, and save it.

    Raises:
        KeyboardInterrupt: after Ctrl-C.
    """
    if engine.step < epochs * engine.steps_per_epoch:
        engine.run(epochs)
    if engine.interrupted:
        raise KeyboardInterrupt
    engine.network.save(folder / "model.safetensors")
    return engine


class _Tables(Curves):
    """Writes the tables, but draws no picture: of thousands of runs, few are looked at."""

    recorded = ()

    def _draw(self, run: Any) -> None:
        pass
