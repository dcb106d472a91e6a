"""The options of a program with run folders: given, or those of a continued run."""

from __future__ import annotations

import argparse
import atexit
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, defstruct

from salamandre.runs.finding import run_in
from salamandre.runs.lock import locked
from salamandre.runs.run import CHECKPOINT, Run, new_run
from salamandre.runs.settings import LearnedImages, Settings

if TYPE_CHECKING:
    from salamandre.data import Images
    from salamandre.training import Loop

OF_THE_FOLDER = ("help", "output", "resume", "program")  # not kept in it


def parse_options(
    parser: argparse.ArgumentParser,
    given: Sequence[str] | None = None,
    may_change: Collection[str] | None = ("rounds",),
) -> argparse.Namespace:
    """Return options: those given, then those of the run to be resumed, then defaults.

    The parser gets ``--output``, the folder of all runs, and ``--resume FOLDER``.

    Args:
        parser: with the program's options.
        given: default: those of the command line.
        may_change: the options that may have another value when a run is continued; ``None``:
            runs cannot be continued, and there is no ``--resume``. Default only ``rounds``.

    Raises:
        FileNotFoundError: the folder to be resumed holds no run.
        ValueError: its settings are damaged, or those of another program; or an option has
            another value that may not change.
    """
    add = parser.add_argument_group("folder").add_argument
    add("--output", default="runs", metavar="DIR", help="the folder of all runs, default runs")
    parser.set_defaults(program=parser.prog, resume=None)
    if may_change is None:
        return parser.parse_args(given)
    changes = ", ".join(f"--{name.replace('_', '-')}" for name in may_change)
    resume = f"continue the run in this folder with its settings, of which {changes} may be changed"
    add("--resume", metavar="FOLDER", help=resume)
    options = parser.parse_args(given)
    if options.resume:
        run = run_in(options.resume)
        if run.settings.program not in ("", parser.prog):
            raise ValueError(f"the run in {options.resume} is one of {run.settings.program}")
        run.check_options(_known(parser))
        parser.set_defaults(**run.options)
        options = parser.parse_args(given)
        for name, value in run.options.items():
            if name not in may_change and getattr(options, name) != value:
                raise ValueError(run.stays(name))
    return options


def open_run(
    options: argparse.Namespace,
    name: str,
    images: Images | None = None,
    rounds_per_epoch: int = 1,
    loops: Mapping[str, Loop] | None = None,
) -> Run:
    """Return a new run, or the one to be resumed, locked until this process ends.

    Changed options are written only if the checkpoints are those of the same engines and games.

    Args:
        options: as :func:`parse_options` returns them.
        name: of the folder that contains a new run's folder.
        images: the training images. Default none.
        rounds_per_epoch: rounds or steps of an epoch, if the run counts epochs. Default 1.
        loops: new engines and games by their folders in that of the run (``"."``: itself); they
            are resumed from the checkpoints there, if there are some. Default none.

    Raises:
        RunInUse: the run is being played already.
        ValueError: a checkpoint is damaged, or of another engine or game; nothing has changed.
    """
    kept = {name: value for name, value in vars(options).items() if name not in OF_THE_FOLDER}
    noted = LearnedImages() if images is None else LearnedImages.of(images, rounds_per_epoch)
    new = Settings.new(options.program, kept, noted)
    run = run_in(options.resume) if options.resume else new_run(options.output, name, new)
    with ExitStack() as lock:
        lock.enter_context(locked(run.folder))
        if options.resume:
            for folder, loop in (loops or {}).items():
                if (run.folder / folder / CHECKPOINT).exists():
                    loop.resume(run.folder / folder / CHECKPOINT)
            run.settings.program, run.settings.images = new.program, new.images
            run.change_options(**kept)
        atexit.register(lock.pop_all().close)
    return run


def _known(parser: argparse.ArgumentParser) -> type[Struct]:
    """Return a struct with the options of a parser."""
    fields: list[tuple[str, Any, Any]] = [
        (name, Any, value) for name, value in parser._defaults.items() if name not in OF_THE_FOLDER
    ]
    for action in parser._actions:
        if action.dest in OF_THE_FOLDER:
            continue
        kind: Any = bool if action.nargs == 0 else action.type or str
        if action.choices is not None:
            kind = Literal[tuple(action.choices)]
        if action.nargs == "+":
            kind = list[kind]
        fields.append((action.dest, kind | None, action.default))
    return defstruct("Options", fields)
