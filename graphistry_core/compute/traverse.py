"""Breadth first from seeds over a graph's index: which nodes are reached, over which edges. Imports kernels, index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from . import kernels
from .index import Adjacency, GraphIndex


@dataclass(frozen=True)
class Reached:
    """``nodes`` reached by at least one edge, ``left``: seeds that an edge was taken from (codes, each once).

    ``edges``: positions of the edges taken, ascending, each once.
    """

    nodes: np.ndarray
    left: np.ndarray
    edges: np.ndarray


class Membership(Protocol):
    """Something that positions of rows, or codes, can be in."""

    def has(self, positions: np.ndarray, /) -> np.ndarray:
        """Return which of them are in it."""


@dataclass(frozen=True)
class Conditions:
    """What holds at every step: on edges, on the node a step starts from, and on the one that it leads to.

    ``last``: on the node that the last step leads to. Each says by ``has(positions or codes)`` which are in; None is no
    condition.
    """

    edges: Membership | None = None
    near: Membership | None = None
    far: Membership | None = None
    last: Membership | None = None


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
                frontier = frontier[conditions.near.has(frontier)]
            frontier = _fresh(frontier, gone.stamp, gone_epoch)
            ends = [each for each in (conditions.far, conditions.last if hop == max_hops else None) if each is not None]
            if conditions.edges is None and not ends:
                new, taken, used = _step(sides, frontier, reached.stamp, reached_epoch)
            else:
                new, taken, used = _filtered_step(sides, frontier, conditions.edges, ends, reached.stamp, reached_epoch)
            if hop == 1:
                left = frontier[used]
            edges.extend(taken)
            if len(new) == 0:
                break
            nodes.append(new)
            frontier = new
    found = np.concatenate(nodes) if nodes else np.empty(0, np.int32)
    return Reached(found, left, ascending(edges, len(index.source), repeated=len(sides) > 1))


def _fresh(codes: np.ndarray, stamp: np.ndarray, epoch: int) -> np.ndarray:
    out = np.empty(len(codes), np.int32)
    return out[: kernels.unstamped(codes, stamp, epoch, out)]


def _step(
    sides: list[Adjacency], frontier: np.ndarray, stamp: np.ndarray, epoch: int
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    used = np.zeros(len(frontier), np.bool_)
    room = [kernels.degree_sum(frontier, side.ptr) for side in sides]
    nodes, count = np.empty(min(sum(room), len(stamp)), np.int32), 0
    taken = []
    for side, most in zip(sides, room, strict=True):
        edges = np.empty(most, np.int32)
        count = kernels.expand(frontier, side.ptr, side.perm, side.far, stamp, epoch, used, nodes, count, edges)
        if most:
            taken.append(edges)
    return nodes[:count], taken, used


def _filtered_step(
    sides: list[Adjacency], frontier: np.ndarray, edges: Membership | None, ends: list[Membership], stamp: np.ndarray,
    epoch: int,
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:  # fmt: skip
    """Do the same under conditions: they are asked about the edges at the frontier, and no others."""
    used = np.zeros(len(frontier), np.bool_)
    nodes, taken = [], []
    for side in sides:
        most = kernels.degree_sum(frontier, side.ptr)
        if not most:
            continue
        positions, owner = np.empty(most, np.int32), np.empty(most, np.int32)
        kernels.gather(frontier, side.ptr, side.perm, positions, owner)
        if edges is not None:
            kept = edges.has(positions)
            positions, owner = positions[kept], owner[kept]
        far = side.far[positions]
        for end in ends:
            kept = end.has(far)
            positions, owner, far = positions[kept], owner[kept], far[kept]
        used[owner] = True
        nodes.append(_fresh(far, stamp, epoch))
        taken.append(positions)
    return (np.concatenate(nodes) if nodes else np.empty(0, np.int32)), taken, used


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
