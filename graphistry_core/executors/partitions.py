"""A table as a folder of Parquet files, one a partition: what Dask reads, and what no process has to hold at once.

Files are cut from the mapped table, one slice after the other. A folder is written under another name and renamed; at a
URL, where nothing can be renamed, ``about.json`` comes last, and what has none is not there. May import errors,
frames and object_storage; Dask is imported where it is used.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import frames
from ..errors import ConfigError, InvalidTable, ServerError, TaskCancelled
from ..object_storage import Place, is_url

if TYPE_CHECKING:
    import pyarrow as pa

PARTITION_MB = "GRAPHISTRY_CORE_PARTITION_MB"
_DEFAULT_MB = 64.0  # of Arrow data in one file
_VERSION = 1
_ABOUT = "about.json"


def about(place: str) -> dict[str, Any] | None:
    """Return what is known of the partitions at a place (``rows``, ``files``); None where they are not, or not all."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError):
        found = json.loads(Place(place).get(_ABOUT) if is_url(place) else Path(place, _ABOUT).read_bytes())
        if isinstance(found, dict) and found.get("version") == _VERSION:
            return found
    return None


def ensure(
    table: pa.Table, place: str, cancelled: Callable[[], bool] | None = None, partition_bytes: int | None = None
) -> None:
    """Have a table's partitions at a place: a folder, or a URL that fsspec opens. What is there already stays.

    ``partition_bytes``: of Arrow data in one file; by default what GRAPHISTRY_CORE_PARTITION_MB says, or 64 MiB. Never
    holds more than one of them in memory. Raises TaskCancelled between two of them, InvalidTable for a type that
    Parquet has no form for, ServerError where the place cannot be written.
    """
    if about(place) is not None:
        return
    attempt = uuid.uuid4().hex[:8]  # another server may write to the same URL, pieces of another size
    try:
        with _written(place) as target:
            cut = _Cut(table, partition_bytes or _partition_bytes())
            names = []
            for number, piece in enumerate(cut.pieces()):
                if cancelled is not None and cancelled():
                    raise TaskCancelled("The task was cancelled while its dataset was cut into partitions.")
                names.append(file_name(number, f"-{attempt}" if is_url(place) else ""))
                _put(_parquet(piece, cut.words), target, names[-1])
            finish(target, names, rows=table.num_rows, bytes=cut.has_bytes)
    except OSError as e:
        raise ServerError(f"The partitions of the dataset cannot be written to {place}: {e.strerror or e}.") from e


def _partition_bytes() -> int:
    said = os.environ.get(PARTITION_MB, "")
    try:
        size = float(said) if said else _DEFAULT_MB
        if not 0 < size < float("inf"):
            raise ValueError
    except ValueError:
        raise ConfigError(f"{PARTITION_MB}={said!r} is no size: give the MiB of one partition, such as 64.") from None
    return max(int(size * (1 << 20)), 1)


def file_name(number: int, attempt: str = "") -> str:
    """Return the name of one partition's file; sorted by name they are in order."""
    return f"part-{number:06d}{attempt}.parquet"


def finish(place: str, names: list[str], **known: Any) -> None:
    """Declare the files at a place complete; ``known``: their ``rows``, whether a column is of ``bytes``."""
    _put(json.dumps({"version": _VERSION, "files": names, **known}).encode(), place, _ABOUT)


def read(place: str, engine: str = "dask") -> Any:
    """Return the partitions at a place as a Dask DataFrame; nothing but the schema is read. Of cuDF for 'dask_cudf'."""
    import dask
    import dask.dataframe as dd

    found = about(place)
    if found is None:
        raise FileNotFoundError(f"there are no partitions at {place}")
    files = [f"{place}/{name}" for name in found["files"]]
    backend = "cudf" if engine == "dask_cudf" else "pandas"
    with dask.config.set({"dataframe.backend": backend, **settings(found.get("bytes", False))}):
        return dd.read_parquet(files, index=False)


