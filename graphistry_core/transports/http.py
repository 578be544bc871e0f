"""HttpTransport: a real server, or the dev server, over HTTP. Imports requests when it is used."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import wire
from ..errors import GraphistryError, MethodNotAllowed, ServerUnreachable, from_body
from ..messages import Auth, HttpRequest, HttpResponse
from .progress import with_progress

if TYPE_CHECKING:
    import requests

_RETRY_AS_GET = {"personal_key"}


class HttpTransport:
    """Speaks the protocol to ``url`` (protocol and host, such as ``https://hub.graphistry.com``).

    ``timeout_s``: seconds to connect, and to wait for the next byte. ``certificate_validation`` False accepts any
    TLS certificate. Raises ServerUnreachable naming the host when there is no answer.
    """

    default_login: wire.Login | None = None

    def __init__(
        self, url: str, *, certificate_validation: bool = True, timeout_s: tuple[float, float] = (10.0, 600.0)
    ) -> None:
        self.url = self.place = url.rstrip("/")
        self._verify = certificate_validation
        self._timeout = timeout_s
        self._local = threading.local()

    def call(self, request: wire.Request[wire.A], auth: Auth) -> wire.A:
        """Send one operation and decode its answer, or raise what the server's answer says."""
        http = wire.with_auth(request.encode(), auth)
        try:
            response = self._send(http)
        except MethodNotAllowed:
            if request.operation not in _RETRY_AS_GET:
                raise
            response = self._send(replace(http, method="GET"))  # a server that serves this login by GET only
        return request.answer.decode(response)  # type: ignore[return-value]

    def _send(self, http: HttpRequest) -> HttpResponse:
        import requests

        try:
            response = self._session().request(
                http.method,
                self.url + http.path,
                params=dict(http.query) or None,
                headers=dict(http.headers),
                data=with_progress(http.body) or None,
                verify=self._verify,
                timeout=self._timeout,
                auth=_as_it_is,
            )
        except requests.RequestException as e:
            raise self._unreachable(e) from e
        answer = HttpResponse(response.status_code, response.content, response.headers.get("Content-Type", ""))
        if response.status_code >= 400:
            raise _error(answer)
        return answer

    def _session(self) -> requests.Session:
        """Return this thread's session: connections are kept where the server keeps them."""
        import requests

        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        session.cookies.clear()
        return session

    def _unreachable(self, e: Exception) -> GraphistryError:
        if hasattr(e, "graphistry_sentence"):  # a mock that stopped the request says why
            return ServerUnreachable(e.graphistry_sentence)
        reason = "timed out" if "imeout" in type(e).__name__ else "no answer"
        if "SSL" in type(e).__name__:
            reason = "its TLS certificate was refused (certificate_validation=False accepts any)"
        return ServerUnreachable(
            f"The Graphistry server {self.url} cannot be reached: {reason}. Check server= and protocol=, or work "
            "without a server: register(transport='local'), or set GRAPHISTRY_TRANSPORT=local."
        )

    def viewer_url(self, base: str, query: str, dataset_id: str) -> str:
        """Return the server's viewer URL."""
        return f"{base}{wire.VIEWER_PATH}?{query}"

    def close(self) -> None:
        """Close this thread's connections."""
        if hasattr(self._local, "session"):
            self._local.session.close()
            del self._local.session


def _as_it_is(request: Any) -> Any:
    """Leave the Authorization alone: requests would put credentials from ~/.netrc in its place."""
    return request


def _error(answer: HttpResponse) -> GraphistryError:
    body: Any = {}
    if answer.content_type.startswith("application/json"):
        try:
            body = answer.json()
        except GraphistryError:
            body = {}
    text = " ".join(answer.body[:500].decode("utf-8", "replace").split())
    fallback = f"The server answered with status {answer.status}" + (f": {text}" if text else ".")
    return from_body(answer.status, body if isinstance(body, dict) else {}, fallback)
