"""A request's body as it comes off a socket. May import graphistry_core."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from graphistry_core.errors import BadRequest
from graphistry_core.hub.intake import too_large

_BROKEN = "The body's chunked encoding is broken, or the connection was lost."
_LINE = 4096  # the longest line that a chunk's size with its extensions, or a trailer, may take
_TRAILERS = 100


def length_of(declared: str) -> int:
    """Return a Content-Length header's value; raise BadRequest for what is no number, as several that differ are."""
    if not (declared.isascii() and declared.isdigit()) or len(declared) > 18:
        raise BadRequest(f"The Content-Length {declared[:100]!r} is not a number of bytes.")
    return int(declared)


class Body(io.RawIOBase):
    """A request's body, whose faults are the sender's and are said as such.

    ``length`` is None for a chunked body. One of more than ``limit`` bytes is refused: before anything is read where
    the length is known, else when it gets there. ``finished`` tells whether all of it was read.
    """

    def __init__(self, source: Any, length: int | None, limit: int) -> None:
        self._source, self._left, self._limit = source, length, limit
        self._room = limit
        self._over = length is not None and length > limit
        self._ended = self._broken = False

    @property
    def finished(self) -> bool:
        """Whether nothing of this body is left on the connection."""
        return not self._broken and (self._ended if self._left is None else self._left == 0)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; raise TooLarge, or BadRequest when the body ends early or its chunks are broken."""
        if self._over:
            raise too_large(self._limit)
        if self._broken:
            raise BadRequest(_BROKEN)
        room = memoryview(buffer).cast("B")
        if self._left == 0 or self._ended:
            return 0
        count = self._read(room if self._left is None else room[: self._left])
        if self._left is not None:
            if not count and len(room):
                self._broken = True
                raise BadRequest(f"The body ended {self._left} bytes before its Content-Length.")
            self._left -= count
        elif not count and len(room):
            self._ended = True
        self._room -= count
        if self._room < 0:
            self._over = True
            raise too_large(self._limit)
        return count

    def _read(self, room: memoryview) -> int:
        try:
            if hasattr(self._source, "readinto"):
                return int(self._source.readinto(room) or 0)
            data = self._source.read(len(room))
        except Exception as e:  # a WSGI server's own errors too
            self._broken = True
            if isinstance(e, BadRequest):
                raise
            raise BadRequest(_BROKEN) from e
        room[: len(data)] = data
        return len(data)

    def drain(self) -> None:
        """Read what is left of a refused body, up to a bound: closing early would cut off the answer in a client.

        A body over the limit is not waited for: its sender gets the answer at once.
        """
        room, left = bytearray(1 << 18), 64 << 20
        with contextlib.suppress(BadRequest):
            while not self._over and not self.finished and left > 0 and (count := self.readinto(room)):
                left -= count


class Chunks(io.RawIOBase):
    """The content of a chunked body (RFC 9112, 7.1): sizes in hexadecimal digits, extensions and trailers ignored."""

    def __init__(self, source: io.BufferedIOBase) -> None:
        self._source = source
        self._left = 0
        self._first, self._ended = True, False

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with content of one chunk; 0 at the end. Raise BadRequest where the encoding is broken."""
        if self._ended:
            return 0
        if self._left == 0:
            self._next()
            if self._ended:
                return 0
        room = memoryview(buffer).cast("B")[: self._left]
        count = self._source.readinto(room)
        if not count:
            raise BadRequest(_BROKEN)
        self._left -= count
        return int(count)

    def _next(self) -> None:
        if not self._first and self._line():
            raise BadRequest(_BROKEN)
        self._first = False
        size = self._line().partition(b";")[0].strip()
        if not 0 < len(size) <= 15 or size.strip(b"0123456789abcdefABCDEF"):
            raise BadRequest(_BROKEN)
        self._left = int(size, 16)
        if self._left == 0:
            for _ in range(_TRAILERS):
                if not self._line():
                    self._ended = True
                    return
            raise BadRequest(_BROKEN)

    def _line(self) -> bytes:
        line = self._source.readline(_LINE)
        if not line.endswith(b"\n"):
            raise BadRequest(_BROKEN)
        return line.rstrip(b"\r\n")
