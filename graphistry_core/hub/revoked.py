"""Tokens that are ended before their time: expired or revoked by a test. Imports errors only."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from ..errors import NotAuthenticated, TokenExpired

EVERYBODY = "*"


def token_id() -> str:
    """Return a fresh ``jti``: 32 hex digits, of which the first 16 are when it was made, in nanoseconds."""
    return f"{time.time_ns():016x}{uuid.uuid4().hex[:16]}"


class Revoked:
    """What was ended, in memory: single tokens by their ``jti``, and all tokens that a user got up to a moment.

    ``expired`` tokens are answered as old ones are (a client may log in again by itself), others as worthless ones.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, bool] = {}
        self._users: dict[str, tuple[int, bool]] = {}

    def end_token(self, claims: Mapping[str, Any], *, expired: bool) -> None:
        """End one token."""
        self._tokens[str(claims.get("jti"))] = expired

    def end_user(self, username: str, *, expired: bool) -> None:
        """End all tokens given to a user so far (``EVERYBODY``: to anyone)."""
        self._users[username] = (time.time_ns(), expired)

    def check(self, claims: Mapping[str, Any]) -> None:
        """Raise TokenExpired or NotAuthenticated when a token with these claims was ended."""
        if not self._tokens and not self._users:
            return
        jti = str(claims.get("jti"))
        if jti in self._tokens:
            _refuse(expired=self._tokens[jti])
        for username in (str(claims.get("username")), EVERYBODY):
            ended = self._users.get(username)
            if ended is not None and _made_at(jti) <= ended[0]:
                _refuse(expired=ended[1])

    def clear(self) -> None:
        """Forget everything: what was ended is good again, if its time allows."""
        self._tokens.clear()
        self._users.clear()

    def copy(self) -> Revoked:
        """Return the same state as another object."""
        other = Revoked()
        other.take(self)
        return other

    def take(self, other: Revoked) -> None:
        """Become as another one is."""
        self._tokens, self._users = dict(other._tokens), dict(other._users)


def _made_at(jti: str) -> int:
    try:
        return int(jti[:16], 16)
    except ValueError:
        return 0


def _refuse(*, expired: bool) -> None:
    if expired:
        raise TokenExpired("Token has expired.")
    raise NotAuthenticated("The token was revoked: log in for a new one.")
