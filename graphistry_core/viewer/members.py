"""Which nodes and edges a viewer's collections hold: their patterns, run on what is drawn. May import the verbs.

A page may be opened by whoever has its address, so only patterns of matches are run here, and no query text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .. import frames, viewer_collections
from ..errors import GraphistryError
from ..findings import Findings

_MOST = 100
_ROW = "__row__"


def members(graph: Any, bindings: Mapping[str, str], text: str) -> list[dict[str, Any]]:
    """Return the collections of a URL (JSON, percent-encoded or not), in their order.

    Each is ``{id, name, node_color, edge_color, nodes, edges}`` with rows of the drawn tables, or with ``problem``, a
    sentence, in their place.
    """
    found = viewer_collections.normalized(text, Findings(strict=False, warn=False))[:_MOST]
    plottable = _plottable(graph, bindings)
    sets: dict[str, tuple[Any, Any]] = {}
    made = []
    for one in sorted(found, key=lambda c: c["type"] == "intersection"):
        entry = {name: one.get(name) for name in ("id", "name", "node_color", "edge_color")}
        try:
            sets[one["id"]] = _of_intersection(one, sets) if one["type"] == "intersection" else _of_set(one, plottable)
            nodes, edges = sets[one["id"]]
            made.append({**entry, "nodes": nodes.tolist(), "edges": edges.tolist()})
        except (GraphistryError, KeyError, ValueError, TypeError) as e:
            made.append({**entry, "problem": f"The collection {one['id']!r} is not shown: {e}"})
    order = {one["id"]: i for i, one in enumerate(found)}
    return sorted(made, key=lambda entry: order[entry["id"]])


def _plottable(graph: Any, bindings: Mapping[str, str]) -> Any:
    from ..plottable import Plottable

    nodes, edges = frames.to_pandas(graph.nodes), frames.to_pandas(graph.edges)
    nodes[_ROW], edges[_ROW] = np.arange(len(nodes)), np.arange(len(edges))
    return Plottable().edges(edges, bindings["source"], bindings["destination"]).nodes(nodes, graph.node)


def _of_set(one: Mapping[str, Any], plottable: Any) -> tuple[Any, Any]:
    operations = one["expr"]["gfql"]
    for operation in operations:
        if operation.get("type") not in ("Node", "Edge"):
            raise ValueError(f"the viewer runs no {operation.get('type')}, only nodes and edges.")
        if operation.get("name") == _ROW:
            raise ValueError(f"a step cannot be called {_ROW!r} here.")
        if any(name.endswith("query") for name in operation):
            raise ValueError("the viewer runs no query text; say it as a match.")
    answer = plottable.gfql(operations)
    rows = [
        pd.Index([], dtype=int) if table is None else pd.Index(table[_ROW]) for table in (answer._nodes, answer._edges)
    ]
    return rows[0], rows[1]


def _of_intersection(one: Mapping[str, Any], sets: Mapping[str, tuple[Any, Any]]) -> tuple[Any, Any]:
    parts = [sets[name] for name in one["expr"]["sets"]]
    nodes, edges = parts[0]
    for more_nodes, more_edges in parts[1:]:
        nodes, edges = nodes.intersection(more_nodes), edges.intersection(more_edges)
    return nodes, edges
