"""Tables from files and from bytes that nobody vouched for. Imports errors and frames only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import InvalidTable
from .frames import refuse_duplicates, to_arrow

if TYPE_CHECKING:
    import pyarrow as pa


_SUFFIXES = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".tab": "csv", ".edges": "csv", ".edgelist": "csv", ".el": "csv",
    ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".parquet": "parquet", ".pq": "parquet", ".orc": "orc",
    ".arrow": "arrow", ".feather": "arrow", ".ipc": "arrow",
}  # fmt: skip
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")


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
        return parse(where, kind)
    except OSError as e:
        raise InvalidTable(f"{where} cannot be read: {e.strerror or e}.") from e
    except InvalidTable as e:
        raise InvalidTable(f"{where}: {e.message}") from e


def parse(path: Path, kind: str) -> pa.Table:
    """Read a table of a given type ('arrow', 'csv', 'json', 'parquet', 'orc') from a file on disk.

    The bytes are not trusted: Arrow data is fully validated. Raises InvalidTable with the reason.
    """
    import pyarrow as pa

    readers = {"arrow": _read_arrow, "csv": _read_text, "json": _read_json, "parquet": _read_parquet, "orc": _read_orc}
    try:
        table = readers[kind](path)
        table.validate(full=True)
    except InvalidTable:
        raise
    except (pa.ArrowException, ValueError, TypeError, EOFError, OverflowError) as e:
        reason = " ".join(str(e).split())[:300] or type(e).__name__
        raise InvalidTable(f"the content is not a valid {kind} table ({reason}).") from e
    except OSError as e:
        if e.errno is not None:  # the file itself; without an errno pyarrow means the content
            raise
        raise InvalidTable(f"the content is not a valid {kind} table ({' '.join(str(e).split())[:300]}).") from e
    refuse_duplicates(table.column_names)
    return table


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


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    with path.open("rb") as source:
        return pq.read_table(source)


def _read_orc(path: Path) -> pa.Table:
    from pyarrow import orc

    with path.open("rb") as source:
        return orc.read_table(source)


def _read_json(path: Path) -> pa.Table:
    """Records, a columnar object, or JSON lines."""
    import orjson
    import pyarrow as pa

    raw = _open_bytes(path)
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError:
        document = [orjson.loads(line) for line in raw.splitlines() if line.strip()]
    if isinstance(document, list) and all(isinstance(row, dict) for row in document):
        names = list(dict.fromkeys(name for row in document for name in row))
        columns = {name: [row.get(name) for row in document] for name in names}
    elif isinstance(document, dict):
        # The Node client adds these two to the columns it was given.
        drop = {name for name in ("agent_name", "agent_version") if isinstance(document.get(name), str)}
        columns = {name: values for name, values in document.items() if name not in drop}
        columns = {n: list(v.values()) if isinstance(v, dict) else v for n, v in columns.items()}
        if not all(isinstance(values, list) for values in columns.values()):
            raise InvalidTable("JSON must be an array of objects, or an object of arrays (one per column).")
    else:
        raise InvalidTable("JSON must be an array of objects, or an object of arrays (one per column).")
    import pandas as pd

    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InvalidTable(f"the JSON columns differ in length: {lengths}.")
    try:
        return pa.table(columns)
    except pa.ArrowException:
        return to_arrow(pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()}))


def _open_bytes(path: Path) -> bytes:
    """Read a file, through the decompressor that its suffix or first bytes ask for."""
    import bz2
    import gzip
    import lzma

    with path.open("rb") as source:
        magic = source.read(6)
    opener: Any = open
    if magic[:2] == b"\x1f\x8b":
        opener = gzip.open
    elif magic[:3] == b"BZh":
        opener = bz2.open
    elif magic == b"\xfd7zXZ\x00":
        opener = lzma.open
    with opener(path, "rb") as source:
        return bytes(source.read())


def _read_text(path: Path) -> pa.Table:
    import io

    import pandas as pd

    raw = _open_bytes(path)
    if not raw.strip():
        raise InvalidTable("the content is empty: a text table needs at least a header line.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise InvalidTable(f"the text is not UTF-8 (byte {e.start}); save it as UTF-8.") from e
    text = _without_heading_comments(text)
    first = next((line for line in text[:100_000].splitlines() if line.strip()), "")
    separator = next((mark for mark in ("\t", ",", ";", "|") if mark in first), r"\s+")
    fields = first.split() if separator == r"\s+" else first.split(separator)
    headless = bool(fields) and all(_is_number(value) for value in fields)
    names = [*("source", "destination")[: len(fields)], *(f"column{i}" for i in range(3, len(fields) + 1))]
    frame = pd.read_csv(
        io.StringIO(text),
        sep=separator,
        header=None if headless else 0,
        names=names if headless else None,
        skipinitialspace=True,
        low_memory=False,
    )
    return to_arrow(frame)


def _without_heading_comments(text: str) -> str:
    """Drop the ``#`` lines at the top; further down a ``#`` may begin a value."""
    while text.startswith("#"):
        text = text[len(text.splitlines(keepends=True)[0]) :] if "\n" not in text[:4096] else text.partition("\n")[2]
    return text


def _is_number(value: str) -> bool:
    try:
        float(value.strip().strip('"'))
    except ValueError:
        return False
    return True
