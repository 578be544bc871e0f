"""HTTP without a web framework: decode a request, call the Hub, encode its answer or error.

The dev server and the pytest mock are both thin shells around :meth:`Gateway.handle`. May import errors, wire, the
hub and the control side.
"""

from __future__ import annotations

import contextlib
import logging
import uuid
from dataclasses import replace
from urllib.parse import urlencode

from . import browser, wire
from .dashboard import Dashboard, is_dashboard
from .dev import Dev, Visit
from .dev.control import Control, is_control
from .dev.masks import scrub_path
from .errors import GraphistryError, MethodNotAllowed, NotAuthenticated, NotFound, NotImplementedHere, ServerError
from .hub import Hub
from .hub import page as pages
from .messages import HttpRequest, HttpResponse
from .viewer.page import DATA_PATH, STATIC_PATH, asset
from .viewer.scene import PARTS
from .wire.routes import not_allowed

log = logging.getLogger("graphistry_core")
_HTML = "text/html; charset=utf-8"


class Gateway:
    """Answers HTTP requests from a Hub; never raises for what a request holds.

    With ``dev`` it keeps a journal, applies faults, and answers the control side under ``/_dev/``.
    """

    def __init__(self, hub: Hub, dev: Dev | None = None) -> None:
        self.hub = hub
        self.dev = dev
        self._control = None if dev is None else Control(dev)
        self._dashboard = None if dev is None else Dashboard(dev, self.handle)

    def handle(self, http: HttpRequest) -> HttpResponse:
        """Answer one request: the operation's answer, a page, or a JSON error."""
        visit = Visit(http)
        try:
            if self._control is not None and is_control(http.path):
                return self._control.answer(http)
            if self._dashboard is not None and is_dashboard(http.path):
                return self._dashboard.answer(http)
            answer = self._answer(visit)
        except GraphistryError as e:
            visit.error, answer = e, error_response(e)
        except Exception:
            reference = uuid.uuid4().hex[:8]
            with contextlib.suppress(Exception):  # an exception may even spoil its own traceback
                log.exception("request %s %s failed (reference %s)", http.method, scrub_path(http.path), reference)
            visit.error = ServerError(f"The server failed; its log has the traceback under {reference}.")
            answer = error_response(visit.error)
        return answer if self.dev is None or is_control(http.path) else self.dev.leave(visit, answer)

    def _answer(self, visit: Visit) -> HttpResponse:
        http, page = visit.http, _page(visit.http)
        if page is None:
            visit.kind, visit.params = self._match(visit)
            if visit.kind.auth != "none":
                visit.auth = browser.auth_of(http)
        visit.operation = page or visit.kind.operation  # type: ignore[union-attr]
        given = None if self.dev is None else self.dev.enter(visit)
        if given is not None:
            return given
        if page == "health":
            return _health(http)
        if page == "viewer":
            return self._viewer(visit)
        if page == "viewer_file":
            return _asset(http.path)
        if page == "viewer_data":
            return self._viewer_data(http)
        if page == "sso_page":
            return self._signed_in(http.path.removeprefix("/sso/").rstrip("/"))
        if page == "login_page":
            return browser.respond(http, self.hub)
        return self._call(visit)

    def _match(self, visit: Visit) -> tuple[type[wire.Request[wire.Answer]], dict[str, str]]:
        try:
            return wire.match(visit.http.method, visit.http.path)
        except (NotFound, MethodNotAllowed, NotImplementedHere):
            if self.dev is not None:
                self.dev.unrouted(visit)
            raise

    def _call(self, visit: Visit) -> HttpResponse:
        assert visit.kind is not None
        if visit.kind.auth == "bearer":
            visit.user = self.hub.caller(visit.auth).username  # before the body is read
        if self.dev is not None:
            self.dev.look(visit)
        visit.answer = self.hub.call(visit.kind.decode(visit.params, visit.http), visit.auth, visit.http.gone)
        return visit.answer.encode()

    def _viewer(self, visit: Visit) -> HttpResponse:
        http = visit.http
        dataset_id = http.query.get("dataset", "")
        auth = browser.auth_of(http)
        try:
            caller = self.hub.caller(auth) if auth.scheme == "bearer" else None
            visit.user = None if caller is None else caller.username
            page = self.hub.page(dataset_id, caller, http.query.get("single_use", ""), look_only=http.method == "HEAD")
            headers = {"Content-Security-Policy": page.policy, "Referrer-Policy": "no-referrer"}
            return HttpResponse(200, page.body, _HTML, headers)
        except NotFound:
            sentence = f"There is no dataset {dataset_id!r} here, or it is private."
            title, status = "Dataset not found", 404
        except NotAuthenticated as e:
            sentence, title, status = e.message, "Not logged in", 401
        back = urlencode({"next": f"{http.path}?{urlencode(dict(http.query))}"})
        login = None if visit.user else (f"{browser.LOGIN_PATH}?{back}", "Log in")
        return HttpResponse(status, pages.render_error(title, sentence, login), _HTML)

    def _viewer_data(self, http: HttpRequest) -> HttpResponse:
        dataset_id, _, name = http.path.removeprefix(DATA_PATH).partition("/")
        scene = self.hub.page_scene(dataset_id, http.query.get("session", ""))
        if name == "collections":
            return HttpResponse.of_json(scene.collections(http.query.get("collections", "")))
        if name not in PARTS:
            raise NotFound(f"A page has no part {name!r}.")
        part = scene.part(name)
        if isinstance(part, dict):
            return HttpResponse.of_json(part)
        return HttpResponse(200, part, "application/vnd.apache.arrow.stream")

    def _signed_in(self, state: str) -> HttpResponse:
        try:
            self.hub.sso.approve(state)
            title, sentence, status = "Signed in", "You can close this page and go back to your program.", 200
        except NotFound as e:
            title, sentence, status = "Unknown login", e.message, 404
        return HttpResponse(status, pages.render_error(title, sentence), _HTML)


def _page(http: HttpRequest) -> str | None:
    """Return which page beside the protocol's operations is asked for, if any."""
    if http.path in wire.HEALTH_PATHS or f"{http.path}/" in wire.HEALTH_PATHS:
        return "health"
    if http.path.rstrip("/") == wire.VIEWER_PATH and http.method in ("GET", "HEAD"):
        return "viewer"
    if http.path.startswith(STATIC_PATH) and http.method in ("GET", "HEAD"):
        return "viewer_file"
    if http.path.startswith(DATA_PATH) and http.method == "GET":
        return "viewer_data"
    if http.path.startswith("/sso/") and http.method == "GET":
        return "sso_page"
    return "login_page" if browser.is_page(http.path) else None


def _health(http: HttpRequest) -> HttpResponse:
    if http.method not in ("GET", "HEAD"):
        raise not_allowed(http.method, http.path, ("GET", "HEAD"))
    return HttpResponse.of_json({"success": True, "status": "OK"})


def _asset(path: str) -> HttpResponse:
    found = asset(path.removeprefix(STATIC_PATH))
    if found is None:
        raise NotFound(f"The viewer has no file {path!r}.")
    return HttpResponse(200, found[0], found[1], {"Cache-Control": "no-cache"})


def error_response(e: GraphistryError) -> HttpResponse:
    """Return the JSON form of an error: ``{"success": false, "error", "message", "code", …}`` with its status."""
    answer = HttpResponse.of_json(e.to_body(), e.status)
    wait, allow = e.details.get("retry_after_s"), e.details.get("allow")
    headers = {} if wait is None else {"Retry-After": str(wait)}
    if allow:
        headers["Allow"] = ", ".join(allow)
    return replace(answer, headers=headers)
