"""Kepler.gl maps as data: datasets, layers, options and configuration. May import encodings.

The classes are PyGraphistry's values of the same names: what they hold is in ``to_dict()``, as it goes over the wire.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Mapping
from typing import Any, TypedDict

from .encodings import ComplexEncodings, camel, with_encoding
from .errors import BadRequest

_NAME = "pointKeplerEncoding"


class DatasetColumns(TypedDict, total=False):
    """What a dataset takes beyond id, type and label; which of it counts depends on the type.

    Edges: ``map_node_coords`` and ``map_node_coords_mapping``. Countries and states: ``boundary_lakes`` and the
    filters; countries also ``resolution`` (10, 50 or 110; 10 is the finest).
    """

    include: list[str]
    exclude: list[str]
    computed_columns: dict[str, Any]
    map_node_coords: bool
    map_node_coords_mapping: dict[str, str]
    resolution: int
    boundary_lakes: bool
    filter_countries_by_col: str
    include_countries: list[str]
    exclude_countries: list[str]
    filter_states_by_col: str
    include_states: list[str]
    exclude_states: list[str]
    filter_1st_order_regions_by_col: str
    include_1st_order_regions: list[str]
    exclude_1st_order_regions: list[str]


class OptionNames(TypedDict, total=False):
    """Options of the map: whether it centres on the data, and whether it can be changed."""

    center_map: bool
    read_only: bool


class ConfigNames(TypedDict, total=False):
    """Configuration of the map; ``overlay_blending`` is 'normal', 'additive' or 'subtractive'."""

    cull_unused_columns: bool
    overlay_blending: str
    tile_style: dict[str, Any]
    auto_graph_renderer_switching: bool


def dataset(
    raw_dict: Any = None, id: str | None = None, type: str | None = None, label: str | None = None, **columns: Any
) -> dict[str, Any]:
    """Return a dataset: ``raw_dict`` as it is, else one of nodes, edges, countries or states from the keywords.

    Without ``id`` one is made up, and the label is the id. Raises BadRequest when ``raw_dict`` is no dict.
    """
    if raw_dict is not None:
        return _raw(raw_dict, "A Kepler dataset")
    name = id if id is not None else f"dataset-{uuid.uuid4().hex[:8]}"
    info = {"id": name, "label": label if label is not None else name}
    return {"info": info, **({} if type is None else {"type": type}), **copy.deepcopy(columns)}


def layer(raw_dict: Any) -> dict[str, Any]:
    """Return a layer in Kepler's own form; raise BadRequest when it is no dict."""
    return _raw(raw_dict, "A Kepler layer")


def options(raw_dict: Any = None, **names: Any) -> dict[str, Any]:
    """Return options: ``raw_dict`` as it is, else the keywords as Kepler spells them (``centerMap``)."""
    return _raw(raw_dict, "Kepler's options") if raw_dict is not None else _spelled(names)


def config(raw_dict: Any = None, **names: Any) -> dict[str, Any]:
    """Return a configuration: ``raw_dict`` as it is, else the keywords as Kepler spells them (``tileStyle``)."""
    return _raw(raw_dict, "Kepler's configuration") if raw_dict is not None else _spelled(names)


def whole(kepler_encoding: Any) -> dict[str, Any]:
    """Return a whole encoding from a KeplerEncoding (ours or PyGraphistry's) or a dict of the same form."""
    is_value = hasattr(kepler_encoding, "to_dict") and not isinstance(kepler_encoding, type)
    return _raw(kepler_encoding.to_dict() if is_value else kepler_encoding, "A Kepler encoding")


