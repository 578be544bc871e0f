"""How many edges come in and go out at each node."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import BadRequest
from . import kernels
from .columns import Ids, coded
from .index import resident
from .prepared import in_pandas, with_nodes
from .threads import both


def get_degrees(g: Any, col: str, degree_in: str, degree_out: str) -> Any:
    """See :meth:`Plottable.get_degrees`."""
    g, (into, out) = _counted(g, ("destination", "source"))
    table = g._nodes
    if len(g._edges):
        table = table[[name for name in table.columns if name not in (degree_in, degree_out, col)]]
    return g.nodes(table.assign(**{degree_in: into, degree_out: out, col: into + out}), g._node)


def one_way(g: Any, which: str, col: str) -> Any:
    """See :meth:`Plottable.get_indegrees`; ``which`` is the end that counts: 'source' or 'destination'."""
    g, (counts,) = _counted(g, (which,))
    table = g._nodes
    if col in table.columns:
        if not len(g._edges):
            return g.nodes(table.copy(), g._node)
        table = table[[name for name in table.columns if name != col]]
    return g.nodes(table.assign(**{col: counts}), g._node)


def _counted(g: Any, ends: tuple[str, ...]) -> tuple[Any, list[np.ndarray]]:
    """Return the graph with nodes, and for each end how often every row's id is there (int32)."""
    g = with_nodes(in_pandas(g))
    if g._edges is None or any(getattr(g, f"_{end}") is None for end in ends):
        raise BadRequest("Missing source/destination bindings: bind them with g.edges(df, source, destination).")
    index = resident(g)
    ids = index.ids if index is not None else Ids(g._nodes[g._node])

    def counted(end: str) -> np.ndarray:
        codes = getattr(index, end) if index is not None else coded(g._edges[getattr(g, f"_{end}")], ids)
        count = np.zeros(len(g._nodes), np.int32)
        kernels.count_ends(codes, count)
        return count

    counts = [counted(ends[0])] if len(ends) == 1 else list(both(counted, ends[0], ends[1], len(g._edges)))
    if ids.unique or not len(g._nodes):
        return g, counts
    first = coded(g._nodes[g._node], ids)  # a code is a row: the first of its id
    return g, [np.where(first >= 0, count[first], 0).astype(np.int32) for count in counts]
