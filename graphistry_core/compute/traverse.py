"""Breadth first from seeds over a graph's index: which nodes are reached, over which edges. Imports kernels, index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import kernels
from .index import Adjacency, GraphIndex

_NONE = np.empty(0, np.bool_)


@dataclass(frozen=True)
class Reached:
    """``nodes`` reached by at least one edge, ``left``: seeds that an edge was taken from (codes, each once).

    ``edges``: positions of the edges taken, ascending, each once.
    """

    nodes: np.ndarray
    left: np.ndarray
    edges: np.ndarray


@dataclass(frozen=True)
class Conditions:
    """Masks that hold at every step: on edges, on the node a step starts from, and on the one that it leads to.

    ``last``: on the node that the last step leads to. None is no condition.
    """

    edges: np.ndarray | None = None
    near: np.ndarray | None = None
    far: np.ndarray | None = None
    last: np.ndarray | None = None


ANYTHING = Conditions()


def walk(
    index: GraphIndex, seeds: np.ndarray, direction: str, max_hops: int | None, conditions: Conditions = ANYTHING
) -> Reached:
    """Take up to ``max_hops`` steps (None: until nothing new is reached) from seeds, codes of which each comes once.

    A node is left once; a seed that is reached counts as reached. 'undirected' takes edges both ways.
    """
    sides = (
        [index.out] if direction == "forward" else [index.into] if direction == "reverse" else [index.out, index.into]
    )
    nodes: list[np.ndarray] = []
    edges: list[np.ndarray] = []
    left = np.empty(0, np.int32)
    frontier, hop = np.ascontiguousarray(seeds, np.int32), 0
    with index.workspace() as reached, index.workspace() as gone:
        reached_epoch, gone_epoch = reached.next_epoch(), gone.next_epoch()
        while len(frontier) and (max_hops is None or hop < max_hops):
            hop += 1
            if conditions.near is not None:
                frontier = frontier[conditions.near[frontier]]
            frontier = _fresh(frontier, gone.stamp, gone_epoch)
            far = _both(conditions.far, conditions.last if hop == max_hops else None)
            new, taken, used = _step(sides, frontier, conditions.edges, far, reached.stamp, reached_epoch)
            if hop == 1:
                left = frontier[used]
            edges.extend(taken)
            if len(new) == 0:
                break
            nodes.append(new)
            frontier = new
    found = np.concatenate(nodes) if nodes else np.empty(0, np.int32)
    return Reached(found, left, ascending(edges, len(index.source), repeated=len(sides) > 1))


def _both(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    return a if b is None else b if a is None else a & b


def _fresh(codes: np.ndarray, stamp: np.ndarray, epoch: int) -> np.ndarray:
    out = np.empty(len(codes), np.int32)
    return out[: kernels.unstamped(codes, stamp, epoch, out)]


def _step(
    sides: list[Adjacency], frontier: np.ndarray, edge_ok: Any, far_ok: Any, stamp: np.ndarray, epoch: int
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    used = np.zeros(len(frontier), np.bool_)
    room = [kernels.degree_sum(frontier, side.ptr) for side in sides]
    nodes, count = np.empty(min(sum(room), len(stamp)), np.int32), 0
    taken = []
    for side, most in zip(sides, room, strict=True):
        edges = np.empty(most, np.int32)
        count, written = kernels.expand(
            frontier, side.ptr, side.perm, side.far, _NONE if edge_ok is None else edge_ok,
            _NONE if far_ok is None else far_ok, stamp, epoch, used, nodes, count, edges, 0,
        )  # fmt: skip
        if written:
            taken.append(edges[:written])
    return nodes[:count], taken, used


def ascending(parts: list[np.ndarray], length: int, *, repeated: bool) -> np.ndarray:
    """Return positions below ``length`` in order; ``repeated``: some may be there more than once."""
    total = sum(map(len, parts))
    if total == 0:
        return np.empty(0, np.int64)
    if total * 64 > length:  # a pass over all of them costs less than a sort
        mark = np.zeros(length, np.bool_)
        for part in parts:
            mark[part] = True
        return np.flatnonzero(mark)
    together = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return np.unique(together) if repeated else np.sort(together)
