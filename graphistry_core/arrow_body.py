"""A table as the bytes of an Arrow IPC file, without a copy of the table. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

_PIECE = 1 << 20


class _Parts:
    """A file that keeps what is written to it by reference: Arrow hands over a column's own buffers."""

    closed = False

    def __init__(self) -> None:
        self.parts: list[memoryview] = []
        self.size = 0

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B") if len(data) else memoryview(b"")
        self.parts.append(view)
        self.size += len(view)
        return len(view)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing to close."""


class ArrowBody:
    """The bytes of an Arrow IPC *file* (what clients send), made of the table's own memory.

    Has a length and can be iterated any number of times, in pieces of at most a MiB: a socket's timeout is for all of
    a piece, so a column in one would have to be gone in ten seconds. ``tobytes()`` joins them.
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    @cached_property
    def _written(self) -> _Parts:
        import pyarrow as pa

        sink = _Parts()
        with pa.PythonFile(sink, mode="w") as file, pa.ipc.new_file(file, self.table.schema) as writer:
            writer.write_table(self.table)
        return sink

    def __len__(self) -> int:
        return self._written.size

    def __iter__(self) -> Iterator[memoryview]:
        for part in self._written.parts:
            for start in range(0, len(part), _PIECE):
                yield part[start : start + _PIECE]

    def tobytes(self) -> bytes:
        """Return all of it in one piece."""
        return b"".join(self._written.parts)

    @cached_property
    def content_key(self) -> str:
        """A hash of the content (XXH3, 128 bits): different content has a different key.

        It covers what is sent, in which a slice is already cut to size, so two slices of one table differ. (Padding at
        the end of a slice's strings can differ too: then equal content is sent twice, and nothing is wrong.)
        """
        import xxhash

        digest = xxhash.xxh3_128()
        for part in self:
            digest.update(part)
        return digest.hexdigest()
