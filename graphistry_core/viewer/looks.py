"""Colors, sizes, icons and badges of a graph: bindings and complex encodings as arrays. May import columns.

A color is a code into a list of CSS colors that the page reads; a complex encoding that is on goes before the default
one, and that before a binding, as on the server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from .columns import as_text, described

# Okabe-Ito and Tableau shades that differ for most eyes, and stand out on white and on near-black alike.
PALETTE = [
    "#4e79a7",
    "#f28e2b",
    "#59a14f",
    "#e15759",
    "#9c6ade",
    "#76b7b2",
    "#d4a72c",
    "#d37295",
    "#9d7660",
    "#5fa2ce",
    "#8cd17d",
    "#b07aa1",
]
GRADIENT = ["#3b528b", "#21918c", "#5ec962", "#fde725"]
OTHER = "#9aa0a6"
_LEGEND = 12
_SHADES = 256
_MOST_ENTRIES = 1000  # of a legend; what is rarer shares one
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, NotImplementedError, TypeError, ValueError)
_SIZES = (2.5, 12.0)  # radius in pixels at the first view


@dataclass
class Looks:
    """``points``, ``lines``: arrays by name, a row for each node or edge. ``described``: what the page says of them."""

    points: dict[str, np.ndarray] = field(default_factory=dict)
    lines: dict[str, np.ndarray] = field(default_factory=dict)
    described: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class LooksOf:
    """Works out the looks of one graph. ``record`` is the dataset's; ``degree``, ``community`` have a row per node."""

    def __init__(self, record: Mapping[str, Any], graph: Any, degree: np.ndarray, community: np.ndarray | None) -> None:
        self.record, self.graph, self.degree, self.community = record, graph, degree, community
        self.looks = Looks()

    def found(self) -> Looks:
        """Return all looks. What cannot be read becomes a note, and looks as if it had not been asked for."""
        looks = self.looks
        color = self._tried("color of nodes", lambda: self._color("node")) or self._default_color()
        looks.points["color"], looks.described["pointColor"] = color
        degree = self.degree.astype(float)
        sizes = self._tried("size of nodes", lambda: self._numbers("node", "size"))
        looks.points["size"] = _sizes(degree if sizes is None else sizes)
        for which, feature, into in (
            ("node", "opacity", looks.points),
            ("edge", "opacity", looks.lines),
            ("edge", "weight", looks.lines),
        ):
            values = self._tried(f"{feature} of {which}s", partial(self._numbers, which, feature))
            if values is not None:
                into[feature] = _filled(values, 1.0).astype(np.float32)
        edge_color = self._tried("color of edges", lambda: self._color("edge"))
        if edge_color is not None:
            looks.lines["color"], looks.described["edgeColor"] = edge_color
        widths = self._tried("size of edges", lambda: self._numbers("edge", "size"))
        if widths is not None:
            looks.lines["width"] = _sizes(widths) / _SIZES[0]
        self._tried("icons and badges", self._symbols)
        return looks

    def _tried(self, what: str, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except _UNREADABLE as e:
            self.looks.notes.append(f"The {what} cannot be read ({e}); the default is shown.")
            return None

    # --- what was asked for ---

    def _complex(self, which: str) -> dict[str, dict[str, Any]]:
        """Return the complex encodings by their lower-case type; what is on goes before the default."""
        modes = (self.record.get(f"{which}_encodings") or {}).get("complex")
        modes = modes if isinstance(modes, dict) else {}
        found: dict[str, dict[str, Any]] = {}
        for mode in ("default", "current"):
            named = modes.get(mode)
            for encoding in (named if isinstance(named, dict) else {}).values():
                if isinstance(encoding, dict) and isinstance(encoding.get("encodingType"), str):
                    found[encoding["encodingType"]] = encoding
        return found

    def _bound(self, which: str, feature: str) -> Any:
        """Return the column that a feature is bound to, or None."""
        bindings = (self.record.get(f"{which}_encodings") or {}).get("bindings") or {}
        return self._column(which, bindings.get(f"{which}_{feature}"))

    def _column(self, which: str, name: Any) -> Any:
        table = self.graph.nodes if which == "node" else self.graph.edges
        if isinstance(name, str) and name in table.column_names:
            return table.column(name)
        if name is None:
            return None
        made = {"degree": self.degree, "community": self.community} if which == "node" else {}
        if isinstance(name, str) and made.get(name) is not None:
            return pa.chunked_array([pa.array(made[name])])
        self.looks.notes.append(f"The {which}s have no column {str(name)!r}, which an encoding is by.")
        return None

    # --- colors ---

    def _color(self, which: str) -> tuple[np.ndarray, dict[str, Any]] | None:
        encoding = self._complex(which).get("color")
        if encoding is not None and (column := self._column(which, encoding.get("attribute"))) is not None:
            return self._encoded_color(which, encoding, column)
        for feature in ("color", "source_color") if which == "edge" else ("color",):
            if (column := self._bound(which, feature)) is not None:
                bindings = self.record[f"{which}_encodings"]["bindings"]
                return _bound_color(column, bindings[f"{which}_{feature}"])
        return None

    def _encoded_color(self, which: str, encoding: Mapping[str, Any], column: Any) -> tuple[np.ndarray, dict[str, Any]]:
        name, colors = encoding["attribute"], encoding.get("colors")
        mapping = encoding.get("mapping") if isinstance(encoding.get("mapping"), dict) else {}
        if mapping:
            codes, values, texts = _mapped(mapping, column)
            entries = [[text, str(color)] for text, color in zip(texts, values, strict=True)]
            return _category(codes, entries, name)
        palette = [str(color) for color in colors] if isinstance(colors, list) and colors else None
        if encoding.get("variation") == "continuous":
            numbers, kind = described(column).numbers, described(column).kind
            if numbers is not None:
                return _gradient(numbers, palette or GRADIENT, name, kind)
            self.looks.notes.append(
                f"The column {name!r} holds no numbers; its colors are by category, not continuous."
            )
        return _by_category(column, palette or PALETTE, name)

    def _default_color(self) -> tuple[np.ndarray, dict[str, Any]]:
        if self.community is None:
            return _gradient(self.degree.astype(float), GRADIENT, found_name(self.graph.nodes, "degree"))
        codes = np.minimum(self.community, _LEGEND)
        entries = [[f"community {i}", PALETTE[i]] for i in range(_LEGEND)] + [["others", OTHER]]
        entries = entries[: int(codes.max(initial=-1)) + 1]
        return _category(codes, entries, found_name(self.graph.nodes, "community"))

    # --- numbers ---

    def _numbers(self, which: str, feature: str) -> np.ndarray | None:
        encoding = self._complex(which).get(feature)
        if encoding is not None and (column := self._column(which, encoding.get("attribute"))) is not None:
            mapping = encoding.get("mapping")
            if not isinstance(mapping, dict):
                return described(column).numbers
            codes, values, _ = _mapped(mapping, column)
            numbers = np.array([float(v) if isinstance(v, (int, float)) else np.nan for v in values] + [np.nan])
            chosen: np.ndarray = numbers[codes]
            return chosen
        column = self._bound(which, feature)
        return None if column is None else described(column).numbers

    # --- icons and badges ---

    def _symbols(self) -> None:
        for kind, encoding in {"icon": None, **self._complex("node")}.items():
            if kind != "icon" and not kind.startswith("badge"):
                continue
            column, mapping = (
                (None, None)
                if encoding is None
                else (self._column("node", encoding.get("attribute")), encoding.get("mapping"))
            )
            column = self._bound("node", kind) if column is None else column
            if column is None:
                continue
            if isinstance(mapping, dict):
                codes, values, _ = _mapped(mapping, column)
            else:
                texts, values = _categories(column)
                codes = texts
            self.looks.points[kind] = codes.astype(np.int32)
            plain = encoding or {}
            self.looks.described.setdefault("symbols", {})[kind] = {
                "values": [str(value) for value in values],
                "asText": bool(plain.get("asText")),
                "color": plain.get("color") if isinstance(plain.get("color"), str) else None,
                "column": plain.get("attribute"),
            }
            if kind == "icon" and any("://" in str(value) for value in values):
                self.looks.notes.append("Icons at web addresses are not fetched; give them as data: URIs.")


def _sizes(numbers: np.ndarray) -> np.ndarray:
    """Return sizes in pixels: areas in proportion, between the smallest and the largest that reads well."""
    root = np.sqrt(np.maximum(_filled(numbers, np.nan), 0))
    low, high = _range(root)
    share = (_filled(root, low) - low) / (high - low) if high > low else np.full(len(root), 0.25)
    return (_SIZES[0] + share * (_SIZES[1] - _SIZES[0])).astype(np.float32)


def found_name(nodes: Any, name: str) -> str:
    """Return what a column of ours is called among the nodes' own."""
    return name if name not in nodes.column_names else f"{name} (found)"


def _range(values: np.ndarray) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)


