"""Write a graph as GEXF."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadRequest, BindingError, InvalidTable
from . import tables

if TYPE_CHECKING:
    import pandas as pd

    from ..plottable import Plottable

# version -> (namespace, its schema, the version attribute)
_VERSIONS = {
    "1.1draft": ("http://www.gexf.net/1.1draft", "1.1"),
    "1.2draft": ("http://www.gexf.net/1.2draft", "1.2"),
    "1.3": ("http://gexf.net/1.3", "1.3"),
}
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEX = re.compile("#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})?")
_AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Part:
    """One kind of element, node or edge: its table, and which columns have a place of their own in GEXF."""

    kind: str
    table: pd.DataFrame
    fixed: dict[str, Any]  # XML attribute -> values, one per row
    viz: dict[str, str]  # color, opacity, size or thickness, shape, x, y, z -> column
    attributes: list[str]


def to_gexf(
    g: Plottable,
    path: str | os.PathLike[str] | None,
    version: str,
    directed: bool,
    include_viz: bool,
    meta: Mapping[str, str | None] | None,
    node_attributes: list[str] | None,
    edge_attributes: list[str] | None,
) -> str:
    """Return the graph as GEXF text, and write it to ``path`` when there is one; see the method's docstring."""
    if version not in _VERSIONS:
        raise BadRequest(f"version={version!r} is unknown; use one of {', '.join(_VERSIONS)}.")
    parts = [_nodes(g, include_viz, node_attributes), _edges(g, include_viz, edge_attributes)]
    root = _root(version, any(part.viz for part in parts))
    if meta is not None:
        _write_meta(root, meta)
    graph = ET.SubElement(root, "graph", mode="static", defaultedgetype="directed" if directed else "undirected")
    for part in parts:
        _write_declarations(graph, part)
    for part in parts:
        _write_elements(ET.SubElement(graph, f"{part.kind}s"), part)
    text = "<?xml version='1.0' encoding='utf-8'?>\n" + ET.tostring(root, encoding="unicode")
    if (odd := _NOT_XML.search(text)) is not None:
        raise InvalidTable(f"GEXF is XML, which cannot hold the character {odd[0]!r}: remove it from the tables.")
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


# --- what goes where ------------------------------------------------------------------------------------------


def _bound(g: Plottable, *bindings: str) -> str | None:
    """Return the first of these bindings that is there."""
    return next((name for each in bindings if (name := getattr(g, f"_{each}")) is not None), None)


def _viz_columns(g: Plottable, table: pd.DataFrame, what: str, places: Mapping[str, str | None]) -> dict[str, str]:
    """Return the column for each viz place: the bound one, else ``viz_<place>`` when the table has it."""
    found = {}
    for place, binding in places.items():
        bound = _bound(g, binding) if binding else None
        if bound is not None:
            tables.require_columns(table, (bound,), what)
        column = bound or f"viz_{place}"
        if column in table.columns:
            found[place] = column
    return found


def _rest(table: pd.DataFrame, wanted: list[str] | None, placed: Iterable[str | None], what: str) -> list[str]:
    reserved = set(placed)
    if wanted is None:
        return [name for name in table.columns if name not in reserved]
    tables.require_columns(table, wanted, what)
    twice = [name for name in wanted if name in reserved]
    if twice:
        raise BadRequest(f"{what}_attributes has {twice[0]!r}, which GEXF already holds in another place.")
    return list(wanted)


def _nodes(g: Plottable, include_viz: bool, attributes: list[str] | None) -> Part:
    tables.edges_of(g)
    table, node = tables.nodes_of(g)
    tables.refuse_nulls(table, (node,), "GEXF")
    if table[node].duplicated().any():
        raise InvalidTable(f"GEXF needs one row per node; the column {node!r} holds ids more than once.")
    label = _bound(g, "point_title", "point_label")
    tables.require_columns(table, [label] if label else [], "node")
    places = {"color": "point_color", "opacity": "point_opacity", "size": "point_size", "shape": None}
    places |= {"x": "point_x", "y": "point_y", "z": None}
    viz = _viz_columns(g, table, "node", places) if include_viz else {}
    if ("x" in viz) != ("y" in viz):
        raise BindingError("GEXF positions need both point_x and point_y.")
    rest = _rest(table, attributes, (node, label, *viz.values()), "node")
    return Part("node", table, {"id": table[node], "label": table[label] if label else None}, viz, rest)


