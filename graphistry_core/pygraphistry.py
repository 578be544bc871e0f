"""GraphistryClient: log in, and make graphs that belong to this client. May import everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import arrow_uploader, engines, frames, render, wire
from .client_session import ClientSession, to_bool
from .encodings import from_wire
from .errors import AccessDenied, BadRequest, GraphistryError, NotAuthenticated, warn_user
from .executors.result import decode
from .executors.task import prepare, source_of
from .messages import Auth
from .plottable import PRIVACY_KEYS, GraphVerbs, Plottable
from .transports import Transport

_clients_made = False


class GraphistryClient(GraphVerbs):
    """One user of one server: a session, and the graphs made from it.

    ``graphistry_core.register`` and the other module functions are those of one default client. For several users,
    make ``client()`` objects: each has a session of its own, and nothing is shared between them.
    """

    def __init__(self, session: ClientSession | None = None) -> None:
        self.session = session or ClientSession()
        self._relogin: Callable[[], str] | None = None
        self._warned_global = False

    # --- configuration and login ---

    def register(  # noqa: C901, PLR0912 - one branch per way to log in
        self,
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
        is_sso_login: bool = False,
        sso_timeout: int | None = 50,
        sso_opt_into_type: str | None = None,
        verify_token: bool | None = None,
        transport: str | Transport | None = None,
    ) -> GraphistryClient:
        """Start a new session, and log in with what is given: password, personal key or token.

        ``transport``: 'local' (the in-process Hub; needs no credentials), 'http', or a Transport object; None takes
        ``GRAPHISTRY_TRANSPORT``, else HTTP to ``protocol://server``. Nothing is contacted when no credentials are
        given. Raises BadRequest (a ValueError) for arguments that do not go together, ServerUnreachable,
        InvalidCredentials, AccessDenied for an organization that is refused. Returns the client.
        """
        self._warn_if_global()
        self.session = session = ClientSession()
        self._relogin = None
        if api is not None and api != 3:
            raise BadRequest(f"api={api!r} is no longer supported; use api=3 with a password, token or personal key.")
        if key is not None:
            warn_user(
                "key= belongs to the removed api=1 and is ignored; use username= and password=.", DeprecationWarning
            )
        _check_credentials(username, password, personal_key_id, personal_key_secret, token)
        if is_sso_login or idp_name:
            raise BadRequest("SSO login is not supported in this version; use a password, a personal key or a token.")
        if bolt is not None:
            warn_user("bolt= is not supported in this version and is ignored.")
        if transport is not None:
            session.transport = transport
        session.hostname = server or session.hostname
        session.protocol = protocol or session.protocol
        session.client_protocol_hostname = client_protocol_hostname or session.client_protocol_hostname
        if certificate_validation is not None:
            session.certificate_validation = to_bool(certificate_validation)
        if store_token_creds_in_memory is not None:
            session.store_token_creds_in_memory = to_bool(store_token_creds_in_memory)
        elif token is not None:
            session.store_token_creds_in_memory = False
        if username is not None and password is not None:
            self.login(username, password, org_name)
            self.refresh()
        elif personal_key_id and personal_key_secret:
            self.pkey_login(personal_key_id, personal_key_secret, org_name)
            self.refresh()
        elif token is not None:
            self._use_token(token, verify_token is not False, org_name)
        else:
            session.org_name = org_name
            if session.transport.default_login is not None:
                self.relogin()
        return self

    def _use_token(self, token: str, verify: bool, org_name: str | None) -> None:
        self.api_token(token)
        self.session.login_type = "token"
        if verify and not self.verify_token():
            raise BadRequest("The token is not valid on this server: log in with a password or a personal key.")
        self.session._is_authenticated = True
        if org_name:
            self.session.org_name = org_name
            self._switch_quietly()

    def login(self, username: str, password: str, org_name: str | None = None, fail_silent: bool = False) -> str:
        """Log in with user name and password and keep the token; return it."""
        return self._log_in(
            wire.Login(username, password, org_name or self.session.org_name), Auth(), "username", org_name
        )

    def pkey_login(
        self, personal_key_id: str, personal_key_secret: str, org_name: str | None = None, fail_silent: bool = False
    ) -> str:
        """Log in with a personal key and keep the token; return it."""
        self.session.personal_key_id = personal_key_id
        auth = Auth("personal_key", key_id=personal_key_id, key_secret=personal_key_secret)
        return self._log_in(wire.PersonalKeyLogin(org_name or self.session.org_name), auth, "personal_key", org_name)

    def _log_in(self, request: wire.Login | wire.PersonalKeyLogin, auth: Auth, kind: str, org_name: str | None) -> str:
        if self.session.store_token_creds_in_memory:
            self._relogin = lambda: self._log_in(request, auth, kind, org_name)
        self.session._is_authenticated = False
        answer = self.session.transport.call(request, auth)
        self.session.org_name = _organization(org_name or self.session.org_name, answer.active_organization)
        self.api_token(answer.token)
        self.session.login_type = kind
        self.session._is_authenticated = True
        self._switch_quietly()
        return answer.token

    def relogin(self) -> str:
        """Log in again with the credentials kept from the last login, or as the transport's own user."""
        if self._relogin is not None:
            return self._relogin()
        default = self.session.transport.default_login
        if default is not None:
            return self._log_in(default, Auth(), "local", None)
        raise NotAuthenticated("Must call login() first: register() with a password, a personal key or a token.")

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
                kind = type(e) if isinstance(e, NotAuthenticated) else BadRequest
                failure = kind(f"Failed to refresh token: {e.message}")
            if fail_silent:
                return None
            raise failure from e
        self.api_token(answer.token)
        self.session._is_authenticated = True
        self._switch_quietly()
        return answer.token

    def verify_token(self, token: str | None = None, fail_silent: bool = False) -> bool:
        """Say whether the server takes this token (or the session's own)."""
        try:
            self.session.transport.call(wire.Verify(token or self.session.api_token or ""), Auth())
        except GraphistryError as e:
            if isinstance(e, ConnectionError) and not fail_silent:
                raise
            return False
        return True

    def api_token(self, value: str | None = None) -> str | None:
        """Return the session's token, or set it (blanks are stripped)."""
        if value is not None and value != self.session.api_token:
            self.session.api_token = value.strip()
            self.session._is_authenticated = False
        return self.session.api_token

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

    def org_name(self, value: str | None = None) -> str | None:
        """Return the active organization's slug, or switch to another."""
        if value is not None:
            self.switch_org(value)
        return self.session.org_name

    def switch_org(self, value: str) -> None:
        """Make an organization the active one; raise AccessDenied or NotFound with the server's sentence."""
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

    def client(self, inherit: bool = False) -> GraphistryClient:
        """Return a new client with a session of its own: fresh, or a copy of this one's with ``inherit``."""
        global _clients_made  # noqa: PLW0603 - as in PyGraphistry: has anybody left the default client?
        _clients_made = True
        made = GraphistryClient(self.session.copy() if inherit else None)
        if inherit:
            made._relogin = None
        return made

    def set_client_for(self, plotter: Plottable) -> Plottable:
        """Return a copy of a graph that belongs to this client."""
        return plotter._with(client=self)

    def _warn_if_global(self) -> None:
        if self is globals().get("PyGraphistry") and _clients_made and not self._warned_global:
            self._warned_global = True
            warn_user(
                "register() on the global client after client() was used: the two do not share a login.",
            )

    # --- graphs ---

    def _graph(self) -> Plottable:
        return Plottable(self)

    def from_dataset_id(self, dataset_id: str, api_token: str | None = None) -> Plottable:
        """Return a graph that stands for an uploaded dataset: its bindings, name and URL, without its tables."""
        if api_token is None:
            self.refresh()
        answer = self._call(wire.DatasetGet(dataset_id), api_token)
        data = answer.data
        bindings = {which: ((data.get(f"{which}_encodings") or {}).get("bindings") or {}) for which in ("node", "edge")}
        g = self._graph().bind(**from_wire(bindings["node"], bindings["edge"]))
        g = g._with(name=data.get("name") or None, description=data.get("description") or None)
        found = answer.dataset_id or dataset_id
        return g._with(dataset_id=found, url=arrow_uploader.viewer_url(g, self.session, found))

    # --- what graphs ask of their client ---

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
            if self._relogin is None and transport.default_login is None:
                raise
            self.relogin()
            return transport.call(request, Auth("bearer", self.session.api_token or ""))

    def plot_graph(self, g: Plottable, **options: Any) -> Any:
        """Upload a graph and show it; see :meth:`Plottable.plot`."""
        mode = render.resolve(options.get("render"), g._render)
        if options.get("graph") is not None:
            g = g.edges(options["graph"])
        if options.get("nodes") is not None:
            g = g.nodes(options["nodes"])
        arrow_uploader.check(g)
        self.refresh()
        sending = arrow_uploader.uploader(g, self.session, options)
        if options.get("skip_upload"):
            return sending
        as_files = bool(options.get("as_files"))
        sending.post(self._call, as_files=as_files, erase_files_on_fail=options.get("erase_files_on_fail", True))
        sending.share(self._call, g._privacy)
        assert sending.dataset_id is not None
        url = arrow_uploader.viewer_url(g, self.session, sending.dataset_id)
        if mode != "g":
            return render.show(url, mode, g._height, options.get("extra_html", ""), options.get("override_html_style"))
        return g._with(
            name=sending.body["name"],
            description=sending.body["description"],
            dataset_id=sending.dataset_id,
            url=url,
            edges_file_id=sending.edges_file_id,
            nodes_file_id=sending.nodes_file_id,
        )

    def run_remote(self, g: Plottable, task: Any, **options: Any) -> Any:
        """Run a task where the graph's dataset is; see :meth:`Plottable.python_remote_json`."""
        source = source_of(task)
        if options.get("validate", True):
            prepare(source)
        engine = options.get("engine", "auto")
        if engine == "auto":
            engine = "cudf" if "cudf" in {frames.library_of(g._edges), frames.library_of(g._nodes)} else "pandas"
        elif engine not in engines.ENGINES:
            raise BadRequest(f"engine={engine!r} is unknown; use 'pandas', 'cudf' or 'auto'.")
        token = options.get("api_token")
        if token is None:
            self.refresh()
        dataset_id = options.get("dataset_id") or g._dataset_id
        if not dataset_id:
            g = g.upload(validate=options.get("validate", True))
            dataset_id = g._dataset_id
        assert dataset_id is not None
        request = wire.Python(
            dataset_id, source, engine, options["format"], options["output_type"], options.get("run_label")
        )
        answer = self._call(request, token)
        return decode(
            answer.body, answer.content_type, request.format, request.output_type, g, options.get("df_import_args")
        )


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


PyGraphistry: GraphistryClient = GraphistryClient()
