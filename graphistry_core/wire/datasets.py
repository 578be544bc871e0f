"""Operations on datasets, and who may see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadRequest, MalformedAnswer, NotFound
from ..messages import Fields, HttpRequest, HttpResponse
from .base import (
    TABLE_TYPES,
    Answer,
    InPath,
    Listing,
    OkAnswer,
    Request,
    Sender,
    changes,
    fill,
    table_request,
    without_none,
)

TABLES = ("nodes", "edges")
SHARE_MODES = ("private", "organization", "public")
SHARE_ACTIONS = ("10", "20", "30")
SHARED = ("dataset",)
HYPERGRAPH_FIELDS = ("entity_types", "opts", "drop_na", "drop_edge_attrs", "direct")


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
    ``description``, and optionally ``node_files``, ``edge_files``, ``org_name``, ``edge_hypergraph_transform``. Several
    files make one table, one below the other.
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
        for table in TABLES:
            request.files(table)
            request.bindings(table)
        request.hypergraph()
        return request

    def files(self, table: str) -> list[tuple[str, int]]:
        """Return (file id, table index) for ``'nodes'`` or ``'edges'``; an entry is an id or ``[id, index]``."""
        name = f"{table[:-1]}_files"
        entries: list[Any] = [[e, 0] if isinstance(e, str) else e for e in Fields(self.body).items(name)]
        for entry in entries:
            pair = isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)
            if not pair or type(entry[1]) is not int or entry[1] < 0:
                raise BadRequest(f"The field '{name}' must be an array of file ids, or of [file_id, table_index].")
        return [(entry[0], entry[1]) for entry in entries]

    def hypergraph(self) -> dict[str, Any] | None:
        """Return ``edge_hypergraph_transform``, checked: the arguments of ``hypergraph()``, or None.

        Only its name is documented; that these are its keys is a guess.
        """
        if not self.body.get("edge_hypergraph_transform"):
            return None
        asked = Fields(Fields(self.body).mapping("edge_hypergraph_transform"), "edge_hypergraph_transform")
        unknown = [name for name in asked.values if name not in HYPERGRAPH_FIELDS]
        if unknown:
            known = ", ".join(HYPERGRAPH_FIELDS)
            raise BadRequest(f"edge_hypergraph_transform has no field {unknown[0]!r}; it takes {known}.")
        columns = asked.items("entity_types")
        if not all(isinstance(column, str) for column in columns):
            raise BadRequest("The field 'entity_types' must be an array of column names.")
        return {
            "entity_types": columns or None,
            "opts": asked.mapping("opts"),
            "drop_na": asked.flag("drop_na", True),
            "drop_edge_attrs": asked.flag("drop_edge_attrs"),
            "direct": asked.flag("direct"),
        }

    def bindings(self, table: str) -> dict[str, Any]:
        """Return ``{node|edge}_encodings.bindings``."""
        name = f"{table[:-1]}_encodings"
        return Fields(Fields(self.body).mapping(name), name).mapping("bindings")


@dataclass(frozen=True)
class DatasetUpload(Request[DatasetAnswer]):
    """The bytes of a dataset's nodes or edges; ``options`` say how to read them (``table_options``)."""

    operation = "dataset_upload"
    path = "/api/v2/upload/datasets/{dataset_id}/{table}/{file_type}"
    answer = DatasetAnswer
    source = "observed"
    dataset_id: str
    table: str
    body: Sender = field(repr=False)
    file_type: str = "arrow"
    options: Mapping[str, Any] = field(default_factory=dict)
    content_encoding: str | None = None

    def encode(self) -> HttpRequest:
        params = {"dataset_id": self.dataset_id, "table": self.table, "file_type": self.file_type}
        return table_request(self.method, fill(self.path, params), self.body, self.options, self.content_encoding)

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> DatasetUpload:
        if params["table"] not in TABLES:
            raise NotFound(f"There is no table {params['table']!r}; a dataset has 'nodes' and 'edges'.")
        kind, encoding = params["file_type"], http.headers.get("content-encoding")
        if kind not in TABLE_TYPES:
            raise BadRequest(f"Unknown table format {kind!r}; use one of {', '.join(TABLE_TYPES)}.")
        options = {name: value for name, value in http.query.items() if name != "erase"}
        return cls(params["dataset_id"], params["table"], http.stream(), kind, options, encoding)


@dataclass(frozen=True)
class DatasetGet(InPath[DatasetAnswer]):
    """A dataset's record: what it was created with, and what its tables hold."""

    operation = "dataset_get"
    method = "GET"
    path = "/api/v2/upload/datasets/{dataset_id}"
    aliases = (("GET", "/api/v2/datasets/{dataset_id}/"),)
    answer = DatasetAnswer
    source = "observed"
    dataset_id: str


@dataclass(frozen=True)
class DatasetPatch(Request[DatasetAnswer]):
    """Change a dataset's name, description or metadata (the whole object); what is None stays."""

    operation = "dataset_patch"
    method = "PATCH"
    path = "/api/v2/datasets/{dataset_id}/"
    aliases = (("PATCH", "/api/v2/upload/datasets/{dataset_id}"),)
    answer = DatasetAnswer
    source = "guess"
    dataset_id: str
    name: str | None = None
    description: str | None = None
    metadata: Mapping[str, Any] | None = None

    def encode(self) -> HttpRequest:
        metadata = None if self.metadata is None else dict(self.metadata)
        changed = without_none(name=self.name, description=self.description, metadata=metadata)
        return self._json(changed, dataset_id=self.dataset_id)

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> DatasetPatch:
        fields = changes(http, "name", "description", "metadata")
        metadata = fields.mapping("metadata") if "metadata" in fields.values else None
        return cls(params["dataset_id"], fields.optional_text("name"), fields.optional_text("description"), metadata)


@dataclass(frozen=True)
class DatasetList(Listing):
    """The caller's complete datasets, newest first."""

    operation = "dataset_list"
    path = "/api/v2/datasets/"
    aliases = (("GET", "/api/v2/upload/datasets/"),)
    source = "docs"


@dataclass(frozen=True)
class DatasetDelete(InPath[OkAnswer]):
    """Delete a dataset; tasks that run on it finish on the tables they have."""

    operation = "dataset_delete"
    method = "DELETE"
    path = "/api/v2/datasets/{dataset_id}/"
    aliases = (("DELETE", "/api/v2/upload/datasets/{dataset_id}"),)
    answer = OkAnswer
    source = "guess"
    dataset_id: str


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
        mode = fields.choice("mode", SHARE_MODES, "private")
        action = fields.choice("mode_action", SHARE_ACTIONS, "20" if mode == "private" else "10")
        invited = fields.items("invited_users")
        if not all(isinstance(u, dict) and isinstance(u.get("email"), str) for u in invited):
            raise BadRequest(
                "The field 'invited_users' must be an array of objects with the strings 'email', 'action'."
            )
        return cls(
            fields.text("obj_pk"),
            mode,
            fields.choice("obj_type", SHARED, "dataset"),
            fields.flag("notify"),
            tuple(invited),
            action,
            fields.optional_text("message") or "",
        )
