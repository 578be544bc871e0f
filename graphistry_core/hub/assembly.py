"""From files to a dataset's tables: one below the other, or through a hypergraph transform.

May import wire, frames, store, plottable and the hypergraph of interop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import frames, wire
from ..errors import BadRequest
from .store import Store, StoredTable

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class Assembled:
    """What a dataset begins with: its body, its tables, and those of them that belong to no file."""

    body: Mapping[str, Any]
    tables: dict[str, StoredTable | None] = field(default_factory=dict)
    fresh: list[StoredTable] = field(default_factory=list)


def assemble(store: Store, find: Callable[[str, int], StoredTable], request: wire.DatasetCreate) -> Assembled:
    """Return the tables that a request names by files; ``find`` gives the table of (file id, index).

    Tables made here are stored but not recorded: record them, or drop them. Raises NotFound for an unknown file, and
    BadRequest for tables that do not go together, naming the column.
    """
    made = Assembled(request.body)
    try:
        for which in ("edges", "nodes"):
            parts = [find(file_id, index) for file_id, index in request.files(which)]
            made.tables[which] = parts[0] if parts else None
            if len(parts) > 1:
                made.tables[which] = _keep(store, made, _one_below_the_other(store, parts, which))
        asked = request.hypergraph()
        if asked is not None:
            _transform(store, made, asked)
    except BaseException:
        store.drop_table(*(table.id for table in made.fresh))
        raise
    return made


def _keep(store: Store, made: Assembled, table: pa.Table) -> StoredTable:
    stored = store.add_table(table)
    made.fresh.append(stored)
    return stored


def _one_below_the_other(store: Store, parts: list[StoredTable], which: str) -> pa.Table:
    import pyarrow as pa

    first = parts[0].dtypes
    types = {name: {part.dtypes.get(name) for part in parts} for part in parts for name in part.dtypes}
    for name, found in types.items():
        if None in found:
            raise BadRequest(f"The files of the {which} do not go together: not every one has a column {name!r}.")
        if len(found - {"null"}) > 1:
            said = " and ".join(sorted(str(each) for each in found))
            raise BadRequest(f"The files of the {which} do not go together: the column {name!r} is {said}.")
    tables = [store.open_table(part.id).select(list(first)) for part in parts]
    return pa.concat_tables(tables, promote_options="default")


def _transform(store: Store, made: Assembled, asked: Mapping[str, Any]) -> None:
    """Take the edges as events, whose values become nodes; the dataset is bound to the graph's columns (a guess)."""
    from ..interop import hypergraph as transform  # with its tables, the greater part of what a start would import

    events = made.tables["edges"]
    if events is None:
        raise BadRequest("edge_hypergraph_transform needs the events as edge_files.")
    if made.tables["nodes"] is not None:
        raise BadRequest("edge_hypergraph_transform makes the nodes: leave node_files out.")
    names = transform.names_of(asked["opts"])
    result = _hypergraph(frames.to_pandas(store.open_table(events.id)).copy(deep=False), asked)
    for which in ("edges", "nodes"):
        made.tables[which] = _keep(store, made, frames.to_arrow(result[which], warn=False))
    ends = (names.source, names.destination) if asked["direct"] else (names.attribid, names.eventid)
    made.body = _bound(made.body, "edge_encodings", {"source": ends[0], "destination": ends[1]})
    made.body = _bound(made.body, "node_encodings", {"node": names.nodeid, "node_title": names.title})


def _hypergraph(events: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    from ..interop import hypergraph as transform
    from ..plottable import Plottable

    choices = transform.Choices(asked["drop_na"], asked["drop_edge_attrs"], asked["direct"])
    types, opts = asked["entity_types"], asked["opts"]
    try:
        return transform.hypergraph(Plottable(), events, types, opts, choices, False, "pandas", False)
    except (TypeError, AttributeError, KeyError) as e:  # opts hold any JSON
        raise BadRequest(f"edge_hypergraph_transform cannot be done with these opts ({e}).") from e


def _bound(body: Mapping[str, Any], name: str, bindings: Mapping[str, str]) -> dict[str, Any]:
    """Return the body with bindings that go before those sent: the sender could not know the new columns."""
    encodings = body.get(name) or {}
    return {**body, name: {**encodings, "bindings": {**(encodings.get("bindings") or {}), **bindings}}}
