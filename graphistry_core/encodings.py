"""What bindings and encode_* calls turn into on the wire, and back. Imports errors only."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import BadRequest

# node_encodings | edge_encodings -> default | current -> name of the encoding -> what it says
ComplexEncodings = dict[str, dict[str, dict[str, Any]]]

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


def to_wire(
    bindings: Mapping[str, str | None], table: str, complex_encodings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return ``{node|edge}_encodings`` for one table: bindings by their wire names, and ``complex`` where there is any.

    ``complex_encodings`` is a graph's ``_complex_encodings``. Raises BadRequest for what JSON cannot hold.
    """
    found = {
        wire: bindings[name]
        for name, (owner, wire) in BINDINGS.items()
        if owner == table and wire is not None and bindings.get(name) is not None
    }
    key = f"{table[:-1]}_encodings"
    modes = {mode: encodings for mode, encodings in (complex_encodings or {}).get(key, {}).items() if encodings}
    return {"bindings": found} | ({"complex": as_json(modes, f"The {table[:-1]} encodings")} if modes else {})


def from_wire(node_bindings: Mapping[str, Any], edge_bindings: Mapping[str, Any]) -> dict[str, str]:
    """Return bindings by their bind() names from the two objects of a dataset's record."""
    sources = {"nodes": node_bindings, "edges": edge_bindings}
    return {
        name: str(sources[table][wire])
        for name, (table, wire) in BINDINGS.items()
        if wire is not None and sources[table].get(wire) is not None
    }


def complex_from_wire(record: Mapping[str, Any]) -> ComplexEncodings:
    """Return a graph's ``_complex_encodings`` from a dataset's record; what has another shape is left out."""
    found = no_complex_encodings()
    for key, modes in found.items():
        complex_encodings = _dict(_dict(record.get(key)).get("complex"))
        for mode in modes:
            modes[mode] = copy.deepcopy(_dict(complex_encodings.get(mode)))
    return found


def no_complex_encodings() -> ComplexEncodings:
    """Return the ``_complex_encodings`` of a graph that has none."""
    return {key: {"current": {}, "default": {}} for key in ("node_encodings", "edge_encodings")}


def as_json(value: Any, what: str) -> Any:
    """Return a value as JSON gives it back (keys are strings); raise BadRequest that names ``what`` otherwise.

    An object with ``to_json()``, as PyGraphistry's query operations have, stands for what that returns.
    """
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=_json_of))
    except (TypeError, ValueError, RecursionError) as e:
        raise BadRequest(f"{what} cannot be written as JSON: {e}.") from e


