"""The operation that runs a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..messages import JSON_TYPE, Fields, HttpRequest, HttpResponse
from .base import FORMATS, OUTPUT_TYPES, Answer, Request, without_none


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
            fields.choice("engine", ("pandas", "cudf", "auto"), "auto"),
            fields.choice("format", FORMATS, "json"),
            fields.choice("output_type", OUTPUT_TYPES, "json"),
            fields.optional_text("run_label"),
        )
