"""Rows of a table to a graph of their values: every cell's value a node, joined to its row or to its neighbours.

Pure functions on pandas frames; other tables are converted first, and the result goes back to cuDF when asked.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from .. import engines, frames
from ..errors import BadRequest, NotImplementedHere
from . import tables

if TYPE_CHECKING:
    import pandas as pd

    from ..plottable import Plottable

FORMS = ("graph", "all", "entities", "events", "edges", "nodes")
_FRAMES = ("entities", "events", "edges", "nodes")
log = logging.getLogger("graphistry_core")


@dataclass(frozen=True)
class Names:
    """What ``opts`` can set; each field is the key in lower case."""

    title: str = "nodeTitle"
    delim: str = "::"
    nodeid: str = "nodeID"
    attribid: str = "attribID"
    eventid: str = "EventID"
    eventtype: str = "event"
    source: str = "src"
    destination: str = "dst"
    category: str = "category"
    nodetype: str = "type"
    edgetype: str = "edgeType"
    nullval: str = "null"
    skip: Sequence[Any] | None = None
    categories: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    edges: Mapping[Any, Sequence[Any]] | None = None

    def category_of(self, column: Any) -> str:
        """Return the category that a column belongs to: the last that lists it, else the column itself."""
        found = [str(name) for name, columns in self.categories.items() if column in columns]
        return found[-1] if found else str(column)

    def node_ids(self, column: pd.Series) -> pd.Series:
        """Return the node id of every value of a column: category, delimiter, text of the value."""
        return (self.category_of(column.name) + self.delim) + self.text(column)

    def text(self, column: pd.Series) -> pd.Series:
        """Return the values as text, nulls as ``nullval``."""
        return column.astype(str).fillna(self.nullval).astype(str)


@dataclass(frozen=True)
class Choices:
    """How rows become edges."""

    drop_na: bool
    drop_edge_attrs: bool
    direct: bool


def names_of(opts: Mapping[str, Any] | None) -> Names:
    """Read ``opts``; raises BadRequest for a key that does not exist (PyGraphistry: TypeError)."""
    known = [each.name.upper() for each in fields(Names)]
    unknown = [key for key in opts or {} if key not in known]
    if unknown:
        raise BadRequest(f"opts has no key {unknown[0]!r}; its keys are {', '.join(known)}.")
    return Names(**{key.lower(): value for key, value in (opts or {}).items()})


def hypergraph(
    g: Plottable,
    raw_events: Any,
    entity_types: Sequence[Any] | None,
    opts: Mapping[str, Any] | None,
    choices: Choices,
    verbose: bool,
    engine: Any,
    from_edges: bool,
) -> dict[str, Any]:
    """Return the four frames and the graph; see :meth:`InteropMethods.hypergraph`."""
    if isinstance(raw_events, list):  # PyGraphistry's short form: only the entity types
        raw_events, entity_types = None, raw_events
    table = _own_table(g, from_edges) if raw_events is None else raw_events
    names, engine = names_of(opts), _engine(engine, table)
    rows = tables.pandas_of(table)
    frames.refuse_duplicates([str(name) for name in rows.columns])
    columns = _entity_columns(rows, entity_types, names)
    made = build(_with_event_ids(rows, names), columns, names, choices)
    if verbose:
        for label, count in (("links", made["edges"]), ("events", rows), ("attrib entities", made["entities"])):
            print("#", label, len(count))
    if engine == "cudf":
        made = {name: engines.to_frame(frames.to_arrow(each, warn=False), engine) for name, each in made.items()}
    ends = (names.source, names.destination) if choices.direct else (names.attribid, names.eventid)
    graph = g.edges(made["edges"], *ends).nodes(made["nodes"], names.nodeid).bind(point_title=names.title)
    return {**made, "graph": graph}


def pick(result: dict[str, Any], return_as: str) -> Any:
    """Return what ``return_as`` names: the graph, one frame, or the whole dictionary."""
    return result if return_as == "all" else result[return_as]


def check_form(return_as: str) -> None:
    """Raise BadRequest for a ``return_as`` that does not exist (PyGraphistry returns the dictionary)."""
    if return_as not in FORMS:
        raise BadRequest(f"return_as={return_as!r} is unknown; use one of {', '.join(FORMS)}.")


def build(events: pd.DataFrame, columns: list[Any], names: Names, choices: Choices) -> dict[str, pd.DataFrame]:
    """Return entities, events, edges and nodes of rows that have their event ids."""
    import pandas as pd

    shape = _node_shape(events[columns] if choices.direct else events, names)
    entities = _entities(events, columns, names, choices.drop_na, shape)
    if choices.direct:
        event_nodes, edges = shape, _direct_edges(events, columns, names, choices)
    else:
        event_nodes, edges = _event_nodes(events, names), _event_edges(events, columns, names, choices)
    nodes = pd.concat([entities, event_nodes], ignore_index=True, sort=False)
    return dict(zip(_FRAMES, (entities, event_nodes, edges, nodes), strict=True))


# --- input ----------------------------------------------------------------------------------------------------


def _own_table(g: Plottable, from_edges: bool) -> Any:
    table, kind = (g._edges, "edges") if from_edges else (g._nodes, "nodes")
    if table is None or frames.num_rows(table) == 0:
        other = "" if from_edges else " (or take its edges with from_edges=True)"
        raise BadRequest(f"hypergraph() has no rows: the graph has no {kind}; pass a table as raw_events{other}.")
    return table


def _engine(engine: Any, table: Any) -> str:
    name = str(getattr(engine, "value", engine))  # PyGraphistry's Engine is an enum
    if name in ("dask", "dask_cudf"):
        raise NotImplementedHere(f"hypergraph() has no engine {name!r} here; use 'pandas', 'cudf' or 'auto'.")
    if name == "auto":
        return "cudf" if frames.library_of(table) == "cudf" else "pandas"
    return engines.resolve(name)


def _entity_columns(rows: pd.DataFrame, entity_types: Sequence[Any] | None, names: Names) -> list[Any]:
    """Return the columns whose values become nodes: those given (else all), without SKIP and EVENTID."""
    left_out = {*(names.skip or ()), names.eventid}
    columns = [name for name in (rows.columns if entity_types is None else entity_types) if name not in left_out]
    if not columns:
        raise BadRequest("hypergraph() has no columns left to make nodes of; check entity_types and opts['SKIP'].")
    tables.require_columns(rows, columns, "event")
    return columns


def _with_event_ids(rows: pd.DataFrame, names: Names) -> pd.DataFrame:
    """Return a copy of the rows, renumbered, whose EVENTID column holds node ids: of its values, else row numbers."""
    import pandas as pd

    events = rows.reset_index(drop=True)
    own = events[names.eventid] if names.eventid in events else pd.Series(range(len(events)), dtype="int64")
    return events.assign(**{names.eventid: (names.eventid + names.delim) + names.text(own)})


# --- nodes ----------------------------------------------------------------------------------------------------


def _node_shape(events: pd.DataFrame, names: Names) -> pd.DataFrame:
    """Return the node table without rows: the columns of the events and those that every node has."""
    import pandas as pd

    of_nodes = (names.title, names.eventid, names.nodetype, names.category, names.nodeid)
    return events.head(0).assign(**{name: pd.Series([], dtype="object") for name in of_nodes})


def _entities(
    events: pd.DataFrame, columns: list[Any], names: Names, drop_na: bool, shape: pd.DataFrame
) -> pd.DataFrame:
    import pandas as pd

    parts = [_entities_of(events[name], names, drop_na, shape) for name in columns]
    return pd.concat(parts, ignore_index=True, sort=False).drop_duplicates([names.nodeid])


def _entities_of(column: pd.Series, names: Names, drop_na: bool, shape: pd.DataFrame) -> pd.DataFrame:
    """Return one node per distinct value of a column, with every column of the node table."""
    import pandas as pd

    values = _distinct(column.dropna() if drop_na else column)
    made: dict[Any, Any] = {
        column.name: values,
        names.title: names.text(values),
        names.nodetype: column.name,
        names.category: names.category_of(column.name),
        names.nodeid: names.node_ids(values),
    }
    nulls = {name: _absent(shape[name].dtype, values.index) for name in shape.columns if name not in made}
    # Two frames, because pandas 2 turns NaN into None where a later concatenation finds it in a block with values.
    parts = [pd.DataFrame(each, index=values.index) for each in (made, nulls)]
    return pd.concat(parts, axis=1)


def _distinct(column: pd.Series) -> pd.Series:
    try:
        return column.drop_duplicates()
    except TypeError:  # lists, dictionaries: compared by their text
        return column.astype(str).drop_duplicates()


def _absent(dtype: Any, index: pd.Index) -> pd.Series:
    """Return a column for nodes of another column: nulls, but 0 and True where the type has no null.

    0 and True are PyGraphistry's values (for int64 and int32, and for bool; it fails on other integers).
    """
    import pandas as pd

    kind = getattr(dtype, "kind", "O") if dtype.__class__.__module__.startswith("numpy") else "O"
    if kind in "iub":
        return pd.Series(kind == "b", index=index).astype(dtype)
    return pd.Series(index=index, dtype=dtype)


def _event_nodes(events: pd.DataFrame, names: Names) -> pd.DataFrame:
    ids = events[names.eventid]
    fixed = {names.nodetype: names.eventid, names.category: names.eventtype}
    return events.assign(**fixed, **{names.nodeid: ids, names.title: ids})


# --- edges ----------------------------------------------------------------------------------------------------


def _event_edges(events: pd.DataFrame, columns: list[Any], names: Names, choices: Choices) -> pd.DataFrame:
    """Return one edge per row and column, from the cell's value to the row."""
    import pandas as pd

    parts = []
    for name in sorted(columns, key=str):
        rows = _rows(events, [name], choices)
        kind = names.category_of(name) if names.categories else name
        made: dict[str, Any] = {
            names.edgetype: kind,
            **_category(names, name),
            names.attribid: names.node_ids(rows[name]),
        }
        parts.append(_attributes(rows, names, choices).assign(**made))
    return pd.concat(parts, ignore_index=True, sort=False)


