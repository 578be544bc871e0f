"""The viewer's HTML: a page that asks a server for its parts, or one file with all inside. Imports scene."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from .scene import PARTS, Scene

STATIC_PATH = "/graph/static/"
DATA_PATH = "/graph/data/"
FILE_LIMIT = 20_000_000  # bytes of tables in one file; beyond, a stated sample
_TYPES = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "woff2": "font/woff2",
    "svg": "image/svg+xml",
}
_MODULES = {
    "app": "app.js",
    "data": "data.js",
    "canvas": "canvas.js",
    "gpu": "gpu.js",
    "labels": "labels.js",
    "looks": "looks.js",
    "panels": "panels.js",
    "table": "table.js",
    "icons": "vendor/icons.js",
    "cosmos": "vendor/cosmos.js",
    "arrow": "vendor/arrow.js",
}


class Served(NamedTuple):
    """A page and the Content-Security-Policy that it is to be sent with."""

    body: bytes
    policy: str


@cache
def asset(name: str) -> tuple[bytes, str] | None:
    """Return a file of the page and its content type, or None for a name that is none of them."""
    if name not in _names():
        return None
    return files(__package__).joinpath("static", name).read_bytes(), _TYPES[name.rpartition(".")[2]]


@cache
def _names() -> frozenset[str]:
    root = files(__package__).joinpath("static")
    found = [(folder, entry.name) for folder in ("", "vendor/") for entry in root.joinpath(folder).iterdir()]
    return frozenset(folder + name for folder, name in found if name.rpartition(".")[2] in _TYPES)


def served(dataset_id: str, session_id: str, title: str, summary: str) -> Served:
    """Return the page of a dataset on a server; it loads what it needs from there, and from nowhere else.

    ``summary`` is for those who see no more of it: search, previews, browsers without JavaScript.
    """
    nonce = secrets.token_urlsafe(16)
    imports = {name: STATIC_PATH + file for name, file in _MODULES.items()}
    boot = {"data": f"{DATA_PATH}{dataset_id}/", "session": session_id, "font": STATIC_PATH + "vendor/icons.woff2"}
    head = f"<link rel=stylesheet href={STATIC_PATH}style.css><link rel=icon href={STATIC_PATH}favicon.svg>"
    scripts = (
        f'<script type=application/json id=boot nonce="{nonce}">{_json(boot)}</script>'
        f'<script type=importmap nonce="{nonce}">{_json({"imports": imports})}</script>'
        f'<script type=module nonce="{nonce}">import "app"</script>'
    )
    policy = (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; "
        "font-src 'self' data:; img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'"
    )
    return Served(_page(title, head, scripts, summary), policy)


def contained(scene: Scene, query: str = "") -> bytes:
    """Return one HTML file with the graph and all of the viewer inside; it loads nothing from anywhere.

    ``query``: parameters of the viewer's URL, as plot() writes them. What is beyond FILE_LIMIT is sampled, and said so.
    """
    scene, parts = _parts_within(scene, FILE_LIMIT)
    data = {name: base64.b64encode(part).decode() for name, part in parts.items() if isinstance(part, bytes)}
    sources = {name: _text(file) for name, file in _MODULES.items()}
    asked = parse_qs(query).get("collections", [""])[-1]
    boot: dict[str, Any] = {
        "inline": True,
        "query": query,
        "setup": parts["setup"],
        "collections": scene.collections(asked),
    }
    if "icon" in str(scene.setup["looks"].get("symbols", "")):
        boot["font"] = "data:font/woff2;base64," + base64.b64encode(_bytes("vendor/icons.woff2")).decode()
    icon = "data:image/svg+xml;base64," + base64.b64encode(_bytes("favicon.svg")).decode()
    policy = (
        "default-src 'none'; script-src 'unsafe-inline' blob: data:; style-src 'unsafe-inline'; font-src data:; "
        "img-src data: blob:; connect-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    head = (
        f'<meta http-equiv=Content-Security-Policy content="{policy}">'
        f'<link rel=icon href="{icon}"><style>{_text("style.css")}</style>'
    )
    scripts = "".join(
        [
            f"<script type=application/json id=boot>{_json(boot)}</script>",
            f"<script type=application/json id=sources>{_json(sources)}</script>",
            *(f'<script type=text/plain id="part-{name}">{text}</script>' for name, text in data.items()),
            f"<script>{_LOAD}</script>",
        ]
    )
    return _page(str(scene.record.get("name") or "Untitled"), head, scripts)


# A page from a file may not load modules from beside it; sources become blobs, and an import map names them.
_LOAD = """
(() => {
  const imports = {};
  for (const [name, source] of Object.entries(JSON.parse(document.getElementById("sources").textContent)))
    imports[name] = URL.createObjectURL(new Blob([source], {type: "text/javascript"}));
  const made = (type, textContent) => Object.assign(document.createElement("script"), {type, textContent});
  const add = (...what) => document.body.append(made(...what));
  add("importmap", JSON.stringify({imports}));
  add("module", 'import "app"');
})()
"""


def _parts_within(scene: Scene, limit: int) -> tuple[Scene, Mapping[str, bytes | dict[str, Any]]]:
    """Return all parts of a scene, or of a smaller one of the same dataset that fits."""
    for _ in range(12):
        parts = {name: scene.part(name) for name in PARTS}
        size = sum(len(part) for part in parts.values() if isinstance(part, bytes))
        if size <= limit or scene.limit <= 1:
            break
        shown = min(scene.limit, max(scene.graph.nodes.num_rows, scene.graph.edges.num_rows))
        scene = Scene(scene.record, scene.nodes, scene.edges, max(int(shown * limit / size * 0.9), 1))
    return scene, parts


def _page(title: str, head: str, scripts: str, summary: str = "") -> bytes:
    page = _text("page.html").replace("<!--title-->", escape(title)).replace("<!--head-->", head)
    page = page.replace("<!--summary-->", escape(summary))
    return page.replace("<!--scripts-->", scripts).encode("utf-8", "replace")


@cache
def _bytes(name: str) -> bytes:
    return files(__package__).joinpath("static", name).read_bytes()


def _text(name: str) -> str:
    return _bytes(name).decode()


def _json(value: Any) -> str:
    """Return JSON that may stand in a script element."""
    return json.dumps(value).replace("<", "\\u003c")
