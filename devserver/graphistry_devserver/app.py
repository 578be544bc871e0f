"""The Flask application, for any WSGI server: one view that hands every request to the gateway. Imports Flask."""

from __future__ import annotations

import codecs
from collections.abc import Collection, Mapping
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from graphistry_core.dev import Dev
from graphistry_core.errors import BadRequest, GraphistryError, MethodNotAllowed, NotFound, TooLarge
from graphistry_core.gateway import Gateway, error_response
from graphistry_core.hub import Hub
from graphistry_core.messages import HttpRequest, HttpResponse

from .body import Body, length_of
from .broken import broken
from .edge import Edge

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_BY_STATUS: Mapping[int, type[GraphistryError]] = {404: NotFound, 405: MethodNotAllowed, 413: TooLarge}


def create_app(hub: Hub | None = None, *, hosts: Collection[str] | None = None, **hub_options: Any) -> Flask:
    """Return the WSGI application over a Hub (made from ``hub_options`` when none is given).

    ``hub_options`` are those of :class:`graphistry_core.Hub`: data_dir, users, executor, plottable, limits, clock.
    The Hub is ``app.extensions["graphistry_hub"]``; closing it is the caller's. The control side for tests is
    ``app.extensions["graphistry_dev"]``, and under ``/_dev/`` for programs on this machine. With ``hosts``
    only requests for these host names and for loopback ones are answered (DevServer does so on a loopback address).
    """
    app = Flask("graphistry_devserver", static_folder=None)
    codecs.lookup("idna")  # werkzeug's; first looked up while another thread imports, it can be "unknown"
    hub = hub or Hub(**hub_options)
    gateway = Gateway(hub, Dev(hub))
    edge = Edge(gateway, hosts)
    app.extensions |= {"graphistry_hub": hub, "graphistry_dev": gateway.dev}

    @app.route("/", defaults={"path": ""}, methods=_METHODS, provide_automatic_options=False)
    @app.route("/<path:path>", methods=_METHODS, provide_automatic_options=False)
    def serve(path: str) -> Response:  # noqa: ARG001 (the path is read from the request)
        try:
            body = _body(hub.store.max_upload_bytes)
        except BadRequest as e:
            return _response(error_response(e))
        answer = edge.answer(_request(body))
        body.drain()
        if answer.fault:
            return broken(answer, request.environ)
        return _response(answer)

    @app.errorhandler(HTTPException)
    def refused(e: HTTPException) -> Response:
        # What werkzeug refuses before or while our code reads: a broken body, a bad header.
        kind = _BY_STATUS.get(e.code or 500, BadRequest)
        return _response(error_response(kind(e.description or e.name)))

    return app


def _response(answer: HttpResponse) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers), content_type=answer.content_type)


def _body(limit: int) -> Body:
    environ = request.environ
    declared = length_of(environ.get("CONTENT_LENGTH") or "0")
    if environ.get("wsgi.input_terminated") or request.content_length is None:
        return Body(request.stream, None, limit)
    source = environ["wsgi.input"]
    return Body(source if hasattr(source, "readinto") else request.stream, declared, limit)


def _request(body: Body) -> HttpRequest:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return HttpRequest(request.method, request.path, request.args.to_dict(), headers, body, request.remote_addr or "")
