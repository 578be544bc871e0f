"""Answer only under names of this machine, so that no web page can make a browser talk to it under a name of its own.

A page at evil.example can have its name resolve to 127.0.0.1 after it was loaded (DNS rebinding); to the browser the
server is then the page's own. The Host header tells: it still says evil.example.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from flask import Flask, Response, request

from graphistry_core.dev.loopback import is_loopback
from graphistry_core.errors import AccessDenied
from graphistry_core.gateway import error_response


def hostname_of(url: str) -> str:
    """Return the host name of a URL, or of a Host header's value."""
    try:
        return (urlsplit(url if "//" in url else f"//{url}").hostname or "").lower()
    except ValueError:
        return ""


def answer_only_as(app: Flask, names: Collection[str]) -> None:
    """Refuse requests whose Host header is neither this machine's loopback nor one of these names."""
    allowed = {name.lower() for name in names}

    def refuse_others() -> Response | None:
        name = hostname_of(request.headers.get("Host", "localhost"))
        if is_loopback(name) or name in allowed:
            return None
        answer = error_response(
            AccessDenied(
                f"The request is for {name!r}, which is not a name of this server: use 127.0.0.1 or localhost, or "
                "start it with --external-url (external_url=) naming that host."
            )
        )
        return Response(answer.body, answer.status, content_type=answer.content_type)

    app.before_request(refuse_others)
