"""The Flask application: one view that hands every request to the gateway. May import graphistry_core and Flask."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from graphistry_core.errors import BadRequest, GraphistryError, MethodNotAllowed, NotFound, TooLarge
from graphistry_core.gateway import Gateway, error_response
from graphistry_core.hub import Hub
from graphistry_core.messages import HttpRequest

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_BY_STATUS: Mapping[int, type[GraphistryError]] = {404: NotFound, 405: MethodNotAllowed, 413: TooLarge}


def create_app(hub: Hub | None = None, **hub_options: Any) -> Flask:
    """Return the WSGI application over a Hub (made from ``hub_options`` when none is given).

    ``hub_options`` are those of :class:`graphistry_core.Hub`: data_dir, users, executor, plottable, limits, clock.
    The Hub is ``app.extensions["graphistry_hub"]``; closing it is the caller's.
    """
    app = Flask("graphistry_devserver", static_folder=None)
    gateway = Gateway(hub or Hub(**hub_options))
    app.extensions["graphistry_hub"] = gateway.hub

    @app.route("/", defaults={"path": ""}, methods=_METHODS)
    @app.route("/<path:path>", methods=_METHODS)
    def serve(path: str) -> Response:  # noqa: ARG001 (the path is read from the request)
        answer = gateway.handle(_request())
        _drain()
        return Response(answer.body, answer.status, dict(answer.headers), content_type=answer.content_type)

    @app.errorhandler(HTTPException)
    def refused(e: HTTPException) -> Response:
        # What werkzeug refuses before or while our code reads: a broken body, a bad header.
        kind = _BY_STATUS.get(e.code or 500, BadRequest)
        answer = error_response(kind(e.description or e.name))
        return Response(answer.body, answer.status, content_type=answer.content_type)

    return app


def _request() -> HttpRequest:
    return HttpRequest(
        request.method,
        request.path,
        request.args.to_dict(),
        {name.lower(): value for name, value in request.headers.items()},
        _Body(request.stream),
    )


class _Body(io.RawIOBase):
    """A request's body, whose faults are the sender's and are said as such."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """Say yes."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes; raise BadRequest when the body ends early or its chunks are broken."""
        try:
            return bytes(self._stream.read(size))
        except (HTTPException, OSError, ValueError) as e:
            raise BadRequest("The body ended before its Content-Length, or its chunked encoding is broken.") from e


def _drain() -> None:
    """Read what is left of a refused body, up to a bound: closing early would cut off the answer in a client."""
    left = 64 << 20
    with contextlib.suppress(HTTPException, OSError, ValueError):
        while left > 0 and (chunk := request.stream.read(1 << 20)):
            left -= len(chunk)
