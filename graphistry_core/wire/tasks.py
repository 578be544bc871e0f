"""The operations that run something on a dataset: a task, or a GFQL query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import BadRequest
from ..messages import JSON_TYPE, Fields, HttpRequest, HttpResponse
from .base import FORMATS, OUTPUT_TYPES, Answer, Request, without_none

APPROXIMATION = "X-Graphistry-Core-Approximation"
GFQL_ENGINES = ("pandas", "cudf", "auto")
ENGINES = (*GFQL_ENGINES, "dask", "dask_cudf")  # the last two are our choice: Graphistry's endpoint does not name them
GFQL_OUTPUTS = ("all", "nodes", "edges", "shape")
STRICTNESS = ("warn", "strict", "quiet")


@dataclass(frozen=True)
class PythonAnswer(Answer):
    """A task's encoded result: JSON, plain text, CSV, Parquet or a zip of two tables.

    ``approximation`` says what a server of ours did not have (a header of its own); empty for all others.
    """

    body: bytes = field(repr=False)
    content_type: str = JSON_TYPE
    approximation: str = ""

    def encode(self) -> HttpResponse:
        headers = {APPROXIMATION: self.approximation} if self.approximation else {}
        return HttpResponse(200, self.body, self.content_type, headers)

    @classmethod
    def decode(cls, http: HttpResponse) -> PythonAnswer:
        return cls(http.body, http.content_type, http.headers.get(APPROXIMATION, ""))


_INDENT = " " * 4


def _unindented(text: str) -> str:
    lines = text.split("\n")
    if len(lines) == 1 or not all(line.startswith(_INDENT) for line in lines):
        return text
    return "\n".join(line.removeprefix(_INDENT) for line in lines)


@dataclass(frozen=True)
class Python(Request[PythonAnswer]):
    """Run ``task(g)`` on a dataset.

    On the wire every line of ``execute`` is indented by four spaces, as clients have always sent it, and
    ``format`` and ``output_type`` are left out when they are ``json``. ``decode`` takes exactly these blanks off again,
    which restores string literals that span lines; a source that came without them stays as it came.
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
        indented = "\n".join(_INDENT + line for line in self.execute.split("\n"))
        body = {"execute": indented, "engine": self.engine} | without_none(
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
            _unindented(fields.text("execute")),
            fields.choice("engine", ENGINES, "auto"),
            fields.choice("format", FORMATS, "json"),
            fields.choice("output_type", OUTPUT_TYPES, "json"),
            fields.optional_text("run_label"),
        )


@dataclass(frozen=True)
class Gfql(Request[PythonAnswer]):
    """Run a GFQL query on a dataset.

    ``query`` is the query object (``{"type": "Chain", "chain": […]}`` or ``{"type": "Let", …}``); older clients send
    only the list of operations, which is a chain. ``output`` names a binding of a Let. ``persist`` keeps the result
    as a dataset. No query at all is refused: it would be the whole graph.
    """

    operation = "gfql"
    path = "/api/v2/etl/datasets/{dataset_id}/gfql/{output_type}"
    aliases = (
        ("POST", "/api/v2/etl/datasets/{dataset_id}/gfql"),
        ("POST", "/api/v2/datasets/{dataset_id}/gfql"),
    )
    answer = PythonAnswer
    source = "observed"
    dataset_id: str
    query: Mapping[str, Any]
    output_type: str = "all"
    format: str = "json"
    engine: str = "pandas"
    output: str | None = None
    strictness: str = "warn"
    node_col_subset: tuple[str, ...] | None = None
    edge_col_subset: tuple[str, ...] | None = None
    df_export_args: Mapping[str, Any] = field(default_factory=dict)
    persist: bool = False
    privacy: Mapping[str, Any] | None = None

    def encode(self) -> HttpRequest:
        operations = self.query.get("chain", []) if self.query.get("type") == "Chain" else []
        body = {
            "gfql_operations": operations,
            "gfql_query": self.query,
            "format": self.format,
            "engine": self.engine,
            "strictness": self.strictness,
        } | without_none(
            gfql_output=self.output,
            node_col_subset=self.node_col_subset,
            edge_col_subset=self.edge_col_subset,
            df_export_args=dict(self.df_export_args) or None,
            persist=self.persist or None,
            privacy=self.privacy,
        )
        return self._json(body, dataset_id=self.dataset_id, output_type=self.output_type)

    @classmethod
    def decode(cls, params: Mapping[str, str], http: HttpRequest) -> Gfql:
        fields = Fields.of(http)
        output_type = params.get("output_type", "all")
        if output_type not in GFQL_OUTPUTS:
            raise BadRequest(f"Unknown output {output_type!r}; the path ends with one of {', '.join(GFQL_OUTPUTS)}.")
        query = fields.mapping("gfql_query")
        if not query:
            if "gfql_operations" not in fields.values:
                raise BadRequest("The body has neither 'gfql_query' nor 'gfql_operations'.")
            query = {"type": "Chain", "chain": fields.items("gfql_operations")}
        persist = fields.flag("persist")
        if persist and output_type != "all":
            raise BadRequest(f"persist keeps a whole graph; it goes with output 'all', not {output_type!r}.")
        return cls(
            params["dataset_id"],
            query,
            output_type,
            fields.choice("format", FORMATS, "json"),
            fields.choice("engine", GFQL_ENGINES, "auto"),
            fields.optional_text("gfql_output"),
            fields.choice("strictness", STRICTNESS, "warn"),
            _columns(fields, "node_col_subset"),
            _columns(fields, "edge_col_subset"),
            fields.mapping("df_export_args"),
            persist,
            fields.mapping("privacy") or None,
        )


def _columns(fields: Fields, name: str) -> tuple[str, ...] | None:
    if fields.values.get(name) is None:
        return None
    columns = fields.items(name)
    if not all(isinstance(column, str) for column in columns):
        raise BadRequest(f"The field '{name}' must be an array of column names.")
    return tuple(columns)
