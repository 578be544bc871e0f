"""The dev server: the Hub behind Graphistry's own HTTP endpoints, for any existing client. Loopback only by default.

``create_app(...)`` is the WSGI application, ``DevServer(port=0)`` runs it in a thread.
"""

from __future__ import annotations

from .app import create_app
from .server import DevServer

__all__ = ["DevServer", "create_app"]
