"""The OpenAPI document of the protocol, made from the operations in ``wire`` and what the parity page knows of them.

``GET /_dev/openapi.json``, ``Dev.openapi()``; ``python -m graphistry_core.dev.openapi`` prints it. ``x-source`` says
how we know of an operation or field, ``x-status`` whether it is here, in the words of the parity page. Pages for
people are not in it.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from .. import __version__, wire
from ..messages import JSON_TYPE
from ..table_options import OPTIONS
from ..wire.routes import CSRF_HEADER, SESSION_COOKIE
from ..wire.tasks import APPROXIMATION
from . import parity
from .fields import Known, known
from .schemas import ANSWERS, ERROR, TEXT, Schema, error_schema, errors_by_status, field_schema, nullable

_ANYTHING = (400, 403, 413, 431, 500, 501)  # a bad body, a foreign host, too much, our fault, strict mode
_OF_TASKS = (409, 503, 504)  # cancelled, as many wait as may, too slow
_FILLED = {**TEXT, "minLength": 1}
_FORM = "application/x-www-form-urlencoded"
_IN_BODIES = {"file_create", "dataset_create", "share", "single_use_url"}  # name a file or dataset outside the path
# Where the id in other operations' paths and queries comes from: the operation, and the place in its answer.
_IDS = {"dataset_id": (wire.DatasetCreate, "/data/dataset_id"), "file_id": (wire.FileCreate, "/file_id")}
_ABOUT = """\
The HTTP protocol of Graphistry as graphistry-core speaks it. `x-source` says where a fact comes from (observed on the \
wire, read in a client, docs, seed, guess), `x-status` whether it is implemented, partial or not. A trailing slash may \
be there or not."""


def document() -> dict[str, Any]:
    """Return the document, as JSON values."""
    notes = {each["operation"]: each for each in parity.document()}
    paths: dict[str, dict[str, Any]] = {}
    for kind in wire.OPERATIONS:
        for name, method, path in _routes(kind):
            paths.setdefault(path, {})[method.lower()] = _operation(kind, name, method, path, notes[kind.operation])
    for path in wire.HEALTH_PATHS:
        if path.rstrip("/") not in paths:
            paths[path.rstrip("/")] = {"get": _health(path.strip("/"))}
    return {
        "openapi": "3.1.0",
        "info": {"title": "graphistry-core", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "securitySchemes": _security_schemes(),
            "schemas": {"Error": ERROR, **ANSWERS},
            "responses": {str(status): _refusal(status) for status in _statuses()},
        },
    }


def _routes(kind: type[wire.Request[Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield (operationId, method, path template): every alias is an operation of its own here."""
    yield kind.operation, kind.method, kind.path
    for number, (method, path) in enumerate(kind.aliases, 2):
        yield f"{kind.operation}_{number}", method, path


def _operation(kind: type[wire.Request[Any]], name: str, method: str, path: str, note: dict[str, Any]) -> Schema:
    fields = known(kind)
    said = {each["name"]: each for each in note["request"]}
    in_path = re.findall(r"\{(\w+)\}", path)
    found: Schema = {
        "operationId": name,
        "tags": [kind.__module__.rpartition(".")[2]],
        "summary": note["note"],
        "x-operation": kind.operation,
        "x-source": note["source"],
        "x-status": note["status"],
        "security": _security(kind, method),
        "parameters": [_path_parameter(kind, each) for each in in_path]
        + [_query_parameter(kind, each, said.get(each, {})) for each in sorted(fields.query)],
        "responses": _responses(kind, in_path),
    }
    body = None if method in ("GET", "DELETE") else _body(kind, fields, said)
    return found if body is None else {**found, "requestBody": body}


def _about(note: dict[str, Any]) -> Schema:
    if not note:
        return {}
    about = {"x-source": note["source"], "x-status": note["status"]}
    return {**about, "description": note["note"]} if note["note"] else about


def _path_parameter(kind: type[wire.Request[Any]], name: str) -> Schema:
    schema = field_schema(kind, name)
    return {"name": name, "in": "path", "required": True, "schema": schema if "enum" in schema else _FILLED}


def _query_parameter(kind: type[wire.Request[Any]], name: str, note: dict[str, Any]) -> Schema:
    about = _about(note)
    types = [each for each, options in OPTIONS.items() if name in options]
    if types and known(kind).table:
        about["description"] = f"How to read {', '.join(types)}."
    required = name in _required(kind)
    schema = _FILLED if required else field_schema(kind, name)
    return {"name": name, "in": "query", "required": required, "schema": schema, **about}


def _required(kind: type[wire.Request[Any]]) -> set[str]:
    missing = dataclasses.MISSING
    own = dataclasses.fields(kind)  # type: ignore[arg-type]
    return {each.name for each in own if each.default is missing and each.default_factory is missing}


