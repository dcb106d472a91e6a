"""Runs that are repeated, compared and kept in folders."""

from salamandre.experiments.repeat import mean_band, repeat
from salamandre.experiments.folder import run_folder

__all__ = ["mean_band", "repeat", "run_folder"]