def _edges(g: Plottable, include_viz: bool, attributes: list[str] | None) -> Part:
    table, source, destination = tables.edges_of(g)
    tables.refuse_nulls(table, (source, destination), "GEXF")
    label, edge = _bound(g, "edge_title", "edge_label"), _bound(g, "edge")
    weight = _bound(g, "edge_weight") or ("weight" if "weight" in table.columns else None)
    tables.require_columns(table, [name for name in (label, edge, weight) if name], "edge")
    places = {"color": "edge_color", "opacity": "edge_opacity", "thickness": "edge_size", "shape": None}
    viz = _viz_columns(g, table, "edge", places) if include_viz else {}
    rest = _rest(table, attributes, (source, destination, label, edge, weight, *viz.values()), "edge")
    fixed = {
        "id": table[edge] if edge else table.index,
        "source": table[source],
        "target": table[destination],
        "label": table[label] if label else None,
        "weight": [_number(value, "edge weight") for value in table[weight].tolist()] if weight else None,
    }
    return Part("edge", table, fixed, viz, rest)


# --- XML ------------------------------------------------------------------------------------------------------


def _root(version: str, viz: bool) -> ET.Element:
    namespace, number = _VERSIONS[version]
    names = {"xmlns": namespace, "xmlns:xsi": _XSI, **({"xmlns:viz": f"{namespace}/viz"} if viz else {})}
    return ET.Element("gexf", {**names, "version": number, "xsi:schemaLocation": f"{namespace} {namespace}/gexf.xsd"})


def _write_meta(root: ET.Element, meta: Mapping[str, str | None]) -> None:
    date = meta.get("lastmodifieddate")
    element = ET.SubElement(root, "meta", {} if date is None else {"lastmodifieddate": date})
    for name in ("creator", "description"):
        if text := meta.get(name):
            ET.SubElement(element, name).text = str(text)


def _gexf_type(column: pd.Series) -> str:
    import pandas as pd

    types = pd.api.types
    tests = {"boolean": types.is_bool_dtype, "integer": types.is_integer_dtype, "float": types.is_float_dtype}
    return next((name for name, test in tests.items() if test(column)), "string")


def _write_declarations(graph: ET.Element, part: Part) -> None:
    if not part.attributes:
        return
    group = ET.SubElement(graph, "attributes", {"class": part.kind})
    for number, name in enumerate(part.attributes):
        ET.SubElement(group, "attribute", id=str(number), title=str(name), type=_gexf_type(part.table[name]))


def _write_elements(parent: ET.Element, part: Part) -> None:
    fixed = {name: _texts(values) for name, values in part.fixed.items() if values is not None}
    viz = {place: part.table[name].tolist() for place, name in part.viz.items()}
    texts = [_texts(part.table[name], _gexf_type(part.table[name])) for name in part.attributes]
    for row in range(len(part.table)):
        own = {name: text for name, values in fixed.items() if (text := values[row]) is not None}
        element = ET.SubElement(parent, part.kind, own)
        _write_viz(element, {place: values[row] for place, values in viz.items()}, part.kind)
        held = [(str(number), text) for number, each in enumerate(texts) if (text := each[row]) is not None]
        if held:
            values_of = ET.SubElement(element, "attvalues")
            for number, text in held:
                ET.SubElement(values_of, "attvalue", {"for": number, "value": text})


def _texts(values: Any, kind: str = "string") -> list[str | None]:
    """Return values as GEXF has them: booleans in lower case, None for nulls."""
    plain = values.tolist() if hasattr(values, "tolist") else values
    texts = [None if _is_null(value) else str(value) for value in plain]
    return [text and text.lower() for text in texts] if kind == "boolean" else texts


def _is_null(value: Any) -> bool:
    import pandas as pd

    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def _number(value: Any, what: str) -> float | None:
    if _is_null(value):
        return None
    try:
        return float(value)
    except (TypeError, ValueError) as e:
        raise InvalidTable(f"GEXF needs a number as {what}, not {value!r}.") from e


def _write_viz(element: ET.Element, row: Mapping[str, Any], kind: str) -> None:
    color = _channels(row.get("color"), kind)
    if color is not None:
        opacity = _number(row.get("opacity"), f"{kind} opacity")
        ET.SubElement(element, "viz:color", color if opacity is None else {**color, "a": str(opacity)})
    for place in ("size", "thickness"):
        if (size := _number(row.get(place), f"{kind} {place}")) is not None:
            ET.SubElement(element, f"viz:{place}", value=str(size))
    position = {axis: str(at) for axis in _AXES if (at := _number(row.get(axis), f"{kind} {axis}")) is not None}
    if "x" in position and "y" in position:
        ET.SubElement(element, "viz:position", position)
    if not _is_null(row.get("shape")):
        ET.SubElement(element, "viz:shape", value=str(row["shape"]))


def _channels(color: Any, kind: str) -> dict[str, str] | None:
    if _is_null(color):
        return None
    found = _HEX.fullmatch(color.strip()) if isinstance(color, str) else None
    if found is None:
        raise InvalidTable(f"GEXF needs {kind} colors such as '#1F77B4', not {color!r}; or pass include_viz=False.")
    red, green, blue, alpha = (None if each is None else int(each, 16) for each in found.groups())
    channels = {"r": str(red), "g": str(green), "b": str(blue)}
    return channels if alpha is None else {**channels, "a": str(alpha / 255)}
