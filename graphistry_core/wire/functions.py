"""Operations on user-defined functions: a task or a query that is kept under a name, and run by it.

Graphistry documents the paths, the two flags that guard making them, that each can be switched on and off, and that
its dataset is named when it is made or when it is run. The names of the fields are ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadRequest, NotFound
from ..messages import JSON_TYPE, Fields, HttpRequest
from .base import InPath, Listing, OkAnswer, Request, changes, fill, without_none
from .tasks import Gfql, Python, PythonAnswer
from .viewer import RecordAnswer

ABOUT = ("alias", "name", "description", "enabled", "dataset_id")
# What a function of each kind does: fields of the endpoint that runs such a thing once.
DEFINITIONS: Mapping[str, tuple[str, ...]] = {
    "python": ("execute", "engine", "format", "output_type"),
    "gfql": (
        "gfql_query", "gfql_operations", "gfql_output", "engine", "format", "output_type", "strictness",
        "node_col_subset", "edge_col_subset", "df_export_args", "persist", "privacy",
    ),
}  # fmt: skip
ON_RUN = ("dataset_id", "engine", "format", "output_type")  # what a run may choose itself
_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ID = re.compile(r"[0-9a-f]{32}")


def request_of(kind: str, dataset_id: str, definition: Mapping[str, Any]) -> Python | Gfql:
    """Return the request that does once what a function does; raise BadRequest naming a field."""
    body = dict(definition)
    params = {"dataset_id": dataset_id}
    if kind == "gfql":
        params["output_type"] = Fields(body).optional_text("output_type") or "all"
        body.pop("output_type", None)
    http = HttpRequest("POST", "", headers={"content-type": JSON_TYPE}, body=json.dumps(body).encode())
    return Python.decode(params, http) if kind == "python" else Gfql.decode(params, http)


def _kind(params: Mapping[str, str]) -> str:
    kind = params["kind"]
    if kind not in DEFINITIONS:
        raise NotFound(f"There are no functions of kind {kind!r}; there are {' and '.join(DEFINITIONS)}.")
    return kind


def _about(fields: Fields) -> dict[str, Any]:
    """Return what the body says of a function besides what it does, checked."""
    alias = fields.optional_text("alias")
    if alias is not None and (not _ALIAS.fullmatch(alias) or _ID.fullmatch(alias)):
        raise BadRequest(
            f"The field 'alias' is {alias!r}; it becomes part of a path: up to 100 of A-Z, a-z, 0-9, '.', '_' and "
            "'-', beginning with a letter or digit, and no uuid."
        )
    texts = {name: fields.optional_text(name) for name in ("name", "description", "dataset_id")}
    enabled = None if fields.values.get("enabled") is None else fields.flag("enabled")
    return without_none(alias=alias, enabled=enabled, **texts)


def _definition(kind: str, fields: Fields) -> dict[str, Any]:
    return {name: fields.values[name] for name in DEFINITIONS[kind] if fields.values.get(name) is not None}


@dataclass(frozen=True)
class FunctionList(Listing):
    """An organization's functions of one kind, python or gfql, newest first."""

    operation = "function_list"
    path = "/api/v2/o/{org}/functions/{kind}/"
    source = "docs"
    org: str = ""
    kind: str = "python"

    def place(self) -> str:
        return fill(self.path, {"org": self.org, "kind": self.kind})

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FunctionList:
        page = Listing.decode(params, http)
        return cls(page.limit, page.offset, page.base_url, params["org"], _kind(params))


@dataclass(frozen=True)
class FunctionCreate(Request[RecordAnswer]):
    """Keep a task or a query under an id, and an alias if it is to have one.

    ``definition`` is what the endpoint takes that runs such a thing once; on the wire its fields stand beside the
    others. ``dataset_id`` is what it runs on where a run names no other.
    """

    operation = "function_create"
    path = "/api/v2/o/{org}/functions/{kind}/"
    answer = RecordAnswer
    source = "docs"
    org: str
    kind: str
    definition: Mapping[str, Any]
    alias: str | None = None
    name: str = ""
    description: str = ""
    enabled: bool = True
    dataset_id: str | None = None

    def encode(self) -> HttpRequest:
        about = without_none(**{name: getattr(self, name) for name in ABOUT})
        return self._json({**about, **self.definition}, org=self.org, kind=self.kind)

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FunctionCreate:
        kind, fields = _kind(params), Fields.of(http)
        definition = _definition(kind, fields)
        request_of(kind, "none yet", definition)
        return cls(params["org"], kind, definition, **_about(fields))


@dataclass(frozen=True)
class _OneFunction(InPath[Any]):
    """Base of the operations on one function, named by its id or alias."""

    org: str
    kind: str
    function: str

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> _OneFunction:
        return cls(params["org"], _kind(params), params["function"])


@dataclass(frozen=True)
class FunctionGet(_OneFunction):
    """A function's record; ``function`` is its id or alias."""

    operation = "function_get"
    method = "GET"
    path = "/api/v2/o/{org}/functions/{kind}/{function}/"
    answer = RecordAnswer
    source = "guess"


@dataclass(frozen=True)
class FunctionDelete(_OneFunction):
    """Delete a function; runs that have begun go on."""

    operation = "function_delete"
    method = "DELETE"
    path = "/api/v2/o/{org}/functions/{kind}/{function}/"
    answer = OkAnswer
    source = "guess"


@dataclass(frozen=True)
class FunctionPatch(Request[RecordAnswer]):
    """Change what a function is called, whether it is on, or what it does; what is not sent stays."""

    operation = "function_patch"
    method = "PATCH"
    path = "/api/v2/o/{org}/functions/{kind}/{function}/"
    answer = RecordAnswer
    source = "guess"
    org: str
    kind: str
    function: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> HttpRequest:
        return self._json(self.changes, org=self.org, kind=self.kind, function=self.function)

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FunctionPatch:
        kind = _kind(params)
        fields = changes(http, *ABOUT, *DEFINITIONS[kind])
        return cls(params["org"], kind, params["function"], {**_about(fields), **_definition(kind, fields)})


@dataclass(frozen=True)
class FunctionRun(Request[PythonAnswer]):
    """Run a function, named by its id or alias, and answer as the endpoint does that runs such a thing once.

    ``choices`` are the dataset's id, where the function has none of its own or another is meant, and the engine and
    the result's form where they are to be others.
    """

    operation = "function_run"
    path = "/api/v2/o/{org}/run/{kind}/{function}"
    answer = PythonAnswer
    source = "docs"
    org: str
    kind: str
    function: str
    choices: Mapping[str, Any] = field(default_factory=dict)

    def encode(self) -> HttpRequest:
        return self._json(self.choices, org=self.org, kind=self.kind, function=self.function)

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> FunctionRun:
        fields = Fields.of(http, optional=True)
        chosen = {name: fields.optional_text(name) for name in ON_RUN}
        return cls(params["org"], _kind(params), params["function"], without_none(**chosen))
