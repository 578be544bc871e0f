"""How deep every node lies below those that nothing points to."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from ..errors import BadRequest
from .index import index_of
from .prepared import in_pandas, with_nodes

log = logging.getLogger("graphistry_core")


def topological_levels(g: Any, level_col: str, allow_cycles: bool, warn_cycles: bool, remove_self_loops: bool) -> Any:
    """See :meth:`Plottable.get_topological_levels`. Peels off, round by round, what nothing points to any more."""
    original = in_pandas(g)
    g = with_nodes(original)
    if g._nodes is None or len(g._nodes) == 0:
        return g
    index = index_of(g)
    near, far = _distinct_edges(index.source, index.destination, index.count, remove_self_loops)
    alive = np.ones(index.count, np.bool_)
    into = np.bincount(far, minlength=index.count)
    level = np.full(index.count, -1, np.int64)
    order: list[np.ndarray] = []
    while alive.any():
        roots = np.flatnonzero(alive & (into == 0))
        if len(roots) == 0:
            if not allow_cycles:
                raise BadRequest("Cyclic graph in get_topological_levels(): remove cycles, or set allow_cycles=True.")
            degree = into + np.bincount(near, minlength=index.count)
            roots = np.array([np.argmax(np.where(alive, degree, -1))])
            if warn_cycles:
                log.warning("get_topological_levels() breaks a cycle at level %s.", len(order))
        level[roots] = len(order)
        order.append(roots)
        alive[roots] = False
        kept = alive[near] & alive[far]
        near, far = near[kept], far[kept]
        into = np.bincount(far, minlength=index.count)
    if original._nodes is None:
        at = np.concatenate(order)
        return original.nodes(g._nodes.take(at).reset_index(drop=True).assign(**{level_col: level[at]}), g._node)
    return original.nodes(g._nodes.reset_index(drop=True).assign(**{level_col: level}))


def _distinct_edges(source: np.ndarray, destination: np.ndarray, count: int, no_loops: bool) -> tuple[Any, Any]:
    kept = (source >= 0) & (destination >= 0)
    if no_loops:
        kept &= source != destination
    pairs = np.unique(source[kept].astype(np.int64) * count + destination[kept])
    return pairs // count, pairs % count
