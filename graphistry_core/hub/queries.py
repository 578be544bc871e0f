"""GFQL on stored datasets: a query becomes a task, and runs like any other.

May import errors, wire, encodings and the executors.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any

from .. import encodings, engines, wire
from ..errors import BadRequest, InvalidTask, TaskError, TaskFailed
from ..executors import Task

_CSV_OPTIONS = frozenset(
    ("sep", "na_rep", "float_format", "columns", "header", "index", "index_label", "quoting", "quotechar",
     "lineterminator", "date_format", "doublequote", "escapechar", "decimal")
)  # fmt: skip
_PARQUET_OPTIONS = frozenset(("compression", "compression_level", "row_group_size", "version", "use_dictionary"))

_SOURCE = """
import json

REQUEST = json.loads({request!r})


def task(g):
    out = g.gfql(REQUEST["query"], engine=REQUEST["engine"], output=REQUEST["output"], strict=REQUEST["strictness"])
    for which in ("nodes", "edges"):
        columns, table = REQUEST[which], getattr(out, "_" + which)
        if columns is not None and table is not None:
            out = getattr(out, which)(table[columns])
    return out
"""


def task_of(request: wire.Gfql, *, keep: bool = False) -> Task:
    """Return the task that runs a query; raise BadRequest for options that no writer takes.

    ``keep``: for storing the result, whatever the caller wants back.
    """
    if request.query.get("type") not in ("Chain", "Let"):
        raise BadRequest("The query must be an object of type 'Chain' or 'Let'.")
    engine = engines.resolve(request.engine)
    asked = {
        "query": request.query,
        "engine": engine,
        "output": request.output,
        "strictness": request.strictness,
        "nodes": request.node_col_subset,
        "edges": request.edge_col_subset,
    }
    format = "parquet" if keep else request.format
    options = {} if keep else _export_options(request)
    whole = request.output_type == "all"
    source = _SOURCE.format(request=json.dumps(asked))
    return Task(source, engine, "core", format, request.output_type, metadata=whole, export_options=options)


def _export_options(request: wire.Gfql) -> dict[str, Any]:
    """Let through what shapes the text or the file; a path to write to is none of a caller's business."""
    allowed = {"csv": _CSV_OPTIONS, "parquet": _PARQUET_OPTIONS}.get(request.format, frozenset())
    unknown = sorted(set(request.df_export_args) - allowed)
    if unknown:
        raise BadRequest(f"df_export_args has {unknown}; for {request.format} it takes {sorted(allowed) or 'nothing'}.")
    return dict(request.df_export_args)


def refusal(error: TaskError) -> Exception:
    """Return the error a caller gets: what GFQL said, without the lines of the task that asked it."""
    if isinstance(error, TaskFailed | InvalidTask):
        return BadRequest(re.sub(r" \(line \d+: .*\)$", "", error.message, flags=re.DOTALL), run_id=error.run_id)
    return error


def unpack(body: bytes) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return (table name to parquet bytes, metadata) of a result kept with ``keep``."""
    with zipfile.ZipFile(io.BytesIO(body)) as members:
        tables = {which: members.read(f"{which}.parquet") for which in ("nodes", "edges")}
        about = json.loads(members.read("metadata.json"))["gfql_metadata"]
    return {which: content for which, content in tables.items() if content}, about


def dataset_body(about: Mapping[str, Any], org: str | None) -> dict[str, Any]:
    """Return the body with which a client would have created a dataset of this graph."""
    bound = {**about["bindings"], **about["encodings"]}
    complex_encodings = bound.pop("complex_encodings", {}) or {}
    body: dict[str, Any] = {"metadata": {"agent": "gfql", **about["style"]}, **about["metadata"]}
    for which in ("nodes", "edges"):
        name = f"{which[:-1]}_encodings"
        body[name] = {**encodings.to_wire(bound, which), "complex": complex_encodings.get(name, {})}
    return {**body, **({"org_name": org} if org else {})}


def with_dataset(body: bytes, content_type: str, dataset_id: str, privacy: Mapping[str, Any] | None) -> bytes:
    """Return an answer that also says under which id the result is kept.

    Of what it says besides the tables only the bindings are left: PyGraphistry's client forgets the id it has just
    read when it sets encodings, a name or a style after it. They are in the kept dataset.
    """
    kept = {"dataset_id": dataset_id, **({"privacy": dict(privacy)} if privacy else {})}
    if content_type == wire.CONTENT_TYPES["json"]:
        answer = json.loads(body)
        bindings = {"bindings": answer["metadata"]["bindings"]}
        return json.dumps({**answer, "metadata": bindings, **kept}).encode()
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "metadata.json":
                bindings = {"bindings": json.loads(content)["gfql_metadata"]["bindings"]}
                content = json.dumps({"gfql_metadata": bindings, **kept}).encode()
            new.writestr(name, content)
    return sink.getvalue()
