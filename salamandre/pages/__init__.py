"""Pages on which a trained generator draws in the browser."""

from salamandre.pages.runtime import Runtime as Runtime, find_runtime as find_runtime
from salamandre.pages.writing import write_page as write_page
