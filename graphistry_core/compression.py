"""Compressed bytes to plain ones, on disk and never more than a bound. Imports errors only."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .errors import InvalidTable, MissingDependency, TooLarge

_CHUNK = 1 << 18
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz"}
DAMAGE = (EOFError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)  # what decompressors raise
_DAMAGE = (*DAMAGE, OSError, ValueError)


def sniff(path: Path) -> str:
    """Return the compression that a file's first bytes are a sign of ('gzip', 'bz2', 'xz'), or ''."""
    with path.open("rb") as file:
        head = file.read(6)
    return next((codec for magic, codec in _MAGIC.items() if head.startswith(magic)), "")


def read_plain(path: Path) -> bytes:
    """Return a file's content, decompressed if its first bytes say that it is compressed."""
    codec = sniff(path)
    if not codec:
        return path.read_bytes()
    with _OPEN[codec](path) as stream:
        return bytes(stream.read())


def expand(source: Path, codec: str, target: Path, limit: int) -> None:
    """Write the decompressed content of a file to another.

    Raises TooLarge as soon as it grows over ``limit`` bytes, and InvalidTable when it is damaged.
    """
    left = limit
    with target.open("wb") as sink:
        for part in _parts(source, codec):
            left -= len(part)
            if left < 0:
                raise TooLarge(
                    f"The {codec} content is over {limit} bytes when decompressed, the limit of this server."
                )
            sink.write(part)


def _parts(source: Path, codec: str) -> Iterator[bytes]:
    """Yield the content in pieces; what goes wrong while decompressing is the content's fault."""
    try:
        stream = _OPEN[codec](source)
    except InvalidTable:
        raise
    except _DAMAGE as e:
        raise _damaged(codec, e) from e
    with contextlib.closing(stream):
        while True:
            try:
                part = stream.read(_CHUNK)
            except _DAMAGE as e:
                raise _damaged(codec, e) from e
            if not part:
                return
            yield bytes(part)


def _damaged(codec: str, e: Exception) -> InvalidTable:
    reason = " ".join(str(e).split())[:200] or type(e).__name__
    return InvalidTable(f"the content cannot be decompressed as {codec} ({reason}).")


class _Deflate:
    """The 'deflate' of HTTP: a zlib stream, or, as some senders have it, one without the wrapper."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        head = self._file.read(2)
        self._file.seek(0)
        wrapped = len(head) == 2 and head[0] & 15 == 8 and int.from_bytes(head) % 31 == 0
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; b'' at the end of the stream."""
        while not self._inflate.eof:
            raw = self._inflate.unconsumed_tail or self._file.read(_CHUNK)
            part = self._inflate.decompress(raw, size)
            if part:
                return part
            if not raw:
                raise EOFError("it ends early")
        return b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _ZipMember:
    """The one file in a zip archive."""

    def __init__(self, path: Path) -> None:
        self._archive = zipfile.ZipFile(path)
        try:
            members = [m for m in self._archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
            if len(members) != 1:
                raise InvalidTable(f"a zip archive must hold one file to be a table; this one holds {len(members)}.")
            self._member = self._archive.open(members[0])
        except BaseException:
            self._archive.close()
            raise

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; b'' at the end."""
        return self._member.read(size)

    def close(self) -> None:
        """Close member and archive."""
        self._member.close()
        self._archive.close()


def _open_zstd(path: Path) -> Any:
    import pyarrow as pa

    if not pa.Codec.is_available("zstd"):
        raise MissingDependency("This pyarrow was built without zstd: send gzip instead, or install another pyarrow.")
    return pa.CompressedInputStream(pa.OSFile(str(path), "rb"), "zstd")


_OPEN: dict[str, Callable[[Path], Any]] = {
    "gzip": gzip.open,
    "bz2": bz2.open,
    "xz": lzma.open,
    "zip": _ZipMember,
    "deflate": _Deflate,
    "zstd": _open_zstd,
}
