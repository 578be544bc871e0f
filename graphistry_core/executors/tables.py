"""Tables as csv, parquet, JSON records and zips of several. May import errors and frames."""

from __future__ import annotations

import datetime
import io
import json
import math
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

from .. import frames
from ..errors import ResultNotSerializable

_PIECE = 20_000  # rows


def one_file(table: Any, format: str, options: Mapping[str, Any]) -> bytes:
    """Return a table as a csv or parquet file; empty for None. ``options`` go to the writer."""
    if table is None:
        return b""
    return _parquet(table, options) if format == "parquet" else _csv(table, options)


def _parquet(table: Any, options: Mapping[str, Any]) -> bytes:
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    # A pandas index that means something is kept, as DataFrame.to_parquet() keeps it.
    pq.write_table(frames.to_arrow(table, keep_index=True), sink, **dict(options))
    return sink.getvalue()


def _csv(table: Any, options: Mapping[str, Any]) -> bytes:
    text = _flat(_pandas(table)).to_csv(**{"index": False, **options})
    return str(text).encode("utf-8", "surrogatepass")


def _pandas(table: Any) -> Any:
    return table if frames.library_of(table) == "pandas" else frames.to_pandas(frames.to_arrow(table))


def _flat(df: Any) -> Any:
    """Turn a named index (as group-by leaves one) into columns, and column names into text.

    Formats without an index would lose the one; several levels of names would become rows of their own.
    """
    names = [name for name in df.index.names if name is not None]
    if names and not set(names) & set(df.columns):
        df = df.reset_index()
    if df.columns.nlevels > 1:
        df = df.set_axis([str(name) for name in df.columns], axis=1)
    return df


def archive(tables: Mapping[str, Any], format: str, options: Mapping[str, Any], extra: Mapping[str, bytes]) -> bytes:
    """Return a zip of several tables, by name, and further members."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as members:
        for which, table in tables.items():
            members.writestr(f"{which}.{format}", one_file(table, format, options))
        for name, content in extra.items():
            members.writestr(name, content)
    return sink.getvalue()


def records(table: Any) -> bytes:
    """Return a table as a JSON array of objects: nulls and NaN are null, times and durations ISO 8601.

    A table without rows is an object of empty arrays, which keeps its columns.
    """
    import orjson

    if table is None:
        return b"[]"
    if frames.library_of(table) == "pandas":
        table = _flat(table)
    arrow = frames.at_rest(frames.to_arrow(table))
    if not arrow.num_rows:
        return json.dumps({name: [] for name in arrow.column_names}).encode() if arrow.num_columns else b"[]"
    try:
        return _in_pieces(arrow, lambda rows: orjson.dumps(rows, default=cell))
    except (TypeError, ValueError):
        return _in_pieces(
            arrow, lambda rows: json.dumps(without_odd_floats(rows), default=cell, allow_nan=False).encode()
        )


def _in_pieces(arrow: Any, dumps: Callable[[list[Any]], bytes]) -> bytes:
    """Return a table's rows as one JSON array; as Python objects all of them would take twenty times as much memory.

    And orjson ends a process that has none left, instead of raising MemoryError.
    """
    body = bytearray(b"[")
    for start in range(0, arrow.num_rows, _PIECE):
        body += b"," if start else b""
        body += memoryview(dumps(arrow.slice(start, _PIECE).to_pylist()))[1:-1]
    body += b"]"
    return bytes(body)


def cell(value: Any) -> Any:
    """Return the JSON form of a value that is none of JSON's: ISO 8601 for times and durations, else its text."""
    if isinstance(value, bytes):
        raise ResultNotSerializable("A column holds bytes, which JSON has no form for: decode it, or ask for parquet.")
    if isinstance(value, datetime.timedelta):
        import pandas as pd

        return pd.Timedelta(value).isoformat()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def without_odd_floats(value: Any) -> Any:
    """Replace non-finite floats by None, in lists and dicts."""
    if isinstance(value, dict):
        return {key: without_odd_floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_odd_floats(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
