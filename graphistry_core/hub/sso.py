"""Logins in the browser: states that wait for approval. May import wire and accounts."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass

from .. import wire
from ..errors import BadRequest, NotFound
from .accounts import Accounts

_WAIT_S = 25.0  # how long a token request is held: today's PyGraphistry asks only once
_KEPT = 1000


@dataclass
class _State:
    org: str | None
    username: str | None = None


class Sso:
    """Hands out states and turns approved ones into tokens.

    ``auto_approve`` (the default) approves at once, as a user called ``sso-user`` (or ``sso-<identity provider>``);
    else a state waits for :meth:`approve`. Not available where users are configured: nobody's password is checked.
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._states: dict[str, _State] = {}
        self._changed = threading.Condition()
        self.auto_approve = True
        self.wait_s = _WAIT_S

    def login(self, request: wire.SsoLogin) -> wire.SsoAnswer:
        """Begin a login; return its state and the URL where it is approved."""
        if self._accounts.strict:
            raise BadRequest("SSO is not available where users are configured; log in with a password.", status="ERR")
        state = secrets.token_urlsafe(24)
        username = f"sso-{request.idp or 'user'}" if self.auto_approve else None
        with self._changed:
            self._states[state] = _State(request.org, username)
            while len(self._states) > _KEPT:
                del self._states[next(iter(self._states))]
        return wire.SsoAnswer(state=state, auth_url=f"{request.base_url}/sso/{state}")

    def approve(self, state: str, username: str = "sso-user") -> None:
        """Sign a waiting login in as a user; raise NotFound for an unknown state."""
        with self._changed:
            self._find(state).username = username
            self._changed.notify_all()

    def token(self, request: wire.SsoToken) -> wire.SsoAnswer:
        """Return the token of an approved login, waiting a while for the approval; empty while pending."""
        with self._changed:
            found = self._find(request.state)
            self._changed.wait_for(lambda: found.username is not None, timeout=self.wait_s)
            if found.username is None:
                return wire.SsoAnswer()
            self._states.pop(request.state, None)  # a state is good for one token
        caller = self._accounts.login(found.username, "")
        organization = None if found.org is None else self._accounts.join(caller, found.org)
        return wire.SsoAnswer(token=self._accounts.token(caller), active_organization=organization)

    def reset(self) -> None:
        """Forget all states, and approve at once again."""
        with self._changed:
            self._states.clear()
        self.auto_approve, self.wait_s = True, _WAIT_S

    def _find(self, state: str) -> _State:
        if state not in self._states:
            raise NotFound("This SSO login is not known (any more): begin again.", status="ERR")
        return self._states[state]
