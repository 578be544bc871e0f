"""Operations on files: tables that datasets are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import MalformedAnswer
from ..messages import Fields, HttpRequest, HttpResponse
from .base import (
    LATER_TABLE_TYPES,
    TABLE_TYPES,
    Answer,
    OkAnswer,
    Page,
    Request,
    Sender,
    fill,
    page_number,
    table_body,
    table_type,
    without_none,
)


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
        agent = without_none(agent_name=self.agent_name, agent_version=self.agent_version, org_name=self.org_name)
        return self._json({"file_type": self.file_type, **agent, "name": self.name})

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FileCreate:
        fields = Fields.of(http)
        return cls(
            table_type(fields.choice("file_type", TABLE_TYPES + LATER_TABLE_TYPES, "arrow")),
            fields.optional_text("name") or "",
            fields.optional_text("description") or "",
            fields.optional_text("org_name") or None,
            fields.optional_text("agent_name"),
            fields.optional_text("agent_version"),
        )


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
        return HttpRequest(self.method, fill(self.path, {"file_id": self.file_id}), query, body=table_body(self.body))

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FileUpload:
        return cls(params["file_id"], http.stream(), http.query.get("erase", "true").lower() != "false")


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
        return cls(page_number(http.query, "limit", 100), page_number(http.query, "offset", 0))


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
        return HttpRequest(self.method, fill(self.path, {"file_id": self.file_id}))

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FileDelete:
        return cls(params["file_id"])
