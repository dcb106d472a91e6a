"""Runs that are repeated, and what they have in common."""

from salamandre.studies.repeated import mean_band, repeat
