"""HTTP requests and responses as values, and typed reading of JSON from outside. Imports errors only."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

from .errors import BadRequest, MalformedAnswer, TooLarge

AuthScheme = Literal["none", "bearer", "personal_key"]
JSON_BODY_LIMIT = 64 << 20  # a task's source or a dataset's description; tables are streamed and have no such limit
JSON_TYPE = "application/json"


@dataclass(frozen=True)
class Auth:
    """What a request proves about its sender."""

    scheme: AuthScheme = "none"
    token: str = field(default="", repr=False)
    key_id: str = ""
    key_secret: str = field(default="", repr=False)

    def header(self) -> dict[str, str]:
        """Return the ``Authorization`` header, or nothing."""
        if self.scheme == "bearer":
            return {"Authorization": f"Bearer {self.token}"}
        if self.scheme == "personal_key":
            return {"Authorization": f"PersonalKey {self.key_id}:{self.key_secret}"}
        return {}

    @staticmethod
    def from_header(value: str | None) -> Auth:
        """Read an ``Authorization`` header; anything unknown counts as no authentication."""
        scheme, _, rest = (value or "").strip().partition(" ")
        rest = rest.strip()
        if scheme.lower() == "bearer" and rest:
            return Auth("bearer", token=rest)
        if scheme.lower() == "personalkey" and ":" in rest:
            key_id, _, secret = rest.partition(":")
            return Auth("personal_key", key_id=key_id, key_secret=secret)
        return Auth()


@dataclass(frozen=True)
class HttpRequest:
    """One HTTP request; ``headers`` has lower-case names, ``body`` is read once, ``remote`` is the peer's address.

    ``gone`` tells whether the client has gone away, where the shell around the gateway can tell.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = field(default=b"", repr=False)  # bytes | BinaryIO
    remote: str = ""
    gone: Callable[[], bool] | None = field(default=None, repr=False, compare=False)

    def read(self, limit: int = JSON_BODY_LIMIT) -> bytes:
        """Return the whole body; raise TooLarge past ``limit`` bytes."""
        data = self.body if isinstance(self.body, bytes) else _read_up_to(self.body, limit + 1)
        if len(data) > limit:
            raise TooLarge(f"The request body is over {limit} bytes; send tables through the upload routes.")
        return bytes(data)

    def stream(self) -> BinaryIO:
        """Return the body as a binary stream."""
        return io.BytesIO(self.body) if isinstance(self.body, bytes) else self.body


def _read_up_to(stream: BinaryIO, size: int) -> bytes:
    """Read until ``size`` bytes or the end; one call may give less, as a socket does."""
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP response.

    ``fault`` tells the shell around the gateway to break it on purpose: 'drop' ends the connection without a word,
    'truncate' after half of the body.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(default_factory=dict)
    fault: Literal["", "drop", "truncate"] = ""

    def json(self) -> Any:
        """Return the decoded body; raise MalformedAnswer when it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError as e:
            head = self.body[:200].decode("utf-8", "replace")
            raise MalformedAnswer(f"The server's answer is not JSON (it begins {head!r}).") from e

    @staticmethod
    def of_json(document: Any, status: int = 200) -> HttpResponse:
        """Return a JSON response."""
        return HttpResponse(status, json.dumps(document).encode(), JSON_TYPE)


class Fields:
    """A JSON object from outside: typed access with errors that name the field."""

    def __init__(self, values: Mapping[str, Any], what: str = "body") -> None:
        self.values = values
        self.what = what

    @classmethod
    def of(cls, http: HttpRequest, *, optional: bool = False) -> Fields:
        """Decode the JSON object in a request's body; an empty body counts as ``{}`` when ``optional``."""
        raw = http.read()
        if not raw.strip() and optional:
            return cls({})
        try:
            values = json.loads(raw, parse_constant=_refuse_number, parse_float=_finite)
        except (ValueError, RecursionError) as e:
            reason = "it is empty" if not raw.strip() else str(e)
            raise BadRequest(f"The body must be a JSON object, but it does not parse: {reason}.") from e
        if not isinstance(values, dict):
            raise BadRequest(f"The body must be a JSON object, not {_json_kind(values)}.")
        return cls(values)

    def text(self, name: str) -> str:
        """Return a required string."""
        if self.values.get(name) is None:
            raise BadRequest(f"The field '{name}' is missing from the {self.what}; it must be a string.")
        return self.optional_text(name) or ""

    def optional_text(self, name: str) -> str | None:
        """Return a string or None."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"The field '{name}' must be a string, not {_json_kind(value)}.")
        if value is not None and not _is_unicode(value):
            raise BadRequest(f"The field '{name}' holds half of a surrogate pair, which is not Unicode text.")
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: str) -> str:
        """Return one of ``allowed``; absent or null is ``default``."""
        value = self.optional_text(name)
        if value is None:
            return default
        if value not in allowed:
            raise BadRequest(f"The field '{name}' is {value!r}; it must be one of {', '.join(allowed)}.")
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object; absent or null is ``{}``."""
        value = self.values.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise BadRequest(f"The field '{name}' must be an object, not {_json_kind(value)}.")
        return value

    def items(self, name: str) -> list[Any]:
        """Return an array; absent or null is ``[]``."""
        value = self.values.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise BadRequest(f"The field '{name}' must be an array, not {_json_kind(value)}.")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a boolean; absent or null is ``default``."""
        value = self.values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise BadRequest(f"The field '{name}' must be true or false, not {_json_kind(value)}.")
        return value


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_number(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        _refuse_number(text)
    return value


def _json_kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "an array"}
    return kinds.get(type(value), "an object")
