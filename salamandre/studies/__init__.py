"""Studies: planned runs over axes and seeds, repeated runs, and their statistics."""

from salamandre.studies.axes import Range as Range
from salamandre.studies.bases import Base as Base, find_base as find_base
from salamandre.studies.plan import Plan as Plan, read_plan as read_plan
from salamandre.studies.repeated import repeat as repeat
from salamandre.studies.results import Result as Result, Row as Row
from salamandre.studies.statistics import (
    Comparison as Comparison,
    Summary as Summary,
    holm as holm,
    mean_band as mean_band,
    summarize as summarize,
)
from salamandre.studies.study import Study as Study
