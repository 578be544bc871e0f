"""What a test changes of a Hub's accounts: tokens and feature flags."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import BadRequest
from ..hub import Hub


class Tokens:
    """Ends tokens before their time."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def expire(self, user: str | None = None, *, token: str | None = None) -> None:
        """Make a token, all tokens of a user so far, or everybody's as old as if their hour were over."""
        self._hub.accounts.end_tokens(user, token, expired=True)

    def revoke(self, user: str | None = None, *, token: str | None = None) -> None:
        """Make tokens worthless: 401, as for one that was never given."""
        self._hub.accounts.end_tokens(user, token, expired=False)

    def clear(self) -> None:
        """Take all of that back."""
        self._hub.accounts.revoked.clear()


class Flags:
    """The feature flags: the server's, and what single users have of their own."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def get(self, user: str | None = None) -> dict[str, bool]:
        """Return the flags of the server, or as they are for a user."""
        accounts = self._hub.accounts
        own = {} if user is None else accounts.user_flags.get(user, {})
        return {**accounts.flags, **own}

    def set(self, user: str | None = None, **flags: bool | None) -> dict[str, bool]:
        """Change flags of the server, or of one user (None: the server's counts again); return them all."""
        return self.update(flags, user)

    def update(self, flags: Mapping[str, bool | None], user: str | None = None) -> dict[str, bool]:
        """Change flags as :meth:`set` does; raise BadRequest for a name or value that is none, and change nothing."""
        accounts = self._hub.accounts
        for name, value in flags.items():
            if name not in accounts.flags:
                raise BadRequest(f"There is no flag {name!r}; there are {', '.join(accounts.flags)}.")
            if not isinstance(value, bool) and (value is not None or user is None):
                raise BadRequest(f"The flag {name} is {value!r}; it must be true or false.")
        own = accounts.flags if user is None else accounts.user_flags.get(user, {})
        changed = {name: value for name, value in {**own, **flags}.items() if value is not None}
        if user is None:
            accounts.flags = changed
        else:
            accounts.user_flags = {**accounts.user_flags, user: changed}
        return self.get(user)
