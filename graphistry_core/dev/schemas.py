"""JSON schemas of what operations take and give, for the OpenAPI document.

Fields are read off the request classes; only what a class does not say (bodies without a class, choices, answers) is
written here.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

from .. import wire
from ..errors import GraphistryError, MalformedAnswer, ServerUnreachable
from ..table_options import COMPRESSIONS
from ..wire.datasets import SHARE_ACTIONS, SHARE_MODES, SHARED, TABLES
from ..wire.functions import DEFINITIONS
from ..wire.tasks import ENGINES, GFQL_ENGINES, GFQL_OUTPUTS, STRICTNESS

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_OBJECT: Schema = {"type": "object"}
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": 10**9 - 1}
_TRUE: Schema = {"const": True}
_TEXTS: Schema = {"type": "array", "items": TEXT}
_AT_CLIENTS = (ServerUnreachable, MalformedAnswer)  # of an answer that did not come, or is not understood


def _choice(values: tuple[str, ...]) -> Schema:
    return {"type": "string", "enum": [*values]}


def _object(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    found: Schema = {"type": "object", "properties": properties}
    return {**found, "required": [*required]} if required else found


def nullable(schema: Schema) -> Schema:
    """Return the schema of a field that may also be null, which counts as absent."""
    if "type" not in schema:
        return schema
    more = {"enum": [*schema["enum"], None]} if "enum" in schema else {}
    return {**schema, "type": [schema["type"], "null"], **more}


_FILES: Schema = {
    "type": "array",
    "items": {
        "anyOf": [TEXT, {"type": "array", "prefixItems": [TEXT, _COUNT], "items": False, "minItems": 2, "maxItems": 2}]
    },
}
_ENCODINGS = _object(bindings=_OBJECT)

_FUNCTION: Mapping[str, Schema] = {
    "alias": {**TEXT, "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},
    "enabled": _FLAG,
    "output_type": _choice((*dict.fromkeys((*wire.OUTPUT_TYPES, *GFQL_OUTPUTS)),)),
    "gfql_query": _OBJECT,
    "gfql_operations": {"type": "array", "items": _OBJECT},
    "strictness": _choice(STRICTNESS),
    "node_col_subset": _TEXTS,
    "edge_col_subset": _TEXTS,
    "df_export_args": _OBJECT,
    "persist": _FLAG,
    "privacy": _OBJECT,
}

# What the classes do not say: (operation, field), or ('*', field) for a field that is the same everywhere.
_FIELDS: Mapping[tuple[str, str], Schema] = {
    ("*", "file_type"): _choice(wire.TABLE_TYPES),
    ("*", "format"): _choice(wire.FORMATS),
    ("*", "engine"): _choice(ENGINES),
    ("gfql", "engine"): _choice(GFQL_ENGINES),
    ("*", "table"): _choice(TABLES),
    ("login", "username"): {**TEXT, "pattern": r"\S"},
    ("file_create", "file_compression"): _choice(("", *COMPRESSIONS)),
    ("dataset_create", "node_encodings"): _ENCODINGS,
    ("dataset_create", "edge_encodings"): _ENCODINGS,
    ("dataset_create", "metadata"): _OBJECT,
    ("dataset_create", "name"): TEXT,
    ("dataset_create", "description"): TEXT,
    ("dataset_create", "org_name"): TEXT,
    ("dataset_create", "node_files"): _FILES,
    ("dataset_create", "edge_files"): _FILES,
    ("dataset_create", "edge_hypergraph_transform"): _object(
        entity_types=_TEXTS, opts=_OBJECT, drop_na=_FLAG, drop_edge_attrs=_FLAG, direct=_FLAG
    ),
    ("share", "mode"): _choice(SHARE_MODES),
    ("share", "mode_action"): _choice(SHARE_ACTIONS),
    ("share", "obj_type"): _choice(SHARED),
    ("share", "invited_users"): {"type": "array", "items": _object(("email",), email=TEXT, action=TEXT)},
    ("python", "output_type"): _choice(wire.OUTPUT_TYPES),
    ("gfql", "output_type"): _choice(GFQL_OUTPUTS),
    ("gfql", "strictness"): _choice(STRICTNESS),
    ("gfql", "gfql_query"): _OBJECT,
    ("gfql", "gfql_operations"): {"type": "array", "items": _OBJECT},
    ("gfql", "gfql_output"): TEXT,
    **{(name, field): schema for name in ("function_create", "function_patch") for field, schema in _FUNCTION.items()},
    ("function_create", "kind"): _choice((*DEFINITIONS,)),
}


def field_schema(kind: type[wire.Request[Any]], name: str) -> Schema:
    """Return the schema of one field; text where neither the class nor this module knows better."""
    for operation in (kind.operation, "*"):
        if (operation, name) in _FIELDS:
            return _FIELDS[operation, name]
    return _of_type(get_type_hints(kind).get(name, str))


def _of_type(hint: Any) -> Schema:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _of_type(next(each for each in inner if each is not type(None)))
    if origin is tuple:
        return {"type": "array", "items": _of_type(inner[0])}
    if origin is not None:
        return _OBJECT
    return {str: TEXT, bool: _FLAG, int: _COUNT}.get(hint, {})


_ORGANIZATION = _object(("slug", "is_found", "is_member"), slug=TEXT, is_found=_FLAG, is_member=_FLAG)
_RECORD: Schema = {"type": "object", "required": ["success"], "properties": {"success": _TRUE}}

# Answers by their class; that of a task is no JSON object and has its own place in the document.
ANSWERS: Mapping[str, Schema] = {
    "TokenAnswer": _object(("success", "token"), success=_TRUE, token=TEXT, active_organization=_ORGANIZATION),
    "SsoAnswer": _object(
        ("status", "success", "message", "data"),
        status=_choice(("OK", "PENDING")),
        success=_TRUE,
        message=TEXT,
        data=_object(state=TEXT, auth_url=TEXT, token=TEXT, active_organization=_ORGANIZATION),
    ),
    "OkAnswer": _object(
        ("status", "success", "message", "data"), status={"const": "OK"}, success=_TRUE, message=TEXT, data=_OBJECT
    ),
    "FileAnswer": _object(
        ("success", "file_id", "is_valid", "is_uploaded", "errors"),
        success=_TRUE,
        file_id=TEXT,
        is_valid=_FLAG,
        is_uploaded=_FLAG,
        errors={"type": "array"},
    ),
    "DatasetAnswer": _object(
        ("success", "message", "data"), success=_TRUE, message=TEXT, data=_object(("dataset_id",), dataset_id=TEXT)
    ),
    "Page": _object(
        ("count", "next", "previous", "results"),
        count=_COUNT,
        next=nullable(TEXT),
        previous=nullable(TEXT),
        results={"type": "array", "items": _OBJECT},
    ),
    "RecordAnswer": _RECORD,
}

ERROR = _object(
    ("success", "error", "message", "code"),
    success={"const": False},
    error=TEXT,
    message=TEXT,
    code=TEXT,
    non_field_errors=_TEXTS,
)


def errors_by_status() -> dict[int, list[type[GraphistryError]]]:
    """Return the classes of errors that a server may answer with, by their status."""
    found: dict[int, list[type[GraphistryError]]] = {}
    waiting: list[type[GraphistryError]] = [GraphistryError]
    while waiting:
        each = waiting.pop(0)
        waiting += each.__subclasses__()
        if each.__module__ == GraphistryError.__module__ and each not in _AT_CLIENTS:
            found.setdefault(each.status, []).append(each)
    return dict(sorted(found.items()))


def error_schema(kinds: list[type[GraphistryError]]) -> Schema:
    """Return the schema of an error's body that is one of these classes."""
    codes = sorted({kind.code for kind in kinds})
    return {"allOf": [{"$ref": "#/components/schemas/Error"}], "properties": {"code": {"enum": codes}}}
