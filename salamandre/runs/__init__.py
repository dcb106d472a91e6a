"""Run folders: make, lock, find, read, compare."""

from salamandre.runs.arguments import TENSORBOARD, earlier_names, open_run, parse_options
from salamandre.runs.finding import find_run, find_runs
from salamandre.runs.images import open_images, open_pairs, test_images
from salamandre.runs.keeping import AtLeast
from salamandre.runs.lock import RunInUse
from salamandre.runs.playing import play
from salamandre.runs.run import Run, UnknownRun, keep_apart, new_run
from salamandre.runs.settings import LearnedImages, Settings
