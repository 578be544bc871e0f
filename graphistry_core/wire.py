"""Every operation of Graphistry's HTTP protocol, once.

Each operation is a request dataclass: its name (the one used in journals and on the parity page), method, path,
authentication, how it is encoded and decoded, and the answer class that goes with it. Clients and servers both
import this module, so they cannot drift apart. No other module knows a path, a field name or a status.

May import errors and messages; knows nothing of sockets, Flask, requests or the Hub. Tables travel as Arrow IPC
bytes, or as ``pyarrow.Table`` when no bytes are needed (in-process).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Generic, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from .errors import BadRequest, MalformedAnswer, MethodNotAllowed, NotFound, NotImplementedHere
from .messages import JSON_TYPE, Auth, AuthScheme, Fields, HttpRequest, HttpResponse

TABLE_TYPES = ("arrow", "csv", "json", "parquet")
LATER_TABLE_TYPES = ("orc", "xls", "xlsx")  # Graphistry takes them; here they are refused as not implemented
FORMATS = ("json", "csv", "parquet")
OUTPUT_TYPES = ("json", "table", "nodes", "edges", "all", "shape")
TEXT_TYPE = "text/plain; charset=utf-8"
CONTENT_TYPES = {
    "json": JSON_TYPE,
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
}
VIEWER_PATH = "/graph/graph.html"
HEALTH_PATHS = ("/healthz", "/healthcheck/", "/ht/")

Sender = Any  # pyarrow.Table | bytes | BinaryIO: what a table body can be


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
        return HttpRequest(self.method, _fill(self.path, params), headers={"content-type": JSON_TYPE}, body=body)


def _fill(template: str, params: Mapping[str, str]) -> str:
    return template.format(**{name: quote(value, safe="") for name, value in params.items()})


def _without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


# --- authentication -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Organization:
    """``active_organization`` of a login's answer."""

    slug: str
    is_found: bool = True
    is_member: bool = True


@dataclass(frozen=True)
class TokenAnswer(Answer):
    """A JWT, with the organization that was asked for (absent, never null, when none was)."""

    token: str
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
        return self._json(body | _without_none(org_name=self.org_name or None))

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
        return self._json(_without_none(org_name=self.org_name or None))

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
        return HttpRequest(self.method, _fill(self.path, {"org": self.org}), headers=headers, body=body)

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> SwitchOrg:
        form = dict(parse_qsl(http.read().decode("utf-8", "replace")))
        if form.get("slug", params["org"]) != params["org"]:
            raise BadRequest(f"The path names organization {params['org']!r}, the form {form['slug']!r}.")
        return cls(params["org"])


# --- files ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileAnswer(Answer):
    """One file's record; ``errors`` is empty when ``is_valid``."""

    file_id: str
    record: Mapping[str, Any] = field(default_factory=dict)
    is_valid: bool = True
    is_uploaded: bool = True
    errors: tuple[Any, ...] = ()

    def encode(self) -> HttpResponse:
        state = {"is_valid": self.is_valid, "is_uploaded": self.is_uploaded, "errors": list(self.errors)}
        return HttpResponse.of_json({**self.record, "success": True, "file_id": self.file_id, **state})

    @classmethod
    def decode(cls, http: HttpResponse) -> FileAnswer:
        body = http.json()
        if not isinstance(body, dict):
            raise MalformedAnswer("The server's answer about a file is not a JSON object.")
        errors = body.get("errors") or ()
        return cls(
            str(body.get("file_id", "")),
            body,
            bool(body.get("is_valid", True)),
            bool(body.get("is_uploaded", True)),
            tuple(errors) if isinstance(errors, list) else (errors,),
        )


@dataclass(frozen=True)
class FileCreate(Request[FileAnswer]):
    """Declare a file; its bytes follow with FileUpload."""

    operation = "file_create"
    path = "/api/v2/files/"
    answer = FileAnswer
    source = "observed"
    file_type: str = "arrow"
    name: str = ""
    description: str = ""
    org_name: str | None = None
    agent_name: str | None = None
    agent_version: str | None = None

    def encode(self) -> HttpRequest:
        agent = _without_none(agent_name=self.agent_name, agent_version=self.agent_version, org_name=self.org_name)
        return self._json({"file_type": self.file_type, **agent, "name": self.name})

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FileCreate:
        fields = Fields.of(http)
        return cls(
            _table_type(fields.choice("file_type", TABLE_TYPES + LATER_TABLE_TYPES, "arrow")),
            fields.optional_text("name") or "",
            fields.optional_text("description") or "",
            fields.optional_text("org_name") or None,
            fields.optional_text("agent_name"),
            fields.optional_text("agent_version"),
        )


