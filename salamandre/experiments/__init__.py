"""Runs that are repeated, compared and kept in folders."""

from salamandre.experiments.folder import run_folder
from salamandre.experiments.repeat import mean_band, repeat

__all__ = ["mean_band", "repeat", "run_folder"]
