"""Users, organizations, tokens, feature flags and the clock they go by. May import errors, wire and the store."""

from __future__ import annotations

import hmac
import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import wire
from ..errors import AccessDenied, ConfigError, InvalidCredentials, NotAuthenticated, TokenExpired
from .directory import DEFAULT_FLAGS, User
from .revoked import EVERYBODY, Revoked, token_id
from .store import Store

TOKEN_LIFETIME_S = 3600
_VERIFIED_KEPT = 4096  # tokens whose signature was found good, by their text
REFRESH_WINDOW_S = 24 * 3600
PYTHON_SWITCH = "ENABLE_PYTHON_ENDPOINT"
_MAKING = {"python": "flag_create_pe_udf", "gfql": "flag_create_gfql_udf"}  # the flag that lets functions be made
log = logging.getLogger("graphistry_core")


class Clock:
    """The time tokens go by, in seconds since the epoch; tests move and stop it."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._frozen: float | None = None

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._frozen is not None

    def now(self) -> float:
        """Return the current time."""
        frozen = self._frozen
        return time.time() + self._offset if frozen is None else frozen

    def advance(self, seconds: float = 0, *, hours: float = 0) -> None:
        """Move the clock, frozen or not, by seconds and hours."""
        moved = seconds + 3600 * hours
        if self._frozen is None:
            self._offset += moved
        else:
            self._frozen += moved

    def freeze(self, at: float | None = None) -> None:
        """Stop the clock, now or at a time given in seconds since the epoch."""
        self._frozen = self.now() if at is None else at

    def unfreeze(self) -> None:
        """Let the clock go on from where it stands."""
        if self._frozen is not None:
            self._offset, self._frozen = self._frozen - time.time(), None

    def reset(self) -> None:
        """Go back to the real time."""
        self._offset, self._frozen = 0.0, None


@dataclass(frozen=True)
class Caller:
    """Who a token says is calling."""

    user_id: int
    username: str


class Accounts:
    """Who there is and what they may do.

    Open (``users`` is None): any user name and password, any personal key ``id:secret`` and any organization is
    accepted and comes into being. Strict: only the given users (a password each, or a :class:`User`), with their
    personal keys; their organizations are their own names and those they are given. ``flags`` are the server's
    feature flags, ``user_flags`` what single users have of their own.
    """

    def __init__(
        self,
        store: Store,
        users: Mapping[str, str | User] | None = None,
        clock: Clock | None = None,
        flags: Mapping[str, bool] | None = None,
    ) -> None:
        self._store = store
        if users is not None and not users:
            raise ConfigError("users is empty, so nobody could log in: name at least one, or leave it out.")
        self._users = None if users is None else {name: User.of(user) for name, user in users.items()}
        self._first_flags = {**DEFAULT_FLAGS, **(flags or {})}
        self._secret = store.secret()
        self._verified: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self.clock = clock or Clock()
        self.revoked = Revoked()
        self.flags: dict[str, bool] = dict(self._first_flags)
        self.user_flags: dict[str, dict[str, bool]] = self._configured_flags()

    @property
    def strict(self) -> bool:
        """Whether only configured users can log in."""
        return self._users is not None

    # --- logging in ---

    def login(self, username: str, password: str) -> Caller:
        """Return the user; raise InvalidCredentials."""
        if not username.strip():
            raise InvalidCredentials("The user name is empty.")
        if self._users is not None:
            known = self._users.get(username)
            # Compared even for unknown names, so that the time taken does not tell which names exist.
            right = "" if known is None else known.password
            same = hmac.compare_digest(right.encode(), password.encode("utf-8", "surrogatepass"))
            if known is None or not same:
                raise InvalidCredentials("Unable to log in with provided credentials.")
        return self._user(username)

    def personal_key(self, key_id: str, key_secret: str) -> Caller:
        """Return the user behind a personal key; raise InvalidCredentials.

        Where users are configured it is the key's owner, else a user of the key's own, named after its id.
        """
        if self._users is None and key_id and key_secret:
            return self._user(f"key-{key_id}")
        for name, user in (self._users or {}).items():
            secret = user.keys.get(key_id)
            if secret and hmac.compare_digest(secret.encode(), key_secret.encode("utf-8", "surrogatepass")):
                return self._user(name)
        raise InvalidCredentials("Unable to log in with the provided personal key.")

    def _user(self, username: str) -> Caller:
        with self._store.transaction() as db:
            db.execute("INSERT OR IGNORE INTO users (username) VALUES (?)", (username,))
            row = db.execute("SELECT id FROM users WHERE username = ?", (username,)).fetchone()
        return Caller(int(row["id"]), username)

    # --- tokens ---

    def token(self, caller: Caller, first_issued: int | None = None) -> str:
        """Return a new JWT (HS256) with the claims of Graphistry's: username, user_id, iat, exp, jti, orig_iat."""
        import jwt

        now = int(self.clock.now())
        claims = {
            "username": caller.username,
            "user_id": caller.user_id,
            "iat": now,
            "exp": now + TOKEN_LIFETIME_S,
            "jti": token_id(),
            "orig_iat": first_issued if first_issued is not None else now,
        }
        return jwt.encode(claims, self._key(caller.username), algorithm="HS256")

    def authenticate(self, token: str) -> Caller:
        """Return who a token belongs to; raise NotAuthenticated, or TokenExpired."""
        claims = self._claims(token)
        if self.clock.now() >= claims["exp"]:
            raise TokenExpired("Token has expired.")
        self.revoked.check(claims)
        return Caller(claims["user_id"], claims["username"])

    def end_tokens(self, user: str | None = None, token: str | None = None, *, expired: bool) -> None:
        """End one token, all of a user so far, or everybody's; raise NotAuthenticated for a token that is not ours."""
        if token is not None:
            self.revoked.end_token(self._claims(token), expired=expired)
        else:
            self.revoked.end_user(EVERYBODY if user is None else user, expired=expired)

    def refresh(self, token: str) -> str:
        """Return a fresher token for one that is still valid and at most a day from its login."""
        caller = self.authenticate(token)
        first = self._claims(token)["orig_iat"]
        if self.clock.now() >= first + REFRESH_WINDOW_S:
            raise TokenExpired("Token has expired.")
        return self.token(caller, first)

    def _key(self, username: object) -> bytes:
        """Return the key that signs a user's tokens.

        Where users are configured it depends on the password: a token from before, when everybody was let in or the
        password was another, is worth nothing.
        """
        if self._users is None:
            return self._secret
        if not isinstance(username, str) or username not in self._users:
            raise NotAuthenticated("The token's user is not one of this server's: log in again.")
        return hmac.digest(self._secret, f"{username}\0{self._users[username].password}".encode(), "sha256")

    def _claims(self, token: str) -> dict[str, Any]:
        claims = self._verified.get(token)
        if claims is None:
            claims = self._verify(token)
            if len(self._verified) >= _VERIFIED_KEPT:
                self._verified.clear()
            self._verified[token] = claims
        row = self._store.one("SELECT username FROM users WHERE id = ?", claims["user_id"])
        if row is None or row["username"] != claims["username"]:
            raise NotAuthenticated("The token's user does not exist (any more): log in again.")
        return claims

    def _verify(self, token: str) -> dict[str, Any]:
        """Return a token's claims once its signature is known to be ours: neither changes while this process lives."""
        import jwt

        try:
            claimed = jwt.decode(token, options={"verify_signature": False}).get("username")
            options: Any = {
                "verify_exp": False,
                "verify_iat": False,
                "require": ["exp", "user_id", "username", "orig_iat"],
            }
            claims: dict[str, Any] = jwt.decode(token, self._key(claimed), algorithms=["HS256"], options=options)
        except (jwt.PyJWTError, ValueError, UnicodeError) as e:
            raise NotAuthenticated("The token is not one of this server's: log in for a new one.") from e
        return claims

    # --- organizations ---

    def join(self, caller: Caller, slug: str) -> wire.Organization:
        """Find an organization for a user, who becomes a member where any organization is accepted."""
        if self._users is not None:
            known = slug in self._users or any(slug in user.organizations for user in self._users.values())
            return wire.Organization(slug, is_found=known, is_member=self._belongs(caller, slug))
        self._add_member(caller, slug)
        return wire.Organization(slug)

    def _add_member(self, caller: Caller, slug: str) -> None:
        with self._store.transaction() as db:
            db.execute("INSERT OR IGNORE INTO members VALUES (?, ?)", (slug, caller.user_id))

    def _belongs(self, caller: Caller, slug: str) -> bool:
        user = (self._users or {}).get(caller.username)
        return slug == caller.username or (user is not None and slug in user.organizations)

    def require_org(self, caller: Caller, slug: str | None) -> None:
        """Raise AccessDenied when users are configured and this organization is not the caller's."""
        if slug and self.strict and not self._belongs(caller, slug):
            raise AccessDenied(f"You are not a member of the organization {slug!r}.")

    def enter(self, caller: Caller, slug: str) -> None:
        """Let a user act within the organization that a path names; raise AccessDenied.

        Where any organization is accepted he becomes a member, but another user's own name is none.
        """
        self.require_org(caller, slug)
        if self.strict or slug == caller.username or self.is_member(caller, slug):
            return
        if self._store.one("SELECT 1 FROM users WHERE username = ?", slug) is not None:
            raise AccessDenied(f"You are not a member of the organization {slug!r}, which is another user's own.")
        self._add_member(caller, slug)

    def is_member(self, caller: Caller, slug: str | None) -> bool:
        """Say whether a user belongs to an organization."""
        if self.strict:
            return slug is not None and self._belongs(caller, slug)
        query = "SELECT 1 FROM members WHERE org = ? AND user_id = ?"
        return slug is not None and self._store.one(query, slug, caller.user_id) is not None

    # --- rights ---

    def email(self, caller: Caller) -> str | None:
        """Return the configured e-mail address of a user, or None."""
        user = (self._users or {}).get(caller.username)
        return None if user is None else user.email

    def flag(self, name: str, caller: Caller) -> bool:
        """Return a feature flag as it is for a user."""
        return self.user_flags.get(caller.username, {}).get(name, self.flags[name])

    def require_gfql(self, caller: Caller) -> None:
        """Raise AccessDenied, naming the flag, unless the GFQL endpoint is open for a user."""
        if not self.flag("flag_gfql_endpoint", caller):
            raise AccessDenied("The GFQL endpoint is not on for you: flag_gfql_endpoint is False.")

    def require_functions(self, caller: Caller, kind: str) -> None:
        """Raise AccessDenied, naming the flag, unless a user may make functions of a kind."""
        flag = _MAKING[kind]
        if not self.flag(flag, caller):
            raise AccessDenied(f"Making {kind} functions is not on for you: {flag} is False.")

    def require_python(self, caller: Caller) -> None:
        """Raise AccessDenied, naming the flag or variable, unless the Python endpoint is open for a user."""
        if os.environ.get(PYTHON_SWITCH, "true").strip().lower() in ("false", "0", "no", "off"):
            raise AccessDenied(f"The Python endpoint is switched off for the whole server by {PYTHON_SWITCH}.")
        if self.flag("flag_python_endpoint_disabled", caller):
            raise AccessDenied("The Python endpoint is off: flag_python_endpoint_disabled is True.")
        if not self.flag("flag_python_endpoint_enabled_users", caller):
            raise AccessDenied("The Python endpoint is not on for you: flag_python_endpoint_enabled_users is False.")

    def reset(self) -> None:
        """Forget changes of flags, clock and tokens (the users are the store's)."""
        self.flags = dict(self._first_flags)
        self.user_flags = self._configured_flags()
        self.clock.reset()
        self.revoked.clear()

    def _configured_flags(self) -> dict[str, dict[str, bool]]:
        return {name: dict(user.flags) for name, user in (self._users or {}).items() if user.flags}
