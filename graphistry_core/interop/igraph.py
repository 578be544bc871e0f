"""igraph graphs to tables and back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..errors import BadRequest, BindingError
from ..frames import require
from . import tables
from .networkx import IMPLICIT_NODE

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

    from ..plottable import Plottable

# Where PyGraphistry's to_igraph() keeps the name it gave a node attribute called "name"; igraphs travel both ways.
_RENAMED = "graphistry.renamed_name_attr"
_POSITION = "__edge_index__"


def is_igraph(value: Any) -> bool:
    """Say whether a value is an igraph graph, without importing igraph to find out."""
    igraph = sys.modules.get("igraph")
    return igraph is not None and isinstance(value, igraph.Graph)


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return a name for an attribute that collides, as PyGraphistry forms it: ``__attr_<name>_2__`` and on."""
    n = 2
    while (made := f"__attr_{name}_{n}__") in taken:
        n += 1
    return made


# --- from igraph ----------------------------------------------------------------------------------------------


def from_igraph(
    g: Plottable,
    ig: Any,
    node_attributes: list[str] | None,
    edge_attributes: list[str] | None,
    load_nodes: bool,
    load_edges: bool,
    merge_if_existing: bool,
) -> Plottable:
    """Return a copy with the tables of an igraph; see :meth:`InteropMethods.from_igraph`."""
    if not is_igraph(ig):
        raise BadRequest(f"A {type(ig).__name__} is not an igraph graph.")
    if load_nodes and merge_if_existing and g._nodes is not None and g._node is None:
        raise BindingError("The graph's node table has no bound id column: bind(node=…), or merge_if_existing=False.")
    nodes, node = _nodes_of(ig, g)
    edges, source, destination = _edges_of(ig, g, nodes[node])
    if load_nodes:
        loaded = _some(nodes, [node], node_attributes)
        if g._nodes is not None and merge_if_existing:
            loaded = _joined(loaded, tables.pandas_of(g._nodes), node)
    if load_edges:
        found = _some(edges, [source, destination], edge_attributes)
        if g._edges is not None and merge_if_existing:
            found = _merged_edges(found, tables.pandas_of(g._edges), g._edge, {source, destination})
    g = g.nodes(loaded, node) if load_nodes else g
    return g.edges(found, source, destination) if load_edges else g


def _some(frame: pd.DataFrame, ids: list[str], attributes: list[str] | None) -> pd.DataFrame:
    """Return the columns asked for, in their order; ids that were not asked for come first."""
    if attributes is None:
        return frame
    tables.require_columns(frame, attributes, "igraph")
    return frame[[*(name for name in ids if name not in attributes), *attributes]]


def _attribute_frame(sequence: Any) -> pd.DataFrame:
    """Return the attributes of all vertices or edges as columns; integers beyond 2**53 stay exact beside nulls."""
    import pandas as pd

    columns = {name: _column(sequence[name]) for name in sequence.attributes()}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(sequence)))


def _column(values: list[Any]) -> Any:
    import pandas as pd

    present = [value for value in values if value is not None and value is not pd.NA]
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in present)
    if len(present) == len(values) or not whole or not any(abs(value) > 1 << 53 for value in present):
        return values
    return pd.array(values, dtype="Int64" if max(present) < 1 << 63 else "UInt64")


def _nodes_of(ig: Any, g: Plottable) -> tuple[pd.DataFrame, str]:
    """Return the vertices as a node table, and the name of its id column.

    Ids are the attribute named like the node binding, else ``name`` where it can be (see :func:`_id_attribute`),
    else the vertex numbers.
    """
    node = g._node or IMPLICIT_NODE
    known = tables.pandas_of(g._nodes) if g._nodes is not None and g._node is not None else None
    nodes = _attribute_frame(ig.vs)
    renamed = ig[_RENAMED] if _RENAMED in ig.attributes() else None
    ids = _id_attribute(nodes, node, None if known is None else known[node], renamed in nodes)
    if ids is None:
        nodes.insert(0, node, range(len(nodes)))
    else:
        nodes = nodes.rename(columns={ids: node})
    if renamed in nodes and "name" not in nodes:
        nodes = nodes.rename(columns={renamed: "name"})
    return nodes if known is None else _retyped(nodes, known, {node, "name"} if renamed else {node}), node


def _retyped(nodes: pd.DataFrame, known: pd.DataFrame, columns: set[str]) -> pd.DataFrame:
    """Give these columns the types they have in the known table; all columns when there are no values to tell."""
    columns = columns if len(nodes) else set(nodes.columns)
    return nodes.assign(**{c: _as_before(nodes[c], known[c]) for c in columns if c in nodes and c in known})


def _id_attribute(nodes: pd.DataFrame, node: str, known: Any, renamed: bool) -> str | None:
    """Return the vertex attribute that holds the node ids; None: the vertex numbers are the ids."""
    if node in nodes:
        return node
    if "name" in nodes and (known is None or renamed or known.dtype == nodes["name"].dtype):
        return "name"
    if known is None:
        return None
    same = (c for c in ("name", "id", "idx", IMPLICIT_NODE) if c in nodes and _same_values(nodes[c], known))
    return next(same, None)


def _same_values(one: Any, other: Any) -> bool:
    try:
        return len(one) == len(other) and set(one) == set(other)
    except TypeError:  # unhashable
        return False


