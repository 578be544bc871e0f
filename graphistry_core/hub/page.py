"""The plain page at a dataset's viewer URL: what the dataset holds. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem; margin: 0 0 .2rem } h2 { font-size: 1rem; margin: 1.6rem 0 .4rem }
p { margin: .2rem 0 } .quiet { opacity: .7 }
table { border-collapse: collapse } th, td { text-align: left; padding: .15rem 1.2rem .15rem 0; vertical-align: top }
th { font-weight: 600 } td { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere }
"""


def render(data: Mapping[str, Any]) -> bytes:
    """Return the page, as UTF-8, for a dataset's record (what DatasetGet answers under ``data``)."""
    tables = data.get("tables", {})
    counts = " · ".join(f"{tables[which]['num_rows']:,} {which}" for which in ("nodes", "edges") if which in tables)
    parts = [
        f"<h1>{escape(str(data.get('name') or 'Untitled'))}</h1>",
        f"<p>{escape(counts or 'no tables yet')}</p>",
        f"<p>{escape(str(data.get('description') or ''))}</p>",
        f"<p class=quiet>dataset {escape(str(data['dataset_id']))}</p>",
    ]
    for which in ("edges", "nodes"):
        if which in tables:
            parts.append(_table(f"Columns of the {which}", tables[which]["dtypes"]))
        encodings = data.get(f"{which[:-1]}_encodings") or {}
        parts.append(_table(f"Bindings of the {which}", encodings.get("bindings") or {}))
    return document(str(data.get("name") or "Untitled"), "\n".join(filter(None, parts)))


def render_error(title: str, sentence: str) -> bytes:
    """Return a page that says one thing."""
    return document(title, f"<h1>{escape(title)}</h1><p>{escape(sentence)}</p>")


def _table(title: str, rows: Mapping[str, Any]) -> str:
    if not rows:
        return ""
    body = "".join(f"<tr><th>{escape(str(k))}</th><td>{escape(str(v))}</td></tr>" for k, v in rows.items())
    return f"<h2>{escape(title)}</h2><table>{body}</table>"


def document(title: str, body: str) -> bytes:
    """Return a whole page, as UTF-8, around a body."""
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{escape(title)}</title>"
    links = f"<link rel=icon href='data:,'><style>{_STYLE}</style>"
    return f"<!doctype html><html lang=en>{head}{links}<main>{body}</main></html>".encode("utf-8", "replace")
