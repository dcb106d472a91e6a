"""Runs that are repeated, compared and kept in folders."""

from salamandre.experiments.folder import read_settings, run_folder
from salamandre.experiments.play import play
from salamandre.experiments.repeat import mean_band, repeat
from salamandre.experiments.runs import Run, find_run, find_runs

__all__ = [
    "Run",
    "find_run",
    "find_runs",
    "mean_band",
    "play",
    "read_settings",
    "repeat",
    "run_folder",
]
