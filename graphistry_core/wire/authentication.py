"""Operations that log in, keep a token fresh, and choose an organization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from ..errors import BadRequest, MalformedAnswer
from ..messages import Fields, HttpRequest, HttpResponse
from .base import Answer, InPath, OkAnswer, Request, fill, without_none


@dataclass(frozen=True)
class Organization:
    """``active_organization`` of a login's answer."""

    slug: str
    is_found: bool = True
    is_member: bool = True


@dataclass(frozen=True)
class TokenAnswer(Answer):
    """A JWT, with the organization that was asked for (absent, never null, when none was)."""

    token: str = field(repr=False)
    active_organization: Organization | None = None

    def encode(self) -> HttpResponse:
        body: dict[str, Any] = {"success": True, "token": self.token}
        if self.active_organization is not None:
            body["active_organization"] = vars(self.active_organization)
        return HttpResponse.of_json(body)

    @classmethod
    def decode(cls, http: HttpResponse) -> TokenAnswer:
        body = http.json()
        token = body.get("token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not token:
            raise MalformedAnswer(f"The server's answer has no token: {http.body[:200].decode('utf-8', 'replace')}")
        org = body.get("active_organization")
        if not isinstance(org, dict) or not org.get("slug"):
            return cls(token)
        return cls(token, Organization(str(org["slug"]), bool(org.get("is_found")), bool(org.get("is_member"))))


@dataclass(frozen=True)
class Login(Request[TokenAnswer]):
    """Log in with user name and password."""

    operation = "login"
    path = "/api-token-auth/"
    aliases = (("POST", "/api/v2/auth/token/generate"),)
    auth = "none"
    answer = TokenAnswer
    source = "observed"
    username: str
    password: str = field(repr=False)
    org_name: str | None = None

    def encode(self) -> HttpRequest:
        body = {"username": self.username, "password": self.password}
        return self._json(body | without_none(org_name=self.org_name or None))

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> Login:
        fields = Fields.of(http)
        return cls(fields.text("username"), fields.text("password"), fields.optional_text("org_name") or None)


@dataclass(frozen=True)
class PersonalKeyLogin(Request[TokenAnswer]):
    """Log in with a personal key, which travels in the Authorization header."""

    operation = "personal_key"
    path = "/api/v2/auth/pkey/jwt/"
    aliases = (("GET", "/api/v2/auth/pkey/jwt/"),)
    auth = "personal_key"
    answer = TokenAnswer
    source = "observed"
    org_name: str | None = None

    def encode(self) -> HttpRequest:
        return self._json(without_none(org_name=self.org_name or None))

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> PersonalKeyLogin:
        return cls(Fields.of(http, optional=True).optional_text("org_name") or None)


@dataclass(frozen=True)
class Refresh(Request[TokenAnswer]):
    """Exchange a token for a fresher one; the token is in the body, no header is sent."""

    operation = "refresh"
    path = "/api/v2/auth/token/refresh"
    aliases = (("POST", "/api-token-refresh/"),)
    auth = "none"
    answer = TokenAnswer
    source = "observed"
    token: str = field(repr=False)

    def encode(self) -> HttpRequest:
        return self._json({"token": self.token})

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> Refresh:
        return cls(Fields.of(http).text("token"))


@dataclass(frozen=True)
class Verify(Request[OkAnswer]):
    """Ask whether a token is valid: 2xx says yes."""

    operation = "verify"
    path = "/api-token-verify/"
    aliases = (("POST", "/api/v2/auth/token/verify"),)
    auth = "none"
    answer = OkAnswer
    source = "observed"
    token: str = field(repr=False)

    def encode(self) -> HttpRequest:
        return self._json({"token": self.token})

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> Verify:
        return cls(Fields.of(http).text("token"))


@dataclass(frozen=True)
class SwitchOrg(Request[OkAnswer]):
    """Make an organization the active one of this token's user."""

    operation = "switch_org"
    path = "/api/v2/o/{org}/switch/"
    answer = OkAnswer
    source = "observed"
    org: str

    def encode(self) -> HttpRequest:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode({"slug": self.org}).encode()
        return HttpRequest(self.method, fill(self.path, {"org": self.org}), headers=headers, body=body)

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> SwitchOrg:
        form = dict(parse_qsl(http.read().decode("utf-8", "replace")))
        if form.get("slug", params["org"]) != params["org"]:
            raise BadRequest(f"The path names organization {params['org']!r}, the form {form['slug']!r}.")
        return cls(params["org"])


_SSO_FORM = "client-type=pygraphistry"


@dataclass(frozen=True)
class SsoAnswer(Answer):
    """Where an SSO login stands: a ``state`` and the ``auth_url`` to open, a token, or neither (still pending)."""

    state: str | None = field(default=None, repr=False)
    auth_url: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    active_organization: Organization | None = None

    def encode(self) -> HttpResponse:
        organization = None if self.active_organization is None else vars(self.active_organization)
        data = without_none(
            state=self.state, auth_url=self.auth_url, token=self.token, active_organization=organization
        )
        message = "State is valid" if self.token else "Waiting for the login in the browser"
        status = "OK" if data else "PENDING"
        return HttpResponse.of_json({"status": status, "success": True, "message": message, "data": data})

    @classmethod
    def decode(cls, http: HttpResponse) -> SsoAnswer:
        body = http.json()
        if not isinstance(body, dict) or "status" not in body:
            raise MalformedAnswer(
                f"The server's SSO answer has no status: {http.body[:200].decode('utf-8', 'replace')}"
            )
        if body["status"] == "ERR":
            raise BadRequest(str(body.get("message") or "The server refused the SSO login."))
        data = body.get("data") or {}
        token = data.get("token")
        org = data.get("active_organization") or {}
        active = (
            Organization(str(org["slug"]), bool(org.get("is_found")), bool(org.get("is_member")))
            if org.get("slug")
            else None
        )
        return cls(data.get("state"), data.get("auth_url"), token, active)


@dataclass(frozen=True)
class SsoLogin(Request[SsoAnswer]):
    """Ask for a login in the browser: for the whole site, an organization, or one of its identity providers."""

    operation = "sso_login"
    path = "/api/v2/g/sso/oidc/login/"
    aliases = (
        ("POST", "/api/v2/o/{org}/sso/oidc/login/"),
        ("POST", "/api/v2/o/{org}/sso/oidc/login/{idp}/"),
    )
    auth = "none"
    answer = SsoAnswer
    org: str | None = None
    idp: str | None = None
    base_url: str = ""  # protocol and host as the client reached the server; not sent

    def encode(self) -> HttpRequest:
        paths = [self.path, *(path for _, path in self.aliases)]
        params = without_none(org=self.org, idp=self.idp)
        headers = {"content-type": "application/x-www-form-urlencoded"}
        return HttpRequest(self.method, fill(paths[len(params)], params), headers=headers, body=_SSO_FORM.encode())

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> SsoLogin:
        host = http.headers.get("host", "")
        return cls(params.get("org"), params.get("idp"), f"{http.headers.get('x-forwarded-proto', 'http')}://{host}")


@dataclass(frozen=True)
class SsoToken(InPath[SsoAnswer]):
    """Ask whether the login in the browser is done; the server may take its time to answer."""

    operation = "sso_token"
    method = "GET"
    path = "/api/v2/o/sso/oidc/jwt/{state}/"
    auth = "none"
    answer = SsoAnswer
    state: str = field(repr=False)
