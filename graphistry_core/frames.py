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
        return hasattr(value, "columns") and hasattr(value, "dtypes")
    if library == "dask":
        ndim = getattr(value, "ndim", 0)  # of a Delayed it is another one, which has no truth
        return isinstance(ndim, int) and ndim == 2 and hasattr(value, "columns")
    if library == "pyarrow":
        return hasattr(value, "schema")  # Table, RecordBatch, RecordBatchReader; not an array
    if library == "polars":
        return type(value).__name__ in ("DataFrame", "LazyFrame")
    return hasattr(value, "__arrow_c_stream__")


def column_names(frame: Any) -> list[str]:
    """Return the column names of any table, as strings (Arrow has no others)."""
    if library_of(frame) == "polars" and hasattr(frame, "collect_schema"):
        return list(frame.collect_schema().names())
    names = getattr(frame, "column_names", None)
    if names is None:
        names = getattr(frame, "columns", None)
    if names is None:
        names = getattr(getattr(frame, "schema", None), "names", None)
    if names is None:
        names = to_arrow(frame).column_names
    return [str(name) for name in names]


def is_one_shot(frame: Any) -> bool:
    """Say whether reading this table uses it up (a stream of batches)."""
    return hasattr(frame, "read_next_batch")


def num_rows(frame: Any) -> int:
    """Return the number of rows of any table (of a lazy one they are counted)."""
    rows = getattr(frame, "num_rows", None)
    if (rows is None and library_of(frame) in ("pandas", "cudf", "dask")) or hasattr(frame, "height"):
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
    if not is_table(frame):
        raise InvalidTable(
            f"A {_type_name(frame)} is not a table: pass a pandas, cuDF, polars or dask DataFrame, a pyarrow Table, "
            "or an object with __arrow_c_stream__."
        )
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
    else:
        table = pa.table(frame)
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

    names = [str(name) for name in df.columns]
    refuse_duplicates(names)
    unreadable = [name for name in names if not _is_unicode(name)]
    if unreadable:
        raise InvalidTable(f"The column names {unreadable!r} hold half of a surrogate pair: rename them first.")
    df = _with_plain_columns(df)
    preserve = None if keep_index else False
    deep = [name for name in df.columns if df[name].dtype == object and _nests_too_deeply(df[name])]
    try:
        if deep:  # Arrow would follow them until the process dies
            raise TypeError("values that contain themselves, or nest too deeply")
        return pa.Table.from_pandas(df, preserve_index=preserve)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as e:
        bad = deep or [name for name in df.columns if not _converts(df[name])]
        if strict or not bad or deep:
            raise ArrowConversionError([str(name) for name in bad], e) from e
        fixed = _as_text(df, bad)
    try:
        table = pa.Table.from_pandas(fixed, preserve_index=preserve)
    except (pa.ArrowException, UnicodeEncodeError) as e:  # half of a surrogate pair has no form in Arrow at all
        raise InvalidTable(f"The columns {[str(n) for n in bad]} hold text that is not Unicode: {e}.") from e
    if warn:
        warn_user(
            f"Columns {[str(name) for name in bad]} hold values of mixed types and are stored as strings; convert "
            "them yourself for control, or pass validate='strict' to refuse them."
        )
    return table


def _as_text(df: pd.DataFrame, names: list[Any]) -> pd.DataFrame:
    try:
        return df.astype(dict.fromkeys(names, "string"))
    except (ValueError, TypeError) as e:
        raise InvalidTable(f"The columns {[str(n) for n in names]} cannot be stored as text either: {e}.") from e


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _with_plain_columns(df: pd.DataFrame) -> pd.DataFrame:
    """Give sparse columns their dense form, and intervals and periods (also as categories) their text."""
    import pandas as pd

    def odd(dtype: Any) -> bool:
        inner = getattr(getattr(dtype, "categories", None), "dtype", dtype)
        return isinstance(inner, pd.IntervalDtype | pd.PeriodDtype)

    plain = df
    for name, dtype in df.dtypes.items():
        if not isinstance(dtype, pd.SparseDtype) and not odd(dtype):
            continue
        if plain is df:
            plain = df.copy(deep=False)
        column: Any = df[name]
        dense = isinstance(dtype, pd.SparseDtype)
        plain[name] = column.sparse.to_dense() if dense else column.astype(object).map(str, "ignore")
    return plain