def camel(name: str) -> str:
    """Return a keyword as Graphistry's front end spells it: ``lin_log`` is ``linLog``."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


@dataclass(frozen=True)
class Encoding:
    """What one encode_* call asks for, by the names of its parameters; None is not given.

    ``graph`` is 'point' or 'edge', ``feature`` 'color', 'size', 'icon', 'badgeTopRight', …. A mapping goes before a
    palette, and that before bins, as in PyGraphistry.
    """

    graph: str
    feature: str
    column: str
    palette: Any = None
    as_categorical: bool | None = None
    as_continuous: bool | None = None
    categorical_mapping: Any = None
    default_mapping: Any = None
    continuous_binning: Any = None
    comparator: Any = None
    bg: Any = None
    color: Any = None
    fg: Any = None
    as_text: bool | None = None
    blend_mode: str | None = None
    style: Any = None
    border: Any = None
    shape: str | None = None

    @property
    def is_binding(self) -> bool:
        """Say whether this is no more than a bound column: no mapping, palette or bins, and no badge."""
        given = (self.categorical_mapping, self.palette, self.continuous_binning)
        return all(value is None for value in given) and not self.feature.startswith("badge")

    def payload(self) -> dict[str, Any]:
        """Return the complex encoding that goes over the wire; raise BadRequest for a mapping of another shape."""
        named = {camel(name): getattr(self, name) for name in _LOOKS if getattr(self, name) is not None}
        asked = {"graphType": self.graph, "encodingType": self.feature, "attribute": self.column}
        return copy.deepcopy({**asked, **self._variation(), **named})

    def _variation(self) -> dict[str, Any]:
        if self.categorical_mapping is not None:
            return self._mapped()
        if self.palette is not None:
            return self._coloured()
        if self.continuous_binning is not None:
            return self._binned()
        return {"variation": "categorical"}

    def _mapped(self) -> dict[str, Any]:
        if not isinstance(self.categorical_mapping, dict):
            raise BadRequest(
                "categorical_mapping takes a dict from the column's values to what they are shown as, "
                f"not {type(self.categorical_mapping).__name__}."
            )
        mapping = {"fixed": self.categorical_mapping, **self._other()}
        return {"variation": "categorical", "mapping": {"categorical": mapping}}

    def _coloured(self) -> dict[str, Any]:
        if not isinstance(self.palette, list) or not all(isinstance(color, str) for color in self.palette):
            raise BadRequest(f'palette takes a list of colors such as ["#FFF", "black"], not {self.palette!r}.')
        if self.as_categorical is None and self.as_continuous is None:
            raise BadRequest("A palette needs as_categorical=True or as_continuous=True, or use categorical_mapping.")
        categorical = self.as_categorical if self.as_categorical is not None else not self.as_continuous
        return {"variation": "categorical" if categorical else "continuous", "colors": self.palette}

    def _binned(self) -> dict[str, Any]:
        if not isinstance(self.continuous_binning, list):
            raise BadRequest(
                "continuous_binning takes a list of [upper bound or None, value] pairs, "
                f"not {type(self.continuous_binning).__name__}."
            )
        compared = {} if self.comparator is None else {"comparator": self.comparator}
        mapping = {"bins": self.continuous_binning, **compared, **self._other()}
        return {"variation": "continuous", "mapping": {"continuous": mapping}}

    def _other(self) -> dict[str, Any]:
        return {} if self.default_mapping is None else {"other": self.default_mapping}


_LOOKS = ("bg", "color", "fg", "as_text", "blend_mode", "style", "border", "shape")


def with_encoding(
    complex_encodings: ComplexEncodings,
    payload: Mapping[str, Any],
    *,
    for_default: bool = True,
    for_current: bool = False,
) -> ComplexEncodings:
    """Return a deep copy with one complex encoding set, as the default and/or as the one that is on."""
    changed = copy.deepcopy(complex_encodings)
    graph, feature = payload["graphType"], payload["encodingType"]
    modes = changed["edge_encodings" if graph == "edge" else "node_encodings"]
    name = f"{graph}{feature[:1].upper()}{feature[1:]}Encoding"
    for mode, wanted in (("default", for_default), ("current", for_current)):
        if wanted:
            modes[mode][name] = dict(payload)
    return changed


def axis(rows: Any) -> dict[str, Any]:
    """Return the complex encoding of radial or linear axes; raise BadRequest when a row is no dict."""
    if not isinstance(rows, (list, tuple)) or not all(isinstance(row, dict) for row in rows):
        raise BadRequest('Axis rows are a list of dicts such as {"r": 10, "label": "inner"} or {"y": 2, "label": "a"}.')
    asked = {"graphType": "point", "encodingType": "axis", "variation": "categorical", "attribute": "degree"}
    return {**asked, "rows": copy.deepcopy(list(rows))}


def axis_rows(complex_encodings: ComplexEncodings) -> list[dict[str, Any]]:
    """Return the rows of a graph's axes, or an empty list."""
    for mode in ("default", "current"):
        rows = _dict(complex_encodings["node_encodings"][mode].get("pointAxisEncoding")).get("rows")
        if isinstance(rows, list) and all(isinstance(row, dict) for row in rows):
            return rows
    return []


def unknown_columns(complex_encodings: ComplexEncodings, table: str, columns: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each complex encoding of 'nodes' or 'edges' whose column the table does not have."""
    for mode, named in complex_encodings[f"{table[:-1]}_encodings"].items():
        for name, encoding in named.items():
            column = encoding.get("attribute")
            if encoding.get("encodingType") not in ("axis", "kepler") and column not in columns:
                yield f"{name} ({mode}) is by the column {column!r}, which the {table} do not have: {sorted(columns)}."


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _json_of(value: Any) -> Any:
    if isinstance(value, type) or not callable(getattr(value, "to_json", None)):
        raise TypeError(f"{value!r} is {type(value).__name__}")
    return value.to_json()
