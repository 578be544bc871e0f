"""Answers that are broken off on purpose, for the faults of the control side. May import graphistry_core and Flask."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Response

from graphistry_core.messages import HttpResponse


def broken(answer: HttpResponse, environ: Mapping[str, Any]) -> Response:
    """Return a response that ends without a word ('drop'), or after half of its body ('truncate').

    Where the server is werkzeug's the connection is closed; any other aborts it as it does when an application fails.
    """
    part = answer.body[: len(answer.body) // 2] if answer.fault == "truncate" else b""
    response = Response(_breaking(part, environ, said=answer.fault == "truncate"), answer.status, dict(answer.headers))
    response.content_type = answer.content_type
    response.headers["Content-Length"] = str(max(len(answer.body), 1))
    return response


def _breaking(part: bytes, environ: Mapping[str, Any], *, said: bool) -> Iterator[bytes]:
    if said:
        yield part
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("a fault of the control side ends this connection")
