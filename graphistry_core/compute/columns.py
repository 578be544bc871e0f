"""Columns of ids: their codes, whether they are still the same, rows of a table by position. pandas; imports kernels.

Ids may be integers, strings, times, floats, or anything hashable. Equality is that of ``Series.isin``; a missing value
is no id.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from .. import frames
from . import kernels


def as_integers(column: Any) -> np.ndarray | None:
    """Return a column without missing values as int64 that stand for its values, or None where that cannot be.

    Integers stand for themselves, times for their count of units.
    """
    kind = getattr(column.dtype, "kind", "O")
    if isinstance(column.dtype, np.dtype) and kind in "iu" and column.dtype != np.uint64:
        integers: np.ndarray = column.to_numpy().astype(np.int64, copy=False)
        return integers
    if isinstance(column.dtype, np.dtype) and kind == "M":
        values = column.to_numpy().view(np.int64)
        return None if (values == np.iinfo(np.int64).min).any() else values
    return None


def _as_strings(column: Any) -> pa.ChunkedArray | None:
    """Return a column of strings (and missing values) as Arrow's large_string, or None when it is none."""
    if isinstance(column.dtype, pd.StringDtype) or (
        column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "string"
    ):
        array = pa.array(column, from_pandas=True)
        array = array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])
        return array.cast(pa.large_string())
    return None


class Ids:
    """The ids of a node table, looked up by value; ``unique``: none of them comes twice, and none is missing."""

    def __init__(self, column: Any, known: tuple[Any, bool] | None = None) -> None:
        """Look at a column; ``known``: its hash table (None for ids that are no integers) and whether it is unique."""
        self.dtype = column.dtype
        self._column = column
        self._table: Any = None
        self._strings: Any = None
        self._index: pd.Index[Any] | None = None
        self._rows = np.empty(0, np.int32)
        if known is not None:
            self._table, self.unique = known
            self._strings = None if self._table is not None else _as_strings(column)
            return
        integers = as_integers(column)
        if integers is not None:
            self._table = kernels.lookup_table(len(integers))
            self.unique = kernels.insert_ids(integers, *self._table) == 0
            return
        self._strings = _as_strings(column)
        missing = column.isna()
        self.unique = bool(not missing.any() and not column.duplicated().any())

    @property
    def table(self) -> Any:
        """The hash table (keys, codes, shift), or None for ids that are no integers."""
        return self._table

    def find(self, column: Any) -> np.ndarray:
        """Return the codes of a column's values: int32, -1 for what is missing or no id."""
        out = np.empty(len(column), np.int32)
        if self._table is not None and (
            column.dtype == self.dtype or {column.dtype.kind, self.dtype.kind} <= set("iu")
        ):
            integers = as_integers(column)
            if integers is not None:
                keys, codes, shift = self._table
                kernels.find_ids(integers, keys, codes, shift, out)
                return out
        if self._strings is not None:
            strings = _as_strings(column)
            if strings is not None:
                return self._find_strings(strings)
        return self._find_any(column)

    def _find_strings(self, values: pa.ChunkedArray) -> np.ndarray:
        found = pc.index_in(values, value_set=self._strings, skip_nulls=True)
        array = found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], pa.int32())
        return np.asarray(array.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int32)

    def _find_any(self, column: Any) -> np.ndarray:
        if self._index is None:
            ids = self._column
            missing = ids.isna().to_numpy()
            first = ~ids.duplicated().to_numpy() & ~missing
            self._rows = np.flatnonzero(first).astype(np.int32)
            self._index = pd.Index(ids[first])
        at = self._index.get_indexer(pd.Index(column))
        at[column.isna().to_numpy()] = -1
        return np.where(at < 0, -1, self._rows[at] if len(self._rows) else -1).astype(np.int32)


def coded(column: Any, ids: Ids) -> np.ndarray:
    """Return the codes of a column of ids."""
    return ids.find(column)


def fingerprint(column: Any) -> Any:
    """Return a value that changes when a column does, while somebody else holds a shallow copy of its frame.

    Under copy-on-write a frame that is changed in place gets new memory where another shares the old. So where the
    values lie says whether they are the same; without copy-on-write their content is hashed. None: not known.
    """
    array = column.array
    if not frames.copies_on_write():
        return _content(column)
    if isinstance(column.dtype, np.dtype):
        values = column.to_numpy()
        about = values.__array_interface__
        return (about["data"][0], values.shape, values.strides, str(values.dtype))
    held = getattr(array, "_pa_array", None)
    if held is not None:
        return tuple(
            (chunk.offset, len(chunk), *(b.address for b in chunk.buffers() if b is not None)) for chunk in held.chunks
        )
    return _content(column)


def _content(column: Any) -> Any:
    import xxhash

    try:
        hashed = pd.util.hash_array(column.to_numpy()) if column.dtype == object else column.to_numpy()
        content: Any = np.ascontiguousarray(hashed).view(np.uint8)
        return (len(column), str(column.dtype), xxhash.xxh3_128_hexdigest(content))
    except (TypeError, ValueError):
        return None


def rows(frame: Any, positions: np.ndarray) -> Any:
    """Return rows of a frame by distinct, ascending positions, numbered afresh.

    All of them share memory with the frame where copy-on-write protects that, and are copied elsewhere.
    """
    whole = len(positions) == len(frame)
    out = frame.copy(deep=not frames.copies_on_write()) if whole else frame.take(positions)
    out.index = pd.RangeIndex(len(out))
    return out