def _table_type(kind: str) -> str:
    if kind in LATER_TABLE_TYPES:
        raise NotImplementedHere(f"Tables of type {kind} are not supported here yet; use {', '.join(TABLE_TYPES)}.")
    return kind


def _table_body(body: Any) -> bytes:
    """Arrow IPC *file* bytes of a table (what clients send); bytes and streams pass through."""
    if isinstance(body, bytes):
        return body
    if hasattr(body, "read"):
        return bytes(body.read())
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, body.schema) as writer:
        writer.write_table(body)
    return bytes(sink.getvalue())


@dataclass(frozen=True)
class FileUpload(Request[FileAnswer]):
    """The bytes of a declared file. A body that does not parse is 200 with ``is_valid: false``."""

    operation = "file_upload"
    path = "/api/v2/upload/files/{file_id}"
    answer = FileAnswer
    source = "observed"
    file_id: str
    body: Sender = field(repr=False)
    erase: bool = True

    def encode(self) -> HttpRequest:
        query = {"erase": "true" if self.erase else "false"}
        return HttpRequest(self.method, _fill(self.path, {"file_id": self.file_id}), query, body=_table_body(self.body))

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FileUpload:
        return cls(params["file_id"], http.stream(), http.query.get("erase", "true").lower() != "false")


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


def _page_number(query: Mapping[str, str], name: str, default: int) -> int:
    raw = query.get(name)
    if raw is None or raw == "":
        return default
    if not raw.isdecimal() or len(raw) > 9:
        raise BadRequest(f"The query parameter '{name}' is {raw!r}; it must be a number of 0 or more.")
    return int(raw)


@dataclass(frozen=True)
class FileList(Request[Page]):
    """The caller's files, newest first."""

    operation = "file_list"
    method = "GET"
    path = "/api/v2/files/"
    answer = Page
    source = "docs"
    limit: int = 100
    offset: int = 0

    def encode(self) -> HttpRequest:
        return HttpRequest(self.method, self.path, {"limit": str(self.limit), "offset": str(self.offset)})

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FileList:
        return cls(_page_number(http.query, "limit", 100), _page_number(http.query, "offset", 0))


@dataclass(frozen=True)
class FileDelete(Request[OkAnswer]):
    """Delete a file; datasets made from it keep their tables."""

    operation = "file_delete"
    method = "DELETE"
    path = "/api/v2/files/{file_id}/"
    answer = OkAnswer
    source = "guess"
    file_id: str

    def encode(self) -> HttpRequest:
        return HttpRequest(self.method, _fill(self.path, {"file_id": self.file_id}))

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FileDelete:
        return cls(params["file_id"])


# --- datasets -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DatasetAnswer(Answer):
    """``{"success": true, "message", "data": {"dataset_id", …}}``."""

    dataset_id: str
    data: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""

    def encode(self) -> HttpResponse:
        data = {**self.data, "dataset_id": self.dataset_id}
        return HttpResponse.of_json({"success": True, "message": self.message, "data": data})

    @classmethod
    def decode(cls, http: HttpResponse) -> DatasetAnswer:
        body = http.json()
        if not isinstance(body, dict) or body.get("success") is False:
            raise MalformedAnswer(f"The server did not confirm: {http.body[:200].decode('utf-8', 'replace')}")
        # A real server may answer with the record itself instead of an envelope (protocol of from_dataset_id).
        data = body["data"] if isinstance(body.get("data"), dict) else body
        return cls(str(data.get("dataset_id") or ""), data, str(body.get("message") or ""))


@dataclass(frozen=True)
class DatasetCreate(Request[DatasetAnswer]):
    """Create a dataset: bindings and encodings, and file ids when the tables are there already.

    ``body`` is the JSON object as sent: ``node_encodings``, ``edge_encodings``, ``metadata``, ``name``,
    ``description``, and optionally ``node_files``, ``edge_files``, ``org_name``.
    """

    operation = "dataset_create"
    path = "/api/v2/upload/datasets/"
    answer = DatasetAnswer
    source = "observed"
    body: Mapping[str, Any]

    def encode(self) -> HttpRequest:
        return self._json(self.body)

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> DatasetCreate:
        fields = Fields.of(http)
        for name in ("node_encodings", "edge_encodings", "metadata"):
            fields.mapping(name)
        for name in ("name", "description", "org_name"):
            fields.optional_text(name)
        request = cls(fields.values)
        for table in ("nodes", "edges"):
            request.files(table)
            request.bindings(table)
        return request

    def files(self, table: str) -> list[str]:
        """Return the file ids for ``'nodes'`` or ``'edges'``; an entry is an id or ``[id, table_index]``."""
        name = f"{table[:-1]}_files"
        entries = [[e, 0] if isinstance(e, str) else e for e in Fields(self.body).items(name)]
        if not all(isinstance(e, list) and len(e) == 2 and isinstance(e[0], str) and e[1] == 0 for e in entries):
            raise BadRequest(
                f"The field '{name}' must be an array of file ids, or of [file_id, 0]: a file has one table."
            )
        return [str(e[0]) for e in entries]

    def bindings(self, table: str) -> dict[str, Any]:
        """Return ``{node|edge}_encodings.bindings``."""
        name = f"{table[:-1]}_encodings"
        return Fields(Fields(self.body).mapping(name), name).mapping("bindings")


