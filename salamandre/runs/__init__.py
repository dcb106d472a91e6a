"""Run folders: make, lock, find, read, compare."""

from salamandre.runs.arguments import (
    TENSORBOARD as TENSORBOARD,
    earlier_names as earlier_names,
    open_run as open_run,
    parse_options as parse_options,
)
from salamandre.runs.finding import find_run as find_run, find_runs as find_runs
from salamandre.runs.images import (
    open_images as open_images,
    open_pairs as open_pairs,
    test_images as test_images,
)
from salamandre.runs.keeping import AtLeast as AtLeast
from salamandre.runs.lock import RunInUse as RunInUse
from salamandre.runs.playing import play as play
from salamandre.runs.run import (
    Run as Run,
    UnknownRun as UnknownRun,
    keep_apart as keep_apart,
    new_run as new_run,
)
from salamandre.runs.settings import LearnedImages as LearnedImages, Settings as Settings
