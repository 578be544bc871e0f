"""Cross-origin requests, for pages that are served from this machine too. May import Flask.

Only token authentication crosses origins: no ``Access-Control-Allow-Credentials``, so no page gets at a session cookie.
"""

from __future__ import annotations

import re

from flask import Flask, Response, request

_LOCAL = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.ASCII)
_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding, X-CSRFToken",
    "Access-Control-Max-Age": "600",
}


def is_local(origin: str) -> bool:
    """Say whether an Origin header names a page of this machine, on any port."""
    return _LOCAL.fullmatch(origin) is not None


def allow_local_pages(app: Flask) -> None:
    """Answer preflights, and let pages from localhost read the answers; to others the headers are not given."""

    @app.before_request
    def preflight() -> Response | None:
        asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204, headers=_ALLOWED) if asked and is_local(request.headers.get("Origin", "")) else None

    @app.after_request
    def allow(answer: Response) -> Response:
        origin = request.headers.get("Origin", "")
        answer.vary.add("Origin")
        if is_local(origin):
            answer.headers["Access-Control-Allow-Origin"] = origin
        return answer