def _filled(values: np.ndarray, other: float) -> np.ndarray:
    return np.where(np.isfinite(values), values, other)


def _category(codes: np.ndarray, entries: list[list[str]], name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Return codes with -1 as one more entry, and the legend; ``entries`` are [label, color]."""
    if (codes < 0).any():
        codes = np.where(codes < 0, len(entries), codes)
        entries = [*entries, ["(none)", OTHER]]
    counts = np.bincount(codes, minlength=len(entries))
    if len(entries) > _MOST_ENTRIES:
        kept = np.sort(np.argsort(-counts, kind="stable")[: _MOST_ENTRIES - 1])
        place = np.full(len(entries), len(kept))
        place[kept] = np.arange(len(kept))
        codes, entries = place[codes], [*(entries[i] for i in kept), ["others", OTHER]]
        counts = np.bincount(codes, minlength=len(entries))
    legend = [
        {"label": label, "color": color, "count": int(n)} for (label, color), n in zip(entries, counts, strict=True)
    ]
    return codes.astype(np.int32), {"kind": "category", "column": name, "entries": legend}


def _gradient(
    numbers: np.ndarray, stops: list[str], name: str, of: str = "number"
) -> tuple[np.ndarray, dict[str, Any]]:
    low, high = _range(numbers)
    share = (numbers - low) / (high - low) if high > low else np.zeros(len(numbers))
    codes = np.where(np.isfinite(numbers), np.clip(np.nan_to_num(share) * (_SHADES - 1), 0, _SHADES - 1), _SHADES)
    return codes.astype(np.int32), {
        "kind": "continuous",
        "column": name,
        "stops": stops,
        "min": low,
        "max": high,
        "none": OTHER,
        "of": of,
    }


def _by_category(column: Any, palette: list[str], name: str) -> tuple[np.ndarray, dict[str, Any]]:
    codes, texts = _categories(column)
    return _category(codes, [[text, palette[i % len(palette)]] for i, text in enumerate(texts)], name)


def _categories(column: Any) -> tuple[np.ndarray, list[str]]:
    """Return a code for every row (-1 for null), and the text of each, the most frequent first."""
    coded = as_text(column).combine_chunks().dictionary_encode()
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    texts = coded.dictionary.to_pylist()
    order = np.argsort(-np.bincount(codes[codes >= 0], minlength=len(texts)), kind="stable")
    rank = np.full(len(texts) + 1, -1)
    rank[order] = np.arange(len(texts))
    return rank[codes], [texts[i] for i in order]


def _bound_color(column: Any, name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the colors that a column holds: CSS text, numbers of the palette, or 0xRRGGBB00; else a category each."""
    found = described(column)
    if found.kind == "number" and found.numbers is not None:
        whole = found.numbers[~np.isnan(found.numbers)]
        if not np.isfinite(whole).all() or (whole != np.floor(whole)).any():
            return _gradient(found.numbers, GRADIENT, name)
        codes, texts = _categories(column)
        return _category(codes, [[text, _of_number(int(float(text)))] for text in texts], name)
    codes, texts = _categories(column)
    return _category(
        codes, [[text, text if _may_be_css(text) else PALETTE[i % len(PALETTE)]] for i, text in enumerate(texts)], name
    )


def _may_be_css(text: str) -> bool:
    # Names are the page's to know: a word that is no color gets one of the palette there.
    return text.startswith("#") or text.isalpha() or text.lower().startswith(("rgb(", "rgba(", "hsl(", "hsla("))


def _of_number(number: int) -> str:
    if 0 <= number < 100_000:
        return PALETTE[number % len(PALETTE)]
    return f"#{(number >> 8 if number > 0xFFFFFF else number) & 0xFFFFFF:06x}"


def _mapped(mapping: Mapping[str, Any], column: Any) -> tuple[np.ndarray, list[Any], list[str]]:
    """Return for every row which of ``values`` it is shown as (-1: none), the values, and what each stands for."""
    continuous = mapping.get("continuous")
    if isinstance(continuous, dict) and isinstance(continuous.get("bins"), list):
        return _binned(continuous, column)
    categorical = mapping.get("categorical")
    fixed = categorical.get("fixed") if isinstance(categorical, dict) else None
    fixed = fixed if isinstance(fixed, dict) else {}
    values, texts = list(fixed.values()), [str(key) for key in fixed]
    other = -1
    if isinstance(categorical, dict) and categorical.get("other") is not None:
        other = len(values)
        values, texts = [*values, categorical["other"]], [*texts, "others"]
    place = {key: i for i, key in enumerate(fixed)}
    coded = column.combine_chunks()
    if not pa.types.is_dictionary(coded.type):
        try:
            coded = coded.dictionary_encode()
        except pa.ArrowNotImplementedError:  # lists and structs
            coded = as_text(column).combine_chunks().dictionary_encode()
    of_value = [
        next((place[form] for form in _forms(value) if form in place), other) for value in coded.dictionary.to_pylist()
    ]
    at = coded.indices.fill_null(len(of_value)).to_numpy(zero_copy_only=False)
    return np.array([*of_value, other])[at], values, texts


def _forms(value: Any) -> list[str]:
    """Return how a value may be written as a key of JSON."""
    forms = [str(value)]
    if isinstance(value, (bool, int, float)):
        forms.append(json.dumps(value))
        if isinstance(value, float) and value.is_integer():
            forms.append(str(int(value)))
    return forms


def _binned(continuous: Mapping[str, Any], column: Any) -> tuple[np.ndarray, list[Any], list[str]]:
    bins = [pair for pair in continuous["bins"] if isinstance(pair, list) and len(pair) == 2]
    bounds = np.array([np.inf if bound is None else float(bound) for bound, _ in bins])
    sign = "≤" if continuous.get("comparator") == "<=" else "<"
    values = [value for _, value in bins]
    texts = [f"{sign} {bound:g}" if np.isfinite(bound) else "more" for bound in bounds]
    numbers = described(column).numbers
    other = -1
    if continuous.get("other") is not None:
        other = len(values)
        values, texts = [*values, continuous["other"]], [*texts, "others"]
    if numbers is None or not bins:
        return np.full(len(column), other), values, texts
    clean = np.nan_to_num(numbers)
    at = np.searchsorted(bounds, clean, side="left") if sign == "≤" else np.searchsorted(bounds, clean, side="right")
    at = np.where(np.isinf(numbers) & np.isinf(bounds[-1]), len(bins) - 1, at)
    return np.where(np.isnan(numbers) | (at >= len(bins)), other, at), values, texts