def _as_before(column: Any, before: Any) -> Any:
    """Give a column the type it had before igraph, which keeps only Python values, unless values would be lost."""
    if column.dtype == before.dtype or (before.dtype == object and len(column)):
        return column
    try:
        cast = column.astype(before.dtype)
    except (TypeError, ValueError, OverflowError):
        return column
    kept = (cast.isna() == column.isna()).all() and cast.dropna().tolist() == column.dropna().tolist()
    return cast if kept else column


def _joined(nodes: pd.DataFrame, before: pd.DataFrame, node: str) -> pd.DataFrame:
    more = [name for name in before.columns if name not in nodes]
    try:
        joined = nodes.merge(before[[node, *more]], how="left", on=node)
    except ValueError as e:
        kinds = f"{nodes[node].dtype} in the igraph, {before[node].dtype} in the graph"
        raise BindingError(f"The node ids cannot be compared ({kinds}); pass merge_if_existing=False.") from e
    return joined[[*nodes.columns, *more]]


def _edges_of(ig: Any, g: Plottable, ids: Any) -> tuple[pd.DataFrame, str, str]:
    """Return the edges with node ids at their ends, then the attributes; those named like an end are renamed."""
    source, destination = g._source or "source", g._destination or "target"
    ends = ig.get_edgelist()
    edges = _attribute_frame(ig.es)
    taken = {source, destination, "source", "target", *edges.columns}
    edges = edges.rename(columns={c: _free_name(c, taken) for c in edges.columns if c in (source, destination)})
    for place, (name, side) in enumerate(((source, 0), (destination, 1))):
        column = ids.iloc[[end[side] for end in ends]].reset_index(drop=True)
        before = None if g._edges is None else tables.pandas_of(g._edges).get(name)
        edges.insert(place, name, column if before is None else _as_before(column, before))
    return edges, source, destination


def _merged_edges(found: pd.DataFrame, before: pd.DataFrame, edge: str | None, ends: set[str]) -> pd.DataFrame:
    """Add the attributes that the edge table had before to the edges found.

    Edges are the same when their id (the edge binding) is; without one, when they stand at the same place. Where the
    igraph brought nothing new, the table stays as it was, as in PyGraphistry.
    """
    key, same_length = edge or _POSITION, len(found) == len(before)
    old = before if edge else before.assign(**{key: range(len(before))})
    tables.require_columns(old, (key,), "edge")
    if key not in found:
        numbers = old[key].tolist() if same_length else range(len(found))
        found = found.copy(deep=False)
        found.insert(0, key, numbers)
    more = [name for name in old.columns if name not in found]
    if more and same_length and set(found.columns) == {key, *ends}:
        return before
    if more:
        found = found.merge(old[[key, *more]], how="left", on=key)
    return found if edge else found.drop(columns=key)


# --- to igraph ------------------------------------------------------------------------------------------------


def to_igraph(
    g: Plottable,
    directed: bool,
    include_nodes: bool,
    node_attributes: list[str] | None,
    edge_attributes: list[str] | None,
    use_vids: bool,
) -> Any:
    """Return the igraph of the tables; see :meth:`InteropMethods.to_igraph`."""
    igraph = require("igraph", "igraph", "to_igraph()")
    if not include_nodes and g._nodes is not None:
        g = g._with(node=None, nodes=None)
    edges, source, destination = tables.edges_of(g)
    edges = tables.selected(edges, [source, destination], edge_attributes, "edge")
    tables.refuse_nulls(edges, (source, destination), "igraph")
    nodes, node = tables.nodes_of(g)
    nodes = tables.selected(nodes, [node], node_attributes, "node")
    tables.refuse_nulls(nodes, (node,), "igraph")
    renamed = None
    if not use_vids and "name" in nodes.columns[1:]:
        renamed = _free_name("name", nodes.columns)
        nodes = nodes.rename(columns={"name": renamed})
    try:
        ig = igraph.Graph.DataFrame(edges, directed=directed, vertices=nodes, use_vids=use_vids)
    except (TypeError, ValueError) as e:
        raise BadRequest(f"igraph does not take these tables: {e}") from e
    if renamed:
        ig[_RENAMED] = renamed
    return ig


# --- the older pair -------------------------------------------------------------------------------------------


def _bound_ends(g: Plottable) -> tuple[str, str]:
    if g._source is None or g._destination is None:
        raise BindingError("Source and destination are not bound; give them with bind(source=…, destination=…).")
    return g._source, g._destination


def pandas2igraph(g: Plottable, edges: pd.DataFrame, directed: bool) -> Any:
    """Return the igraph of an edge table alone, vertex ids in the attribute named like the node binding."""
    igraph = require("igraph", "igraph", "pandas2igraph()")
    ends = list(_bound_ends(g))
    tables.require_columns(edges, ends, "edge")
    table = tables.selected(edges, ends, None, "edge")
    rows = list(zip(*(table[name].tolist() for name in table.columns), strict=True))
    return igraph.Graph.TupleList(
        rows, directed=directed, edge_attrs=list(table.columns[2:]), vertex_name_attr=g._node or IMPLICIT_NODE
    )


def igraph2pandas(g: Plottable, ig: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (edges, nodes) of an igraph; ids are the attribute of the node binding, else the vertex numbers."""
    _bound_ends(g)
    nodes = _attribute_frame(ig.vs)
    if g._node is not None:
        tables.require_columns(nodes, (g._node,), "igraph vertex")
    else:
        nodes = nodes.assign(**{IMPLICIT_NODE: range(len(nodes))})
    edges, *_ = _edges_of(ig, g, nodes[g._node or IMPLICIT_NODE])
    return edges, nodes
