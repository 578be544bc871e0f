"""The parity page: every route and field of Graphistry's protocol, whether it is here, and how we know of it.

Made from the operations in ``wire``, the fields the strict mode goes by, and the notes in ``parity_notes``.
``python -m graphistry_core.dev.parity`` writes docs/parity.md.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from .. import wire
from ..wire.routes import later
from .fields import known
from .parity_notes import ANSWERS, FIELDS, MISSING_FIELDS, PAGES, Note

_PAGE = Path(__file__).parents[2] / "docs" / "parity.md"
_HEAD = """\
# What is here of Graphistry's protocol

Written by `python -m graphistry_core.dev.parity`; a server gives the same as JSON at `GET /_dev/parity`.

**Is it here**: *implemented*; *partial*, with what is missing; *not*: refused, or accepted and without effect.
**Where the fact comes from**: *observed* on the wire of a running client; *client*: read in a client's source; *docs*:
Graphistry's public documentation; *seed*: the two documents this project was started from; *guess*: our choice, since
nobody outside Graphistry can know.
"""


def document() -> list[dict[str, Any]]:
    """Return the routes, each with its request's and its answer's fields, as JSON values."""
    operations = [_operation(kind) for kind in wire.OPERATIONS]
    pages = [_page(name, routes, note) for name, routes, note in PAGES]
    missing = [_page(what, (pattern,), Note("not", "docs", "answered with 501")) for what, pattern in later().items()]
    return [*operations, *pages, *missing]


def _operation(kind: type[wire.Request[Any]]) -> dict[str, Any]:
    fields, name = known(kind), kind.operation
    places = [("body", each) for each in sorted(fields.body)] + [("query", each) for each in sorted(fields.query)]
    if fields.table:
        places.insert(0, ("body", "(a table)"))
    request = [_field(kind, place, each) for place, each in places]
    request += [{"in": place, "name": each, **note.to_dict()} for place, each, note in MISSING_FIELDS.get(name, ())]
    answer = [{"name": each, **note.to_dict()} for each, note in ANSWERS.get(kind.answer.__name__, {}).items()]
    partial = [each for each in [*request, *answer] if each["status"] != "implemented"]
    return {
        "operation": name,
        "routes": [f"{kind.method} {kind.path}", *(f"{method} {path}" for method, path in kind.aliases)],
        "auth": kind.auth,
        "status": "partial" if partial else "implemented",
        "source": kind.source,
        "note": " ".join((kind.__doc__ or "").partition("\n\n")[0].split()),
        "request": request,
        "answer": answer,
    }


def _field(kind: type[wire.Request[Any]], place: str, name: str) -> dict[str, Any]:
    note = FIELDS.get((kind.operation, name), Note("implemented", kind.source))
    return {"in": place, "name": name, **note.to_dict()}


def _page(name: str, routes: tuple[str, ...], note: Note) -> dict[str, Any]:
    return {"operation": name, "routes": [*routes], "auth": "none", **note.to_dict(), "request": [], "answer": []}


def page() -> str:
    """Return docs/parity.md."""
    routes = document()
    lines = [_HEAD, "| operation | routes | is it here | source |", "|---|---|---|---|"]
    for each in routes:
        paths = "<br>".join(f"`{_escape(route)}`" for route in each["routes"])
        lines.append(f"| {each['operation']} | {paths} | {each['status']} | {each['source']} |")
    for each in routes:
        lines += _section(each)
    return "\n".join(lines) + "\n"


def _section(route: dict[str, Any]) -> list[str]:
    if not route["note"] and not route["request"]:
        return []
    lines = ["", f"## {route['operation']}", "", _escape(route["note"])]
    rows = [(f"{each['in']}: `{each['name']}`", each) for each in route["request"]]
    rows += [(f"answer: `{each['name']}`", each) for each in route["answer"]]
    if rows:
        lines += ["", "| field | is it here | source | note |", "|---|---|---|---|"]
    lines += [f"| {name} | {e['status']} | {e['source']} | {_escape(e['note'])} |" for name, e in rows]
    return lines


def _escape(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write docs/parity.md of this checkout."""
    _PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{_PAGE}\n")


if __name__ == "__main__":
    main()
