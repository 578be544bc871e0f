"""Read GEXF, Gephi's XML form of graphs, into tables and bindings.

GEXF comes from anywhere: a document type is refused before anything of it is read, so that there are no entities to
expand and nothing outside the document is fetched. Writing is in ``gexf_writer``.
"""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from ..errors import BadRequest, ServerUnreachable

if TYPE_CHECKING:
    import pandas as pd

    from ..plottable import Plottable

GexfSource = str | bytes | bytearray | os.PathLike[str] | IO[bytes] | IO[str]
Row = dict[str, Any]

_NAMESPACE = re.compile(r"https?://(www\.)?(gexf\.net|gephi\.org/gexf)/\d[\w.]*")
_URL_SECONDS = 10
_ICONS = {"disc": "circle", "square": "square", "triangle": "caret-up", "diamond": "diamond", "image": "picture-o"}
_NUMBERS = {"integer": int, "long": int, "int": int, "float": float, "double": float, "decimal": float}
NODE, SOURCE, DESTINATION, EDGE = "node_id", "source", "target", "edge_id"
# (what bind_node_viz or bind_edge_viz calls it, bind() keyword, column)
_NODE_VIZ = (
    ("color", "point_color", "viz_color"),
    ("size", "point_size", "viz_size"),
    ("opacity", "point_opacity", "viz_opacity"),
    ("position", "point_x", "viz_x"),
    ("position", "point_y", "viz_y"),
    ("icon", "point_icon", "viz_shape_icon"),
)
_EDGE_VIZ = (
    ("color", "edge_color", "viz_color"),
    ("size", "edge_size", "viz_thickness"),
    ("opacity", "edge_opacity", "viz_opacity"),
)
_EDGE_TEXT = {"edge_title": "label", "edge_weight": "weight"}


class Attribute(NamedTuple):
    """A declared attribute: the column it fills, its GEXF type, and the value where an element has none."""

    column: str
    kind: str
    default: str | None


class Document(NamedTuple):
    """What was read: both tables, the names of the edge ends, and the author's description."""

    edges: pd.DataFrame
    nodes: pd.DataFrame
    source: str
    destination: str
    description: str | None


# --- bytes and XML --------------------------------------------------------------------------------------------


def read_source(source: GexfSource) -> str | bytes:
    """Return the content of a path, a URL (``http://``, ``https://``), GEXF text or bytes, or an open file."""
    if isinstance(source, bytes | bytearray):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        text = os.fspath(source)
        document = text.lstrip("\ufeff \t\r\n")
        if document.startswith("<"):
            return document
        return _fetch(text) if text.startswith(("http://", "https://")) else _read_file(text)
    if not hasattr(source, "read"):
        raise BadRequest(f"A {type(source).__name__} is no GEXF source: pass a path, a URL, text, bytes or a file.")
    data = source.read()
    return data if isinstance(data, str) else bytes(data)