@dataclass(frozen=True)
class DatasetUpload(Request[DatasetAnswer]):
    """The bytes of a dataset's nodes or edges."""

    operation = "dataset_upload"
    path = "/api/v2/upload/datasets/{dataset_id}/{table}/{file_type}"
    answer = DatasetAnswer
    source = "observed"
    dataset_id: str
    table: str
    body: Sender = field(repr=False)
    file_type: str = "arrow"

    def encode(self) -> HttpRequest:
        params = {"dataset_id": self.dataset_id, "table": self.table, "file_type": self.file_type}
        return HttpRequest(self.method, _fill(self.path, params), body=_table_body(self.body))

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> DatasetUpload:
        if params["table"] not in ("nodes", "edges"):
            raise NotFound(f"There is no table {params['table']!r}; a dataset has 'nodes' and 'edges'.")
        kind = _table_type(params["file_type"])
        if kind not in TABLE_TYPES:
            raise BadRequest(f"Unknown table format {kind!r}; use one of {', '.join(TABLE_TYPES)}.")
        return cls(params["dataset_id"], params["table"], http.stream(), kind)


@dataclass(frozen=True)
class DatasetGet(Request[DatasetAnswer]):
    """A dataset's record: what it was created with, and what its tables hold."""

    operation = "dataset_get"
    method = "GET"
    path = "/api/v2/upload/datasets/{dataset_id}"
    aliases = (("GET", "/api/v2/datasets/{dataset_id}/"),)
    answer = DatasetAnswer
    source = "observed"
    dataset_id: str

    def encode(self) -> HttpRequest:
        return HttpRequest(self.method, _fill(self.path, {"dataset_id": self.dataset_id}))

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> DatasetGet:
        return cls(params["dataset_id"])


@dataclass(frozen=True)
class DatasetList(Request[Page]):
    """The caller's complete datasets, newest first."""

    operation = "dataset_list"
    method = "GET"
    path = "/api/v2/datasets/"
    aliases = (("GET", "/api/v2/upload/datasets/"),)
    answer = Page
    source = "docs"
    limit: int = 100
    offset: int = 0

    def encode(self) -> HttpRequest:
        return HttpRequest(self.method, self.path, {"limit": str(self.limit), "offset": str(self.offset)})

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> DatasetList:
        return cls(_page_number(http.query, "limit", 100), _page_number(http.query, "offset", 0))


@dataclass(frozen=True)
class DatasetDelete(Request[OkAnswer]):
    """Delete a dataset; tasks that run on it finish on the tables they have."""

    operation = "dataset_delete"
    method = "DELETE"
    path = "/api/v2/datasets/{dataset_id}/"
    aliases = (("DELETE", "/api/v2/upload/datasets/{dataset_id}"),)
    answer = OkAnswer
    source = "guess"
    dataset_id: str

    def encode(self) -> HttpRequest:
        return HttpRequest(self.method, _fill(self.path, {"dataset_id": self.dataset_id}))

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> DatasetDelete:
        return cls(params["dataset_id"])


@dataclass(frozen=True)
class Share(Request[OkAnswer]):
    """Set who may see a dataset: mode private, organization or public."""

    operation = "share"
    path = "/api/v2/share/link/"
    answer = OkAnswer
    source = "observed"
    obj_pk: str
    mode: str = "private"
    obj_type: str = "dataset"
    notify: bool = False
    invited_users: tuple[Mapping[str, Any], ...] = ()
    mode_action: str = "20"
    message: str = ""

    def encode(self) -> HttpRequest:
        return self._json({**vars(self), "invited_users": list(self.invited_users)})

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> Share:
        fields = Fields.of(http)
        mode = fields.choice("mode", ("private", "organization", "public"), "private")
        action = fields.choice("mode_action", ("10", "20", "30"), "20" if mode == "private" else "10")
        invited = fields.items("invited_users")
        if not all(isinstance(u, dict) and isinstance(u.get("email"), str) for u in invited):
            raise BadRequest(
                "The field 'invited_users' must be an array of objects with the strings 'email', 'action'."
            )
        return cls(
            fields.text("obj_pk"),
            mode,
            fields.choice("obj_type", ("dataset",), "dataset"),
            fields.flag("notify"),
            tuple(invited),
            action,
            fields.optional_text("message") or "",
        )


