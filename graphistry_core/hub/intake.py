"""The bytes of an upload to tables: received, decompressed and read, never more than a bound.

May import errors, readers, compression, table_options and table_process; knows nothing of records.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import compression, readers, table_process
from ..errors import TooLarge
from ..table_options import Reading

if TYPE_CHECKING:
    import pyarrow as pa

MAX_UPLOAD_BYTES = 1 << 30  # what a private Graphistry server takes (UPLOAD_MAX_SIZE)
_CHUNK = 1 << 20
_UNFOLDING = 8  # how many times its bytes a Parquet file may say that it holds


def read_upload(
    body: Any, kind: str, reading: Reading, work: Path, limit: int
) -> tuple[list[tuple[str, pa.Table]], Path]:
    """Return the (name, table) pairs in an uploaded body, and the plain file they were read from, inside ``work``.

    There is more than one table only in a workbook. Raises InvalidTable, and TooLarge as soon as the body, or what it
    unfolds to, grows over ``limit`` bytes.
    """
    table_process.check_installed(kind)  # before a large body is read in vain
    path = work / "body"
    _receive(body, path, limit)
    path = _plain(path, kind, reading, limit)
    if kind in table_process.IN_PROCESS:
        return table_process.parse_apart(path, kind, reading.options, limit), path
    if kind == "parquet":
        _refuse_unfolding(path, limit)
    return [("", readers.parse(path, kind, reading.options))], path


def _receive(body: Any, path: Path, limit: int) -> None:
    """Write a body to disk as it comes, through one buffer."""
    left = limit
    with path.open("wb", buffering=0) as file:
        for part in _parts(body):
            left -= len(part)
            if left < 0:
                raise too_large(limit)
            file.write(part)


def _parts(body: Any) -> Iterator[bytes | memoryview]:
    if isinstance(body, bytes | bytearray | memoryview):
        yield body if isinstance(body, bytes) else memoryview(body)
        return
    room = memoryview(bytearray(_CHUNK))
    while count := body.readinto(room):
        yield room[:count]


def too_large(limit: int) -> TooLarge:
    """Return the error for a body over the limit."""
    return TooLarge(f"The upload is over {limit} bytes, the limit of this server (max_upload_bytes).")


def _plain(path: Path, kind: str, reading: Reading, limit: int) -> Path:
    """Undo the transfer's encodings, then the file's own compression: the one declared, or for text the one seen."""
    for codec in reading.encodings:
        path = _expanded(path, codec, limit)
    codec = reading.compression
    if not codec and kind in ("csv", "json"):
        codec = compression.sniff(path)
    return _expanded(path, codec, limit) if codec else path


def _expanded(path: Path, codec: str, limit: int) -> Path:
    target = path.with_name(f"{path.name}.{codec}")
    compression.expand(path, codec, target, limit)
    path.unlink()
    return target


def _refuse_unfolding(path: Path, limit: int) -> None:
    """Refuse a Parquet file that announces far more than it may be; one that does not say is refused when read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        about = pq.read_metadata(path)
        size = sum(about.row_group(place).total_byte_size for place in range(about.num_row_groups))
    except (pa.ArrowException, OSError, ValueError):
        return  # the reader says what is wrong
    if max(size, about.num_rows * about.num_columns) > _UNFOLDING * limit:
        raise TooLarge(
            f"The Parquet file unfolds to over {_UNFOLDING * limit} bytes, {_UNFOLDING} times the limit here."
        )
