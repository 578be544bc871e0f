"""A hop from a few nodes without an index: one pass over a column for each step. For ids that are integers."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import kernels
from .columns import as_integers
from .index import holder_of
from .threads import halves
from .traverse import Reached, ascending

_FEW = 64  # seeds up to which a pass costs less than building an index
_HOPS = 2
_TIMES = 3  # so often a graph is scanned before an index is built all the same
_PART = 1 << 10


def pays(g: Any, seeds: int, hops: int | None, asked: dict[str, Any]) -> bool:
    """Say whether to scan where no index is: the hop is small and has no conditions, and it is not one of many."""
    if seeds > _FEW or hops is None or hops > _HOPS:
        return False
    if any(
        asked[f"{name}_{kind}"] for name in ("source_node", "destination_node", "edge") for kind in ("match", "query")
    ):
        return False
    holder = holder_of(g)
    holder.scans += 1
    return holder.scans <= _TIMES


def walk(g: Any, seeds: Any, direction: str, hops: int | None) -> Reached | None:
    """Do what :func:`traverse.walk` does; None where ids are not integers, or some come twice."""
    columns = [g._edges[g._source], g._edges[g._destination], g._nodes[g._node], seeds]
    if len({str(column.dtype) for column in columns}) > 1:
        return None
    source, destination, ids, start = (as_integers(column) for column in columns)
    if source is None or destination is None or ids is None or start is None:
        return None
    sides = {"forward": [(source, destination)], "reverse": [(destination, source)]}.get(
        direction, [(source, destination), (destination, source)]
    )
    frontier, known = _rows_of(np.unique(start), ids)
    if frontier is None:
        return None
    seen = np.empty(0, np.int64)
    nodes: list[np.ndarray] = []
    edges: list[np.ndarray] = []
    left = np.empty(0, np.int64)
    done = np.empty(0, np.int64)
    for hop in range(hops or 0):
        frontier = np.setdiff1d(frontier, done)
        done = np.union1d(done, frontier)
        if len(frontier) == 0:
            break
        found = [(at, near[at], far[at]) for near, far in sides for at in [_positions(near, frontier)]]
        reached = np.unique(np.concatenate([far for _, _, far in found]))
        real, rows = _rows_of(reached, ids)
        if real is None:
            return None
        if len(real) < len(reached):  # an edge to what has no row in the node table belongs to no traversal
            found = [(at[ok], near[ok], far[ok]) for at, near, far in found for ok in [np.isin(far, real)]]
        if hop == 0:
            left = known[np.isin(frontier, np.concatenate([near for _, near, _ in found]))]
        edges += [at for at, _, _ in found]
        new = ~np.isin(real, seen)
        nodes.append(rows[new])
        seen, frontier = np.union1d(seen, real), real[new]
    return Reached(
        np.concatenate(nodes) if nodes else np.empty(0, np.int64),
        left,
        ascending(edges, len(source), repeated=len(sides) > 1 or len(edges) > 1),
    )


def _positions(column: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return where a column has one of the wanted values."""
    table = None
    if len(wanted) > 1:
        table = kernels.lookup_table(len(wanted))
        kernels.insert_ids(wanted, *table)
    return halves(lambda part: _positions_in(part, wanted, table), column)


def _positions_in(column: np.ndarray, wanted: np.ndarray, table: Any) -> np.ndarray:
    """Do it for a part, with as much memory as there are, and no more."""
    room = _PART
    while True:
        out = np.empty(room, np.int64)
        if table is None:
            count = kernels.scan_one(column, wanted[0], out)
        else:
            keys, codes, shift = table
            count = kernels.scan_set(column, keys, codes, shift, out)
        if count <= room:
            return out[:count]
        room = count


def _rows_of(values: np.ndarray, ids: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Return those of some distinct values that are ids, and the rows of these; None where an id comes twice."""
    if len(values) == 0:
        return values, np.empty(0, np.int64)
    at = _positions(ids, values)
    found, first = np.unique(ids[at], return_index=True)
    return (None if len(found) < len(at) else found), at[first]
