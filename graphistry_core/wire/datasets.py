"""Operations on datasets, and who may see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadRequest, MalformedAnswer, NotFound
from ..messages import Fields, HttpRequest, HttpResponse
from .base import TABLE_TYPES, Answer, OkAnswer, Page, Request, Sender, fill, page_number, table_body, table_type


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
        return HttpRequest(self.method, fill(self.path, params), body=table_body(self.body))

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> DatasetUpload:
        if params["table"] not in ("nodes", "edges"):
            raise NotFound(f"There is no table {params['table']!r}; a dataset has 'nodes' and 'edges'.")
        kind = table_type(params["file_type"])
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
        return HttpRequest(self.method, fill(self.path, {"dataset_id": self.dataset_id}))

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
        return cls(page_number(http.query, "limit", 100), page_number(http.query, "offset", 0))


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
        return HttpRequest(self.method, fill(self.path, {"dataset_id": self.dataset_id}))

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
