"""Logging in with a browser: a small page, a session cookie, and the token that keeps other sites out.

The endpoints take a session cookie in place of a Bearer token, with the CSRF token of the same browser in the header
``X-CSRFToken`` for whatever changes something (the names are Django's; a guess). May import errors, messages, wire and
the hub.
"""

from __future__ import annotations

import contextlib
import hmac
import secrets
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from . import wire
from .errors import AccessDenied, GraphistryError
from .hub import Hub
from .hub import page as pages
from .messages import Auth, HttpRequest, HttpResponse
from .wire.routes import CSRF_COOKIE, CSRF_HEADER, SESSION_COOKIE

LOGIN_PATH, LOGOUT_PATH = "/accounts/login/", "/accounts/logout/"
_SAFE = ("GET", "HEAD", "OPTIONS")
_HTML = "text/html; charset=utf-8"


def cookies_of(http: HttpRequest) -> dict[str, str]:
    """Return the cookies of a request; a broken header counts as none."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(http.headers.get("cookie", "")).items()}
    except CookieError:
        return {}


def auth_of(http: HttpRequest) -> Auth:
    """Return what a request proves: its Authorization header, else its session cookie.

    Raises AccessDenied when the cookie comes with a request that changes something and without the CSRF token.
    """
    if http.headers.get("authorization"):
        return Auth.from_header(http.headers["authorization"])
    cookies = cookies_of(http)
    if not cookies.get(SESSION_COOKIE):
        return Auth()
    if http.method not in _SAFE and not same(http.headers.get(CSRF_HEADER, ""), cookies.get(CSRF_COOKIE, "")):
        raise AccessDenied(
            "CSRF Failed: a request with a session cookie needs the value of the cookie 'csrftoken' in the header "
            "X-CSRFToken."
        )
    return Auth("bearer", token=cookies[SESSION_COOKIE])


def same(given: str, wanted: str) -> bool:
    """Compare a token with the one that is wanted; an empty one is never right."""
    return bool(wanted) and hmac.compare_digest(given.encode(), wanted.encode())


def is_page(path: str) -> bool:
    """Say whether a path is the login or the logout page."""
    return path.rstrip("/") + "/" in (LOGIN_PATH, LOGOUT_PATH)


def respond(http: HttpRequest, hub: Hub) -> HttpResponse:
    """Answer the login and logout pages."""
    if http.path.rstrip("/") + "/" == LOGOUT_PATH:
        if token := cookies_of(http).get(SESSION_COOKIE):
            with contextlib.suppress(GraphistryError):  # one that is worth nothing already
                hub.accounts.end_tokens(None, token, expired=False)
        return redirect(LOGIN_PATH, _cookie(SESSION_COOKIE, "", "HttpOnly; Max-Age=0"))
    return _log_in(http, hub) if http.method == "POST" else _form(http)


def _log_in(http: HttpRequest, hub: Hub) -> HttpResponse:
    form = {name: values[-1] for name, values in parse_qs(http.read().decode("utf-8", "replace")).items()}
    if not same(form.get("csrfmiddlewaretoken", ""), cookies_of(http).get(CSRF_COOKIE, "")):
        return _form(http, "This form was not opened in this browser: try again.", 403)
    try:
        token = hub.login(wire.Login(form.get("username", ""), form.get("password", ""))).token
    except GraphistryError as e:
        return _form(http, e.message, e.status)
    target = form.get("next") or "/"
    if not target.startswith("/") or target.startswith("//") or "\\" in target or any(c <= " " for c in target):
        target = "/"  # to nobody else's site
    return redirect(target, _cookie(SESSION_COOKIE, token, "HttpOnly"))


def _form(http: HttpRequest, problem: str = "", status: int = 200) -> HttpResponse:
    csrf = cookies_of(http).get(CSRF_COOKIE) or secrets.token_urlsafe(24)
    hidden = {"csrfmiddlewaretoken": csrf, "next": http.query.get("next", "/")}
    inputs = "".join(f'<input type=hidden name={name} value="{escape(value)}">' for name, value in hidden.items())
    alert = f"<p role=alert><b>{escape(problem)}</b></p>" if problem else ""
    body = f"""<h1>Log in</h1>{alert}<form method=post action="{LOGIN_PATH}">{inputs}
<p><label>User name<br><input name=username autocomplete=username required autofocus></label></p>
<p><label>Password<br><input name=password type=password autocomplete=current-password required></label></p>
<p><button>Log in</button></p></form>"""
    return HttpResponse(status, pages.document("Log in", body), _HTML, {"Set-Cookie": _cookie(CSRF_COOKIE, csrf, "")})


def redirect(target: str, cookie: str = "") -> HttpResponse:
    """Send a browser to another path of this server, with a cookie for it if given."""
    return HttpResponse(302, b"", _HTML, {"Location": target} | ({"Set-Cookie": cookie} if cookie else {}))


def _cookie(name: str, value: str, attributes: str) -> str:
    return "; ".join(filter(None, [f"{name}={value}", "Path=/", "SameSite=Lax", attributes]))
