"""Repeated runs and their statistics."""

from salamandre.studies.repeated import mean_band, repeat
