"""Take secrets out of what is written down. Imports nothing of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"
_SECRET_NAME = re.compile(
    r"token|secret|password|passwd|pkey|api_?key|authori[sz]ation|cookie|csrf|^state$|^code$|^single_use$", re.I
)
# Repetitions are bounded: a text is up to its sender, and must not take quadratic time.
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{1,4000}\.[A-Za-z0-9_-]{1,4000}\.[A-Za-z0-9_-]{0,4000}")
_SCHEME = re.compile(r"(?i)\b(bearer|personalkey|basic)\s{1,9}[^\s'\",;]+")
_ASSIGNED = re.compile(
    r"""(?ix)\b (\w{0,30}(?:password|passwd|secret|token|api_?key)\w{0,30})
        (['"]?\s{0,9}[=:]\s{0,9}) ('[^'\n]*'|"[^"\n]*")"""
)
_STATE_PATH = re.compile(r"(/sso/oidc/jwt/|^/sso/)[^/]+")
_SHORTEST = 4  # a shorter secret would blacken half of every text


def is_secret(name: str) -> bool:
    """Say whether a field, parameter or header of this name holds a secret."""
    return _SECRET_NAME.search(name) is not None


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without tokens, authorization values, assigned passwords and the given secrets."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, MASK)
    text = _SCHEME.sub(rf"\1 {MASK}", _JWT.sub(MASK, text))
    return _ASSIGNED.sub(rf"\1\2'{MASK}'", text)


def scrub_path(path: str) -> str:
    """Return a path without the state of an SSO login, which is worth a token."""
    return _STATE_PATH.sub(rf"\g<1>{MASK}", path)