def settings(has_bytes: bool = False) -> dict[str, Any]:
    """Return the settings of Dask under which its frames are as they are in pandas, and one file is one partition.

    By default Dask reads several at once where few columns are needed, which small workers have no room for. Before
    pandas 3 text stays Arrow's, as Dask has it: Python's would need many times the memory.
    """
    import pandas as pd

    plain = has_bytes or int(pd.__version__.partition(".")[0]) >= 3
    text = {"dataframe.convert-string": False} if plain else {}
    return {"dataframe.parquet.minimum-partition-size": 1, **text}


# --- writing --------------------------------------------------------------------------------------------------


class _Cut:
    """A table as pieces of about one size, with the types that it has as a pandas frame.

    What a column becomes in pandas depends on its nulls, and must not depend on those of one piece: integers with
    nulls are floats, or nullable where a float cannot hold them, and booleans with nulls are nullable.
    """

    def __init__(self, table: pa.Table, partition_bytes: int) -> None:
        import pyarrow as pa

        self._table = table
        self._rows = max(int(table.num_rows * partition_bytes // max(table.nbytes, 1)), 1)
        self._floats: list[str] = []
        self.words: list[str] = []  # columns of text, which Parquet is to look for repeated values in
        self.has_bytes = False
        nullable: dict[str, str] = {}
        for name, column in zip(table.column_names, table.columns, strict=True):
            kind = column.type
            if pa.types.is_large_string(kind) or pa.types.is_string(kind) or pa.types.is_dictionary(kind):
                self.words.append(name)
            self.has_bytes |= pa.types.is_large_binary(kind) or pa.types.is_binary(kind)
            if not column.null_count:
                continue
            if pa.types.is_boolean(column.type):
                nullable[name] = "boolean"
            elif pa.types.is_integer(column.type):
                if frames.beyond_float(column):
                    nullable[name] = {"int64": "Int64", "uint64": "UInt64"}[str(column.type)]
                else:
                    self._floats.append(name)
        self._metadata = _pandas_metadata(nullable) if nullable else None

    def pieces(self) -> Iterator[pa.Table]:
        import pyarrow as pa
        import pyarrow.compute as pc

        for start in range(0, max(self._table.num_rows, 1), self._rows):
            piece = frames.at_rest(self._table.slice(start, self._rows))
            for name in self._floats:
                column = pc.fill_null(piece[name].cast(pa.float64()), float("nan"))
                piece = piece.set_column(piece.column_names.index(name), name, column)
            yield piece.replace_schema_metadata(self._metadata)


def _pandas_metadata(nullable: dict[str, str]) -> dict[str, str]:
    """Return the schema metadata by which pandas gives columns one of its nullable types."""
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind.lower(), "numpy_type": kind, "metadata": None}
        for name, kind in nullable.items()
    ]
    return {"pandas": json.dumps({"index_columns": [], "column_indexes": [], "columns": columns})}


def _parquet(piece: pa.Table, words: list[str]) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    try:
        pq.write_table(piece, sink, row_group_size=max(piece.num_rows, 1), use_dictionary=words)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid, pa.ArrowTypeError) as e:
        reason = " ".join(str(e).split())[:200]
        raise InvalidTable(
            f"The dataset cannot be cut into partitions for Dask: {reason}. Use engine='pandas', or drop that column."
        ) from e
    return sink.getvalue()


@contextlib.contextmanager
def _written(place: str) -> Iterator[str]:
    """Yield where to write what is to be at a place, and bring it there when the block is done."""
    if is_url(place):
        yield place
        return
    folder = Path(place)
    work = folder.parent / f"{folder.name}.{uuid.uuid4().hex}.part"
    try:
        work.mkdir(mode=0o700, parents=True)
        yield str(work)
        if about(place) is None:
            shutil.rmtree(folder, ignore_errors=True)  # damaged
            with contextlib.suppress(OSError):  # another process was first: its folder is as good
                os.rename(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _put(content: Any, place: str, name: str) -> None:
    if is_url(place):
        Place(place).put(bytes(content), name)
    else:
        Path(place, name).write_bytes(content)


def remove(place: str) -> None:
    """Remove the partitions at a place."""
    if not is_url(place):
        shutil.rmtree(place, ignore_errors=True)
        return
    above, _, name = place.rstrip("/").rpartition("/")
    objects = Place(above)
    objects.delete(*(found.name for found in objects.list(name)))
