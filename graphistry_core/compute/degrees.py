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
    g, codes, counts = _counted(g, ("destination", "source"))
    table = g._nodes
    if len(g._edges):
        table = table[[name for name in table.columns if name not in (degree_in, degree_out, col)]]
    both = [count[codes] for count in counts]
    return g.nodes(table.assign(**{degree_in: both[0], degree_out: both[1], col: both[0] + both[1]}), g._node)


def one_way(g: Any, which: str, col: str) -> Any:
    """See :meth:`Plottable.get_indegrees`; ``which`` is the end that counts: 'source' or 'destination'."""
    g, codes, (counts,) = _counted(g, (which,))
    table = g._nodes
    if col in table.columns:
        if not len(g._edges):
            return g.nodes(table.copy(), g._node)
        table = table[[name for name in table.columns if name != col]]
    return g.nodes(table.assign(**{col: counts[codes]}), g._node)


def _counted(g: Any, ends: tuple[str, ...]) -> tuple[Any, np.ndarray, list[np.ndarray]]:
    """Return the graph with nodes, the code of every row, and for each end how often each code is there (int32)."""
    original = in_pandas(g)
    g = with_nodes(original)
    if g._edges is None or any(getattr(g, f"_{end}") is None for end in ends):
        raise BadRequest("Missing source/destination bindings: bind them with g.edges(df, source, destination).")
    index = resident(g)
    ids = index.ids if index is not None else Ids(g._nodes[g._node])

    def counted(end: str) -> np.ndarray:
        codes = getattr(index, end) if index is not None else coded(g._edges[getattr(g, f"_{end}")], ids)
        count = np.zeros(max(len(g._nodes), 1), np.int32)
        kernels.count_ends(codes, count)
        return count

    counts = [counted(ends[0])] if len(ends) == 1 else list(both(counted, ends[0], ends[1], len(g._edges)))
    if ids.unique:
        return g, np.arange(len(g._nodes)), counts
    rows = coded(g._nodes[g._node], ids)
    counts = [np.where(rows >= 0, count[rows], 0).astype(np.int32) for count in counts]
    return g, np.arange(len(g._nodes)), counts
