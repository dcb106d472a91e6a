"""Pages on which a trained generator draws in the browser."""

from salamandre.pages.runtime import Runtime, find_runtime
from salamandre.pages.writing import write_page
