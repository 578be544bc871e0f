"""The dev server: the Hub behind Graphistry's own HTTP endpoints, for any existing client. Loopback only by default.

``DevServer(port=0)`` serves from a thread; ``create_app(...)`` is the same as a Flask application (extra
``devserver``), for any WSGI server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .server import DevServer

if TYPE_CHECKING:
    from .app import create_app

__all__ = ["DevServer", "create_app"]


def __getattr__(name: str) -> Any:
    # Flask costs more than half of a start, and only an application for another server needs it.
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .app import create_app

    return create_app
