"""Sphinx: the tutorial and the guides in Markdown, the reference from docstrings."""

import os
from importlib.metadata import version as version_of
from pathlib import Path
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
release = version_of("beamish")
version = ".".join(release.split(".")[:2])
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]

# -- What only a published site has

# Read the Docs names the repository that it has cloned; another builder sets BEAMISH_REPOSITORY.
# No file of the repository holds its own address.
_given = os.environ.get("BEAMISH_REPOSITORY") or os.environ.get("READTHEDOCS_GIT_CLONE_URL", "")
repository = _given.removesuffix(".git").rstrip("/") if _given.startswith("https://") else ""

# Links to the documentation of Python need its inventory, which a build without network has not.
intersphinx_mapping = (
    {"python": ("https://docs.python.org/3", None)} if "READTHEDOCS" in os.environ else {}
)

html_theme = "furo"
html_title = "beamish"
html_static_path = ["_static"]
html_css_files = ["beamish.css"]
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
if repository:
    html_theme_options = {
        "source_view_link": f"{repository}/blob/main/docs/{{filename}}",
        "source_edit_link": f"{repository}/edit/main/docs/{{filename}}",
        "footer_icons": [{"name": "Repository", "url": repository, "html": "Repository"}],
    }

# The prompt of a terminal is not copied.
copybutton_prompt_text = "$ "
# Only shell and Python blocks are pasted somewhere.
copybutton_selector = "div.highlight-sh pre, div.highlight-python pre, div.highlight-text pre"

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


def add_changelog(_app: Sphinx, page: str, source: list[str]) -> None:
    """End the page of the changelog with the changes since the last release, and all releases."""
    if page != "changelog":
        return
    root = Path(__file__).parent.parent
    for kind in ("added", "changed", "deprecated", "removed", "fixed", "security"):
        fragments = [path.read_text() for path in sorted(root.glob(f"changelog.d/*.{kind}.md"))]
        if fragments:
            source[0] += f"\n### {kind.capitalize()}\n\n" + "\n".join(fragments)
    source[0] += "\n" + (root / "CHANGELOG.md").read_text().split("<!-- releases -->")[1]


def set_title(
    _app: Sphinx, page: str, _template: str, context: dict[str, Any], _tree: object
) -> None:
    """Show the pages of the tracker under the tracker's title, beside the page's own."""
    if page.startswith("tracker"):
        context["docstitle"] = context["project"] = "transaction_tracker"


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the role of single backticks, and the commands."""
    app.add_role("ours", Ours())
    app.connect("source-read", add_commands)
    app.connect("source-read", add_changelog)
    app.connect("html-page-context", set_title)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
