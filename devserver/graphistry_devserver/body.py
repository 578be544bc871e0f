"""A request's body as it comes off the socket. May import graphistry_core and Flask's request."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from flask import Request
from werkzeug.exceptions import HTTPException

from graphistry_core.errors import BadRequest
from graphistry_core.hub.intake import too_large


def body_of(request: Request, limit: int) -> Body:
    """Return the request's body, on the socket itself where its length is known: large bodies are read in place.

    Raises BadRequest for a Content-Length that is no number, or several that differ.
    """
    environ = request.environ
    declared = environ.get("CONTENT_LENGTH") or "0"
    if not (declared.isascii() and declared.isdigit()):
        raise BadRequest(f"The Content-Length {declared[:100]!r} is not a number of bytes.")
    if environ.get("wsgi.input_terminated") or request.content_length is None:
        return Body(request.stream, None, limit)
    source, length = environ["wsgi.input"], int(declared)
    return Body(source if hasattr(source, "readinto") else request.stream, length, limit)


class Body(io.RawIOBase):
    """A request's body, whose faults are the sender's and are said as such.

    ``length`` is None for a chunked body. One of more than ``limit`` bytes is refused: before anything is read where
    the length is known, else when it gets there.
    """

    def __init__(self, source: Any, length: int | None, limit: int) -> None:
        self._source, self._left, self._limit = source, length, limit
        self._room = limit
        self._over = length is not None and length > limit

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; raise TooLarge, or BadRequest when the body ends early or its chunks are broken."""
        if self._over:
            raise too_large(self._limit)
        room = memoryview(buffer).cast("B")
        if self._left == 0:
            return 0
        count = self._read(room if self._left is None else room[: self._left])
        if self._left is not None:
            if not count and len(room):
                raise BadRequest(f"The body ended {self._left} bytes before its Content-Length.")
            self._left -= count
        self._room -= count
        if self._room < 0:
            self._over = True
            raise too_large(self._limit)
        return count

    def _read(self, room: memoryview) -> int:
        try:
            if self._left is not None and hasattr(self._source, "readinto"):
                return int(self._source.readinto(room) or 0)
            data = self._source.read(len(room))
        except (HTTPException, OSError, ValueError) as e:
            raise BadRequest("The body's chunked encoding is broken, or the connection was lost.") from e
        room[: len(data)] = data
        return len(data)

    def drain(self) -> None:
        """Read what is left of a refused body, up to a bound: closing early would cut off the answer in a client.

        A body over the limit is not waited for: its sender gets the answer at once.
        """
        room, left = bytearray(1 << 18), 64 << 20
        with contextlib.suppress(BadRequest):
            while not self._over and left > 0 and (count := self.readinto(room)):
                left -= count