_DEEPEST = 64


def _nests_too_deeply(column: Any) -> bool:
    import pandas as pd

    if pd.api.types.infer_dtype(column, skipna=True) not in ("mixed", "unknown-array"):
        return False

    def deep(value: Any, left: int) -> bool:
        if not isinstance(value, list | tuple | dict | set):
            return False
        items = value.values() if isinstance(value, dict) else value
        return left == 0 or any(deep(item, left - 1) for item in items)

    return any(deep(value, _DEEPEST) for value in column)


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

    if pa.types.is_string(kind) or pa.types.is_string_view(kind) or kind == pa.uuid():
        return pa.large_string()
    if pa.types.is_binary(kind) or pa.types.is_binary_view(kind):
        return pa.large_binary()
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _unstorable(kind: pa.DataType, *, top: bool = True) -> bool:
    """Say whether a type, or one inside it, has no safe way into a dataframe."""
    import pyarrow as pa

    t = pa.types
    if t.is_union(kind) or t.is_run_end_encoded(kind) or t.is_list_view(kind) or t.is_large_list_view(kind):
        return True
    if not top and (t.is_string_view(kind) or t.is_binary_view(kind) or isinstance(kind, pa.BaseExtensionType)):
        return True
    if t.is_dictionary(kind):
        return t.is_nested(kind.value_type) or _unstorable(kind.value_type, top=False)
    return any(_unstorable(kind.field(i).type, top=False) for i in range(kind.num_fields))


def _resting_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, target = column.type, _resting_type(column.type)
    if kind == pa.uuid():
        column = pa.chunked_array([[None if v is None else str(v) for v in column.to_pylist()]], target)
    elif pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        # Not by cast, which trusts the lengths of null slots: in bytes from outside they can be anything.
        column = pa.chunked_array([column.to_pylist()], target)
    elif isinstance(kind, pa.BaseExtensionType):
        column = pa.chunked_array([c.storage for c in column.chunks], target)
    elif target != kind:
        column = column.cast(target)
    if column.null_count and pa.types.is_floating(target):
        column = pc.fill_null(column, pa.scalar(float("nan"), target))
    return column if column.num_chunks else pa.chunked_array([pa.array([], target)])


def is_at_rest(table: pa.Table) -> bool:
    """Say whether a table already has the resting shape (see :func:`at_rest`)."""
    import pyarrow as pa

    return all(
        column.num_chunks == 1
        and _resting_type(column.type) == column.type
        and not _unstorable(column.type)
        and not (pa.types.is_floating(column.type) and column.null_count)
        for column in table.columns
    )


def at_rest(table: pa.Table) -> pa.Table:
    """Return the table in the shape that maps into pandas without a copy.

    One chunk per column, ``large_string``, floats with NaN in place of nulls, extension types as their storage (UUIDs
    as text). Columns that copy all the same when mapped: bool, dictionary, list, struct, decimal, and integers with
    nulls. Raises InvalidTable for unions, run-end encoding and list views, which dataframes have no form for.
    """
    import pyarrow as pa

    table = table.replace_schema_metadata(None)
    if is_at_rest(table):
        return table
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if _unstorable(kind):
            raise InvalidTable(f"The column {name!r} has the type {kind}, which dataframes have no form for: cast it.")
    columns = [_resting_column(column) for column in table.columns]
    resting = pa.table(columns, names=table.column_names).unify_dictionaries().combine_chunks()
    return resting if is_at_rest(resting) else pa.table([_one_chunk(c) for c in resting.columns], resting.column_names)


