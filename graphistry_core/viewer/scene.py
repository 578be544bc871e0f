"""What the viewer's page needs to know of a dataset: tables as Arrow, places, looks, and what was left out.

Endpoints are int32 codes made here, never ids looked up in the page. May import frames, errors, and this package.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from . import layout
from .columns import Shown, as_text, described, shown
from .communities import communities
from .looks import Looks, LooksOf, found_name
from .members import members

MAX_EDGES = 1_000_000  # drawn edges and nodes beyond this are a sample
_LOOKED_AT = 20_000_000  # of more edges only the sample is looked at: it takes 75 bytes of memory for each
PARTS = ("setup", "points", "lines", "nodes", "edges")
_RANDOM = 1


class _once:  # noqa: N801
    """A property worked out once, under the scene's own lock: functools' has one lock for all scenes before 3.12."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function, self.__doc__ = function, function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, scene: Any, owner: type | None = None) -> Any:
        if scene is None:
            return self
        with scene._lock:
            if self.name not in scene.__dict__:
                scene.__dict__[self.name] = self.function(scene)
            return scene.__dict__[self.name]

    def __set__(self, scene: Any, value: Any) -> None:  # asked before the instance's own dict
        raise AttributeError(self.name)


@dataclass(frozen=True)
class Graph:
    """The drawn part of a graph. ``nodes`` has a row for every code; ``source`` and ``destination`` are int32 codes."""

    nodes: pa.Table
    edges: pa.Table
    source: np.ndarray
    destination: np.ndarray
    node: str
    all_nodes: int
    all_edges: int
    notes: list[str] = field(default_factory=list)


@dataclass
class Scene:
    """A dataset as its page shows it: made once, its parts on demand. ``record`` is what DatasetGet answers."""

    record: Mapping[str, Any]
    nodes: pa.Table | None
    edges: pa.Table
    limit: int = MAX_EDGES
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False, repr=False)

    def part(self, name: str) -> bytes | dict[str, Any]:
        """Return one of PARTS: 'setup' as a JSON object, the others as Arrow IPC streams.

        'points': x, y, size (float32), color (int32), and what else the looks need, a row for each node. 'lines':
        source, destination (int32 rows of points), and looks, a row for each edge. 'nodes' and 'edges': the columns of
        the dataset, row by row the same, in types that the page can read.
        """
        with self._lock:  # the layout is worth waiting for, rather than doing it twice
            return self.setup if name == "setup" else _stream(getattr(self, f"_{name}"))

    def collections(self, text: str) -> list[dict[str, Any]]:
        """Return what the collections of a viewer's URL hold; see :func:`members`."""
        return members(self.graph, self._bindings("edge"), text) if text else []

    @_once
    def graph(self) -> Graph:
        """What is drawn."""
        return drawn(self.nodes, self.edges, self._bindings("node"), self._bindings("edge"), self.limit)

    @_once
    def setup(self) -> dict[str, Any]:
        """All that is no table: names, counts, bindings, columns, looks, notes."""
        graph, looks = self.graph, self._looks
        return {
            "placed": self._bound is not None,
            "name": self.record.get("name") or "Untitled",
            "description": self.record.get("description") or "",
            "dataset_id": self.record.get("dataset_id"),
            "counts": {"nodes": graph.all_nodes, "edges": graph.all_edges},
            "drawn": {"nodes": graph.nodes.num_rows, "edges": graph.edges.num_rows},
            "node": graph.node,
            "bindings": {"nodes": self._bindings("node"), "edges": self._bindings("edge")},
            "columns": {"nodes": self._shown_nodes.columns, "edges": self._shown_edges.columns},
            "looks": looks.described,
            "style": _style(self.record),
            "notes": graph.notes + looks.notes,
            "sent": _sent(self.record),
        }

    def _bindings(self, which: str) -> dict[str, str]:
        found = (self.record.get(f"{which}_encodings") or {}).get("bindings") or {}
        return {str(name): str(column) for name, column in found.items() if column is not None}

    @_once
    def degree(self) -> np.ndarray:
        """How many edge ends each node has."""
        graph = self.graph
        count = graph.nodes.num_rows
        return np.bincount(graph.source, minlength=count) + np.bincount(graph.destination, minlength=count)

    @_once
    def community(self) -> np.ndarray | None:
        """The community of each node, where it could be found."""
        return communities(self.graph.source, self.graph.destination, self.graph.nodes.num_rows)

    @_once
    def _looks(self) -> Looks:
        return LooksOf(self.record, self.graph, self.degree, self.community).found()

    @_once
    def _bound(self) -> np.ndarray | None:
        """The places that the dataset gives, or None; nodes without one are put in the middle, and a note says so."""
        graph, names = self.graph, self._bindings("node")
        x, y = (_numbers(graph.nodes, names.get(name)) for name in ("node_x", "node_y"))
        if x is None or y is None or not len(x):
            return None
        with np.errstate(over="ignore"):
            at = np.stack([x, y], axis=1).astype(np.float32)
        known = np.isfinite(at).all(axis=1)
        if not known.all():
            graph.notes.append(f"{(~known).sum():,} nodes have no place; they are drawn in the middle.")
            at[~known] = np.median(at[known], axis=0) if known.any() else 0
        return at

    @_once
    def positions(self) -> np.ndarray:
        """Where each node is: bound columns when both are there and hold numbers, else the seed layout."""
        bound: np.ndarray | None = self._bound
        return (
            bound
            if bound is not None
            else layout.seed(self.graph.source, self.graph.destination, self.graph.nodes.num_rows)
        )

    @_once
    def _points(self) -> pa.Table:
        at = self.positions
        return pa.table({"x": at[:, 0].copy(), "y": at[:, 1].copy(), **self._looks.points})

    @_once
    def _lines(self) -> pa.Table:
        return pa.table({"source": self.graph.source, "destination": self.graph.destination, **self._looks.lines})

    @_once
    def _shown_nodes(self) -> Shown:
        table = self.graph.nodes
        for name, values in (("degree", self.degree), ("community", self.community)):
            if values is not None:
                table = table.append_column(found_name(table, name), pa.array(values.astype(np.int32)))
        return shown(table)

    @_once
    def _shown_edges(self) -> Shown:
        return shown(self.graph.edges)

    @property
    def _nodes(self) -> pa.Table:
        return self._shown_nodes.table

    @property
    def _edges(self) -> pa.Table:
        return self._shown_edges.table


