"""How the pages become a site: tox run -e docs. No network is needed, and pages load nothing from other hosts."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

project = "graphistry-core"
author = "graphistry-core contributors"
copyright = author
_SOURCE = Path(__file__).parents[1] / "graphistry_core" / "__init__.py"
release = re.search(r'^__version__ = "(.+)"', _SOURCE.read_text(encoding="utf-8"), re.M).group(1)

extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"graphistry-core {release}"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"sidebar_hide_name": False, "navigation_with_keys": True}


def _links(_app: Sphinx, _name: str, text: list[str]) -> None:
    """Keep only the words of links to files beside the pages: they lie in the checkout, not in the site."""
    text[0] = re.sub(r"\[([^]]+)\]\(\.\./[^)]+\)", r"\1", text[0])


def _toctrees(_app: Sphinx, name: str, text: list[str]) -> None:
    """Make the navigation from the index's own list of links: a forge would show a directive as it stands."""
    if name != "index":
        return
    for part in re.split(r"^## ", text[0], flags=re.M)[1:]:
        caption = part.partition("\n")[0].strip()
        pages = "\n".join(re.findall(r"^- \[.*?\]\((\w[\w-]*)\.md\)", part, re.M))
        text[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{pages}\n```\n"


def _from_elsewhere(app: Sphinx, failed: Exception | None) -> None:
    """Fail where a page would load a script, a style or an image from another host."""
    loads = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=[\"'](?:https?:)?//[^>]*>")
    for page in [] if failed else sorted(Path(app.outdir).rglob("*.html")):
        for found in loads.findall(page.read_text(encoding="utf-8")):
            raise ExtensionError(f"{page.name} loads something from elsewhere: {found}")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _links)
    app.connect("source-read", _toctrees)
    app.connect("build-finished", _from_elsewhere)
