"""The documentation site: ``sphinx-build -W docs site``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

import site_gallery  # noqa: E402

import salamandre  # noqa: E402

project = "Salamandre"
author = copyright = "the authors of Salamandre"
version = release = salamandre.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "site_layers",
    "site_text",
]
exclude_patterns = ["_*", "gallery/*.ipynb", "gallery/*.py", "gallery/**/*.md5", "tutorial/*.ipynb"]

myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4
suppress_warnings = ["config.cache"]  # settings that are objects are read again each time

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autosummary_ignore_module_all = False

sphinx_gallery_conf = site_gallery.configuration(HERE)

templates_path = ["_templates"]
html_theme = "furo"
html_title = f"Salamandre {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
