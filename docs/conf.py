"""Sphinx: the tutorial and the guides in Markdown, the reference from docstrings."""

import os
from typing import Any

# The reference shows the functions in Python, with their types, not those of the native core.
os.environ["BEAMISH_PURE"] = "1"

from docutils.nodes import Element
from sphinx.application import Sphinx
from sphinx.domains.python import PyXRefRole
from sphinx.environment import BuildEnvironment

from transaction_tracker.cli.app import application

project = "beamish"
author = "the authors of beamish"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "beamish"
html_static_path = ["_static"]
html_css_files = ["beamish.css"]
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False

# -- Markdown

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

# -- Docstrings: Google's style; a word in single backticks is a name of ours

default_role = "ours"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Source", ("Inherited class keywords", "params_style")]
add_module_names = False
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

# -- A reference that leads nowhere is an error; these are not ours to document

nitpicky = True
nitpick_ignore_regex = [
    ("py:(class|obj)", r"(asyncio|dataclasses|collections\.abc|contextlib|pathlib|ssl|typing)\..*"),
    ("py:class", r"(opentelemetry|prometheus_client)\..*"),
    ("py:(class|obj)", r"(beamish\..*\.)?(E|P|R|S|T|Ts)"),  # type variables
    # Types that are only returned and passed on.
    ("py:class", r"beamish\.(cluster\.)?_.*"),
    ("py:class", r"beamish\.testing\.cluster\.world\..*"),
]


class Ours(PyXRefRole):
    """A role that finds a name in the same class, then the same module, then anywhere."""

    def process_link(
        self,
        env: BuildEnvironment,
        refnode: Element,
        has_explicit_title: bool,
        title: str,
        target: str,
    ) -> tuple[str, str]:
        """Set the role with which the Python domain searches in this order."""
        refnode.attributes.update(refdomain="py", reftype="obj", refspecific=True)
        return super().process_link(env, refnode, has_explicit_title, title, target)


def add_commands(_app: Sphinx, page: str, source: list[str]) -> None:
    """End the page of the command line with what the commands say of themselves."""
    if page == "tracker/command_line":
        said = application().generate_docs(output_format="markdown", heading_level=2)
        source[0] += said[said.index("\n### ") :]


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the role of single backticks, and the commands."""
    app.add_role("ours", Ours())
    app.connect("source-read", add_commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
