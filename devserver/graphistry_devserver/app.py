"""The Flask application: one view that hands every request to the gateway. May import graphistry_core and Flask."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from graphistry_core.dev import Dev
from graphistry_core.errors import BadRequest, GraphistryError, MethodNotAllowed, NotFound, TooLarge
from graphistry_core.gateway import Gateway, error_response
from graphistry_core.hub import Hub
from graphistry_core.messages import HttpRequest

from .broken import broken

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_BY_STATUS: Mapping[int, type[GraphistryError]] = {404: NotFound, 405: MethodNotAllowed, 413: TooLarge}


def create_app(hub: Hub | None = None, **hub_options: Any) -> Flask:
    """Return the WSGI application over a Hub (made from ``hub_options`` when none is given).

    ``hub_options`` are those of :class:`graphistry_core.Hub`: data_dir, users, executor, plottable, limits, clock.
    The Hub is ``app.extensions["graphistry_hub"]``; closing it is the caller's. The control side for tests is
    ``app.extensions["graphistry_dev"]``, and under ``/_dev/`` for programs on this machine.
    """
    app = Flask("graphistry_devserver", static_folder=None)
    hub = hub or Hub(**hub_options)
    gateway = Gateway(hub, Dev(hub))
    app.extensions |= {"graphistry_hub": hub, "graphistry_dev": gateway.dev}

    @app.route("/", defaults={"path": ""}, methods=_METHODS)
    @app.route("/<path:path>", methods=_METHODS)
    def serve(path: str) -> Response:  # noqa: ARG001 (the path is read from the request)
        body = _body()
        answer = gateway.handle(_request(body))
        body.drain()
        if answer.fault:
            return broken(answer, request.environ)
        return Response(answer.body, answer.status, dict(answer.headers), content_type=answer.content_type)

    @app.errorhandler(HTTPException)
    def refused(e: HTTPException) -> Response:
        # What werkzeug refuses before or while our code reads: a broken body, a bad header.
        kind = _BY_STATUS.get(e.code or 500, BadRequest)
        answer = error_response(kind(e.description or e.name))
        return Response(answer.body, answer.status, content_type=answer.content_type)

    return app


def _request(body: _Body) -> HttpRequest:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HttpRequest(request.method, request.path, request.args.to_dict(), headers, body, request.remote_addr or "")


def _body() -> _Body:
    """Return the request's body, on the socket itself where its length is known: large bodies are read in place."""
    source, length = request.environ["wsgi.input"], request.content_length
    if length is None or request.environ.get("wsgi.input_terminated") or not hasattr(source, "readinto"):
        return _Body(request.stream, None)
    return _Body(source, length)


class _Body(io.RawIOBase):
    """A request's body, whose faults are the sender's and are said as such."""

    def __init__(self, source: Any, length: int | None) -> None:
        self._source, self._left = source, length

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer; raise BadRequest when the body ends early or its chunks are broken."""
        room = memoryview(buffer).cast("B")
        try:
            if self._left is None:
                data = self._source.read(len(room))
                room[: len(data)] = data
                return len(data)
            if not self._left:
                return 0
            count = int(self._source.readinto(room[: self._left]) or 0)
        except (HTTPException, OSError, ValueError) as e:
            raise BadRequest("The body's chunked encoding is broken, or the connection was lost.") from e
        if not count:
            raise BadRequest(f"The body ended {self._left} bytes before its Content-Length.")
        self._left -= count
        return count

    def drain(self) -> None:
        """Read what is left of a refused body, up to a bound: closing early would cut off the answer in a client."""
        room, left = bytearray(1 << 18), 64 << 20
        with contextlib.suppress(BadRequest):
            while left > 0 and (count := self.readinto(room)):
                left -= count
