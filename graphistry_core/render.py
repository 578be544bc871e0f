"""How plot() shows a URL: as text, in a browser, or in a notebook. Imports errors only."""

from __future__ import annotations

import os
import sys
import webbrowser
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from .errors import BadRequest

MODES = ("auto", "url", "browser", "ipython", "databricks", "g")


def resolve(render: str | bool | None, default: str) -> str:
    """Turn plot()'s ``render`` into one of the modes but 'auto'; raise BadRequest for an unknown one."""
    mode = default if render is None else {True: "auto", False: "url"}.get(render, render)  # type: ignore[arg-type]
    if mode not in MODES:
        raise BadRequest(f"render={render!r} is unknown; use one of {', '.join(MODES)}, True, False or None.")
    return _what_works() if mode == "auto" else str(mode)


def _what_works() -> str:
    ipython = sys.modules.get("IPython")
    if os.environ.get("DATABRICKS_RUNTIME_VERSION"):
        return "databricks"
    if ipython is not None and ipython.get_ipython() is not None:
        return "ipython"
    try:
        webbrowser.get()
    except webbrowser.Error:
        return "url"
    return "browser"


def iframe(url: str, height: int, extra_html: str = "", style: str | None = None) -> str:
    """Return an iframe of this height in pixels."""
    source = f'src="{escape(url)}"'
    if url.startswith("file:"):  # which browsers do not load into a page of another origin: the page itself goes in
        page = Path(url2pathname(urlsplit(url).path))
        source = f'srcdoc="{escape(page.read_text(encoding="utf-8"))}"' if page.exists() else source
    css = style if style is not None else f"width:100%; height:{height}px; border: 1px solid #DDD; overflow: hidden"
    return f'<iframe {source} style="{escape(css)}" allowfullscreen></iframe>{extra_html}'


def prepare(transport: Any, dataset_id: str) -> None:
    """Have the page of a dataset written, where the transport and no server makes it."""
    written = getattr(transport, "prepare_page", None)
    if written is not None:
        written(dataset_id)


def show(url: str, mode: str, height: int, extra_html: str, style: str | None) -> Any:
    """Show a URL in one of the modes; return what plot() returns."""
    if mode == "browser":
        webbrowser.open(url)
    if mode == "databricks":
        return iframe(url, height, extra_html, style)
    if mode == "ipython":
        from IPython.display import HTML

        return HTML(iframe(url, height, extra_html, style))
    return url
