"""Runs, each kept in a folder of its own."""

from salamandre.runs.folder import read_settings, run_folder
from salamandre.runs.play import play
from salamandre.runs.run import Run, find_run, find_runs
