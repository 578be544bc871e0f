"""Columns in the few types that the page reads: float64, int32, bool, text, and text by dictionary. Imports pyarrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_EXACT = 2**53
_FEW = 10_000  # different texts of a column that goes as a dictionary, if each is there twice on average


class Shown(NamedTuple):
    """A table in the page's types, and its columns: ``{name, kind}``, kind number, time, bool or text, and ``zone``."""

    table: pa.Table
    columns: list[dict[str, Any]]


@dataclass(frozen=True)
class Described:
    """A column as numbers (float64, NaN for null; times in milliseconds), or None, and its kind."""

    numbers: np.ndarray | None
    kind: str


def shown(table: pa.Table) -> Shown:
    """Return a table in the page's types. Whole numbers that a float64 cannot hold become text."""
    columns, described_columns = [], []
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind, converted = _converted(column)
        columns.append(converted)
        zoned = pa.types.is_timestamp(column.type) and column.type.tz is not None  # shown in UTC, and said so
        described_columns.append({"name": name, "kind": kind, **({"zone": "UTC"} if zoned else {})})
    return Shown(pa.table(columns, names=table.column_names), described_columns)


def described(column: Any) -> Described:
    """Return a column's numbers and kind."""
    kind, converted = _converted(column)
    if kind == "text":
        return Described(None, kind)
    return Described(pc.cast(converted, pa.float64(), safe=False).to_numpy(zero_copy_only=False), kind)


def as_text(column: Any) -> Any:
    """Return a column as ``string``: nested values and binary as Python writes them."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        column = column.cast(pa.timestamp(kind.unit, "UTC"))  # a zone may be one that nothing knows
    try:
        return column.cast(pa.string())
    except pa.ArrowException:
        texts = [None if value is None else str(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])


def _converted(column: Any) -> tuple[str, Any]:
    kind = column.type
    if (
        pa.types.is_dictionary(kind)
        and not pa.types.is_string(kind.value_type)
        and not pa.types.is_large_string(kind.value_type)
    ):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_boolean(kind):
        return "bool", column
    if pa.types.is_integer(kind):
        return _whole(column)
    if pa.types.is_floating(kind):
        return "number", pc.cast(column, pa.float64())
    if pa.types.is_decimal(kind):
        return "number", pc.cast(column, pa.float64(), safe=False)
    if pa.types.is_duration(kind):  # in seconds
        unit = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[kind.unit]
        return "number", pc.divide(pc.cast(column.cast(pa.int64()), pa.float64(), safe=False), unit)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        instants = pc.cast(pc.cast(column, pa.timestamp("ms"), safe=False), pa.int64())
        return "time", pc.cast(instants, pa.float64(), safe=False)
    return "text", _few(as_text(column))


def _whole(column: Any) -> tuple[str, Any]:
    bounds = pc.min_max(column).as_py()
    low, high = bounds["min"] or 0, bounds["max"] or 0
    if low >= -(2**31) and high < 2**31:
        return "number", pc.cast(column, pa.int32())
    if low >= -_EXACT and high <= _EXACT:
        return "number", pc.cast(column, pa.float64())
    return "text", pc.cast(column, pa.string())


def _few(column: Any) -> Any:
    head = column.slice(0, 20_000)
    if len(head) > 20 and pc.count_distinct(head).as_py() * 2 > len(head):
        return column
    coded = column.dictionary_encode()
    coded = coded.unify_dictionaries() if hasattr(coded, "unify_dictionaries") else coded
    return coded if coded.num_chunks == 0 or len(coded.chunk(0).dictionary) <= _FEW else column
