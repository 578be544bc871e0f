"""Collections: named, coloured sets of nodes and edges in the viewer. May import encodings and findings.

Its name is no method's: a module ``collections`` would take the place of ``graphistry_core.collections()``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, unquote

from .encodings import as_json
from .errors import BadRequest
from .findings import Findings

_FIELDS = ("type", "id", "name", "description", "node_color", "edge_color", "expr")
_COLORS = ("node_color", "edge_color")
_GLOBAL_COLORS = ("collectionsGlobalNodeColor", "collectionsGlobalEdgeColor")
_WORDS = {
    **dict.fromkeys(("y", "yes", "t", "true", "on", "1"), True),
    **dict.fromkeys(("n", "no", "f", "false", "off", "0"), False),
}
_DIRECTIONS = ("forward", "reverse", "undirected")
_OTHER_OPERATIONS = ("Call", "CreateIndex", "DropIndex", "Let", "QueryDAG", "Ref", "RemoteGraph", "ShowIndexes")
# In the order in which PyGraphistry writes them.
_OF_AN_EDGE = (
    *("min_hops", "max_hops", "output_min_hops", "output_max_hops", "label_node_hops", "label_edge_hops"),
    *("label_seeds", "to_fixed_point", "direction", "source_node_match", "edge_match", "destination_node_match"),
    *("name", "source_node_query", "destination_node_query", "edge_query", "include_zero_hop_seed"),
)


# --- what users build ---


def collection_set(
    *,
    expr: Any,
    id: str | None = None,
    name: str | None = None,
    description: str | None = None,
    node_color: str | None = None,
    edge_color: str | None = None,
) -> dict[str, Any]:
    """Return the collection of what a GFQL query finds, for ``g.collections()``.

    ``expr`` is an operation, a list of them or a chain: dicts, or PyGraphistry's objects. Raises BadRequest for
    anything else. As PyGraphistry's function of this name.
    """
    made = {"type": "set", "expr": {"type": "gfql_chain", "gfql": operations(expr)}}
    return made | _given(id=id, name=name, description=description, node_color=node_color, edge_color=edge_color)


def collection_intersection(
    *,
    sets: Sequence[str],
    id: str | None = None,
    name: str | None = None,
    description: str | None = None,
    node_color: str | None = None,
    edge_color: str | None = None,
) -> dict[str, Any]:
    """Return the collection of what several collections have in common, for ``g.collections()``.

    ``sets`` are their ids. As PyGraphistry's function of this name.
    """
    made = {"type": "intersection", "expr": {"type": "intersection", "sets": list(sets)}}
    return made | _given(id=id, name=name, description=description, node_color=node_color, edge_color=edge_color)


def _given(**fields: str | None) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


# --- what the viewer's URL holds ---


def encoded(collections: list[dict[str, Any]]) -> str:
    """Return collections as one value of a URL: compact JSON, percent-encoded."""
    return quote(json.dumps(collections, separators=(",", ":")), safe="")


def url_params(params: dict[str, Any], findings: Findings) -> dict[str, Any]:
    """Return URL parameters with those of collections as the viewer reads them; what cannot be read is left out.

    ``collections`` (list, dict, or JSON text, percent-encoded or not) becomes percent-encoded JSON, ``showCollections``
    a boolean, and the two global colors text without its ``#``.
    """
    made = dict(params)
    if "collections" in made:
        made["collections"] = encoded(kept) if (kept := normalized(made["collections"], findings)) else None
    if "showCollections" in made:
        made["showCollections"] = _boolean(made["showCollections"], findings)
    for name in _GLOBAL_COLORS:
        if made.get(name) is not None:
            made[name] = _text(made[name], name, findings).removeprefix("#")
    ours = ("collections", "showCollections", *_GLOBAL_COLORS)
    return {name: value for name, value in made.items() if name not in ours or value is not None}


def _boolean(value: Any, findings: Findings) -> bool | None:
    known = value if isinstance(value, bool) else _WORDS.get(str(value).lower())
    if known is None:
        findings.add(f"showCollections takes True or False, not {value!r}.")
    return known


def _text(value: Any, name: str, findings: Findings) -> str:
    if not isinstance(value, str):
        findings.add(f"{name} takes text, not {value!r}.")
    return str(value)


def normalized(collections: Any, findings: Findings) -> list[dict[str, Any]]:
    """Return collections with every field as the server expects it; those that cannot be used are left out.

    ``collections`` is a list of dicts, one dict, or either as JSON text (percent-encoded or not). Under 'autofix' a
    missing id is made up from type and position, as in PyGraphistry.
    """
    kept = []
    for index, entry in enumerate(_entries(collections, findings)):
        try:
            kept.append(_collection(index, entry, findings))
        except BadRequest as e:
            findings.add(e)
    return _resolvable(kept, findings)


def _entries(collections: Any, findings: Findings) -> list[Any]:
    found = _parsed(collections) if isinstance(collections, str) else collections
    if isinstance(found, dict):
        return [found]
    if isinstance(found, list):
        return found
    findings.add(f"collections takes a list of dicts, a dict, or either as JSON text, not {collections!r}.")
    return []


def _parsed(text: str) -> Any:
    for attempt in (text, unquote(text)):
        try:
            return json.loads(attempt)
        except (ValueError, RecursionError):
            continue
    return None


def _collection(index: int, entry: Any, findings: Findings) -> dict[str, Any]:
    """Return one collection, whole; raise BadRequest when it cannot be used."""
    where = f"Collection {index}"
    if not isinstance(entry, dict):
        raise BadRequest(f"{where} is {type(entry).__name__}; a collection is a dict.")
    if unknown := [name for name in entry if name not in _FIELDS]:
        findings.add(f"{where} has fields {unknown} that no collection has; it takes {', '.join(_FIELDS)}.")
    kind = entry.get("type", "set")
    if not isinstance(kind, str) or kind.lower() not in ("set", "intersection"):
        raise BadRequest(f"{where} has the type {kind!r}; use 'set' or 'intersection'.")
    made = {**_texts(where, entry, findings), "type": kind.lower()}
    if made.get("id") is None:
        findings.add(f"{where} has no id, which the server keeps it by.")
        made["id"] = f"{made['type']}-{index}"
    read = _intersection if made["type"] == "intersection" else _set
    made["expr"] = read(where, entry.get("expr"), findings)
    return {name: made[name] for name in _FIELDS if name in made}


def _texts(where: str, entry: dict[str, Any], findings: Findings) -> dict[str, Any]:
    """Return the fields that are text; of other values a colour is dropped, the rest is written as text."""
    made: dict[str, Any] = {}
    for name in _FIELDS[1:-1]:
        value = entry.get(name)
        if name not in entry or value is None or isinstance(value, str):
            made |= {name: value} if name in entry else {}
            continue
        findings.add(f"{where} has {name}={value!r}; it takes text.")
        if name not in _COLORS:
            made[name] = str(value)
    return made


def _set(where: str, expr: Any, _: Findings) -> dict[str, Any]:
    if isinstance(expr, dict) and expr.get("type") == "intersection":
        raise BadRequest(f"{where} is a set with an intersection for expr; give it type='intersection'.")
    try:
        query = json.loads(expr) if isinstance(expr, str) else expr
        return {"type": "gfql_chain", "gfql": operations(query)}
    except ValueError as e:
        raise BadRequest(f"{where} has no GFQL query for expr: {e}") from e


def _intersection(where: str, expr: Any, findings: Findings) -> dict[str, Any]:
    shape = f"{where} needs expr={{'type': 'intersection', 'sets': [ids of collections]}}, not {expr!r}."
    if not isinstance(expr, dict) or expr.get("type", "intersection") != "intersection":
        raise BadRequest(shape)
    ids = expr.get("sets", expr.get("intersection"))
    if not isinstance(ids, list) or not ids:
        raise BadRequest(shape)
    return {"type": "intersection", "sets": [_text(one, f"{where}: an id in sets", findings) for one in ids]}


def _resolvable(collections: list[dict[str, Any]], findings: Findings) -> list[dict[str, Any]]:
    """Leave out intersections that lead to no set: to themselves, in a circle, or to an id that is not there."""
    known = {c["id"] for c in collections if c["type"] == "set"}
    left = [c for c in collections if c["type"] == "intersection"]
    while found := [c for c in left if known.issuperset(c["expr"]["sets"])]:
        known |= {c["id"] for c in found}
        left = [c for c in left if c not in found]
    for lost in left:
        missing = sorted(set(lost["expr"]["sets"]) - known)
        findings.add(f"The intersection {lost['id']!r} refers to {missing}: not there, or it leads back to itself.")
    return [c for c in collections if c not in left]


# --- GFQL as JSON ---


def operations(query: Any) -> list[dict[str, Any]]:
    """Return a GFQL query as a list of operations in JSON; raise BadRequest when it is none.

    Takes a chain, an operation or a list of them: dicts, or objects with ``to_json()`` such as PyGraphistry's. Node
    and edge operations get the fields that PyGraphistry writes; what is inside a match is left to the server.
    """
    found = as_json(query, "A GFQL query")
    while isinstance(found, dict) and found.get("type") not in ("Node", "Edge", *_OTHER_OPERATIONS):
        inner = next((found[key] for key in _chain_keys(found) if key in found), None)
        if inner is None:
            break
        found = inner
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list) or not found:
        raise BadRequest(f"A GFQL query is an operation or a list of at least one, not {query!r}.")
    return [_operation(one) for one in found]


def _chain_keys(query: dict[str, Any]) -> Iterable[str]:
    return ("gfql", "chain") if query.get("type") == "gfql_chain" else ("chain", "gfql")


def _operation(one: Any) -> dict[str, Any]:
    kind = one.get("type") if isinstance(one, dict) else None
    if kind == "Node":
        return _node(one)
    if kind == "Edge":
        return _edge(one)
    if kind not in _OTHER_OPERATIONS:
        raise BadRequest(f"A GFQL operation is a dict with type Node, Edge, {', '.join(_OTHER_OPERATIONS)}: {one!r}.")
    return dict(one)


def _node(one: dict[str, Any]) -> dict[str, Any]:
    _require_matches(one, "filter_dict")
    extra = {name: one[name] for name in ("name", "query") if one.get(name) is not None}
    return {"type": "Node", "filter_dict": one.get("filter_dict") or {}, **extra}


def _edge(one: dict[str, Any]) -> dict[str, Any]:
    if one.get("direction") not in _DIRECTIONS:
        raise BadRequest(f"A GFQL edge needs a direction of {', '.join(_DIRECTIONS)}, not {one.get('direction')!r}.")
    _require_matches(one, "edge_match", "source_node_match", "destination_node_match")
    made = {"to_fixed_point": False, **{name: value for name, value in one.items() if value is not None}}
    ranged = made["to_fixed_point"] or any(name in made for name in _OF_AN_EDGE[:4])
    hops = None if ranged and made.get("hops") == 1 else made.get("hops")
    skipped = [name for name in ("label_seeds", "include_zero_hop_seed") if not made.get(name)]
    kept = {name: made[name] for name in _OF_AN_EDGE if name in made and name not in skipped}
    return {"type": "Edge", "hops": hops, **kept}


def _require_matches(one: dict[str, Any], *names: str) -> None:
    for name in names:
        if not isinstance(one.get(name), (dict, type(None))):
            raise BadRequest(f"{name} takes a dict of columns to values, not {one[name]!r}.")