def _read_file(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as e:
        raise BadRequest(f"The GEXF file {path!r} cannot be read: {e}.") from e


def _fetch(url: str) -> bytes:
    import requests

    try:
        answer = requests.get(url, timeout=_URL_SECONDS)
    except requests.RequestException as e:
        raise ServerUnreachable(f"The GEXF document at {url} cannot be fetched: {e}") from e
    if not answer.ok:
        raise BadRequest(f"The GEXF document at {url} cannot be fetched: the server answered {answer.status_code}.")
    return bytes(answer.content)


class _NoDoctype(ET.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise BadRequest("The GEXF document declares a document type, which is refused: remove its <!DOCTYPE …>.")


def parse(data: str | bytes) -> ET.Element:
    """Return the root of a GEXF document; raises BadRequest for anything else, and for any DOCTYPE."""
    parser = ET.XMLParser(target=_NoDoctype())  # noqa: S314 - without a DOCTYPE there are no entities to attack with
    try:
        parser.feed(data)
        root: ET.Element = parser.close()
    except (ET.ParseError, ValueError, LookupError) as e:
        if isinstance(e, BadRequest):
            raise
        raise BadRequest(f"The document is not well-formed XML: {e}.") from e
    namespace, name = _split(root.tag)
    if name != "gexf":
        raise BadRequest(f"The document is not GEXF: its root is <{name}>, not <gexf>.")
    if not _NAMESPACE.fullmatch(namespace):
        raise BadRequest(f"The GEXF namespace {namespace!r} is not known.")
    return root


def _split(tag: str) -> tuple[str, str]:
    namespace, _, name = tag.rpartition("}")
    return namespace.removeprefix("{"), name


# --- tables ---------------------------------------------------------------------------------------------------


def read(data: str | bytes) -> Document:
    """Read a GEXF document; raises BadRequest saying what is wrong with it."""
    root = parse(data)
    graph = root.find("{*}graph")
    nodes = graph.find("{*}nodes") if graph is not None else None
    if graph is None or nodes is None:
        raise BadRequest("The GEXF document has no <graph> with <nodes>.")
    node_rows = _node_rows(nodes, _attributes(graph, "node", {NODE}))
    source, destination = _end_names(graph)
    attributes = _attributes(graph, "edge", {source, destination})
    edge_rows = [_edge_row(each, attributes, source, destination) for each in graph.iterfind("{*}edges/{*}edge")]
    _check_ends(edge_rows, {row[NODE] for row in node_rows}, source, destination)
    text = root.findtext("{*}meta/{*}description")
    return Document(
        _frame(edge_rows, [source, destination]), _frame(node_rows, [NODE]), source, destination, text and text.strip()
    )


def _frame(rows: list[Row], columns: list[str]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows) if rows else pd.DataFrame({name: pd.Series([], dtype="str") for name in columns})


def _declared(graph: ET.Element, of: str) -> list[ET.Element]:
    groups = (group for group in graph.iterfind("{*}attributes") if group.get("class") == of)
    return [each for group in groups for each in group.iterfind("{*}attribute") if each.get("id") is not None]


def _title(attribute: ET.Element) -> str:
    return attribute.get("title") or f"attr_{attribute.get('id')}"


def _attributes(graph: ET.Element, of: str, taken: set[str]) -> dict[str, Attribute]:
    """Return the declared attributes by id; one with a name already taken becomes ``__attr_<name>_2__`` and on."""
    taken, made = set(taken), {}
    for each in _declared(graph, of):
        column = _free_name("__attr_", _title(each), taken, 2) if _title(each) in taken else _title(each)
        taken.add(column)
        default = (each.findtext("{*}default") or "").strip()
        made[str(each.get("id"))] = Attribute(column, each.get("type", "string"), default or None)
    return made


def _free_name(prefix: str, name: str, taken: set[str], n: int) -> str:
    while (made := f"{prefix}{name}_{n}__") in taken:
        n += 1
    return made


def _end_names(graph: ET.Element) -> tuple[str, str]:
    """Return the names of the edge ends: both become ``__gexf_<name>_1__`` when an attribute has one of theirs."""
    titles = {_title(each) for each in _declared(graph, "edge")}
    if not titles & {SOURCE, DESTINATION}:
        return SOURCE, DESTINATION
    taken = titles | {EDGE, "label", "weight"}
    source = _free_name("__gexf_", SOURCE, taken, 1)
    return source, _free_name("__gexf_", DESTINATION, taken | {source}, 1)


def _node_rows(nodes: ET.Element, attributes: Mapping[str, Attribute]) -> list[Row]:
    rows, seen = [], set()
    for each in nodes.iterfind("{*}node"):
        node = each.get("id")
        if node is None or node in seen:
            raise BadRequest("A GEXF node has no id." if node is None else f"Two GEXF nodes have the id {node!r}.")
        seen.add(node)
        row = {NODE: node, **_labelled(each)}
        rows.append({**row, **_values(each, attributes, row), **_viz(each, of_node=True)})
    return rows


def _edge_row(edge: ET.Element, attributes: Mapping[str, Attribute], source: str, destination: str) -> Row:
    ends = edge.get("source"), edge.get("target")
    if None in ends:
        raise BadRequest("A GEXF edge has no source or no target.")
    row: Row = {source: ends[0], destination: ends[1]}
    if edge.get("id") is not None:
        row[EDGE] = edge.get("id")
    row |= _labelled(edge)
    if edge.get("weight") is not None:
        row["weight"] = _typed(edge.get("weight"), "float")
    return {**row, **_values(edge, attributes, row), **_viz(edge, of_node=False)}


def _labelled(element: ET.Element) -> Row:
    label = element.get("label")
    return {} if label is None else {"label": label}


def _check_ends(rows: list[Row], nodes: set[str], source: str, destination: str) -> None:
    missing = {row[end] for row in rows for end in (source, destination)} - nodes
    if missing:
        shown = ", ".join(map(repr, sorted(missing)[:5]))
        raise BadRequest(f"GEXF edges name nodes that the document does not have: {shown}.")


def _values(element: ET.Element, attributes: Mapping[str, Attribute], row: Mapping[str, Any]) -> Row:
    """Return the attribute values of a node or edge by column; one that is not declared fills ``attr_<id>``."""
    made = {a.column: _typed(a.default, a.kind) for a in attributes.values() if a.default and a.column not in row}
    for each in element.iterfind("{*}attvalues/{*}attvalue"):
        key = each.get("for")
        if key is None:
            continue
        attribute = attributes.get(key, Attribute(f"attr_{key}", "string", None))
        made[attribute.column] = _typed(each.get("value"), attribute.kind)
    return made


def _typed(text: str | None, kind: str) -> Any:
    """Read a value by its GEXF type; a number that is none becomes None."""
    if text is None:
        return None
    if kind in ("boolean", "bool"):
        return text.strip().lower() in ("true", "1", "yes")
    if kind not in _NUMBERS:
        return text
    try:
        return _NUMBERS[kind](text)
    except ValueError:
        return None


# --- the viz extension ----------------------------------------------------------------------------------------


def _viz(element: ET.Element, *, of_node: bool) -> Row:
    row: Row = {}
    for child in element:
        namespace, name = _split(child.tag)
        if not (namespace.endswith("/viz") and _NAMESPACE.fullmatch(namespace.removesuffix("/viz"))):
            continue
        if name == "color":
            row |= _color(child)
        elif name == "position":
            row |= {f"viz_{axis}": _typed(child.get(axis), "float") for axis in "xyz" if child.get(axis) is not None}
        elif name in ("size", "thickness") and child.get("value") is not None:
            row[f"viz_{name}"] = _typed(child.get("value"), "float")
        elif name == "shape" and child.get("value") is not None:
            row |= _shape(child, of_node)
    return row


def _color(child: ET.Element) -> Row:
    row: Row = {}
    color = child.get("hex") or _hex([child.get(channel) for channel in "rgb"])
    if color is not None:
        row["viz_color"] = color
    opacity = child.get("alpha") or child.get("a")
    if opacity is not None:
        row["viz_opacity"] = _typed(opacity, "float")
    return row


def _hex(channels: list[str | None]) -> str | None:
    numbers = [_typed(channel, "float") for channel in channels]
    try:
        return "#" + "".join(f"{int(number):02X}" for number in numbers)
    except (TypeError, ValueError, OverflowError):
        return None


def _shape(child: ET.Element, of_node: bool) -> Row:
    shape = child.get("value", "")
    row: Row = {"viz_shape": shape}
    if not of_node:
        return row
    uri = child.get("uri") if shape == "image" else None
    if uri:
        row["viz_shape_uri"] = uri
    icon = uri or _ICONS.get(shape)
    return {**row, "viz_shape_icon": icon} if icon else row


# --- the graph ------------------------------------------------------------------------------------------------


def _wanted(given: Iterable[str] | None, specs: tuple[tuple[str, str, str], ...], what: str) -> set[str]:
    allowed = {name for name, _, _ in specs}
    if given is None:
        return allowed
    try:
        wanted = {given} if isinstance(given, str) else set(given)
        unknown = sorted(wanted - allowed)
    except TypeError as e:
        raise BadRequest(f"{what} takes a list of {', '.join(sorted(allowed))}.") from e
    if unknown:
        raise BadRequest(f"{what} has no {unknown[0]!r}; use {', '.join(sorted(allowed))}.")
    return wanted


def from_gexf(
    g: Plottable,
    source: GexfSource,
    name: str | None,
    description: str | None,
    bind_node_viz: Iterable[str] | None,
    bind_edge_viz: Iterable[str] | None,
    parse_engine: str,
) -> Plottable:
    """Return a copy with the tables and bindings of a GEXF document; see :meth:`InteropMethods.from_gexf`."""
    if parse_engine not in ("auto", "defused", "stdlib"):
        raise BadRequest(f"parse_engine={parse_engine!r} is unknown; use 'auto', 'defused' or 'stdlib'.")
    node_viz = _wanted(bind_node_viz, _NODE_VIZ, "bind_node_viz")
    edge_viz = _wanted(bind_edge_viz, _EDGE_VIZ, "bind_edge_viz")
    found = read(read_source(source))
    g = g.edges(found.edges, found.source, found.destination).nodes(found.nodes, NODE)
    bindings = {keyword: c for viz, keyword, c in _NODE_VIZ if viz in node_viz and c in found.nodes}
    bindings |= {keyword: c for viz, keyword, c in _EDGE_VIZ if viz in edge_viz and c in found.edges}
    bindings |= {"point_title": "label"} if "label" in found.nodes else {}
    bindings |= {name: column for name, column in _EDGE_TEXT.items() if column in found.edges}
    g = g.bind(**bindings)
    if "point_x" in bindings and "point_y" in bindings:  # positions are given: no layout is to move them
        g = g._with(url_params={**g._url_params, "play": 0})
    g = g if name is None else g.name(name)
    description = found.description if description is None else description
    return g if description is None else g.description(description)
