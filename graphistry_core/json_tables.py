"""Tables written as JSON: every shape that pandas' ``orient`` names, and JSON lines. Imports errors and frames only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .errors import InvalidTable
from .frames import refuse_duplicates, to_arrow

if TYPE_CHECKING:
    import pyarrow as pa

Columns = dict[str, list[Any]]
_SHAPES = "JSON must be an array of objects, an object of arrays (one per column), or one object per line."
_AGENT = ("agent_name", "agent_version")  # the Node client adds these two to the columns it was given


def read_json(raw: bytes, options: Mapping[str, Any], *, warn: bool = False) -> pa.Table:
    """Read a table from JSON bytes.

    Without ``orient`` the shape is found out: records, an object of arrays, pandas' 'columns', or JSON lines.
    ``lines`` asks for JSON lines; ``dtype`` converts columns as pandas' ``astype`` does. The index that some shapes
    carry is left out. Raises InvalidTable. ``warn``: say when a column of mixed types is stored as text.
    """
    import pandas as pd
    import pyarrow as pa

    content = _as_utf8(raw, options.get("encoding", "utf-8"))
    columns = _columns_of(content, options.get("orient"), bool(options.get("lines")))
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidTable(f"the JSON columns differ in length: {lengths}.")
    try:
        table = pa.table(columns)
    except pa.ArrowException:
        mixed = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
        table = to_arrow(mixed, warn=warn)
    return _converted(table, options.get("dtype"))


def _as_utf8(raw: bytes, encoding: str) -> bytes:
    if encoding.lower().replace("_", "-") not in ("utf-8", "utf-8-sig"):
        raw = raw.decode(encoding).encode()
    content = raw.removeprefix(b"\xef\xbb\xbf").strip()
    if not content:
        raise InvalidTable("the content is empty, not JSON.")
    return content


def _columns_of(content: bytes, orient: str | None, lines: bool) -> Columns:
    if lines:
        if orient not in (None, "records"):
            raise InvalidTable(f"JSON lines are records: lines=true does not go with orient={orient!r}.")
        return _from_records(_lines(content))
    document = _document(content, guess=orient is None)
    if orient is None:
        return _guessed(document)
    if isinstance(document, dict):
        document = {k: v for k, v in document.items() if k not in _AGENT or not isinstance(v, str)}
    try:
        return _SHAPE[orient](document)
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        if isinstance(e, InvalidTable):
            raise
        raise InvalidTable(f"the JSON does not have the shape that orient={orient!r} says.") from e


def _document(content: bytes, *, guess: bool) -> Any:
    import orjson

    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        if not guess or len(content.splitlines()) < 2:
            raise
        return _lines(content)


def _lines(content: bytes) -> list[Any]:
    import orjson

    return [orjson.loads(line) for line in content.split(b"\n") if line.strip()]


def _guessed(document: Any) -> Columns:
    if isinstance(document, dict) and not any(isinstance(value, list | dict) for value in document.values()):
        document = [document]
    if isinstance(document, list):
        return _from_records(document)
    if not isinstance(document, dict):
        raise InvalidTable(_SHAPES)
    return _from_columns({k: v for k, v in document.items() if k not in _AGENT or not isinstance(v, str)})


def _from_records(rows: Any) -> Columns:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidTable(_SHAPES)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _from_columns(columns: dict[str, Any]) -> Columns:
    """An object of arrays, or of objects that have the index as keys."""
    if columns and all(isinstance(values, dict) for values in columns.values()):
        index = list(dict.fromkeys(key for values in columns.values() for key in values))
        return {name: [values.get(key) for key in index] for name, values in columns.items()}
    if not all(isinstance(values, list) for values in columns.values()):
        raise InvalidTable(_SHAPES)
    return columns


def _from_rows(rows: Any, names: list[str]) -> Columns:
    refuse_duplicates(names)
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        raise InvalidTable(f"every row must be an array of {len(names)} values, one per column.")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _from_split(document: Any) -> Columns:
    return _from_rows(document["data"], [str(name) for name in document["columns"]])


def _from_values(document: Any) -> Columns:
    return _from_rows(document, [str(place) for place in range(len(document[0]) if document else 0)])


def _from_table_schema(document: Any) -> Columns:
    """A table with its schema; the index is left out where it has no name of its own."""
    fields = {str(each["name"]): each for each in document["schema"]["fields"]}
    key = document["schema"].get("primaryKey") or []
    unnamed = {name for name in ([key] if isinstance(key, str) else key) if name in ("index", "level_0")}
    names = [name for name in fields if name not in unnamed]
    rows = document["data"]
    return {name: _typed(name, [row.get(name) for row in rows], fields[name]) for name in names}


def _typed(name: str, values: list[Any], field: Mapping[str, Any]) -> list[Any]:
    import pandas as pd

    kind = field.get("type")
    try:
        if kind == "datetime":
            times = pd.to_datetime(pd.Series(values, dtype=object), utc=bool(field.get("tz")), format="ISO8601")
            return [None if pd.isna(each) else each.to_pydatetime() for each in times]
        if kind == "duration":
            spans = pd.to_timedelta(pd.Series(values, dtype=object))
            return [None if pd.isna(each) else each.to_pytimedelta() for each in spans]
        if kind == "number":
            return [None if each is None else float(each) for each in values]
    except (ValueError, TypeError, OverflowError) as e:
        raise InvalidTable(f"the column {name!r} does not hold what its schema says ({kind}).") from e
    return values


_SHAPE: Mapping[str, Callable[[Any], Columns]] = {
    "split": _from_split,
    "records": _from_records,
    "index": lambda document: _from_records(list(document.values())),
    "columns": _from_columns,
    "values": _from_values,
    "table": _from_table_schema,
}


def _converted(table: pa.Table, dtype: Any) -> pa.Table:
    """Give columns the types asked for; true and false are pandas' words for guessing or not, and change nothing."""
    if dtype is None or isinstance(dtype, bool) or not dtype:
        return table
    from .frames import to_pandas

    unknown = [name for name in dtype if name not in table.column_names] if isinstance(dtype, dict) else []
    if unknown:
        raise InvalidTable(f"dtype names the column {unknown[0]!r}, which is not there.")
    return to_arrow(to_pandas(table).astype(dtype), warn=False)
