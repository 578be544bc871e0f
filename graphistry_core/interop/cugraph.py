"""cuGraph graphs to cuDF tables and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import engines, frames
from ..errors import BadRequest, BindingError, warn_user
from . import tables

if TYPE_CHECKING:
    from ..plottable import Plottable

KINDS = ("Graph", "MultiGraph", "BiPartiteGraph")


def _cudf(frame: Any) -> Any:
    return frame if frames.library_of(frame) == "cudf" else engines.to_frame(frames.to_arrow(frame), "cudf")


def to_cugraph(g: Plottable, directed: bool, include_nodes: bool, kind: str) -> Any:
    """Return the cuGraph graph of the edges; see :meth:`InteropMethods.to_cugraph`."""
    if kind not in KINDS:
        raise BadRequest(f"kind={kind!r} is unknown; use one of {', '.join(KINDS)}.")
    cugraph = tables.need_cuda_library("cugraph", "to_cugraph()")
    if g._edges is None or g._source is None or g._destination is None:
        raise BindingError("to_cugraph() needs edges with source and destination bound.")
    options = {"source": g._source, "destination": g._destination}
    if (weight := g.bindings().get("edge_weight")) is not None:
        options["edge_attr"] = weight
    made = getattr(cugraph, kind)(directed=directed)
    made.from_cudf_edgelist(_cudf(g._edges)[list(options.values())], **options)
    if include_nodes and g._nodes is not None and g._node is not None:
        made.add_nodes_from(_cudf(g._nodes)[g._node])
    return made


def from_cugraph(g: Plottable, graph: Any, load_nodes: bool, merge_if_existing: bool) -> Plottable:
    """Return a copy with the edges of a cuGraph graph; see :meth:`InteropMethods.from_cugraph`."""
    tables.need_cuda_library("cugraph", "from_cugraph()")
    if g._nodes is not None and load_nodes:
        raise BadRequest("A cuGraph graph has no node table: pass load_nodes=False to keep the graph's own.")
    source = _end_name(graph, "source_columns", g._source, "source")
    destination = _end_name(graph, "destination_columns", g._destination, "target")
    edges = graph.view_edge_list().rename(columns={"src": source, "dst": destination})
    if g._edges is not None and merge_if_existing:
        before, ends = _cudf(g._edges), [source, destination]
        more = [name for name in before.columns if name not in edges.columns]
        if more and set(ends) <= set(before.columns):
            edges = edges.merge(before[[*ends, *more]], how="left", on=ends)
    return g.edges(edges, source, destination)


def _end_name(graph: Any, attribute: str, bound: str | None, default: str) -> str:
    found = getattr(graph, attribute, None)
    name = found[0] if isinstance(found, list) and found else found
    if not isinstance(name, str):
        return bound or default
    if bound not in (None, name):
        warn_user(f"The cuGraph graph's column {name!r} takes the place of the bound {bound!r}.")
    return name
