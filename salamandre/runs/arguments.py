"""The options of a program with run folders: given, or those of a continued run."""

from __future__ import annotations

import argparse
import atexit
import copy
import sys
import warnings
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from salamandre.backend import get_backend
from salamandre.parallel import launched
from salamandre.program import WrongUsage, usage
from salamandre.runs.finding import find_run, run_in
from salamandre.runs.keeping import checked_options, renamed, require_keepable, require_plain
from salamandre.runs.lock import locked
from salamandre.runs.run import CHECKPOINT, Run, new_run
from salamandre.runs.settings import FILE, LearnedImages, Settings
from salamandre.texts import folder_of, option_name

if TYPE_CHECKING:
    from salamandre.data import Images
    from salamandre.training import Loop

#: Of the option ``--tensorboard`` of a program.
TENSORBOARD: dict[str, Any] = {
    "action": "store_true",
    "help": "write the run for TensorBoard too, to the folder tensorboard in its own",
}
OF_THE_FOLDER = ("help", "output", "resume", "program")  # not kept in it


def earlier_names(parser: argparse.ArgumentParser, **names: str) -> None:
    """Let options have earlier names too, also in run folders; ``--help`` does not show them.

    Args:
        parser: with the options.
        names: the present name by each earlier one, both as in Python: ``nz="latent"``.
    """
    by_name = {action.dest: action for action in parser._actions}
    for earlier, name in names.items():
        action = copy.copy(by_name[name])
        action.option_strings = [option_name(earlier)]
        action.required, action.default, action.help = False, argparse.SUPPRESS, argparse.SUPPRESS
        parser._add_action(action)


def parse_options(
    parser: argparse.ArgumentParser,
    given: Sequence[str] | None = None,
    may_change: Collection[str] | None = ("rounds",),
) -> argparse.Namespace:
    """Return options: those given, then those of the run to be resumed, then defaults.

    The parser gets ``--output``, the folder of all runs, and ``--resume RUN``: a folder, a part of
    the name of a run, or ``latest``, the one of this program that was started last. An option
    ``--backend`` names a backend.

    Args:
        parser: with the program's options. Their values must be such that ``settings.json`` can
            hold them: texts, numbers, paths, lists of them, or what ``type`` makes of the text of
            its own result.
        given: default: those of the command line.
        may_change: the options that may have another value when a run is continued; ``None``:
            runs cannot be continued, and there is no ``--resume``. Default only ``rounds``.

    Raises:
        WrongUsage: ``--output`` is a file; there is no such backend; there is no run to be resumed,
            or several of that name, or it is of another program; or an option has another value
            that may not change.
        ValueError: the run's settings are damaged, or values of an option cannot be kept.
    """
    add = parser.add_argument_group("folder").add_argument
    add("--output", default="runs", metavar="DIR", help="the folder of all runs, default runs")
    require_plain(parser)
    parser.set_defaults(program=parser.prog, resume=None)
    words = list(sys.argv[1:] if given is None else given)
    if may_change is not None:
        changes = ", ".join(map(option_name, may_change))
        text = "continue a run (its folder, a part of its name, or latest) with its settings, of "
        add("--resume", metavar="RUN", help=f"{text}which {changes} may be changed")
        if any(word.startswith("--r") for word in words):  # argparse takes parts of names
            chosen = _chosen(parser, words)
            if chosen.get("resume") == "":
                raise WrongUsage("--resume names no run: give its folder, a part of it, or latest")
            if "resume" in chosen:
                return _resumed(parser, chosen, may_change)
    options = parser.parse_args(words)
    with usage():
        folder_of(options.output, "the folder of runs (--output)")
        get_backend(getattr(options, "backend", None))
    require_keepable(parser, {n: v for n, v in vars(options).items() if n not in OF_THE_FOLDER})
    return options


def _chosen(parser: argparse.ArgumentParser, words: Sequence[str]) -> dict[str, Any]:
    """Return the options that are given, without defaults; none is required."""
    before = [(part, vars(part).copy()) for part in (*parser._actions, parser)]
    places: set[str] = set()
    groups = [(group, group.required) for group in parser._mutually_exclusive_groups]
    try:
        for group, _ in groups:
            group.required = False
        for action in parser._actions:
            action.required = False
            action.default = argparse.SUPPRESS
            if not action.option_strings:  # a positional argument
                action.default = None
                places.add(action.dest)
                action.nargs = "?" if action.nargs is None else "*"
        parser._defaults = {}
        found = vars(parser.parse_args(words))
    finally:
        for part, values in before:
            vars(part).update(values)
        for group, required in groups:
            group.required = required
    return {n: value for n, value in found.items() if n not in places or value not in (None, [])}


def _resumed(
    parser: argparse.ArgumentParser, chosen: dict[str, Any], may_change: Collection[str]
) -> argparse.Namespace:
    """Return the options of the run that ``chosen["resume"]`` names, with the chosen ones."""
    run = find_run(chosen["resume"], chosen.get("output", "runs"), parser.prog)
    if run.settings.program not in ("", parser.prog):
        raise WrongUsage(
            f"the run in {run.folder} is one of {run.settings.program}: resume it with that"
        )
    if (run.folder.parent / FILE).is_file():
        raise WrongUsage(f"{run.name} is a single run of a study: resume {run.folder.parent}")
    run.settings.options = renamed(parser, run.options)
    run.settings.options = checked_options(run, parser, OF_THE_FOLDER)
    for name, value in chosen.items():
        if name in run.options and name not in may_change and run.options[name] != value:
            raise WrongUsage(run.stays(name))
    usual = {action.dest: action.default for action in parser._actions} | parser._defaults
    usual = {name: value for name, value in usual.items() if value != argparse.SUPPRESS}
    merged = {**usual, **run.options, **chosen, "resume": str(run.folder)}
    return argparse.Namespace(**merged)


def open_run(
    options: argparse.Namespace,
    name: str,
    images: Images | None = None,
    rounds_per_epoch: int = 1,
    loops: Mapping[str, Loop] | None = None,
) -> Run:
    """Return a new run, or the one to be resumed, locked until this process ends.

    Changed options are written only if the checkpoints are those of the same engines and games. It
    warns if ``mpirun`` has started several processes, and each of them trains by itself.

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
    processes, rank = launched()
    if processes > 1 and rank == 0 and any(one.group.size == 1 for one in (loops or {}).values()):
        warnings.warn(
            f"mpirun has started {processes} processes, and each has a run of {options.program} of "
            f"its own: salamandre train, or a program that gives its engine or game "
            f"group=parallel.world(), trains one network in all of them",
            stacklevel=2,
        )
    if kept.get("tensorboard"):
        from salamandre.training.tensorboard import require_tensorboard

        require_tensorboard()
    run = run_in(options.resume) if options.resume else new_run(options.output, name, new)
    with ExitStack() as lock:
        lock.enter_context(locked(run.folder))
        if options.resume:
            for folder, loop in (loops or {}).items():
                if (run.folder / folder / CHECKPOINT).exists():
                    loop.resume(run.folder / folder / CHECKPOINT)
            run.settings.program, run.settings.images = new.program, new.images
            run.settings.options = {}  # those with earlier names too are among the kept ones
            run.change_options(**kept)
        atexit.register(lock.pop_all().close)
    return run