def _body(kind: type[wire.Request[Any]], fields: Known, said: dict[str, Any]) -> Schema | None:
    if fields.table:
        return {"required": True, "content": {"application/octet-stream": {"schema": {**TEXT, "format": "binary"}}}}
    if not fields.body:
        return None
    required = sorted(_required(kind) & fields.body)
    properties = {}
    for name in sorted(fields.body):
        schema = field_schema(kind, name)
        properties[name] = {**(schema if name in required or fields.form else nullable(schema)), **_about(said[name])}
    schema = {"type": "object", "properties": properties, **_rules(kind, required)}
    optional = fields.form or kind.auth == "personal_key"
    return {"required": not optional, "content": {_FORM if fields.form else JSON_TYPE: {"schema": schema}}}


def _rules(kind: type[wire.Request[Any]], required: list[str]) -> Schema:
    """What must be in a body together."""
    if kind.method == "PATCH":
        return {"minProperties": 1, "additionalProperties": False}
    if kind is wire.Gfql:
        return {"anyOf": [{"required": ["gfql_query"]}, {"required": ["gfql_operations"]}]}
    return {"required": required} if required else {}


def _security(kind: type[wire.Request[Any]], method: str) -> list[dict[str, list[str]]]:
    if kind.auth == "none":
        return []
    if kind.auth == "personal_key":
        return [{"personal_key": []}]
    cookie: dict[str, list[str]] = {"session": []} if method == "GET" else {"session": [], "csrf": []}
    return [{"bearer": []}, cookie]


def _security_schemes() -> Schema:
    key = "'PersonalKey id:secret'"
    return {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "personal_key": {"type": "apiKey", "in": "header", "name": "Authorization", "description": key},
        "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE, "description": "of a login in a browser"},
        "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER, "description": "the cookie of that name"},
    }


def _responses(kind: type[wire.Request[Any]], in_path: list[str]) -> Schema:
    statuses = {*_ANYTHING}
    if kind.auth != "none" or kind in (wire.Refresh, wire.Verify):
        statuses.add(401)
    if in_path or kind.operation in _IN_BODIES:
        statuses.add(404)
    if kind.answer is wire.PythonAnswer:
        statuses |= {*_OF_TASKS}
    refusals = {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}
    return {"200": _success(kind), **refusals}


def _success(kind: type[wire.Request[Any]]) -> Schema:
    name = kind.answer.__name__
    about = " ".join((kind.answer.__doc__ or "").partition("\n\n")[0].split())
    if kind.answer is not wire.PythonAnswer:
        links = _links(kind)
        content = {JSON_TYPE: {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        return {"description": about, "content": content, **({"links": links} if links else {})}
    types = sorted({each.partition(";")[0] for each in (*wire.CONTENT_TYPES.values(), wire.TEXT_TYPE)})
    header = {"description": "What the server did not have, if anything.", "schema": TEXT}
    return {"description": about, "content": {each: {} for each in types}, "headers": {APPROXIMATION: header}}


def _links(kind: type[wire.Request[Any]]) -> Schema:
    """Which operations take the id that this one's answer has."""
    found: Schema = {}
    for name, (maker, place) in _IDS.items():
        for each in wire.OPERATIONS if kind is maker else ():
            for operation_id, _, path in _routes(each):
                if f"{{{name}}}" in path or name in known(each).query:
                    found[operation_id] = {"operationId": operation_id, "parameters": {name: f"$response.body#{place}"}}
    return found


def _statuses() -> list[int]:
    return sorted({*errors_by_status(), 431})


def _refusal(status: int) -> Schema:
    kinds = errors_by_status().get(status) or errors_by_status()[400]  # headers that are too large are a bad request
    codes = ", ".join(sorted({kind.code for kind in kinds}))
    found: Schema = {"description": codes, "content": {JSON_TYPE: {"schema": error_schema(kinds)}}}
    headers = {405: ("Allow", "The methods that are possible."), 503: ("Retry-After", "Seconds.")}
    if status in headers:
        name, about = headers[status]
        found["headers"] = {name: {"description": about, "schema": TEXT}}
    return found


def _health(name: str) -> Schema:
    answer = {"type": "object", "properties": {"success": {"const": True}, "status": {"const": "OK"}}}
    refusals = {str(status): {"$ref": f"#/components/responses/{status}"} for status in _ANYTHING}
    return {
        "operationId": f"health_{name.replace('/', '_')}",
        "tags": ["health"],
        "summary": "Say that the server runs.",
        "x-operation": "health",
        "x-source": "docs",
        "x-status": "implemented",
        "security": [],
        "responses": {"200": {"description": "It runs.", "content": {JSON_TYPE: {"schema": answer}}}, **refusals},
    }


def main() -> None:
    """Print the document."""
    sys.stdout.write(json.dumps(document(), indent=2) + "\n")


if __name__ == "__main__":
    main()
