"""The contract of a transport. May import wire only."""

from __future__ import annotations

from typing import Protocol

from .. import wire
from ..messages import Auth


class Transport(Protocol):
    """Carries operations to a server and its answers back.

    A transport raises the project's errors: what the server refused as the class the server names, no answer as
    ServerUnreachable, a wrong one as MalformedAnswer.
    """

    place: str
    """What tells one server from another: its URL, or the Hub's identity."""

    default_login: wire.Login | None
    """The login to use for a session that was given no credentials; None when the server needs real ones."""

    def call(self, request: wire.Request[wire.A], auth: Auth) -> wire.A:
        """Carry out one operation."""

    def viewer_url(self, base: str, query: str, dataset_id: str) -> str:
        """Return the URL where a person sees a dataset; ``base`` is protocol and host, ``query`` the parameters."""

    def close(self) -> None:
        """Release connections."""
