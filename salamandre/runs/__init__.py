"""Runs, each kept in a folder of its own."""

from salamandre.runs.folder import read_settings, run_folder
from salamandre.runs.play import play
from salamandre.runs.run import Run, find_run, find_runs

__all__ = ["Run", "find_run", "find_runs", "play", "read_settings", "run_folder"]
