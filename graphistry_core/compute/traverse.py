"""Breadth first from seeds over a graph's index: which nodes are reached, over which edges. Imports kernels, index."""

from __future__ import annotations

from collections.abc import Iterator
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

    def mask(self) -> np.ndarray:
        """Return for all that there are whether they are in it."""


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
    if direction == "undirected" and max_hops is None and conditions == ANYTHING:
        return _connected(index, seeds)
    nodes: list[np.ndarray] = []
    edges: list[np.ndarray] = []
    left = np.empty(0, np.int32)
    for hop, (new, taken, near) in enumerate(steps(index, seeds, direction, max_hops, conditions)):
        left = near if hop == 0 else left
        nodes.append(new)
        edges.extend(taken)
    found = np.concatenate(nodes) if nodes else np.empty(0, np.int32)
    return Reached(found, left, ascending(edges, len(index.source), repeated=direction == "undirected"))


def steps(
    index: GraphIndex, seeds: np.ndarray, direction: str, max_hops: int | None, conditions: Conditions = ANYTHING
) -> Iterator[tuple[np.ndarray, list[np.ndarray], np.ndarray]]:
    """Yield for each step the nodes that none before it reached, the edges taken, and the nodes they were taken from.

    'undirected' may take an edge again, the other way; otherwise each is taken once.
    """
    sides = _sides(index, direction)
    frontier, hop = np.ascontiguousarray(seeds, np.int32), 0
    with index.workspace() as reached, index.workspace() as gone:
        reached_epoch, gone_epoch = reached.next_epoch(), gone.next_epoch()
        while len(frontier) and (max_hops is None or hop < max_hops):
            hop += 1
            if conditions.near is not None:
                frontier = frontier[conditions.near.has(frontier)]
            frontier = _fresh(frontier, gone.stamp, gone_epoch)
            ends = [each for each in (conditions.far, conditions.last if hop == max_hops else None) if each is not None]
            new, taken, used = _step(sides, frontier, conditions.edges, ends, reached.stamp, reached_epoch)
            yield new, taken, frontier[used]
            frontier = new


def lasts(index: GraphIndex, seeds: np.ndarray, direction: str, length: int, conditions: Conditions) -> bool:
    """Say whether there is a way of so many steps, which may come to a node again."""
    sides, frontier = _sides(index, direction), np.ascontiguousarray(seeds, np.int32)
    ends = [] if conditions.far is None else [conditions.far]
    with index.workspace() as reached:
        for _ in range(min(length, index.count + 1)):  # a way longer than there are nodes has no end
            if conditions.near is not None:
                frontier = frontier[conditions.near.has(frontier)]
            frontier, _, _ = _step(sides, frontier, conditions.edges, ends, reached.stamp, reached.next_epoch())
            if len(frontier) == 0:
                return False
    return True


def _sides(index: GraphIndex, direction: str) -> list[Adjacency]:
    if direction == "forward":
        return [index.out]
    return [index.into] if direction == "reverse" else [index.out, index.into]


def _connected(index: GraphIndex, seeds: np.ndarray) -> Reached:
    """Return all that is connected with seeds in any way, which is known once for all seeds."""
    label, touched = index.components
    wanted = np.zeros(index.count + 1, np.bool_)  # and False where the code -1 leads
    wanted[:-1][label[seeds]] = True
    inside = np.zeros(index.count + 1, np.bool_)
    inside[:-1] = wanted[:-1][label] & touched
    edges = np.empty(len(index.source) + 1, np.int32)
    edges = edges[: kernels.sweep(index.source, index.destination, inside, inside, _ANY, edges)]
    nodes = np.flatnonzero(inside).astype(np.int32)
    return Reached(nodes, np.empty(0, np.int32), edges.astype(np.int64))


def _fresh(codes: np.ndarray, stamp: np.ndarray, epoch: int) -> np.ndarray:
    out = np.empty(len(codes), np.int32)
    return out[: kernels.unstamped(codes, stamp, epoch, out)]


_DENSE = 8  # a frontier with more than this part of all edges is served by a pass over all of them
_ANY = np.empty(0, np.bool_)


def _step(
    sides: list[Adjacency], frontier: np.ndarray, edges: Membership | None, ends: list[Membership], stamp: np.ndarray,
    epoch: int,
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:  # fmt: skip
    """Take one step; return the nodes not stamped before, the edges, and from which of the frontier one was taken."""
    room = [kernels.degree_sum(frontier, side.ptr) for side in sides]
    if sum(room) * _DENSE > len(sides[0].far):
        return _dense_step(sides, room, frontier, edges, ends, stamp, epoch)
    if edges is None and not ends:
        return _free_step(sides, room, frontier, stamp, epoch)
    used = np.zeros(len(frontier), np.bool_)
    nodes, taken = [], []
    for side, most in zip(sides, room, strict=True):
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


def _free_step(
    sides: list[Adjacency], room: list[int], frontier: np.ndarray, stamp: np.ndarray, epoch: int
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Do the same without conditions."""
    used = np.zeros(len(frontier), np.bool_)
    nodes, count = np.empty(min(sum(room), len(stamp)), np.int32), 0
    taken = []
    for side, most in zip(sides, room, strict=True):
        edges = np.empty(most, np.int32)
        count = kernels.expand(frontier, side.ptr, side.perm, side.far, stamp, epoch, used, nodes, count, edges)
        if most:
            taken.append(edges)
    return nodes[:count], taken, used


def _dense_step(
    sides: list[Adjacency], room: list[int], frontier: np.ndarray, edges: Membership | None, ends: list[Membership],
    stamp: np.ndarray, epoch: int,
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:  # fmt: skip
    """Do the same in one pass over all edges, which are met in their order."""
    count = len(stamp)
    near_ok, far_ok, used = np.zeros(count + 1, np.bool_), np.ones(count + 1, np.bool_), np.zeros(count, np.bool_)
    near_ok[frontier], far_ok[count] = True, False
    for end in ends:
        far_ok[:count] &= end.mask()
    edge_ok = _ANY if edges is None else edges.mask()
    nodes, found, taken = np.empty(min(sum(room), count), np.int32), 0, []
    for side, most in zip(sides, room, strict=True):
        at = np.empty(most + 1, np.int32)
        at = at[: kernels.sweep(side.near, side.far, near_ok, far_ok, edge_ok, at)]
        found = kernels.stamp_ends(at, side.near, side.far, stamp, epoch, used, nodes, found)
        taken.append(at)
    return nodes[:found], taken, used[frontier]


def distinct(codes: np.ndarray, count: int) -> np.ndarray:
    """Return codes below ``count`` in order, each once."""
    if len(codes) * 32 > count:
        mark = np.zeros(count, np.bool_)
        mark[codes] = True
        return np.flatnonzero(mark).astype(np.int32)
    together = np.sort(codes)
    first = np.ones(len(together), np.bool_)
    np.not_equal(together[1:], together[:-1], out=first[1:])
    return together[first]


def ascending(parts: list[np.ndarray], length: int, *, repeated: bool) -> np.ndarray:
    """Return positions below ``length`` in order; ``repeated``: some may be there more than once."""
    parts = [part for part in parts if len(part)]
    total = sum(map(len, parts))
    if total == 0:
        return np.empty(0, np.int64)
    if len(parts) == 1 and kernels.is_ascending(parts[0]):
        return parts[0].astype(np.int64)
    if total * 64 > length:  # a pass over all of them costs less than a sort
        mark = np.zeros(length, np.bool_)
        for part in parts:
            mark[part] = True
        return np.flatnonzero(mark)
    together = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return distinct(together, length).astype(np.int64) if repeated else np.sort(together)
