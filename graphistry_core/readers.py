"""Tables from files and from bytes that nobody vouched for. Imports errors, frames, compression and json_tables."""

from __future__ import annotations

import csv
import io
import os
import re
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .compression import DAMAGE, read_plain
from .errors import InvalidTable
from .frames import refuse_duplicates, to_arrow
from .json_tables import read_json

if TYPE_CHECKING:
    import pyarrow as pa


_SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".tab": "csv", ".edges": "csv", ".edgelist": "csv", ".el": "csv",
    ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".parquet": "parquet", ".pq": "parquet", ".orc": "orc",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
_WORTH_THREADS = 32 << 20  # bytes of a table from which on looking at it in threads is faster
_COMPRESSED = (".gz", ".bz2", ".xz")
_LINE_END = re.compile(r"\r\n|\r|\n")
_LEADING_ZERO = re.compile(r"(?m)(?:^|[\s,;|\"])0\d+(?=[\s,;|\"]|$)")
_filters = threading.Lock()  # catch_warnings changes what the whole process has
_BLANKS_SEPARATE = (".txt", ".edges", ".edgelist", ".el", "")


def read_file(path: str | os.PathLike[str]) -> pa.Table:
    """Read a table from a file; its type follows from the suffix, a compression suffix may come on top.

    Text tables (.csv, .tsv, .txt, …) may use commas, tabs, semicolons, bars or blanks, and any line ends; lines
    at the top that begin with ``#`` are comments (SNAP lists). Without a header (the first line is all numbers) the
    columns are named source, destination, column3, … Raises InvalidTable naming the file.
    """
    where = Path(path)
    suffix = Path(where.stem).suffix if where.suffix.lower() in _COMPRESSED else where.suffix
    kind = _SUFFIXES.get(suffix.lower(), "csv")
    try:
        return parse(where, kind, blanks_separate=suffix.lower() in _BLANKS_SEPARATE, compressed=True, warn=True)
    except OSError as e:
        raise InvalidTable(f"{where} cannot be read: {e.strerror or e}.") from e
    except InvalidTable as e:
        raise InvalidTable(f"{where}: {e.message}") from e


def parse(
    path: Path,
    kind: str,
    options: Mapping[str, Any] | None = None,
    *,
    blanks_separate: bool = False,
    compressed: bool = False,
    warn: bool = False,
) -> pa.Table:
    """Read a table of a given type ('arrow', 'csv', 'json', 'parquet', 'orc') from a file on disk.

    The bytes are not trusted: Arrow data is fully validated. ``options`` are checked ones (``table_options``).
    ``blanks_separate``: in a text table without any other separator blanks are one. ``compressed``: text whose first
    bytes say that it is compressed is decompressed, without a bound. Raises InvalidTable with the reason. Do not give
    it ORC from outside: the ORC library can end the process on damaged files (``table_process`` reads such).
    """
    import pyarrow as pa

    options = options or {}
    readers: dict[str, Callable[[], pa.Table]] = {
        "arrow": lambda: _read_arrow(path),
        "csv": lambda: _read_text(_content(path, compressed), options, blanks_separate=blanks_separate),
        "json": lambda: read_json(_content(path, compressed), options, warn=warn),
        "parquet": lambda: _read_parquet(path, options),
        "orc": lambda: _read_orc(path, options),
    }
    try:
        table = readers[kind]()
        _validate(table)
    except InvalidTable:
        raise
    except OSError as e:
        if e.errno is not None:  # the file itself; without an errno pyarrow and gzip mean the content
            raise
        raise _not_a_table(kind, e) from e
    except (pa.ArrowException, ValueError, TypeError, EOFError, OverflowError, RecursionError, *DAMAGE) as e:
        raise _not_a_table(kind, e) from e
    refuse_duplicates(table.column_names)
    return table


def _validate(table: pa.Table) -> None:
    """Look at every value for what would end the process later; large tables by rows, in several threads."""
    parts = min(4, os.cpu_count() or 1)
    if parts == 1 or table.nbytes < _WORTH_THREADS:
        table.validate(full=True)
        return
    from concurrent.futures import ThreadPoolExecutor

    rows = -(-table.num_rows // parts)
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(lambda part: table.slice(part * rows, rows).validate(full=True), range(parts)))


def _content(path: Path, compressed: bool) -> bytes:
    return read_plain(path) if compressed else path.read_bytes()


def _not_a_table(kind: str, e: Exception) -> InvalidTable:
    reason = " ".join(str(e).split())[:300] or type(e).__name__
    return InvalidTable(f"the content is not a valid {kind} table ({reason}).")


def _read_arrow(path: Path) -> pa.Table:
    import pyarrow as pa

    if path.stat().st_size == 0:
        raise InvalidTable("the content is empty, not an Arrow IPC file.")
    source = pa.memory_map(os.fspath(path), "r")
    if source.read(6) == b"ARROW1":
        return pa.ipc.open_file(source).read_all()
    source.seek(0)
    return pa.ipc.open_stream(source).read_all()


def mapped_in_place(path: Path) -> pa.Table | None:
    """Map an Arrow IPC file and return its table if all of its buffers lie in the file (one batch, uncompressed)."""
    import pyarrow as pa

    region = pa.memory_map(os.fspath(path), "r").read_buffer()
    if bytes(region[:6]) != b"ARROW1":
        return None
    reader = pa.ipc.open_file(region)
    if reader.num_record_batches > 1:
        return None
    table = reader.read_all()
    start, end = region.address, region.address + region.size
    for column in table.columns:
        for chunk in column.chunks:
            if any(b is not None and b.size and not start <= b.address < end for b in chunk.buffers()):
                return None
    return table


