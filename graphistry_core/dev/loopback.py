"""Which addresses are this machine's own, and which requests may therefore reach the control side."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from ..errors import AccessDenied
from ..messages import HttpRequest

_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def is_loopback(host: str) -> bool:
    """Say whether an address can be reached from this machine only."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def require_local(http: HttpRequest) -> None:
    """Raise AccessDenied unless a request comes from a program on this machine.

    The peer must be loopback and no proxy in between; and since a browser here can be made to send requests by any
    site it has open, so must be the host it asked for, and the page it comes from must be this server's own.
    """
    if not is_loopback(http.remote) or any(name in http.headers for name in _FORWARDED):
        raise AccessDenied("The control side answers only programs on the server's own machine, without a proxy.")
    host = http.headers.get("host")
    if host is not None and not is_loopback(urlsplit(f"//{host}").hostname or ""):
        raise AccessDenied("The control side is reached as 127.0.0.1 or localhost only.")
    origin = http.headers.get("origin")
    elsewhere = http.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    if elsewhere or (origin is not None and (host is None or urlsplit(origin).netloc != host)):
        raise AccessDenied("The control side is not for pages of other sites.")
