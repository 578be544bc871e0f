"""Which request is which operation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from ..errors import MethodNotAllowed, NotFound, NotImplementedHere
from ..messages import Auth, HttpRequest
from .authentication import Login, PersonalKeyLogin, Refresh, SsoLogin, SsoToken, SwitchOrg, Verify
from .base import Request
from .datasets import DatasetCreate, DatasetDelete, DatasetGet, DatasetList, DatasetPatch, DatasetUpload, Share
from .files import FileCreate, FileDelete, FileGet, FileList, FilePatch, FileUpload
from .functions import FunctionCreate, FunctionDelete, FunctionGet, FunctionList, FunctionPatch, FunctionRun
from .tasks import Gfql, Python
from .viewer import SessionGet, SessionList, SingleUseUrl

VIEWER_PATH = "/graph/graph.html"
SESSION_COOKIE, CSRF_COOKIE, CSRF_HEADER = "sessionid", "csrftoken", "x-csrftoken"  # Django's names; a guess
_HEALTH = (
    "/healthz", "/healthcheck", "/ht", "/caddy/health", "/streamgl-viz/health", "/pivot/health",
    "/streamgl-sessions/health", "/streamgl-gpu/primary/health", "/streamgl-gpu/secondary/cpu/health",
    "/streamgl-gpu/secondary/gpu/health",
)  # fmt: skip
HEALTH_PATHS = tuple(path + slash for path in _HEALTH for slash in ("", "/"))

OPERATIONS: tuple[type[Request[Any]], ...] = (
    Login,
    Refresh,
    Verify,
    PersonalKeyLogin,
    SwitchOrg,
    SsoLogin,
    SsoToken,
    FileCreate,
    FileUpload,
    FileList,
    FileGet,
    FilePatch,
    FileDelete,
    DatasetCreate,
    DatasetUpload,
    DatasetGet,
    DatasetList,
    DatasetPatch,
    DatasetDelete,
    Share,
    SessionList,
    SessionGet,
    SingleUseUrl,
    Python,
    Gfql,
    FunctionList,
    FunctionCreate,
    FunctionGet,
    FunctionPatch,
    FunctionDelete,
    FunctionRun,
)


def routes() -> Iterator[tuple[str, str, type[Request[Any]]]]:
    """Yield (method, path template, operation) of everything that is served."""
    for operation in OPERATIONS:
        yield operation.method, operation.path, operation
        for method, path in operation.aliases:
            yield method, path, operation


def _pattern(template: str) -> re.Pattern[str]:
    # A trailing slash is optional: a redirect would turn a client's POST into a GET.
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template.rstrip("/")) + "/?")


_ROUTES = [(method, _pattern(path), operation) for method, path, operation in routes()]


# Routes of Graphistry's that nothing here answers yet: another error than a wrong path.
_LATER = {
    "Ending a user's logins": r"/api/v2/logout-user/.*",
}


def later() -> dict[str, str]:
    """Return what is known and not implemented here, with the pattern of its paths."""
    return dict(_LATER)


def is_graphistry_path(path: str) -> bool:
    """Say whether a path looks like one of Graphistry's, implemented here or not."""
    path = re.sub("/+", "/", path)
    return path.startswith(("/api/v1/", "/api/v2/", "/api/experimental/", "/api-token-", "/graph/"))


def match(method: str, path: str) -> tuple[type[Request[Any]], dict[str, str]]:
    """Find the operation of a request; raise NotFound or MethodNotAllowed."""
    allowed = set()
    for verb, pattern, operation in _ROUTES:
        found = pattern.fullmatch(path)
        if found and verb == method:
            return operation, found.groupdict()
        if found:
            allowed.add(verb)
    if allowed:
        raise not_allowed(method, path, allowed)
    for what, pattern_text in _LATER.items():
        if re.fullmatch(pattern_text, path):
            raise NotImplementedHere(f"{what} is not implemented by graphistry-core yet ({method} {path}).")
    raise NotFound(f"There is no route {method} {path}.")


def not_allowed(method: str, path: str, allowed: Iterable[str]) -> MethodNotAllowed:
    """Return the error of a path that is there for other methods, which it names."""
    others = sorted(allowed)
    return MethodNotAllowed(f"{method} is not possible on {path}; use {' or '.join(others)}.", allow=others)


def with_auth(http: HttpRequest, auth: Auth) -> HttpRequest:
    """Return the request with its Authorization header."""
    return replace(http, headers={**http.headers, **auth.header()})
