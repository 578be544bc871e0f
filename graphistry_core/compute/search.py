"""Rows with a text in any column, as Graphistry's table of a visualization shows them. pandas; imports conditions.

There a text is looked for in columns of text, and one that is made of digits, dots and minus signs also in numbers and
times: in what is shown of them, not in what Python writes.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pandas.api.types as kinds

from .conditions import Contains
from .exceptions import ErrorCode, GFQLValidationError
from .prepared import in_pandas

_NUMBER = re.compile(r"[0-9.\-]+\n?\Z")
_NOT_SHOWN = 2**31 - 1  # as float: stands for a missing value
_MONTHS = np.array(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], object)
_EXPONENT = 1e21  # from here on JavaScript writes whole numbers with an exponent


def search(g: Any, which: str, term: str, columns: Any, options: dict[str, Any]) -> Any:
    """See :meth:`Plottable.search_nodes`."""
    g = in_pandas(g)
    table = getattr(g, f"_{which}")
    if table is None:
        return g
    absent = columns is not None and not all(name in table.columns for name in columns)
    if absent or not len(table.columns):
        raise GFQLValidationError(
            ErrorCode.E108,
            f"search_{which}() is to look through columns that are not there",
            field="columns",
            value=columns,
            suggestion=f"Name columns of the graph's {which} only.",
        )
    chosen = list(columns) if columns is not None else _searched(table, term)
    mask = np.zeros(len(table), np.bool_)
    if len(table):
        wanted = Contains(term, case=options["case_sensitive"], regex=options["regex"], na=False)
        for name in chosen:
            mask |= _has(table[name], wanted, options)
    return getattr(g, which)(table[mask])


def _searched(table: Any, term: str) -> list[Any]:
    """Return the columns that are looked through unless others are named."""
    number = _NUMBER.match(term) is not None
    return [name for name in table.columns if _is_text(table[name]) or (number and _is_number(table[name].dtype))]


def _is_text(column: Any) -> bool:
    if column.dtype == object:
        return kinds.infer_dtype(column, skipna=True) in ("string", "empty")
    return bool(kinds.is_string_dtype(column.dtype))


def _is_number(dtype: Any) -> bool:
    return bool(kinds.is_integer_dtype(dtype) or kinds.is_float_dtype(dtype) or kinds.is_datetime64_any_dtype(dtype))


def _has(column: Any, wanted: Contains, options: dict[str, Any]) -> np.ndarray:
    """Return which rows of a column have it; those that show nothing do not."""
    if kinds.is_datetime64_any_dtype(column.dtype):
        shown = times_as_shown(column, options["temporal_tz"])
    elif kinds.is_float_dtype(column.dtype):
        shown = floats_as_shown(column, options["float_precision"])
    elif kinds.is_string_dtype(column.dtype) or column.dtype == object:
        shown = column
    else:
        shown = column.astype(str).where(column.notna(), None)
    found = wanted(shown).fillna(False).to_numpy(dtype=np.bool_, na_value=False)
    both: np.ndarray = found & shown.notna().to_numpy()
    return both


def floats_as_shown(column: Any, precision: int) -> Any:
    """Return what is shown of floats: so many places, none for whole numbers; None where that is nothing."""
    codes, values = pd.factorize(column.to_numpy(np.float64, na_value=np.nan), use_na_sentinel=True)
    texts = np.array([*(_number_as_shown(value, precision) for value in values.tolist()), None], object)
    return pd.Series(texts[codes], index=column.index, dtype=object)


def _number_as_shown(value: float, precision: int) -> str | None:
    if value == _NOT_SHOWN:
        return None
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value % 1:
        return f"{value:.{precision}f}"
    return str(int(value)) if abs(value) < _EXPONENT else repr(value)


def times_as_shown(column: Any, zone: str) -> Any:
    """Return what is shown of times, like 'Jan 2 2026, 3:04:05 pm UTC'; those without a zone are UTC's."""
    there = column.notna().to_numpy()
    local = column[there]
    local = (local.dt.tz_localize("UTC") if local.dt.tz is None else local).dt.tz_convert(zone)
    part = local.dt
    hours, zones = part.hour.to_numpy(), _zone_names(local)
    minutes, seconds = (each.astype(str).str.zfill(2) for each in (part.minute, part.second))
    day = pd.Series(_MONTHS[part.month.to_numpy() - 1], local.index, object) + " " + part.day.astype(str)
    clock = pd.Series((hours + 11) % 12 + 1, local.index).astype(str) + ":" + minutes + ":" + seconds
    half = pd.Series(np.where(hours < _NOON, " am ", " pm "), local.index)
    texts = np.full(len(column), None, object)
    texts[there] = (day + " " + part.year.astype(str) + ", " + clock + half + zones).to_numpy(object)
    return pd.Series(texts, index=column.index, dtype=object)


_NOON = 12


def _zone_names(local: Any) -> Any:
    """Return the name of the zone at each time: one look for each distance from UTC."""
    distance = local.dt.tz_localize(None) - local.dt.tz_convert("UTC").dt.tz_localize(None)
    codes, _ = pd.factorize(distance.to_numpy())
    _, first = np.unique(codes, return_index=True)
    names = np.array([local.iloc[at].tzname() for at in first], object)
    return pd.Series(names[codes] if len(names) else names, local.index, object)
