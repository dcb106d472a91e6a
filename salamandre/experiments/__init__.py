"""Runs that are repeated, compared and kept in folders."""

from salamandre.experiments.folder import read_settings, run_folder
from salamandre.experiments.play import play
from salamandre.experiments.repeat import mean_band, repeat

__all__ = ["mean_band", "play", "read_settings", "repeat", "run_folder"]
