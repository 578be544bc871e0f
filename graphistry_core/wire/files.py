"""Operations on files: tables that datasets are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import MalformedAnswer, NotImplementedHere
from ..messages import Fields, HttpRequest, HttpResponse
from ..table_options import compression_of
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
    """Declare a file; its bytes follow with FileUpload. ``parser_options`` are the reader's, as for an upload."""

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
    file_compression: str = ""
    parser_options: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> HttpRequest:
        given = {
            "description": self.description,
            "file_compression": self.file_compression,
            "parser_options": dict(self.parser_options),
        }
        agent = without_none(agent_name=self.agent_name, agent_version=self.agent_version, org_name=self.org_name)
        given = {name: value for name, value in given.items() if value}
        return self._json({"file_type": self.file_type, **agent, **given, "name": self.name})

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FileCreate:
        fields = Fields.of(http)
        if fields.values.get("sql_transforms"):
            raise NotImplementedHere("The field 'sql_transforms' is not implemented here; transform the table first.")
        return cls(
            fields.choice("file_type", TABLE_TYPES, "arrow"),
            fields.optional_text("name") or "",
            fields.optional_text("description") or "",
            fields.optional_text("org_name") or None,
            fields.optional_text("agent_name"),
            fields.optional_text("agent_version"),
            compression_of(fields.optional_text("file_compression"), "file_compression"),
            fields.mapping("parser_options"),
        )


@dataclass(frozen=True)
class FileUpload(Request[FileAnswer]):
    """The bytes of a declared file. A body that does not parse is 200 with ``is_valid: false``.

    ``options`` say how to read it (``table_options``), and come before the file's own ``parser_options``.
    """

    operation = "file_upload"
    path = "/api/v2/upload/files/{file_id}"
    answer = FileAnswer
    source = "observed"
    file_id: str
    body: Sender = field(repr=False)
    erase: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    content_encoding: str | None = None

    def encode(self) -> HttpRequest:
        options = {"erase": self.erase, **self.options}
        path = fill(self.path, {"file_id": self.file_id})
        return table_request(self.method, path, self.body, options, self.content_encoding)

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FileUpload:
        options = dict(http.query)
        erase = options.pop("erase", "true").lower() != "false"
        return cls(params["file_id"], http.stream(), erase, options, http.headers.get("content-encoding"))


@dataclass(frozen=True)
class FileGet(InPath[FileAnswer]):
    """A file's record: what it was declared as, and what its tables hold."""

    operation = "file_get"
    method = "GET"
    path = "/api/v2/files/{file_id}/"
    answer = FileAnswer
    source = "guess"
    file_id: str


@dataclass(frozen=True)
class FilePatch(Request[FileAnswer]):
    """Change a file's name or description; what is None stays."""

    operation = "file_patch"
    method = "PATCH"
    path = "/api/v2/files/{file_id}/"
    answer = FileAnswer
    source = "guess"
    file_id: str
    name: str | None = None
    description: str | None = None

    def encode(self) -> HttpRequest:
        return self._json(without_none(name=self.name, description=self.description), file_id=self.file_id)

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FilePatch:
        fields = changes(http, "name", "description")
        return cls(params["file_id"], fields.optional_text("name"), fields.optional_text("description"))


@dataclass(frozen=True)
class FileList(Listing):
    """The caller's files, newest first."""

    operation = "file_list"
    path = "/api/v2/files/"
    source = "docs"


@dataclass(frozen=True)
class FileDelete(InPath[OkAnswer]):
    """Delete a file; datasets made from it keep their tables."""

    operation = "file_delete"
    method = "DELETE"
    path = "/api/v2/files/{file_id}/"
    answer = OkAnswer
    source = "guess"
    file_id: str
