"""How a session reaches a server: in this process, or over HTTP."""

from __future__ import annotations

from .base import Transport
from .http import HttpTransport
from .local import LocalTransport, local_hub

__all__ = ["HttpTransport", "LocalTransport", "Transport", "local_hub"]
