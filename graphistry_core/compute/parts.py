"""Parts of a graph: by ids, by values of columns, without edges from a node to itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import BadRequest
from .filter_by_dict import filter_mask
from .prepared import in_pandas, with_nodes


def filter_table(g: Any, which: str, filter_dict: Any) -> Any:
    """See :meth:`Plottable.filter_nodes_by_dict`."""
    g = in_pandas(g)
    table = getattr(g, f"_{which}")
    if table is None and filter_dict:
        raise BadRequest(f"There are no {which} to filter: bind them with g.{which}(df).")
    return getattr(g, which)(table[filter_mask(table, filter_dict)] if filter_dict else table)


def drop_nodes(g: Any, nodes: Any) -> Any:
    """See :meth:`Plottable.drop_nodes`."""
    if len(nodes) == 0:
        return g
    out = in_pandas(g)
    for which, ends in (("nodes", ("node",)), ("edges", ("source", "destination"))):
        for end in ends:
            table = getattr(out, f"_{which}")
            if table is None:
                continue
            hits = table[getattr(out, f"_{end}")].isin(nodes)
            if hits.any():
                out = getattr(out, which)(table[~hits])
    return out


def keep_nodes(g: Any, nodes: Any) -> Any:
    """See :meth:`Plottable.keep_nodes`."""
    g = with_nodes(in_pandas(g))
    wanted = nodes if isinstance(nodes, dict) else {g._node: nodes}
    for name, values in wanted.items():
        if not hasattr(values, "to_numpy") and not isinstance(values, list | np.ndarray):
            raise BadRequest(f"keep_nodes() takes ids as a list, array or Series, or a dict of those; not {values!r} "
                             f"for {name!r}.")  # fmt: skip
    hits = np.ones(len(g._nodes), np.bool_)
    for name, values in wanted.items():
        hits &= g._nodes[name].isin(values).to_numpy()
    kept = g._nodes[hits]
    ids = kept[g._node]
    edges = g._edges[g._edges[g._source].isin(ids) & g._edges[g._destination].isin(ids)]
    return g.nodes(kept).edges(edges)


def prune_self_edges(g: Any) -> Any:
    """See :meth:`Plottable.prune_self_edges`."""
    g = in_pandas(g)
    return g.edges(g._edges[g._edges[g._source] != g._edges[g._destination]])