def drawn(
    nodes: pa.Table | None,
    edges: pa.Table,
    node_bindings: Mapping[str, str],
    edge_bindings: Mapping[str, str],
    limit: int,
) -> Graph:
    """Return what is drawn of two tables: nodes of the node table and of edges alike, and at most ``limit`` of each."""
    notes: list[str] = []
    source, destination = (edges.column(edge_bindings[end]) for end in ("source", "destination"))
    node = node_bindings.get("node", "")
    own = nodes.column(node) if nodes is not None and node in nodes.column_names else None
    if own is None:
        nodes, node = None, node or "id"
    all_edges = edges.num_rows
    few = _sample(all_edges, limit) if all_edges > _LOOKED_AT else None
    if few is not None:
        edges = edges.take(few)
        source, destination = (edges.column(edge_bindings[end]) for end in ("source", "destination"))
        notes.append(
            f"Of {all_edges:,} edges only the sample was looked at: what is at other edges alone, and has no row in a "
            "node table, is not counted."
        )
    whole = pc.and_(pc.is_valid(source), pc.is_valid(destination))
    if (lost := len(whole) - (pc.sum(whole).as_py() or 0)) > 0:
        notes.append(f"{lost:,} edges have a missing end and are not drawn.")
        edges, source, destination = (part.filter(whole) for part in (edges, source, destination))
    ids, sizes = _ids([column for column in (own, source, destination) if column is not None])
    codes, names = _coded(ids)
    ends = codes[len(codes) - 2 * len(source) :]
    own_codes = codes[: sizes[0]] if own is not None else codes[:0]
    nodes = pa.table({node: names}) if nodes is None else _one_row_each(nodes, node, own_codes, names, notes)
    source_codes, destination_codes = ends[: len(source)], ends[len(source) :]
    totals = (nodes.num_rows, edges.num_rows if few is None else all_edges - lost)
    kept = _sample(edges.num_rows, limit)
    if kept is not None:
        edges, source_codes, destination_codes = edges.take(kept), source_codes[kept], destination_codes[kept]
    if nodes.num_rows > limit:
        nodes, source_codes, destination_codes = _touched(nodes, source_codes, destination_codes, limit)
        inside = (source_codes >= 0) & (destination_codes >= 0)
        edges, source_codes, destination_codes = (
            edges.filter(pa.array(inside)),
            source_codes[inside],
            destination_codes[inside],
        )
    if (nodes.num_rows, edges.num_rows) != totals:
        notes.append(
            f"A sample: {nodes.num_rows:,} of {totals[0]:,} nodes and {edges.num_rows:,} of {totals[1]:,} edges."
            " Table, search and filters see the sample."
        )
    near, far = source_codes.astype(np.int32), destination_codes.astype(np.int32)
    return Graph(nodes, edges, near, far, node, totals[0], totals[1], notes)


