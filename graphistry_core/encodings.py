"""What bindings turn into on the wire, and back. Imports errors only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# bind() keyword -> (table, name on the wire); None: the binding stays with the client.
BINDINGS: dict[str, tuple[str, str | None]] = {
    "source": ("edges", "source"),
    "destination": ("edges", "destination"),
    "node": ("nodes", "node"),
    "edge": ("edges", None),
    "edge_title": ("edges", "edge_title"),
    "edge_label": ("edges", "edge_label"),
    "edge_color": ("edges", "edge_color"),
    "edge_weight": ("edges", "edge_weight"),
    "edge_size": ("edges", "edge_size"),
    "edge_opacity": ("edges", "edge_opacity"),
    "edge_icon": ("edges", "edge_icon"),
    "edge_source_color": ("edges", "edge_source_color"),
    "edge_destination_color": ("edges", "edge_destination_color"),
    "point_title": ("nodes", "node_title"),
    "point_label": ("nodes", "node_label"),
    "point_color": ("nodes", "node_color"),
    "point_weight": ("nodes", "node_weight"),
    "point_size": ("nodes", "node_size"),
    "point_opacity": ("nodes", "node_opacity"),
    "point_icon": ("nodes", "node_icon"),
    "point_x": ("nodes", "node_x"),
    "point_y": ("nodes", "node_y"),
    "point_longitude": ("nodes", "node_longitude"),
    "point_latitude": ("nodes", "node_latitude"),
}
STRUCTURE = ("source", "destination", "node", "edge")


def to_wire(bindings: Mapping[str, str | None], table: str) -> dict[str, Any]:
    """Return ``{node|edge}_encodings`` for one table from bindings by their bind() names."""
    found = {
        wire: bindings[name]
        for name, (owner, wire) in BINDINGS.items()
        if owner == table and wire is not None and bindings.get(name) is not None
    }
    return {"bindings": found}


def from_wire(node_bindings: Mapping[str, Any], edge_bindings: Mapping[str, Any]) -> dict[str, str]:
    """Return bindings by their bind() names from the two objects of a dataset's record."""
    sources = {"nodes": node_bindings, "edges": edge_bindings}
    return {
        name: str(sources[table][wire])
        for name, (table, wire) in BINDINGS.items()
        if wire is not None and sources[table].get(wire) is not None
    }
