"""Any dataframe to Arrow and back, and the shape in which tables rest.

Which library a frame belongs to is looked up in ``sys.modules``, never imported to find out. May import errors
only. pandas and pyarrow are imported where used, so that the command line can answer without them.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .errors import ArrowConversionError, BadRequest, InvalidTable, MissingDependency, warn_user

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Validate = Literal["strict", "strict-fast", "autofix"] | bool


def library_of(frame: Any) -> str:
    """Return ``'pandas'``, ``'cudf'``, ``'polars'``, ``'pyarrow'``, ``'dask'`` or ``''`` for anything else."""
    root = type(frame).__module__.partition(".")[0]
    if root in ("pandas", "cudf", "polars", "pyarrow") and root in sys.modules:
        return root
    return "dask" if root in ("dask", "dask_expr", "dask_cudf") else ""


def is_table(value: Any) -> bool:
    """Say whether :func:`to_arrow` would take this value."""
    if isinstance(value, type):
        return False
    library = library_of(value)
    if library in ("pandas", "cudf"):
        return type(value).__name__ == "DataFrame" or (hasattr(value, "columns") and hasattr(value, "dtypes"))
    if library == "polars":
        return type(value).__name__ in ("DataFrame", "LazyFrame")
    return hasattr(value, "__arrow_c_stream__") or library == "dask"


def column_names(frame: Any) -> list[str]:
    """Return the column names of any table, as strings (Arrow has no others)."""
    if library_of(frame) == "polars" and hasattr(frame, "collect_schema"):
        return list(frame.collect_schema().names())
    names = getattr(frame, "column_names", None)
    if names is None:
        names = getattr(frame, "columns", None)
    if names is None:
        names = to_arrow(frame).column_names
    return [str(name) for name in names]


def num_rows(frame: Any) -> int:
    """Return the number of rows of any table (a lazy one is computed)."""
    rows = getattr(frame, "num_rows", None)
    if (rows is None and library_of(frame) in ("pandas", "cudf")) or hasattr(frame, "height"):
        return len(frame)
    return int(rows if rows is not None else to_arrow(frame).num_rows)


def validation(validate: Validate, warn: bool) -> tuple[bool, bool]:
    """Return (strict, warn) for PyGraphistry's ``validate``: True is 'strict', False is 'autofix' without warning."""
    if validate is True or validate in ("strict", "strict-fast"):
        return True, warn
    if validate is False:
        return False, False
    if validate == "autofix":
        return False, warn
    raise BadRequest(f"validate={validate!r} is unknown; use 'strict', 'strict-fast', 'autofix', True or False.")


def to_arrow(frame: Any, validate: Validate = "autofix", warn: bool = True, *, keep_index: bool = False) -> pa.Table:
    """Convert anything tabular to a ``pyarrow.Table`` without schema metadata.

    Takes pandas, cuDF, polars (eager or lazy), dask, pyarrow, and any object with ``__arrow_c_stream__``. The
    index of a pandas frame is left out unless ``keep_index``. Columns of mixed types follow PyGraphistry's
    ``validate``: 'strict' raises ArrowConversionError naming them, 'autofix' warns and stores strings. The
    caller's frame is never changed.
    """
    import pyarrow as pa

    strict, warn = validation(validate, warn)
    library = library_of(frame)
    if library == "dask":
        frame = frame.compute()
        library = library_of(frame)
    if library == "pyarrow" and isinstance(frame, pa.Table):
        table = frame
    elif library == "pandas":
        table = _from_pandas(frame, strict, warn, keep_index)
    elif library == "cudf":
        table = frame.to_arrow(preserve_index=keep_index)
    elif library == "polars":
        table = (frame.collect() if hasattr(frame, "collect") else frame).to_arrow()
    elif hasattr(frame, "__arrow_c_stream__"):
        table = pa.table(frame)
    else:
        raise InvalidTable(
            f"A {_type_name(frame)} is not a table: pass a pandas, cuDF, polars or dask DataFrame, a pyarrow Table, "
            "or an object with __arrow_c_stream__."
        )
    refuse_duplicates(table.column_names)
    return table if keep_index else table.replace_schema_metadata(None)


def _type_name(value: Any) -> str:
    cls = type(value)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__.partition('.')[0]}.{cls.__name__}"


def refuse_duplicates(names: list[str]) -> None:
    """Raise InvalidTable naming the columns whose name is there more than once."""
    if len(set(names)) == len(names):
        return
    twice = sorted({name for name in names if names.count(name) > 1})
    raise InvalidTable(f"The table has more than one column named {', '.join(map(repr, twice))}; rename them first.")