def _raw(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadRequest(f"{what} is a dict, not {type(value).__name__}.")
    return copy.deepcopy(value)


def _spelled(names: Mapping[str, Any]) -> dict[str, Any]:
    return {camel(name): copy.deepcopy(value) for name, value in names.items()}


def with_kepler(complex_encodings: ComplexEncodings, changes: Mapping[str, Any]) -> ComplexEncodings:
    """Return complex encodings with a Kepler map: lists in ``changes`` are appended to its lists, dicts replace."""
    old = complex_encodings["node_encodings"]["default"].get(_NAME)
    kept = old if old is not None else {"datasets": [], "layers": [], "options": {}, "config": {}}
    merged = {
        name: [*kept.get(name, []), *value] if isinstance(value, list) else value for name, value in changes.items()
    }
    return replaced(complex_encodings, {**kept, **merged})


def replaced(complex_encodings: ComplexEncodings, encoding: Mapping[str, Any]) -> ComplexEncodings:
    """Return complex encodings with this Kepler map and no other."""
    return with_encoding(complex_encodings, {**encoding, "encodingType": "kepler", "graphType": "point"})


# --- the same as values ---


class _Part:
    """A value that is its dict: equal to another of its class that holds the same."""

    def __init__(self, held: dict[str, Any]) -> None:
        self._held = held

    def to_dict(self) -> dict[str, Any]:
        """Return what goes over the wire; changing it changes nothing here."""
        return copy.deepcopy(self._held)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other._held == self._held

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._held!r})"


class KeplerDataset(_Part):
    """A dataset for a map: of the graph's nodes or edges, or of countries and states; see :func:`dataset`."""

    def __init__(
        self,
        raw_dict: dict[str, Any] | None = None,
        id: str | None = None,
        type: str | None = None,
        label: str | None = None,
        **columns: Any,
    ) -> None:
        super().__init__(dataset(raw_dict, id, type, label, **columns))
        info = self._held["info"] if raw_dict is None else {}
        self.id: str | None = info.get("id")
        self.type: str | None = type if raw_dict is None else None
        self.label: str | None = info.get("label")


class KeplerLayer(_Part):
    """A layer of a map, in Kepler's own form."""

    def __init__(self, raw_dict: dict[str, Any]) -> None:
        super().__init__(layer(raw_dict))


class KeplerOptions(_Part):
    """Options of a map; see :func:`options`."""

    def __init__(self, raw_dict: dict[str, Any] | None = None, **names: Any) -> None:
        super().__init__(options(raw_dict, **names))


class KeplerConfig(_Part):
    """Configuration of a map; see :func:`config`."""

    def __init__(self, raw_dict: dict[str, Any] | None = None, **names: Any) -> None:
        super().__init__(config(raw_dict, **names))


class KeplerEncoding:
    """A whole map; every ``with_…`` returns a new value."""

    def __init__(
        self,
        datasets: list[KeplerDataset] | None = None,
        layers: list[KeplerLayer] | None = None,
        options: KeplerOptions | None = None,
        config: KeplerConfig | None = None,
    ) -> None:
        self.datasets = list(datasets or [])
        self.layers = list(layers or [])
        self.options = options if options is not None else KeplerOptions()
        self.config = config if config is not None else KeplerConfig()

    def with_dataset(self, dataset: KeplerDataset) -> KeplerEncoding:
        """Return a new value with this dataset after the others."""
        return KeplerEncoding([*self.datasets, dataset], self.layers, self.options, self.config)

    def with_layer(self, layer: KeplerLayer) -> KeplerEncoding:
        """Return a new value with this layer after the others."""
        return KeplerEncoding(self.datasets, [*self.layers, layer], self.options, self.config)

    def with_options(self, options: KeplerOptions | None = None, **names: Any) -> KeplerEncoding:
        """Return a new value with these options, or with the keywords set among those it has."""
        new = options if options is not None else KeplerOptions({**self.options.to_dict(), **_spelled(names)})
        return KeplerEncoding(self.datasets, self.layers, new, self.config)

    def with_config(self, config: KeplerConfig | None = None, **names: Any) -> KeplerEncoding:
        """Return a new value with this configuration, or with the keywords set in the one it has."""
        new = config if config is not None else KeplerConfig({**self.config.to_dict(), **_spelled(names)})
        return KeplerEncoding(self.datasets, self.layers, self.options, new)

    def to_dict(self) -> dict[str, Any]:
        """Return what goes over the wire."""
        return {
            "datasets": [one.to_dict() for one in self.datasets],
            "layers": [one.to_dict() for one in self.layers],
            "options": self.options.to_dict(),
            "config": self.config.to_dict(),
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeplerEncoding) and other.to_dict() == self.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"KeplerEncoding({self.to_dict()!r})"