def _one_chunk(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    whole = column.combine_chunks()
    return whole if isinstance(whole, pa.ChunkedArray) else pa.chunked_array([whole])


def write_arrow(table: pa.Table, path: Path) -> None:
    """Write a table as an Arrow IPC file made for mapping: at rest, one record batch (also of 0 rows), uncompressed."""
    import pyarrow as pa

    table = at_rest(table)
    arrays = [column.chunk(0) for column in table.columns]
    with pa.OSFile(os.fspath(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        if all(len(column.chunks) == 1 for column in table.columns) and arrays:
            writer.write_batch(pa.record_batch(arrays, schema=table.schema))
        else:
            writer.write_table(table)


def map_arrow(path: Path) -> pa.Table:
    """Map an Arrow IPC file written by :func:`write_arrow`; nothing is read until it is used."""
    import pyarrow as pa

    # From a buffer, without threads: reading from the file itself starts one, and a process that is to be forked must
    # not have any.
    region = pa.memory_map(os.fspath(path), "r").read_buffer()
    options = pa.ipc.IpcReadOptions(use_threads=False)
    return pa.ipc.open_file(region, options=options).read_all().replace_schema_metadata(None)


def check_readable(table: pa.Table) -> None:
    """Raise InvalidTable naming the first column whose values cannot become a pandas column.

    Looks only where values can be at fault (dates and times out of range, odd dictionaries, unknown time zones);
    numbers and strings always can, and are not touched.
    """
    import pyarrow as pa

    t = pa.types
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        plain = t.is_integer(kind) or t.is_floating(kind) or t.is_boolean(kind) or t.is_large_string(kind)
        if plain or t.is_large_binary(kind):
            continue
        try:
            column.slice(0, 1 if t.is_timestamp(kind) else None).to_pandas()
        except Exception as e:
            reason = " ".join(str(e).split())[:200]
            raise InvalidTable(f"The column {name!r} ({kind}) cannot become a dataframe column: {reason}.") from e


def dtypes(table: pa.Table) -> dict[str, str]:
    """Return the column types by name, in Arrow's words."""
    return {name: str(kind) for name, kind in zip(table.column_names, table.schema.types, strict=True)}


# --- engines --------------------------------------------------------------------------------------------------


def copies_on_write() -> bool:
    """Say whether a shallow copy of a pandas frame is safe to write to: pandas 3, or where it was switched on."""
    import pandas as pd

    return int(pd.__version__.partition(".")[0]) >= 3 or pd.options.mode.copy_on_write is True


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """Turn a table into a pandas frame, without a copy where the column types allow it.

    With pandas 3 the frame may share read-only memory with the table: hand out ``frame.copy(deep=False)``, whose
    copy-on-write protects it as long as the frame itself is kept. Before pandas 3 the columns are copied. Integers
    with nulls become float64, as pandas has it, except where that would change them (beyond 2**53): these become
    nullable ``Int64``/``UInt64``.
    """
    import pandas as pd
    import pyarrow as pa

    frame: pd.DataFrame = table.to_pandas(split_blocks=copies_on_write())
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.null_count and pa.types.is_integer(column.type) and beyond_float(column):
            nullable = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}
            frame[name] = column.to_pandas(types_mapper=nullable.get)
    return frame


def with_own_cells(frame: pd.DataFrame, table: pa.Table) -> pd.DataFrame:
    """Return a table's frame with its lists, structs and maps made anew: a copy of a column shares what is in cells."""
    import pyarrow as pa

    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if pa.types.is_nested(kind):
            frame[name] = table.column(name).to_pandas()
    return frame


def beyond_float(column: pa.ChunkedArray) -> bool:
    """Say whether a column of integers has one that a float64 cannot hold."""
    import pyarrow.compute as pc

    ends = pc.min_max(column).as_py()
    return any(end is not None and abs(end) > 1 << 53 for end in ends.values())


def require(name: str, extra: str, what: str) -> Any:
    """Import an optional library, or raise MissingDependency naming the extra that brings it."""
    try:
        return importlib.import_module(name)
    except ImportError as e:
        raise MissingDependency(
            f'{what} needs {name.partition(".")[0]}: pip install "graphistry-core[{extra}]".'
        ) from e
