"""Runs that are repeated, and what they have in common."""

from salamandre.studies.repeat import mean_band, repeat
