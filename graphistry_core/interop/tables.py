"""The two tables of a graph in one library's frames, and what is checked before they leave the graph."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .. import engines, frames
from ..errors import BadRequest, BindingError, EngineUnavailable, InvalidTable, MissingDependency

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd
    import pyarrow as pa

    from ..plottable import Plottable

SCHEMA_TABLES = ("edges", "nodes")


def pandas_of(table: Any) -> pd.DataFrame:
    """Return any table as a pandas frame: pandas itself by identity, everything else converted."""
    library = frames.library_of(table)
    if library == "dask":
        return pandas_of(table.compute())
    if library in ("pandas", "cudf") and frames.is_table(table):
        frame: pd.DataFrame = table if library == "pandas" else table.to_pandas()
        return frame
    return frames.to_pandas(frames.to_arrow(table)).copy()  # may lie in read-only memory: a frame must take writes


def require_columns(table: pd.DataFrame, names: Iterable[Any], what: str) -> None:
    """Raise BindingError naming the columns that the table lacks."""
    missing = [name for name in names if name not in table.columns]
    if missing:
        has = ", ".join(map(str, table.columns)) or "none"
        raise BindingError(f"The {what} table has no column {', '.join(map(repr, missing))}; its columns are {has}.")


def edges_of(g: Plottable) -> tuple[pd.DataFrame, str, str]:
    """Return the edge table as pandas with the names of its ends; raise BindingError when something is not there."""
    if g._edges is None:
        raise BindingError("The graph has no edges; give them with edges(table, source, destination).")
    if g._source is None or g._destination is None:
        raise BindingError("Source and destination are not bound; give them with bind(source=…, destination=…).")
    edges = pandas_of(g._edges)
    require_columns(edges, (g._source, g._destination), "edge")
    return edges, g._source, g._destination


def nodes_of(g: Plottable, default: str = "id") -> tuple[pd.DataFrame, str]:
    """Return the node table as pandas with the name of its id column.

    A graph without a node table (or without a node binding) gets one of the ids in its edges, sources first, in a
    column named as the binding, else ``default``; as PyGraphistry's ``materialize_nodes``.
    """
    import pandas as pd

    if g._nodes is not None and g._node is not None:
        nodes = pandas_of(g._nodes)
        require_columns(nodes, (g._node,), "node")
        return nodes, g._node
    node = g._node or default
    edges, source, destination = edges_of(g)
    ends = pd.concat([edges[source], edges[destination]]) if len(edges) else edges[source]
    return ends.drop_duplicates().rename(node).to_frame().reset_index(drop=True), node


def refuse_nulls(frame: pd.DataFrame, columns: Iterable[str], what: str) -> None:
    """Raise InvalidTable when one of the columns has nulls, which no other graph form can hold as ids."""
    found = [name for name in columns if frame[name].isna().any()]
    if found:
        raise InvalidTable(f"{what} cannot hold nulls in the id column {found[0]!r}; drop or fill these rows first.")


def selected(frame: pd.DataFrame, ids: list[str], attributes: list[str] | None, what: str) -> pd.DataFrame:
    """Return the id columns followed by the attributes (None: all others)."""
    wanted = list(frame.columns) if attributes is None else attributes
    require_columns(frame, wanted, what)
    return frame[[*ids, *(name for name in wanted if name not in ids)]]


# --- conversions of the whole graph ---------------------------------------------------------------------------


def to_pandas(g: Plottable) -> Plottable:
    """Return a copy with both tables in pandas; a graph that has them already keeps them, and its dataset id."""
    for verb in SCHEMA_TABLES:
        table = getattr(g, f"_{verb}")
        if table is not None and frames.library_of(table) != "pandas":
            g = getattr(g, verb)(pandas_of(table))
    return g.copy()


def need_cuda_library(name: str, what: str) -> Any:
    """Import cudf or a library on top of it, or say why that cannot work here."""
    problem = engines.cudf_problem()
    if problem is None:
        return frames.require(name, "cudf-cu12", what)
    kind = EngineUnavailable if find_spec("cudf") else MissingDependency
    raise kind(f"{what} cannot be used here: {problem}.")


def to_cudf(g: Plottable) -> Plottable:
    """Return a copy with both tables in cuDF; a graph that has them already keeps them, and its dataset id."""
    need_cuda_library("cudf", "to_cudf()")
    for verb in SCHEMA_TABLES:
        table = getattr(g, f"_{verb}")
        if table is not None and frames.library_of(table) != "cudf":
            g = getattr(g, verb)(engines.to_frame(frames.to_arrow(table), "cudf"))
    return g.copy()


def to_arrow(
    g: Plottable, table: Any, validate: frames.Validate, warn: bool, schema_validate: bool | str, schema_table: str
) -> pa.Table | None:
    """Return a table (None: the edges) as Arrow, held to the bound schema when ``schema_validate`` asks for it."""
    table = g._edges if table is None else table
    if schema_validate not in (False, True, "strict", "autofix"):
        raise BadRequest(f"schema_validate={schema_validate!r} is unknown; use False, True, 'strict' or 'autofix'.")
    if table is None:
        return None
    arrow = frames.to_arrow(table, validate, warn)
    return arrow if schema_validate is False else _held_to_schema(g, arrow, schema_validate, schema_table)


def _held_to_schema(g: Plottable, table: pa.Table, schema_validate: bool | str, schema_table: str) -> pa.Table:
    """Check a table against the graph's GraphSchema: a class of PyGraphistry's, so PyGraphistry judges."""
    schema = getattr(g, "_schema", None)
    if schema is None:
        raise BadRequest("schema_validate needs a GraphSchema; give one with bind(schema=…).")
    if schema_table not in SCHEMA_TABLES:
        raise BadRequest(f"schema_table={schema_table!r} is unknown; use 'edges' or 'nodes'.")
    peer = frames.require("graphistry", "pygraphistry", "schema_validate")
    refusals = (ValueError, frames.require("graphistry.exceptions", "pygraphistry", "").SchemaValidationError)
    judge = peer.bind(source=g._source, destination=g._destination, node=g._node, schema=schema)
    try:
        return judge.to_arrow(table, schema_validate=schema_validate, schema_table=schema_table)
    except refusals as e:
        raise InvalidTable(f"The {schema_table} table is not as its schema says: {e}") from e
