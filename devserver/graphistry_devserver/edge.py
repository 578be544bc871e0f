"""What stands between a socket and the gateway: whose pages may ask, and under which names. Imports graphistry_core.

Cross-origin requests are answered to pages that are served from this machine too. Only token authentication crosses
origins: no ``Access-Control-Allow-Credentials``, so no page gets at a session cookie.

A page at evil.example can have its name resolve to 127.0.0.1 after it was loaded (DNS rebinding); to the browser the
server is then the page's own. The Host header tells: it still says evil.example.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from urllib.parse import urlsplit

from graphistry_core.dev.loopback import is_loopback
from graphistry_core.errors import AccessDenied
from graphistry_core.gateway import Gateway, error_response
from graphistry_core.messages import HttpRequest, HttpResponse

_LOCAL = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.ASCII)
_ALLOWED = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Content-Encoding, X-CSRFToken",
    "Access-Control-Max-Age": "600",
}


def hostname_of(url: str) -> str:
    """Return the host name of a URL, or of a Host header's value."""
    try:
        return (urlsplit(url if "//" in url else f"//{url}").hostname or "").lower()
    except ValueError:
        return ""


class Edge:
    """Answers requests through a gateway; with ``hosts``, only those for these host names and for loopback ones."""

    def __init__(self, gateway: Gateway, hosts: Collection[str] | None = None) -> None:
        self.gateway = gateway
        self._hosts = None if hosts is None else {name.lower() for name in hosts}

    def answer(self, http: HttpRequest) -> HttpResponse:
        """Answer a request, with the headers that let this machine's pages read it."""
        origin = http.headers.get("origin", "")
        local = _LOCAL.fullmatch(origin) is not None
        headers = {"Vary": "Origin"}
        if local:
            headers["Access-Control-Allow-Origin"] = origin
            if http.method == "OPTIONS" and "access-control-request-method" in http.headers:
                return HttpResponse(204, headers={**_ALLOWED, **headers})
        found = self._refused(http) or self.gateway.handle(http)
        varies = found.headers.get("Vary")
        if varies and varies != "Origin":
            headers["Vary"] = f"{varies}, Origin"
        return replace(found, headers={**found.headers, **headers})

    def _refused(self, http: HttpRequest) -> HttpResponse | None:
        if self._hosts is None:
            return None
        name = hostname_of(http.headers.get("host", "localhost"))
        if name in self._hosts or is_loopback(name):
            return None
        return error_response(
            AccessDenied(
                f"The request is for {name!r}, which is not a name of this server: use 127.0.0.1 or localhost, or "
                "start it with --external-url (external_url=) naming that host."
            )
        )