def _from_pandas(df: pd.DataFrame, strict: bool, warn: bool, keep_index: bool) -> pa.Table:
    import pyarrow as pa

    refuse_duplicates([str(name) for name in df.columns])
    preserve = None if keep_index else False
    try:
        return pa.Table.from_pandas(df, preserve_index=preserve)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as e:
        bad = [name for name in df.columns if not _converts(df[name])]
        if strict or not bad:
            raise ArrowConversionError([str(name) for name in bad], e) from e
        fixed = df.astype(dict.fromkeys(bad, "string"))
    if warn:
        warn_user(
            f"Columns {[str(name) for name in bad]} hold values of mixed types and are stored as strings; convert "
            "them yourself for control, or pass validate='strict' to refuse them."
        )
    return pa.Table.from_pandas(fixed, preserve_index=preserve)


def _converts(column: Any) -> bool:
    import pyarrow as pa

    try:
        pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False
    return True


# --- at rest --------------------------------------------------------------------------------------------------


def _resting_type(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary(kind) or pa.types.is_binary_view(kind):
        return pa.large_binary()
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _resting_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([c.storage for c in column.chunks], column.type.storage_type)
    target = _resting_type(column.type)
    if target != column.type:
        column = column.cast(target)
    if column.null_count and pa.types.is_floating(target):
        column = pc.fill_null(column, pa.scalar(float("nan"), target))
    return column


def is_at_rest(table: pa.Table) -> bool:
    """Say whether a table already has the resting shape (see :func:`at_rest`)."""
    import pyarrow as pa

    return all(
        column.num_chunks <= 1
        and _resting_type(column.type) == column.type
        and not (pa.types.is_floating(column.type) and column.null_count)
        for column in table.columns
    )


def at_rest(table: pa.Table) -> pa.Table:
    """Return the table in the shape that maps into pandas without a copy.

    One chunk per column, ``large_string``, floats with NaN in place of nulls, extension types as their storage.
    Columns that copy all the same when mapped: bool, dictionary, list, struct, decimal, and integers with nulls.
    """
    import pyarrow as pa

    table = table.replace_schema_metadata(None)
    if is_at_rest(table):
        return table
    columns = [_resting_column(column) for column in table.columns]
    resting = pa.table(columns, names=table.column_names)
    return resting.unify_dictionaries().combine_chunks()


def write_arrow(table: pa.Table, path: Path) -> None:
    """Write a table as an Arrow IPC file made for mapping: at rest, one record batch, uncompressed."""
    import pyarrow as pa

    table = at_rest(table)
    with pa.OSFile(os.fspath(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def map_arrow(path: Path) -> pa.Table:
    """Map an Arrow IPC file written by :func:`write_arrow`; nothing is read until it is used."""
    import pyarrow as pa

    return pa.ipc.open_file(pa.memory_map(os.fspath(path), "r")).read_all().replace_schema_metadata(None)


def dtypes(table: pa.Table) -> dict[str, str]:
    """Return the column types by name, in Arrow's words."""
    return {name: str(kind) for name, kind in zip(table.column_names, table.schema.types, strict=True)}


# --- engines --------------------------------------------------------------------------------------------------


def copies_on_write() -> bool:
    """Say whether a shallow copy of a pandas frame is safe to write to: pandas 3, always."""
    import pandas as pd

    return int(pd.__version__.partition(".")[0]) >= 3


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Turn a table into a pandas frame, without a copy where the column types allow it.

    With pandas 3 the frame may share read-only memory with the table: hand out ``frame.copy(deep=False)``, whose
    copy-on-write protects it. Before pandas 3 the columns are copied.
    """
    frame: pd.DataFrame = table.to_pandas(split_blocks=copies_on_write())
    return frame


def to_engine(table: pa.Table, engine: str) -> Any:
    """Turn a table into a frame of ``'pandas'`` or ``'cudf'``."""
    if engine == "pandas":
        return to_pandas(table)
    import cudf

    return cudf.DataFrame.from_arrow(table)


def require(name: str, extra: str, what: str) -> Any:
    """Import an optional library, or raise MissingDependency naming the extra that brings it."""
    try:
        return importlib.import_module(name)
    except ImportError as e:
        raise MissingDependency(
            f'{what} needs {name.partition(".")[0]}: pip install "graphistry-core[{extra}]".'
        ) from e
