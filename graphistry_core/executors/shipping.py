"""A graph's tables as open files, for another process to map. May import frames and the contract."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
import uuid
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import frames
from .contract import GraphData


@dataclass(frozen=True)
class Shipment:
    """What another process needs to have a graph: a header, and a descriptor for each table."""

    key: str
    header: dict[str, Any]
    fds: tuple[int, ...]


_lock = threading.RLock()  # a graph may be collected at any moment, also within
_shipments: weakref.WeakKeyDictionary[GraphData, Shipment] = weakref.WeakKeyDictionary()


def ship(graph: GraphData) -> Shipment:
    """Return a graph's shipment; its files stay open, whatever becomes of their names, as long as the graph is kept."""
    with _lock:
        return _shipments.get(graph) or _ship(graph)


def _ship(graph: GraphData) -> Shipment:
    tables = [which for which in ("edges", "nodes") if getattr(graph, which) is not None]
    fds = tuple(_open(graph, which) for which in tables)
    header = {
        "tables": tables,
        "bindings": dict(graph.bindings),
        "dataset_id": graph.dataset_id,
        "name": graph.name,
        "description": graph.description,
        "index": None if graph.index_folder is None else str(graph.index_folder),
        "partitions": dict(graph.partitions),
    }
    shipment = Shipment(uuid.uuid4().hex, header, fds)
    _shipments[graph] = shipment
    weakref.finalize(graph, _close, fds)
    return shipment


def _open(graph: GraphData, which: str) -> int:
    path = graph.files.get(which)
    if path is not None:
        with contextlib.suppress(FileNotFoundError):  # deleted since it was mapped: what is mapped is written again
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    folder = tempfile.mkdtemp(prefix="graphistry-graph-")
    name = Path(folder) / "table.arrow"
    try:
        frames.write_arrow(getattr(graph, which), name)
        return os.open(name, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        name.unlink(missing_ok=True)
        Path(folder).rmdir()


def _close(fds: tuple[int, ...]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