def _ids(columns: list[Any]) -> tuple[pa.Array, list[int]]:
    """Return ids of one type, one after another, and how many each column has."""
    kinds = {column.type for column in columns}
    if len(kinds) > 1 or any(map(pa.types.is_dictionary, kinds)):
        columns = _of_one_type([_plain(column) for column in columns])
    chunks = [chunk for column in columns for chunk in column.chunks]
    return pa.chunked_array(chunks, columns[0].type).combine_chunks(), [len(column) for column in columns]


def _plain(column: Any) -> Any:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _of_one_type(columns: list[Any]) -> list[Any]:
    """Return columns of ids as one type in which equal ones are equal, and no others: 1, 1.0 and the text "1" are."""
    kinds = {column.type for column in columns}
    if len(kinds) == 1:
        return columns
    if all(map(pa.types.is_timestamp, kinds)) and len({kind.tz is None for kind in kinds}) == 1:
        zone = "UTC" if next(iter(kinds)).tz else None
        try:
            return [pc.cast(column, pa.timestamp("ns", zone)) for column in columns]
        except pa.ArrowInvalid:  # before 1677 or after 2262
            return [pc.cast(column, pa.timestamp("us", zone), safe=False) for column in columns]
    for target in (pa.int64(), pa.float64()):
        if all(pa.types.is_integer(kind) or (target == pa.float64() and _is_real(kind)) for kind in kinds):
            try:
                return [pc.cast(column, target) for column in columns]
            except pa.ArrowInvalid:  # some number is not exact there
                continue
    return [as_text(column) for column in columns]


def _is_real(kind: Any) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _coded(ids: pa.Array) -> tuple[np.ndarray, pa.Array]:
    """Return a code for every id, in order of first sight (-1 for null), and the id of every code."""
    if isinstance(ids, pa.ChunkedArray):
        ids = ids.combine_chunks()
    try:
        coded = ids.dictionary_encode()
    except pa.ArrowNotImplementedError:  # lists and structs
        coded = as_text(pa.chunked_array([ids])).combine_chunks().dictionary_encode()
    return coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), coded.dictionary


def _one_row_each(nodes: pa.Table, node: str, codes: np.ndarray, names: pa.Array, notes: list[str]) -> pa.Table:
    """Return the node table with the first row of every id, in the order of codes, and rows for ids it lacks."""
    known = np.flatnonzero(codes >= 0)
    row = np.full(len(names), -1)
    row[codes[known][::-1]] = known[::-1]  # the first row of an id is written last
    lacking = int((row < 0).sum())
    twice = len(known) - (len(names) - lacking)
    if len(known) < len(codes):
        notes.append(f"{len(codes) - len(known):,} rows of the node table have no id and are not drawn.")
    if twice:
        notes.append(f"{twice:,} rows of the node table repeat an id; the first row of each is shown.")
    if lacking:
        notes.append(f"{lacking:,} ends of edges have no row in the node table; they are drawn with their id alone.")
    table = nodes.take(pa.array(row, mask=row < 0))
    return table.set_column(table.column_names.index(node), node, names) if lacking else table


def _sample(count: int, limit: int) -> np.ndarray | None:
    if count <= limit:
        return None
    return np.sort(np.random.default_rng(_RANDOM).choice(count, limit, replace=False))


def _touched(
    nodes: pa.Table, source: np.ndarray, destination: np.ndarray, limit: int
) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Return at most ``limit`` nodes, those of most drawn edges, and the ends of edges by new codes (-1: none)."""
    degree = np.bincount(source, minlength=nodes.num_rows) + np.bincount(destination, minlength=nodes.num_rows)
    kept = np.sort(np.argsort(-degree, kind="stable")[:limit])
    renamed = np.full(nodes.num_rows, -1)
    renamed[kept] = np.arange(len(kept))
    return nodes.take(kept), renamed[source], renamed[destination]


def _numbers(table: pa.Table, name: str | None) -> np.ndarray | None:
    return None if name is None or name not in table.column_names else described(table.column(name)).numbers


def _style(record: Mapping[str, Any]) -> dict[str, Any]:
    found = record.get("metadata")
    groups = found if isinstance(found, dict) else {}
    return {name: groups[name] for name in ("bg", "fg", "page", "logo") if isinstance(groups.get(name), dict)}


def _sent(record: Mapping[str, Any]) -> dict[str, Any]:
    names = ("node_encodings", "edge_encodings", "metadata", "name", "description")
    return {name: record[name] for name in names if record.get(name)}


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=max(table.num_rows, 1))
    content: bytes = sink.getvalue().to_pybytes()
    return content
