"""What all operations are made of. Imports errors, messages and arrow_body."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import quote

from ..arrow_body import ArrowBody
from ..errors import BadRequest, MalformedAnswer
from ..messages import JSON_TYPE, AuthScheme, Fields, HttpRequest, HttpResponse

TABLE_TYPES = ("arrow", "csv", "json", "orc", "parquet", "xls", "xlsx")
FORMATS = ("json", "csv", "parquet")
OUTPUT_TYPES = ("json", "table", "nodes", "edges", "all", "shape")
TEXT_TYPE = "text/plain; charset=utf-8"
CONTENT_TYPES = {
    "json": JSON_TYPE,
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
}
Sender = Any  # pyarrow.Table | ArrowBody | bytes | BinaryIO: what a table body can be


class Answer:
    """Base of the answers; most are one JSON object."""

    def encode(self) -> HttpResponse:
        """Return the HTTP form of this answer."""
        raise NotImplementedError

    @classmethod
    def decode(cls, http: HttpResponse) -> Answer:
        """Rebuild the answer from a 2xx response."""
        raise NotImplementedError


A = TypeVar("A", bound=Answer, covariant=True)


class Request(Generic[A]):
    """Base of the operations. ``path`` is what our client sends; ``aliases`` are served too."""

    operation: ClassVar[str]
    method: ClassVar[str] = "POST"
    path: ClassVar[str]
    aliases: ClassVar[tuple[tuple[str, str], ...]] = ()
    auth: ClassVar[AuthScheme] = "bearer"
    answer: ClassVar[type[Answer]]
    source: ClassVar[str] = "client"  # where the fact comes from: observed, client, docs, seed, guess

    def encode(self) -> HttpRequest:
        """Return the HTTP form of this request, without authentication."""
        raise NotImplementedError

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> Request[A]:
        """Rebuild the request; raise BadRequest naming what is wrong."""
        raise NotImplementedError

    def _json(self, document: Mapping[str, Any], **params: str) -> HttpRequest:
        body = json.dumps(document).encode()
        return HttpRequest(self.method, fill(self.path, params), headers={"content-type": JSON_TYPE}, body=body)


class InPath(Request[A]):
    """Base of the operations whose fields, all text, are the parameters of their path."""

    def encode(self) -> HttpRequest:
        return HttpRequest(self.method, fill(self.path, vars(self)))

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> InPath[A]:
        return cls(**{name: params[name] for name in re.findall(r"\{(\w+)\}", cls.path)})


def fill(template: str, params: Mapping[str, str]) -> str:
    """Fill a path template, each value quoted; raise BadRequest for one that is no text."""
    for name, value in params.items():
        if not isinstance(value, str) or not value:
            raise BadRequest(f"{name} must be text, not {value!r}.")
    return template.format(**{name: quote(value, safe="") for name, value in params.items()})


def without_none(**values: Any) -> dict[str, Any]:
    """Return the keywords that are not None."""
    return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class OkAnswer(Answer):
    """An answer of which only success matters: ``{"status": "OK", "success": true, …}``."""

    message: str = "OK"
    data: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> HttpResponse:
        return HttpResponse.of_json({"status": "OK", "success": True, "message": self.message, "data": dict(self.data)})

    @classmethod
    def decode(cls, http: HttpResponse) -> OkAnswer:
        body = http.json() if http.body.strip() else {}
        body = body if isinstance(body, dict) else {}
        if body.get("status", "OK") != "OK":
            raise BadRequest(str(body.get("message") or body))
        data = body.get("data")
        return cls(str(body.get("message", "OK")), data if isinstance(data, dict) else {})


@dataclass(frozen=True)
class Page(Answer):
    """One page of a list: ``{count, next, previous, results}``."""

    count: int
    results: tuple[Mapping[str, Any], ...]
    next: str | None = None
    previous: str | None = None

    def encode(self) -> HttpResponse:
        links = {"count": self.count, "next": self.next, "previous": self.previous}
        return HttpResponse.of_json({**links, "results": list(self.results)})

    @classmethod
    def decode(cls, http: HttpResponse) -> Page:
        body = http.json()
        if not isinstance(body, dict) or not isinstance(body.get("results"), list):
            raise MalformedAnswer("The server's answer is not a page of results.")
        return cls(int(body.get("count", 0)), tuple(body["results"]), body.get("next"), body.get("previous"))


@dataclass(frozen=True)
class Listing(Request[Page]):
    """Base of the lists: ``limit`` results from the ``offset``-th on."""

    method = "GET"
    answer = Page
    limit: int = 100
    offset: int = 0
    base_url: str = ""  # protocol and host as the client reached the server; not sent

    def place(self) -> str:
        """Return the path of this list."""
        return self.path

    def encode(self) -> HttpRequest:
        return HttpRequest(self.method, self.place(), {"limit": str(self.limit), "offset": str(self.offset)})

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> Listing:
        return cls(page_number(http.query, "limit", 100), page_number(http.query, "offset", 0), base_url(http))


def page_number(query: Mapping[str, str], name: str, default: int) -> int:
    """Read a paging parameter; raise BadRequest naming it."""
    raw = query.get(name)
    if raw is None or raw == "":
        return default
    if not raw.isdecimal() or len(raw) > 9:
        raise BadRequest(f"The query parameter '{name}' is {raw!r}; it must be a number of 0 or more.")
    return int(raw)


def base_url(http: HttpRequest) -> str:
    """Return protocol and host as the client reached the server, or '' when the request does not say."""
    host = http.headers.get("host", "")
    scheme = "https" if http.headers.get("x-forwarded-proto") == "https" else "http"
    return f"{scheme}://{host}" if re.fullmatch(r"[\w.:\[\]-]+", host, re.ASCII) else ""


def changes(http: HttpRequest, *allowed: str) -> Fields:
    """Read the body of a PATCH: some of the fields that can be changed, and no other."""
    fields = Fields.of(http)
    unknown = [name for name in fields.values if name not in allowed]
    if unknown or not fields.values:
        said = f"The field {unknown[0]!r} cannot be changed" if unknown else "There is nothing to change"
        raise BadRequest(f"{said}; send one or more of {', '.join(allowed)}.")
    return fields


def table_request(method: str, path: str, body: Any, options: Mapping[str, Any], encoding: str | None) -> HttpRequest:
    """Return the request that carries a table's bytes, with how to read them as query parameters."""
    query = {name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}
    headers = {"content-encoding": encoding} if encoding else {}
    return HttpRequest(method, path, query, headers, table_body(body))


def table_body(body: Any) -> Any:
    """Arrow IPC *file* bytes of a table (what clients send), not copied; bytes, bodies and streams pass through."""
    return ArrowBody(body) if hasattr(body, "schema") else body
