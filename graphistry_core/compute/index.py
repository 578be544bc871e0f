"""Integer codes for a graph's nodes, and its adjacency: built once for its tables, reused by every verb.

A node's code is the row at which its id comes first in the node table. Edges whose source or destination is missing,
or has no row there, belong to no traversal, as in PyGraphistry, and have the code -1. May import kernels, tables of
this package, frames and errors.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..errors import BadRequest
from . import kernels
from .columns import Ids, coded, fingerprint
from .threads import both

_MOST = np.iinfo(np.int32).max


class Adjacency(NamedTuple):
    """The edges at each node: positions ``perm[ptr[u]:ptr[u + 1]]``, and the codes at both ends of every edge."""

    near: np.ndarray
    ptr: np.ndarray
    perm: np.ndarray
    far: np.ndarray


class Workspace:
    """Scratch of a traversal: a stamp for each node, never cleared, only outdated."""

    def __init__(self, count: int) -> None:
        self.stamp = np.zeros(count, np.int32)
        self.epoch = 0

    def next_epoch(self) -> int:
        """Return a number that no stamp has."""
        if self.epoch == np.iinfo(np.int32).max:
            self.stamp[:] = 0
            self.epoch = 0
        self.epoch += 1
        return self.epoch


@dataclass(eq=False)
class GraphIndex:
    """``source`` and ``destination``: the codes at the ends of every edge (int32, shape (edges,)); -1 for none.

    ``count``: rows of the node table. ``unique``: whether each of them has an id of its own. Safe to use from many
    threads. The columns held in ``tables`` keep pandas from changing the columns in place: see :func:`fingerprint`.
    """

    source: np.ndarray
    destination: np.ndarray
    count: int
    unique: bool
    ids: Any = field(repr=False)
    tables: Any = field(default=None, repr=False)
    key: Any = field(default=None, repr=False)
    _spare: list[Workspace] = field(default_factory=list, repr=False)

    @cached_property
    def out(self) -> Adjacency:
        """The edges at their sources."""
        return self._adjacency(self.source, self.destination)

    @cached_property
    def into(self) -> Adjacency:
        """The edges at their destinations."""
        return self._adjacency(self.destination, self.source)

    @cached_property
    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """For every code which others it is connected with: equal labels; and whether it has an edge at all."""
        label, touched = np.arange(self.count, dtype=np.int32), np.zeros(self.count, np.bool_)
        kernels.components(self.source, self.destination, label, touched)
        return label, touched

    def both_ways(self) -> None:
        """Build what is not there yet of both directions."""
        both(lambda name: getattr(self, name), "out", "into", len(self.source))

    def _adjacency(self, near: np.ndarray, far: np.ndarray) -> Adjacency:
        ptr, perm = np.zeros(self.count + 1, np.int64), np.empty(len(near), np.int32)
        kernels.adjacency(near, far, ptr, perm)
        return Adjacency(near, ptr, perm[: ptr[-1]], far)

    def codes_of(self, values: Any) -> np.ndarray:
        """Return the codes of a column of ids: int32, -1 for what is no node."""
        return coded(values, self.ids)

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Lend scratch to one traversal."""
        try:
            space = self._spare.pop()
        except IndexError:
            space = Workspace(self.count)
        yield space
        self._spare.append(space)

    @property
    def nbytes(self) -> int:
        """How many bytes the arrays take."""
        built = [self.__dict__[name] for name in ("out", "into") if name in self.__dict__]
        return int(self.source.nbytes + self.destination.nbytes + sum(a.ptr.nbytes + a.perm.nbytes for a in built))


@dataclass(frozen=True)
class Kept:
    """Where a dataset's index lies, and what tells that a graph still has the dataset's tables."""

    folder: Path
    edges: Any
    nodes: Any


class Holder:
    """What graphs with the same tables share: their index, once there is one, and how often they did without."""

    def __init__(self) -> None:
        self.index: GraphIndex | None = None
        self.made: tuple[Any, Any, str, Any] | None = None  # the node table of a graph that was given none
        self.kept: Kept | None = None
        self.scans = 0
        self.lock = threading.Lock()


def resident(g: Any) -> GraphIndex | None:
    """Return the index of a graph with a node table if it is there, and its tables are still what it was built of."""
    holder = g.__dict__.get("_compute")
    if holder is None or holder.index is None:
        return None
    index: GraphIndex = holder.index
    return index if index.key is not None and index.key == _key(g) else None


def holder_of(g: Any) -> Holder:
    """Return what a graph shares with its copies; made on first use."""
    holder = g.__dict__.get("_compute")
    if holder is None:
        holder = g.__dict__["_compute"] = Holder()
        told = g.__dict__.get("_index_at")
        if told is not None:
            folder, edges, nodes = told
            prints = tuple(fingerprint(column) for column in edges)
            if None not in prints:
                holder.kept = Kept(folder, prints, None if nodes is None else fingerprint(nodes))
    return holder  # type: ignore[no-any-return]


def _key(g: Any) -> Any:
    parts = (
        fingerprint(g._edges[g._source]), fingerprint(g._edges[g._destination]), fingerprint(g._nodes[g._node])
    )  # fmt: skip
    return None if None in parts else parts


def index_of(g: Any) -> GraphIndex:
    """Return the index of a graph with both tables in pandas, and build it if need be."""
    holder = holder_of(g)
    with holder.lock:
        found = resident(g)
        if found is None:
            found = holder.index = _found_or_built(g, holder)
    return found


def _found_or_built(g: Any, holder: Holder) -> GraphIndex:
    kept, key = holder.kept, _key(g)
    if kept is None or key is None or kept.edges != key[:2] or kept.nodes not in (None, key[2]):
        return build(g)
    from .kept_index import load_index, save_index

    found = load_index(kept.folder, g._nodes[g._node], len(g._edges), key, _tables(g))
    if found is None:
        found = build(g)
        save_index(found, kept.folder)
    return found


def _tables(g: Any) -> Any:
    return g._edges[g._source], g._edges[g._destination], g._nodes[g._node]


def build(g: Any) -> GraphIndex:
    """Build codes for a graph; adjacency follows when a verb asks for its direction.

    Raises BadRequest for more rows than an int32 can number.
    """
    for name, table in (("edges", g._edges), ("nodes", g._nodes)):
        if len(table) > _MOST:
            raise BadRequest(
                f"A graph of {len(table):,} {name} is too large for this verb, which numbers at most {_MOST:,}: use a "
                "part of it."
            )
    ids = Ids(g._nodes[g._node])
    source, destination = both(lambda name: coded(g._edges[name], ids), g._source, g._destination, len(g._edges))
    return GraphIndex(source, destination, len(g._nodes), ids.unique, ids, _tables(g), _key(g))
