"""Repeated runs and their statistics."""

from salamandre.studies.repeat import mean_band, repeat
