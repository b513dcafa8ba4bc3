"""Configuration of the documentation; build with `nox -s docs`."""

from __future__ import annotations

from importlib import metadata

project = "dpsvi"
author = "The dpsvi developers"
version = release = metadata.version("dpsvi")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 2

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False
# As fields: attributes of one name would be targets of "path" and the like.
napoleon_use_ivar = True

html_theme = "furo"
html_title = "dpsvi"
html_show_copyright = False
