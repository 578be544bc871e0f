"""The verbs that are group-bys and filters, on Dask frames: they give Dask frames, and compute nothing.

Rows come in no order of their own. May import frames and errors; Dask when it is used.
"""

from __future__ import annotations

from typing import Any

from .. import frames
from ..errors import BadRequest

_GROUPED = 16  # partitions of edges for one of what they are grouped into


def is_lazy(g: Any) -> bool:
    """Say whether a table of a graph is a Dask frame."""
    return any(table is not None and frames.library_of(table) == "dask" for table in (g._edges, g._nodes))


def _in_dask(table: Any) -> Any:
    import dask.dataframe as dd

    if table is None or frames.library_of(table) == "dask":
        return table
    return dd.from_pandas(frames.to_pandas(frames.to_arrow(table)), npartitions=1, sort=False)


def _edges(g: Any) -> Any:
    if g._edges is None or g._source is None or g._destination is None:
        raise BadRequest("Missing source/destination bindings: bind them with g.edges(df, source, destination).")
    return _in_dask(g._edges)


def _pieces(frame: Any) -> int:
    return max(int(frame.npartitions) // _GROUPED, 1)


def materialize_nodes(g: Any, reuse: bool = True) -> Any:
    """See :meth:`Plottable.materialize_nodes`."""
    import dask.dataframe as dd

    if reuse and g._nodes is not None and g._node is not None:
        return g
    edges, name = _edges(g), g._node if g._node is not None else "id"
    ends = [edges[[end]].rename(columns={end: name}) for end in (g._source, g._destination)]
    ids = dd.concat(ends).drop_duplicates(split_out=_pieces(edges))
    return g.nodes(ids, name)


def with_degrees(g: Any, ends: dict[str, str], total: str = "") -> Any:
    """Return the graph with a column (int32) for each of ``ends`` (column to 'source' or 'destination'), and their sum.

    See :meth:`Plottable.get_degrees`.
    """
    edges = _edges(g)
    g = materialize_nodes(g)
    made = [*ends, *([total] if total else [])]
    nodes = _in_dask(g._nodes)
    nodes = nodes[[name for name in nodes.columns if name not in made]]
    for column, end in ends.items():
        bound = getattr(g, f"_{end}")
        counts = edges.groupby(bound).size(split_out=_pieces(edges)).to_frame(column).reset_index()
        nodes = nodes.merge(counts.rename(columns={bound: g._node}), on=g._node, how="left")
        nodes[column] = nodes[column].fillna(0).astype("int32")
    if total:
        nodes[total] = sum(nodes[column] for column in ends)
    return g.nodes(nodes, g._node)


def prune_self_edges(g: Any) -> Any:
    """See :meth:`Plottable.prune_self_edges`."""
    edges = _edges(g)
    return g.edges(edges[edges[g._source] != edges[g._destination]], g._source, g._destination)
