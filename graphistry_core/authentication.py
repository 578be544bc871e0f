"""The half of a client that logs in: register, tokens, organizations, SSO, settings. May import the session."""

from __future__ import annotations

import sys
import time
import webbrowser
from typing import Any, TypeVar

from . import wire
from .client_session import ClientSession, to_bool
from .errors import (
    AccessDenied,
    BadRequest,
    GraphistryError,
    NotAuthenticated,
    RefreshFailed,
    SsoError,
    SsoStateInvalid,
    SsoTimeout,
    warn_user,
)
from .messages import Auth
from .plottable import PRIVACY_KEYS
from .transports import Transport

C = TypeVar("C", bound="AuthenticationMethods")
_POLL_S = 1.0


class AuthenticationMethods:
    """Logging in and staying so: for :class:`GraphistryClient`, which adds the graphs."""

    session: ClientSession

    def register(  # noqa: C901, PLR0912 - one branch per way to log in
        self: C,
        key: str | None = None,
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
        personal_key_id: str | None = None,
        personal_key_secret: str | None = None,
        server: str | None = None,
        protocol: str | None = None,
        api: int | None = None,
        certificate_validation: bool | None = None,
        bolt: Any = None,
        store_token_creds_in_memory: bool | None = None,
        client_protocol_hostname: str | None = None,
        org_name: str | None = None,
        idp_name: str | None = None,
        is_sso_login: bool | None = False,
        sso_timeout: int | None = 50,
        sso_opt_into_type: str | None = None,
        verify_token: bool | None = None,
        transport: str | Transport | None = None,
    ) -> C:
        """Start a new session, and log in with what is given: password, personal key, token or SSO.

        ``transport``: 'local' (the in-process Hub; needs no credentials), 'http', or a Transport object; None takes
        ``GRAPHISTRY_TRANSPORT``, else HTTP to ``protocol://server``. Nothing is contacted when no credentials are
        given. ``org_name`` alone (over HTTP), ``idp_name`` or ``is_sso_login`` begin an SSO login. Raises BadRequest
        (a ValueError) for arguments that do not go together, ServerUnreachable, InvalidCredentials, AccessDenied for
        an organization that is refused. Returns the client.
        """
        self._before_register()
        before = self.session
        self.session = session = ClientSession()
        session._local_user = before._local_user
        if api is not None:
            self.api_version(api)
        if key is not None:
            warn_user(
                "key= belongs to the removed api=1 and is ignored; use username= and password=.", DeprecationWarning
            )
        _check_credentials(username, password, personal_key_id, personal_key_secret, token)
        if transport is not None:
            session.transport = transport
        scheme, _, host = (server or "").rpartition("://")
        session.hostname = host.rstrip("/") or session.hostname
        session.protocol = protocol or scheme or session.protocol
        if session.protocol not in ("http", "https"):
            raise BadRequest(f"protocol={session.protocol!r} is unknown; use 'http' or 'https'.")
        session.client_protocol_hostname = client_protocol_hostname or session.client_protocol_hostname
        session.idp_name = idp_name
        if certificate_validation is not None:
            session.certificate_validation = to_bool(certificate_validation)
        if store_token_creds_in_memory is not None:
            session.store_token_creds_in_memory = to_bool(store_token_creds_in_memory)
        elif token is not None:
            session.store_token_creds_in_memory = False
        if bolt is not None:
            self.set_bolt_driver(bolt)
        if username is not None and password is not None:
            self.login(username, password, org_name)
            self.refresh()
        elif personal_key_id and personal_key_secret:
            self.pkey_login(personal_key_id, personal_key_secret, org_name)
            self.refresh()
        elif token is not None:
            self._use_token(token, verify_token is not False, org_name)
        elif is_sso_login or idp_name or (org_name and session.transport.default_login is None):
            self.sso_login(org_name, idp_name, sso_timeout, sso_opt_into_type)
        elif session.transport.default_login is not None:
            session.org_name = org_name
            self.relogin()
        return self

    def _before_register(self) -> None:
        """Do what the client wants done first."""

    def _use_token(self, token: str, verify: bool, org_name: str | None) -> None:
        self.api_token(token)
        self.session.login_type = "token"
        if verify and not self.verify_token(token.strip(), fail_silent=False):
            raise BadRequest("The token is not valid on this server: log in with a password or a personal key.")
        self.session._is_authenticated = True
        if org_name:
            self.session.org_name = org_name
            self._switch_quietly()

    # --- logging in ---

    def login(self, username: str, password: str, org_name: str | None = None, fail_silent: bool = False) -> str:
        """Log in with user name and password and keep the token; return it."""
        request = wire.Login(username, password, org_name or self.session.org_name)
        return self._log_in(request, Auth(), "username", org_name)

    def pkey_login(
        self, personal_key_id: str, personal_key_secret: str, org_name: str | None = None, fail_silent: bool = False
    ) -> str:
        """Log in with a personal key and keep the token; return it."""
        self.session.personal_key_id = personal_key_id
        self.session.personal_key_secret = personal_key_secret
        auth = Auth("personal_key", key_id=personal_key_id, key_secret=personal_key_secret)
        return self._log_in(wire.PersonalKeyLogin(org_name or self.session.org_name), auth, "personal_key", org_name)

    def _log_in(self, request: wire.Login | wire.PersonalKeyLogin, auth: Auth, kind: str, org_name: str | None) -> str:
        if self.session.store_token_creds_in_memory:
            self.session._relogin = lambda client: client._log_in(request, auth, kind, org_name)
        self.session._is_authenticated = False
        answer = self.session.transport.call(request, auth)
        self.session.org_name = _organization(org_name or self.session.org_name, answer.active_organization)
        self._logged_in(answer.token, kind)
        return answer.token

    def _logged_in(self, token: str, kind: str) -> None:
        self.api_token(token)
        self.session.login_type = kind
        self.session._is_authenticated = True
        self._switch_quietly()

    def relogin(self) -> str | None:
        """Log in again with the credentials kept from the last login, or as the transport's own user."""
        if self.session._relogin is not None:
            return self.session._relogin(self)
        default = self.session.transport.default_login
        if default is not None and self.session.login_type in (None, "local"):
            org_name = self.session.org_name
            return self._log_in(wire.Login(default.username, default.password, org_name), Auth(), "local", org_name)
        raise NotAuthenticated("Must call login() first: register() with a password, a personal key or a token.")

    def authenticate(self) -> None:
        """Refresh the token if there is one; a session without one counts as ready to try."""
        if self.session.api_token:
            self.refresh()
        else:
            self.session._is_authenticated = True

    def refresh(self, token: str | None = None, fail_silent: bool = False) -> str | None:
        """Exchange the token for a fresher one and keep it; return it.

        When that fails and credentials are kept, log in again. Otherwise raise, or return None if ``fail_silent``.
        """
        current = token or self.session.api_token
        try:
            if not current:
                return self.relogin()
            answer = self.session.transport.call(wire.Refresh(current), Auth())
        except GraphistryError as e:
            if not current or isinstance(e, ConnectionError):
                failure: GraphistryError = e
            elif self.session.store_token_creds_in_memory:
                return self.relogin()
            else:
                failure = RefreshFailed(f"Failed to refresh token: {e.message} Register again with a fresh one.")
            if fail_silent:
                return None
            raise failure from e
        self.api_token(answer.token)
        self.session._is_authenticated = True
        self._switch_quietly()
        return answer.token

    def verify_token(self, token: str | None = None, fail_silent: bool = False) -> bool:
        """Say whether the server takes this token (or the session's own)."""
        own = token is None
        try:
            self.session.transport.call(wire.Verify(token or self.session.api_token or ""), Auth())
            valid = True
        except GraphistryError as e:
            if isinstance(e, ConnectionError) and not fail_silent:
                raise
            valid = False
        if own:
            self.session._is_authenticated = valid
        return valid

    # --- SSO ---

    def sso_login(
        self,
        org_name: str | None = None,
        idp_name: str | None = None,
        sso_timeout: int | None = 50,
        sso_opt_into_type: str | None = None,
    ) -> str | None:
        """Log in through the browser: for the site, an organization, or one of its identity providers.

        Shows the URL to open (``sso_opt_into_type``: 'browser' opens it, 'display' shows a link in a notebook), then
        asks for the token every second until ``sso_timeout`` seconds have passed; with None it does not wait, and
        :meth:`sso_get_token` is called later. Returns the token when the server gave one at once, else the URL.
        Raises SsoTimeout, or BadRequest with the server's refusal.
        """
        if idp_name and not org_name:
            raise BadRequest("idp_name names an identity provider of an organization: give org_name= too.")
        if self.session.store_token_creds_in_memory:
            self.session._relogin = lambda client: client.sso_login(org_name, idp_name, sso_timeout, sso_opt_into_type)
        answer = self.session.transport.call(wire.SsoLogin(org_name, idp_name), Auth())
        self.session.org_name, self.session.idp_name = org_name or self.session.org_name, idp_name
        if answer.token is not None:
            self._signed_in(answer)
            return answer.token
        self.session.sso_state = answer.state
        _show_login(answer.auth_url or "", sso_opt_into_type)
        if sso_timeout is not None:
            self._wait_for_sso(sso_timeout)
        return answer.auth_url

    def _wait_for_sso(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self._poll_sso() is None:
            if time.monotonic() + _POLL_S > deadline:
                raise SsoTimeout(f"Nobody signed in within {timeout_s:g} s: sign in, then call sso_get_token().")
            time.sleep(_POLL_S)

    def sso_get_token(self) -> str | None:
        """Ask once for the token of the SSO login that was begun; return it, or None while it is pending.

        Raises SsoStateInvalid when no login was begun.
        """
        return self._poll_sso()

    def _poll_sso(self) -> str | None:
        if self.session.sso_state is None:
            raise SsoStateInvalid("No SSO login was begun in this session: call sso_login() first.")
        answer = self.session.transport.call(wire.SsoToken(self.session.sso_state), Auth())
        if answer.token is None:
            return None
        self._signed_in(answer)
        self.session.sso_state = None
        return answer.token

    def _signed_in(self, answer: wire.SsoAnswer) -> None:
        active = answer.active_organization
        wanted = self.session.org_name
        if active is not None and wanted and active.slug != wanted:
            raise SsoError(f"The SSO login is for the organization {active.slug!r}, not {wanted!r}.")
        self.api_token(answer.token)
        # Where the server names no organization, the user's name stands for his personal one.
        self.session.org_name = active.slug if active is not None else wanted or self.session.username
        self._logged_in(answer.token or "", "sso")

    # --- organizations and sharing ---

    def org_name(self, value: str | None = None) -> str | None:
        """Return the active organization's slug, or switch to another."""
        if value is not None:
            self.switch_org(value)
        return self.session.org_name

    def switch_org(self, value: str) -> None:
        """Make an organization the active one; raise the server's refusal."""
        self._call(wire.SwitchOrg(value))
        self.session.org_name = value
        self.session._last_switched_org_token = (value, self.session.api_token or "")

    def _switch_quietly(self) -> None:
        """Tell the server which organization is active; every new token needs it told again. A failure warns."""
        org, token = self.session.org_name, self.session.api_token or ""
        if not org or self.session._last_switched_org_token == (org, token):
            return
        try:
            self.session.transport.call(wire.SwitchOrg(org), Auth("bearer", token))
            self.session._last_switched_org_token = (org, token)
        except GraphistryError as e:
            warn_user(f"Could not switch to organization {org!r}: {e.message}")

    def privacy(
        self,
        mode: str | None = None,
        notify: bool | None = None,
        invited_users: list[dict[str, Any]] | None = None,
        mode_action: str | None = None,
        message: str | None = None,
    ) -> None:
        """Set how later uploads of this client are shared (default private)."""
        self.session.privacy = {name: value for name, value in locals().items() if name in PRIVACY_KEYS}

    # --- settings: each returns the value, or sets it ---

    def api_token(self, value: str | None = None) -> str | None:
        """Return the session's token, or set it (blanks are stripped)."""
        if value is not None and value != self.session.api_token:
            self.session.api_token = value.strip()
            self.session._is_authenticated = False
        return self.session.api_token

    def api_version(self, value: int | None = None) -> int:
        """Return the API version, which is 3; any other value raises BadRequest."""
        if value is not None and value != 3:
            raise BadRequest(f"api={value!r} is no longer supported; use api=3 with a password, token or personal key.")
        return self.session.api_version

    def api_key(self, value: str | None = None) -> None:
        """Do nothing but warn: keys belong to the removed api=1."""
        warn_user("api_key() belongs to the removed api=1 and is ignored; use a personal key.", DeprecationWarning)

    def server(self, value: str | None = None) -> str:
        """Return the server's host name, or set it."""
        if value is not None:
            self.session.hostname = value
            self.session.target_changed()
        return self.session.hostname

    def protocol(self, value: str | None = None) -> str:
        """Return 'http' or 'https', or set it."""
        if value is not None:
            self.session.protocol = value
            self.session.target_changed()
        return self.session.protocol

    def client_protocol_hostname(self, value: str | None = None) -> str:
        """Return the protocol and host that browsers use, or set it; by default ``//`` and the server's host name."""
        if value is not None:
            self.session.client_protocol_hostname = value
        return self.session.client_protocol_hostname or f"//{self.session.hostname}"

    def certificate_validation(self, value: bool | str | None = None) -> bool:
        """Return whether TLS certificates are checked, or set it."""
        if value is not None:
            self.session.certificate_validation = to_bool(value)
            self.session.target_changed()
        return self.session.certificate_validation

    def store_token_creds_in_memory(self, value: bool | str | None = None) -> bool:
        """Return whether credentials are kept to log in again, or set it."""
        if value is not None:
            self.session.store_token_creds_in_memory = to_bool(value)
        return self.session.store_token_creds_in_memory

    def idp_name(self, value: str | None = None) -> str | None:
        """Return the identity provider's name, or set it."""
        if value is not None:
            self.session.idp_name = value.strip()
        return self.session.idp_name

    def sso_state(self, value: str | None = None) -> str | None:
        """Return the state of the SSO login that was begun, or set it."""
        if value is not None:
            self.session.sso_state = value.strip()
        return self.session.sso_state

    def personal_key_id(self, value: str | None = None) -> str | None:
        """Return the personal key's id, or set it."""
        if value is not None:
            self.session.personal_key_id = value.strip()
        return self.session.personal_key_id

    def personal_key_secret(self, value: str | None = None) -> str | None:
        """Return the personal key's secret, or set it."""
        if value is not None:
            self.session.personal_key_secret = value.strip()
        return self.session.personal_key_secret

    def set_bolt_driver(self, driver: Any = None) -> None:
        """Keep a Neo4j (bolt) driver, or the arguments to make one, for this session's graphs."""
        self.session._bolt_driver = driver

    # --- what everything else goes through ---

    def _call(self, request: wire.Request[wire.A], token: str | None = None) -> wire.A:
        """Send an operation with the session's token (or another); after a 401 log in again once and retry."""
        transport = self.session.transport
        if token is not None:
            return transport.call(request, Auth("bearer", token))
        if not self.session.api_token:
            self.relogin()
        try:
            return transport.call(request, Auth("bearer", self.session.api_token or ""))
        except NotAuthenticated:
            local = transport.default_login is not None and self.session.login_type in (None, "local")
            if self.session._relogin is None and not local:
                raise
            self.relogin()
            return transport.call(request, Auth("bearer", self.session.api_token or ""))


def _show_login(url: str, how: str | None) -> None:
    """Show where to sign in: a link in a notebook, the browser, or a line on stdout, as PyGraphistry has them."""
    ipython = sys.modules.get("IPython")
    if how == "display" or (how is None and ipython is not None and ipython.get_ipython() is not None):
        from IPython.display import HTML, display

        display(HTML(f'<a href="{url}" target="_blank">Sign in</a>'))
    elif how == "browser":
        webbrowser.open(url)
    print(f"Sign in here: {url}")


def _check_credentials(
    username: str | None, password: str | None, key_id: str | None, key_secret: str | None, token: str | None
) -> None:
    if username is not None and password is None:
        raise BadRequest("Error: username exists but missing password")
    if password is not None and username is None:
        raise BadRequest("Error: password exist but missing username")
    if key_id and not key_secret:
        raise BadRequest("Error: personal key id exists but missing personal key secret")
    if key_secret and not key_id:
        raise BadRequest("Error: personal key secret exists but missing personal key id")
    if token is not None and not token.strip():
        raise BadRequest("The token is blank.")


def _organization(wanted: str | None, active: wire.Organization | None) -> str | None:
    """Decide the session's organization from what was asked for and what the login answered."""
    if active is None:
        if wanted:
            raise AccessDenied(
                f"You are not authorized for the organization {wanted!r}, or the server knows no organizations."
            )
        return None
    if wanted and active.slug != wanted:
        raise AccessDenied(f"The login is for the organization {active.slug!r}, not {wanted!r}.")
    if wanted and not active.is_found:
        raise AccessDenied(f"The organization {wanted!r} was not found on the server.")
    if wanted and not active.is_member:
        raise AccessDenied(f"You are not a member of the organization {wanted!r}.")
    return active.slug
