"""networkx graphs to tables and back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..errors import BadRequest, BindingError
from ..frames import require
from . import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from ..plottable import Plottable

IMPLICIT_NODE = "_n_implicit"  # PyGraphistry's name for an id column that nobody named


def is_networkx(value: Any) -> bool:
    """Say whether a value is a networkx graph, without importing networkx to find out."""
    networkx = sys.modules.get("networkx")
    return networkx is not None and isinstance(value, networkx.Graph)


def _refuse(attributes: Iterable[Mapping[Any, Any]], taken: tuple[str, ...], kind: str) -> None:
    found = {str(name) for each in attributes for name in each} & set(taken)
    if found:
        raise BindingError(
            f"The networkx graph has {kind} attributes named {', '.join(map(repr, sorted(found)))}, which are also "
            "the names of id columns: bind() the ids to other names first."
        )


def refuse_node_overlap(graph: Any, node: str) -> None:
    """Raise BindingError when a node attribute has the name of the id column."""
    _refuse((attributes for _, attributes in graph.nodes(data=True)), (node,), "node")


def frames_of(graph: Any, source: str, destination: str, node: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (edges, nodes): ids in these columns, then one column per attribute, in the graph's own order.

    Keys of parallel edges are left out, as in PyGraphistry. Raises BindingError for an attribute with the name of an
    id column (PyGraphistry lets it replace the ids), BadRequest for what is no networkx graph.
    """
    if not is_networkx(graph):
        raise BadRequest(f"A {type(graph).__name__} is no networkx graph.")
    refuse_node_overlap(graph, node)
    _refuse((attributes for *_, attributes in graph.edges(data=True)), (source, destination), "edge")
    nodes = [{node: each, **_named(attributes)} for each, attributes in graph.nodes(data=True)]
    edges = [{source: s, destination: d, **_named(attributes)} for s, d, attributes in graph.edges(data=True)]
    return _frame(edges, [source, destination]), _frame(nodes, [node])


def _named(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in attributes.items()}


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def from_networkx(g: Plottable, graph: Any) -> Plottable:
    """Return a copy with the tables of a networkx graph; ids go to the bound names, else to src, dst and n."""
    source, destination, node = g._source or "src", g._destination or "dst", g._node or "n"
    edges, nodes = frames_of(graph, source, destination, node)
    return g.edges(edges, source, destination).nodes(nodes, node)


def networkx2pandas(g: Plottable, graph: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (edges, nodes) of a networkx graph under the graph's bindings; the ends must be bound."""
    if g._source is None or g._destination is None:
        raise BindingError("Source and destination are not bound; bind() them, or use from_networkx().")
    return frames_of(graph, g._source, g._destination, g._node or IMPLICIT_NODE)


def to_networkx(
    g: Plottable,
    directed: bool,
    include_nodes: bool,
    node_attributes: list[str] | None,
    edge_attributes: list[str] | None,
    multigraph: bool | None,
) -> Any:
    """Return the networkx graph of the tables; see :meth:`InteropMethods.to_networkx`."""
    networkx = require("networkx", "networkx", "to_networkx()")
    edges, source, destination = tables.edges_of(g)
    edges = tables.selected(edges, [source, destination], edge_attributes, "edge")
    tables.refuse_nulls(edges, (source, destination), "networkx")
    if multigraph is None:
        multigraph = _has_parallels(edges, source, destination, directed)
    graph = getattr(networkx, f"{'Multi' if multigraph else ''}{'Di' if directed else ''}Graph")()
    if include_nodes and g._nodes is not None and g._node is not None:
        nodes, node = tables.nodes_of(g)
        nodes = tables.selected(nodes, [node], node_attributes, "node")
        tables.refuse_nulls(nodes, (node,), "networkx")
        graph.add_nodes_from(_ids_and_attributes(nodes, 1))
    graph.add_edges_from(_ids_and_attributes(edges, 2))
    return graph


def _ids_and_attributes(frame: pd.DataFrame, ids: int) -> list[tuple[Any, ...]]:
    columns = [frame[name].tolist() for name in frame.columns]
    names = list(frame.columns[ids:])
    return [(*row[:ids], dict(zip(names, row[ids:], strict=True))) for row in zip(*columns, strict=True)]


def _has_parallels(edges: pd.DataFrame, source: str, destination: str, directed: bool) -> bool:
    pairs = list(zip(edges[source].tolist(), edges[destination].tolist(), strict=True))
    return len({pair if directed else frozenset(pair) for pair in pairs}) < len(pairs)
