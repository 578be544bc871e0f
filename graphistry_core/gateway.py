"""HTTP without a web framework: decode a request, call the Hub, encode its answer or error.

The dev server and the pytest mock are both thin shells around :meth:`Gateway.handle`. May import errors, wire and
the hub.
"""

from __future__ import annotations

import contextlib
import logging
import uuid

from . import wire
from .errors import GraphistryError, NotAuthenticated, NotFound, ServerError
from .hub import Hub
from .hub import page as pages
from .messages import Auth, HttpRequest, HttpResponse

log = logging.getLogger("graphistry_core")
_HTML = "text/html; charset=utf-8"


class Gateway:
    """Answers HTTP requests from a Hub; never raises for what a request holds."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def handle(self, http: HttpRequest) -> HttpResponse:
        """Answer one request: the operation's answer, a page, or a JSON error."""
        try:
            if http.path in wire.HEALTH_PATHS or f"{http.path}/" in wire.HEALTH_PATHS:
                return HttpResponse.of_json({"success": True, "status": "OK"})
            if http.path.rstrip("/") == wire.VIEWER_PATH and http.method in ("GET", "HEAD"):
                return self._viewer(http)
            if http.path.startswith("/sso/") and http.method == "GET":
                return self._signed_in(http.path.removeprefix("/sso/").rstrip("/"))
            operation, params = wire.match(http.method, http.path)
            auth = Auth.from_header(http.headers.get("authorization"))
            if operation.auth == "bearer":
                self.hub.caller(auth)  # before the body is read
            answer: wire.Answer = self.hub.call(operation.decode(params, http), auth)
            return answer.encode()
        except GraphistryError as e:
            return error_response(e)
        except Exception:
            reference = uuid.uuid4().hex[:8]
            with contextlib.suppress(Exception):  # an exception may even spoil its own traceback
                log.exception("request %s %s failed (reference %s)", http.method, http.path, reference)
            return error_response(ServerError(f"The server failed; its log has the traceback under {reference}."))

    def _viewer(self, http: HttpRequest) -> HttpResponse:
        dataset_id = http.query.get("dataset", "")
        auth = Auth.from_header(http.headers.get("authorization"))
        try:
            caller = self.hub.caller(auth) if auth.scheme == "bearer" else None
            return HttpResponse(200, self.hub.page(dataset_id, caller), _HTML)
        except NotFound:
            sentence = f"There is no dataset {dataset_id!r} here, or it is private."
            title, status = "Dataset not found", 404
        except NotAuthenticated as e:
            sentence, title, status = e.message, "Not logged in", 401
        return HttpResponse(status, pages.render_error(title, sentence), _HTML)

    def _signed_in(self, state: str) -> HttpResponse:
        try:
            self.hub.sso.approve(state)
            title, sentence, status = "Signed in", "You can close this page and go back to your program.", 200
        except NotFound as e:
            title, sentence, status = "Unknown login", e.message, 404
        return HttpResponse(status, pages.render_error(title, sentence), _HTML)


def error_response(e: GraphistryError) -> HttpResponse:
    """Return the JSON form of an error: ``{"success": false, "error", "message", "code", …}`` with its status."""
    return HttpResponse.of_json(e.to_body(), e.status)