def _direct_edges(events: pd.DataFrame, columns: list[Any], names: Names, choices: Choices) -> pd.DataFrame:
    """Return one edge per row and pair of columns, from value to value."""
    import pandas as pd

    parts = []
    for one, other in _pairs(columns, names):
        tables.require_columns(events, (one, other), "event")
        rows = _rows(events, [one, other], choices)
        pair = f"{one}{names.delim}{other}"
        kind = f"{names.category_of(one)}{names.delim}{names.category_of(other)}"
        ends = {names.source: names.node_ids(rows[one]), names.destination: names.node_ids(rows[other])}
        made: dict[str, Any] = {names.edgetype: kind, **_category(names, pair), **ends}
        parts.append(_attributes(rows, names, choices).assign(**made))
    if parts:
        return pd.concat(parts, ignore_index=True, sort=False)
    log.warning("hypergraph(direct=True) of the one column %r has nodes but no edges", columns[0])
    own = (names.edgetype, *_category(names, ""), names.source, names.destination)
    kept = [name for name in _attributes(events, names, choices).columns if name not in own]
    return pd.DataFrame({name: pd.Series([], dtype="object") for name in (*kept, *own)})


def _pairs(columns: list[Any], names: Names) -> list[tuple[Any, Any]]:
    """Return the pairs of columns to join, sorted: those of EDGES, else each column with all that follow it."""
    shape = names.edges
    if shape is None:
        shape = {name: columns[place + 1 :] for place, name in enumerate(columns)}
    return [(one, other) for one in sorted(shape, key=str) for other in sorted(shape[one], key=str)]


def _rows(events: pd.DataFrame, needed: list[Any], choices: Choices) -> pd.DataFrame:
    return events.dropna(subset=needed) if choices.drop_na else events


def _attributes(rows: pd.DataFrame, names: Names, choices: Choices) -> pd.DataFrame:
    """Return what edges keep of their row: all but a column named as the node type, or only the event id."""
    if choices.drop_edge_attrs:
        return rows[[names.eventid]]
    return rows[[name for name in rows.columns if name != names.nodetype]]


def _category(names: Names, value: str) -> dict[str, str]:
    return {names.category: value} if names.categories else {}
