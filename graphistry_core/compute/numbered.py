"""Hops that know their number: at which step a node or an edge was first met, for labels, least hops and slices.

May import kernels, index and traverse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import kernels
from .index import GraphIndex
from .traverse import Conditions, lasts, steps

NEVER = np.iinfo(np.int32).max


@dataclass(frozen=True)
class Window:
    """Which hops count: ways of at least ``least`` steps, of these what lies between ``low`` and ``high`` (None: all).

    ``most``: how many steps are taken (None: as many as there are).
    """

    least: int
    most: int | None
    low: int | None
    high: int | None

    def has(self, numbers: np.ndarray) -> np.ndarray:
        """Return which numbers of hops are shown."""
        inside: np.ndarray = numbers != NEVER
        if self.low is not None:
            inside &= numbers >= self.low
        return inside if self.high is None else inside & (numbers <= self.high)


@dataclass
class Numbered:
    """``nodes`` by code and ``edges`` by position: the step at which each was first met, or NEVER.

    ``matched``: codes that were reached by an edge, or that the first one was taken from; ``reached``: by an edge.
    ``pruned``: whether ways that are too short were taken out.
    """

    nodes: np.ndarray
    edges: np.ndarray
    matched: np.ndarray
    reached: np.ndarray
    pruned: bool = False


def number(
    index: GraphIndex, seeds: np.ndarray, direction: str, window: Window, conditions: Conditions, *, label_seeds: bool
) -> Numbered:
    """Walk from seeds and number what is met, without what lies only on ways shorter than the window's least.

    ``label_seeds``: seeds have the number 0, else that of the step that leads back to them.
    """
    found = Numbered(
        np.full(index.count, NEVER, np.int32),
        np.full(len(index.source), NEVER, np.int32),
        np.zeros(index.count, np.bool_),
        np.zeros(index.count, np.bool_),
    )
    levels: list[np.ndarray] = []
    for hop, (new, taken, left) in enumerate(steps(index, seeds, direction, window.most, conditions), 1):
        if hop == 1:
            found.matched[left] = True
        found.nodes[new] = hop
        edges = np.concatenate(taken) if taken else np.empty(0, np.int32)
        edges = edges[found.edges[edges] == NEVER]
        found.edges[edges] = hop
        levels.append(edges)
    found.reached |= found.nodes != NEVER
    found.matched |= found.reached
    if label_seeds:
        found.nodes[seeds] = 0
    deepest = int(found.nodes[found.reached].max(initial=0)) if window.least > 1 else window.least
    if deepest < window.least and not lasts(index, seeds, direction, window.least, conditions):
        return _nothing(found)
    while levels and not len(levels[-1]):
        levels.pop()
    if 1 < window.least <= len(levels):
        _prune(index, found, levels, direction, window.least, label_seeds=label_seeds)
    return found


def _nothing(like: Numbered) -> Numbered:
    return Numbered(
        np.full_like(like.nodes, NEVER), np.full_like(like.edges, NEVER), np.zeros_like(like.matched),
        np.zeros_like(like.reached),
    )  # fmt: skip


def _prune(
    index: GraphIndex, found: Numbered, levels: list[np.ndarray], direction: str, least: int, *, label_seeds: bool
) -> None:
    """Go back from the edges met at ``least`` or later, and keep those that lead there, and the nodes on the way."""
    nodes, valid = np.full_like(found.nodes, NEVER), np.zeros_like(found.matched)
    edges = np.full_like(found.edges, NEVER)
    wanted = np.zeros(index.count, np.int32)  # the step that goes on from a node
    both = direction == "undirected"
    near, far = index.source, index.destination
    if direction == "reverse":
        near, far = far, near
    for hop in range(len(levels), 0, -1):
        at = levels[hop - 1]
        start, end = near[at], far[at]
        to_end = wanted[end] == hop + 1 if hop < least else np.ones(len(at), np.bool_)
        to_start = (wanted[start] == hop + 1 if hop < least else to_end) & both
        edges[at[to_end | to_start]] = hop
        nodes[end[to_end]] = hop
        if hop > 1 or label_seeds:
            nodes[start[to_end]] = hop - 1
        for near_end in (start[to_end], end[to_start]):
            wanted[near_end] = hop
            valid[near_end] = True
        if hop >= least:
            valid[end] = True
    found.nodes[:] = np.where(valid, found.nodes, NEVER) if both else nodes
    found.edges[:] = edges
    found.matched &= valid
    found.reached &= valid
    found.pruned = True


def met_again(index: GraphIndex, edges: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """Return which codes a way over these edges comes back to, without taking one twice: a mask, true of seeds only.

    That is so of seeds that are connected with another one, and of those on a cycle or between cycles; however long
    the way is, as in PyGraphistry.
    """
    source, destination = index.source[edges], index.destination[edges]
    label, touched = np.arange(index.count, dtype=np.int32), np.zeros(index.count, np.bool_)
    kernels.components(source, destination, label, touched)
    again = np.zeros(index.count, np.bool_)
    kernels.two_core(source, destination, np.zeros_like(label), np.zeros(index.count, np.int64), again)
    together = np.bincount(label[seeds], minlength=index.count) > 1
    mask = np.zeros(index.count, np.bool_)
    mask[seeds] = (together[label[seeds]] | again[seeds]) & touched[seeds]
    return mask
