"""Plain pages that say one thing. Imports nothing of ours."""

from __future__ import annotations

from html import escape

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.3rem; margin: 0 0 .2rem } h2 { font-size: 1rem; margin: 1.6rem 0 .4rem }
p { margin: .2rem 0 } .quiet { opacity: .7 }
table { border-collapse: collapse } th, td { text-align: left; padding: .15rem 1.2rem .15rem 0; vertical-align: top }
th { font-weight: 600 } td { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere }
"""


def render_error(title: str, sentence: str, link: tuple[str, str] | None = None) -> bytes:
    """Return a page that says one thing; ``link`` is where to go on, and what that is called."""
    onward = "" if link is None else f'<p><a href="{escape(link[0])}">{escape(link[1])}</a></p>'
    return document(title, f"<h1>{escape(title)}</h1><p>{escape(sentence)}</p>{onward}")


def document(title: str, body: str) -> bytes:
    """Return a whole page, as UTF-8, around a body."""
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{escape(title)}</title>"
    links = f"<link rel=icon href='data:,'><style>{_STYLE}</style>"
    return f"<!doctype html><html lang=en>{head}{links}<main>{body}</main></html>".encode("utf-8", "replace")
