"""A graph as the verbs take it: tables in pandas, and a node table. May import frames, columns, index and errors."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from .. import frames
from ..errors import BadRequest
from . import kernels
from .columns import as_integers, fingerprint
from .index import Holder, holder_of
from .kept_index import load_ids, save_ids

log = logging.getLogger("graphistry_core")


def is_ours(g: Any) -> bool:
    """Say whether the verbs of this package run on a graph's tables: pandas, or what becomes it without a loss."""
    return all(table is None or frames.library_of(table) in ("pandas", "pyarrow") for table in (g._edges, g._nodes))


def in_pandas(g: Any) -> Any:
    """Return the graph with its tables in pandas; the same object where they are already."""
    for which in ("edges", "nodes"):
        table = getattr(g, f"_{which}")
        if table is not None and frames.library_of(table) != "pandas":
            g = getattr(g, which)(frames.to_pandas(frames.to_arrow(table)).copy(deep=False))
    return g


def with_nodes(g: Any) -> Any:
    """Return the graph with a node table, made from its edges where it has none (see :func:`materialize_nodes`)."""
    if g._nodes is not None and g._node is not None:
        return g
    if g._edges is None or g._source is None or g._destination is None:
        return materialize_nodes(g)
    holder = holder_of(g)
    key = (g._source, g._destination, g._node, fingerprint(g._edges[g._source]), fingerprint(g._edges[g._destination]))
    kept = holder.made
    if kept is None or kept[0] != key or None in key[3:]:
        made = _found_or_made(g, holder, key[3:])
        # The columns too: while they are held, a change in place gives the frame new memory, and so another key.
        kept = holder.made = (key, made._nodes, made._node, (g._edges[g._source], g._edges[g._destination]))
    out = g.nodes(kept[1], kept[2])
    out.__dict__["_compute"] = holder
    return out


def _found_or_made(g: Any, holder: Holder, key: tuple[Any, ...]) -> Any:
    where, column = holder.kept, g._edges[g._source]
    integers = isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu"
    if where is None or where.edges != key or where.nodes is not None or not integers:
        return materialize_nodes(g)
    ids = load_ids(where.folder, len(g._edges))
    name = g._node if g._node is not None else "id"
    if ids is not None and ids.dtype == column.dtype:
        return g.nodes(pd.DataFrame({name: ids}), name)
    made = materialize_nodes(g)
    save_ids(made._nodes[name].to_numpy(), where.folder, len(g._edges))
    return made


def materialize_nodes(g: Any, reuse: bool = True) -> Any:
    """Return the graph with a node table: the one it has, or the ids in its edges, sources first, each once.

    The column is the bound node's, else ``id``, which is then bound; dtype and order are those of the edges. Raises
    BadRequest without edges or their bindings.
    """
    g = in_pandas(g)
    if reuse and g._nodes is not None:
        if g._node is not None:
            return g
        log.warning("The graph has a node table but no node binding: bind(node=) names its id column.")
    if g._edges is None:
        if reuse and g._nodes is not None and len(g._nodes):
            return g
        raise BadRequest("Missing edges: bind them with g.edges(df, source, destination).")
    if g._source is None or g._destination is None:
        raise BadRequest("Missing source/destination bindings: bind them with g.edges(df, source, destination).")
    name = g._node if g._node is not None else "id"
    source, destination = g._edges[g._source], g._edges[g._destination]
    if len(g._edges) == 0:
        return g.nodes(g._edges[[g._source]].rename(columns={g._source: name}).reset_index(drop=True), name)
    return g.nodes(pd.DataFrame({name: _uniques(source, destination)}), name)


def _uniques(source: Any, destination: Any) -> Any:
    """Return the values of two columns, in the order in which they come first."""
    if source.dtype == destination.dtype and isinstance(source.dtype, np.dtype) and source.dtype.kind in "iu":
        parts = [as_integers(column) for column in (source, destination)]
        if None not in [None if part is None else 0 for part in parts]:
            return _first_seen(parts).astype(source.dtype, copy=False)
    return pd.concat([source, destination]).drop_duplicates().reset_index(drop=True)


def _first_seen(parts: list[Any]) -> np.ndarray:
    """Number distinct integers as they come; the table begins small, which keeps it in the caches, and grows."""
    room = max(len(parts[0]) // 32, 1024)
    table, uniques, count = kernels.lookup_table(room), np.empty(room, np.int64), 0
    for part in parts:
        done = 0
        while True:
            found = kernels.first_seen(part[done:], *table, uniques, count)
            if found >= 0:
                count = found
                break
            done += -1 - found  # full at this one
            room *= 4
            table, known = kernels.lookup_table(room), uniques
            uniques = np.empty(room, np.int64)
            count = kernels.first_seen(known, *table, uniques, 0)
    return uniques[:count].copy()