def _read_parquet(path: Path, options: Mapping[str, Any]) -> pa.Table:
    import pyarrow.parquet as pq

    with path.open("rb") as source:
        file = pq.ParquetFile(source)
        return file.read(columns=_chosen(options, file.schema_arrow.names))


def _read_orc(path: Path, options: Mapping[str, Any]) -> pa.Table:
    from pyarrow import orc

    with path.open("rb") as source:
        file = orc.ORCFile(source)
        return file.read(columns=_chosen(options, file.schema.names))


def _chosen(options: Mapping[str, Any], there: list[str]) -> list[str] | None:
    """Return the columns to read, None for all; raise InvalidTable naming one that is not there."""
    columns: list[str] | None = options.get("columns")
    missing = [name for name in columns or () if name not in there]
    if missing:
        raise InvalidTable(f"the option 'columns' names {missing[0]!r}, which is not among the columns {there}.")
    return columns


def _read_text(raw: bytes, options: Mapping[str, Any], *, blanks_separate: bool) -> pa.Table:
    if not raw.strip():
        raise InvalidTable("the content is empty: a text table needs at least a header line.")
    if options:
        return _read_as_told(raw, options)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InvalidTable(f"the text is not UTF-8 (byte {e.start}); save it as UTF-8.") from e
    text = _without_heading_comments(text)
    first = next((line for line in _LINE_END.split(text[:1_000_000]) if line.strip()), "")
    separator = _separator(first, blanks_separate)
    fields = first.split() if separator == r"\s+" else next(csv.reader([first], delimiter=separator), [])
    fields = [field.strip() for field in fields]
    if not fields:
        raise InvalidTable("there is nothing but comments: a text table needs at least a header line.")
    headless = any(fields) and all(_is_number(field) for field in fields if field)
    if headless:
        names = [*("source", "destination")[: len(fields)], *(f"column{i}" for i in range(3, len(fields) + 1))]
    else:
        refuse_duplicates([field for field in fields if field])
        names = [field or f"column{i}" for i, field in enumerate(fields, start=1)]
    frame = _parse_text(text, separator, names, headless)
    if not fields[-1] and frame.shape[1] > 1 and frame[names[-1]].isna().all():
        frame = frame.drop(columns=names[-1])  # every line ends with a separator
    return to_arrow(frame)


def _read_as_told(raw: bytes, options: Mapping[str, Any]) -> pa.Table:
    """Read a text table with options, which then decide everything: what is not given is as pandas has it."""
    import pandas as pd

    given = dict(options)
    if given.pop("delim_whitespace", False):
        given["sep"] = r"\s+"
    if given.get("lineterminator") == "\r\n":
        del given["lineterminator"]  # what pandas takes as a line end anyway
    encoding, errors = given.pop("encoding", "utf-8-sig"), given.pop("encoding_errors", "strict")
    text = raw.decode("utf-8-sig" if encoding in ("utf-8", "utf_8") else encoding, errors)
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # dates of an unusual form
        warnings.simplefilter("error", pd.errors.ParserWarning)  # it warns where it drops fields
        try:
            return to_arrow(pd.read_csv(io.StringIO(text), low_memory=False, index_col=False, **given), warn=False)
        except (pd.errors.ParserWarning, KeyError, IndexError, AttributeError) as e:
            raise InvalidTable(f"the text cannot be read with these options ({' '.join(str(e).split())[:300]}).") from e


def read_csv(text: str, **options: Any) -> Any:
    """Read CSV text as a server wrote it into a pandas frame; values stay what they are.

    Numbers are numbers, but ``007`` stays text, and so do ``NA`` and ``None``; an empty field is missing. ``options``
    are those of ``pandas.read_csv``, and take over when given.
    """
    import pandas as pd

    if options:
        return pd.read_csv(io.StringIO(text), **options)
    names = next(csv.reader([_LINE_END.split(text, maxsplit=1)[0]]), [])
    if len(set(names)) != len(names) or "\n" in "".join(names):
        return pd.read_csv(io.StringIO(text), keep_default_na=False, na_values=[""])
    return _parse_text(text, ",", names, headless=False)


def _parse_text(text: str, separator: str, names: list[str], headless: bool) -> Any:
    import pandas as pd

    def parse(**options: Any) -> Any:
        with _filters, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # it warns where it drops fields
            return pd.read_csv(
                io.StringIO(text),
                sep=separator,
                header=None if headless else 0,
                names=names,
                index_col=False,
                skipinitialspace=True,
                keep_default_na=False,
                na_values=["", "NaN", "nan"],  # and not "NA" or "None", which are names in somebody's graph
                low_memory=False,
                **options,
            )

    try:
        if not _LEADING_ZERO.search(text):
            return parse()
        # 007 is a name, not a number: columns that hold such values stay text.
        as_text = parse(dtype=str)
        kept = [name for name in names if as_text[name].str.fullmatch(r"0\d+").any()]
        return parse(dtype=dict.fromkeys(kept, str))
    except pd.errors.ParserWarning as e:
        raise InvalidTable(f"some lines have more fields than the {len(names)} columns {names}.") from e


def _separator(line: str, blanks_separate: bool) -> str:
    """Pick the separator that stands outside quotes in the first line."""
    bare = re.sub(r'"[^"]*"', "", line)
    found = next((mark for mark in ("\t", ",", ";", "|") if mark in bare), None)
    return found or (r"\s+" if blanks_separate and bare.split()[1:] else ",")


def _without_heading_comments(text: str) -> str:
    """Drop the ``#`` lines at the top; further down a ``#`` may begin a value."""
    while text.startswith("#"):
        end = _LINE_END.search(text)
        text = text[end.end() :] if end else ""
    return text


def _is_number(value: str) -> bool:
    try:
        float(value.strip().strip('"'))
    except ValueError:
        return False
    return True