# --- tasks ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PythonAnswer(Answer):
    """A task's encoded result: JSON, plain text, CSV, Parquet or a zip of two tables."""

    body: bytes = field(repr=False)
    content_type: str = JSON_TYPE

    def encode(self) -> HttpResponse:
        return HttpResponse(200, self.body, self.content_type)

    @classmethod
    def decode(cls, http: HttpResponse) -> PythonAnswer:
        return cls(http.body, http.content_type)


@dataclass(frozen=True)
class Python(Request[PythonAnswer]):
    """Run ``task(g)`` on a dataset.

    On the wire every line of ``execute`` is indented by four spaces, as clients have always sent it, and
    ``format`` and ``output_type`` are left out when they are ``json``. ``decode`` keeps the source as it came:
    ``executors.task`` takes any indentation.
    """

    operation = "python"
    path = "/api/v2/datasets/{dataset_id}/python"
    answer = PythonAnswer
    source = "observed"
    dataset_id: str
    execute: str
    engine: str = "pandas"
    format: str = "json"
    output_type: str = "json"
    run_label: str | None = None

    def encode(self) -> HttpRequest:
        indented = "\n".join("    " + line for line in self.execute.split("\n"))
        body = {"execute": indented, "engine": self.engine} | _without_none(
            run_label=self.run_label or None,
            format=None if self.format == "json" else self.format,
            output_type=None if self.output_type == "json" else self.output_type,
        )
        return self._json(body, dataset_id=self.dataset_id)

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> Python:
        fields = Fields.of(http)
        return cls(
            params["dataset_id"],
            fields.text("execute"),
            fields.choice("engine", ("pandas", "cudf", "auto"), "auto"),
            fields.choice("format", FORMATS, "json"),
            fields.choice("output_type", OUTPUT_TYPES, "json"),
            fields.optional_text("run_label"),
        )


# --- routing --------------------------------------------------------------------------------------------------

OPERATIONS: tuple[type[Request[Any]], ...] = (
    Login,
    Refresh,
    Verify,
    PersonalKeyLogin,
    SwitchOrg,
    FileCreate,
    FileUpload,
    FileList,
    FileDelete,
    DatasetCreate,
    DatasetUpload,
    DatasetGet,
    DatasetList,
    DatasetDelete,
    Share,
    Python,
)


def routes() -> Iterator[tuple[str, str, type[Request[Any]]]]:
    """Yield (method, path template, operation) of everything that is served."""
    for operation in OPERATIONS:
        yield operation.method, operation.path, operation
        for method, path in operation.aliases:
            yield method, path, operation


def _pattern(template: str) -> re.Pattern[str]:
    # A trailing slash is optional: a redirect would turn a client's POST into a GET.
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template.rstrip("/")) + "/?")


_ROUTES = [(method, _pattern(path), operation) for method, path, operation in routes()]


# Routes of Graphistry's that nothing here answers yet: another error than a wrong path.
_LATER = {
    "GFQL": r"/api/v2/(etl/)?datasets/[^/]+/gfql(/.*)?",
    "SSO": r"/api/v2/(g|o/[^/]+|o)/sso/.*",
    "User-defined functions": r"/api/v2/o/[^/]+/(functions|run)/.*",
    "Live sessions": r"/api/experimental/viz/.*",
    "Single-use URLs": r"/api/v2/generate/single-use-url/?",
}


def is_graphistry_path(path: str) -> bool:
    """Say whether a path looks like one of Graphistry's, implemented here or not."""
    path = re.sub("/+", "/", path)
    return path.startswith(("/api/v1/", "/api/v2/", "/api/experimental/", "/api-token-", "/graph/"))


def match(method: str, path: str) -> tuple[type[Request[Any]], dict[str, str]]:
    """Find the operation of a request; raise NotFound or MethodNotAllowed."""
    allowed = set()
    for verb, pattern, operation in _ROUTES:
        found = pattern.fullmatch(path)
        if found and verb == method:
            return operation, found.groupdict()
        if found:
            allowed.add(verb)
    if allowed:
        raise MethodNotAllowed(f"{method} is not possible on {path}; use {' or '.join(sorted(allowed))}.")
    for what, pattern_text in _LATER.items():
        if re.fullmatch(pattern_text, path):
            raise NotImplementedHere(f"{what} is not implemented by graphistry-core yet ({method} {path}).")
    raise NotFound(f"There is no route {method} {path}.")


def with_auth(http: HttpRequest, auth: Auth) -> HttpRequest:
    """Return the request with its Authorization header."""
    return replace(http, headers={**http.headers, **auth.header()})
