"""Studies: planned runs over axes and seeds, repeated runs, and their statistics."""

from salamandre.studies.axes import Range
from salamandre.studies.bases import Base, find_base
from salamandre.studies.plan import Plan, read_plan
from salamandre.studies.repeated import repeat
from salamandre.studies.results import Result, Row
from salamandre.studies.statistics import Comparison, Summary, holm, mean_band, summarize
from salamandre.studies.study import Study
