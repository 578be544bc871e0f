"""What a query can be refused for, under PyGraphistry's names and with its codes. Imports errors only."""

from __future__ import annotations

from typing import Any

from ..errors import BadRequest

_LONGEST = 50


class ErrorCode:
    """The codes by number: E1xx the query's form, E2xx its types, E3xx the graph's columns, E4xx a server's answer."""

    E101 = "invalid-chain-type"
    E102 = "invalid-filter-key"
    E103 = "invalid-hops-value"
    E104 = "invalid-direction"
    E105 = "missing-required-field"
    E106 = "empty-chain"
    E107 = "invalid-cypher-syntax"
    E108 = "unsupported-cypher-query"
    E109 = "output-requires-let-query"
    E110 = "unsupported-operation"
    E150 = "duplicate-graph-binding"
    E151 = "unresolved-graph-reference"
    E152 = "forward-graph-reference"
    E153 = "circular-graph-reference"
    E154 = "disallowed-graph-constructor-clause"
    E155 = "empty-graph-constructor"
    E201 = "type-mismatch"
    E202 = "predicate-type-mismatch"
    E203 = "invalid-predicate-value"
    E204 = "invalid-name-type"
    E205 = "invalid-query-type"
    E301 = "column-not-found"
    E302 = "incompatible-column-type"
    E303 = "invalid-node-reference"
    E304 = "invalid-edge-reference"
    E305 = "graph-not-bound"
    E306 = "call-execution-error"
    E401 = "remote-request-failed"
    E402 = "remote-response-malformed"
    E403 = "remote-format-lossy"
    E404 = "remote-unsupported-frames"
    E405 = "remote-unsupported-engine"


class GFQLValidationError(BadRequest):
    """A query that cannot be run: ``code`` (of :class:`ErrorCode`), ``message``, and ``context`` with what is known.

    The context has those of ``field``, ``value``, ``suggestion``, ``operation_index`` and other keywords that are set.
    """

    def __init__(
        self,
        code: str,
        message: str,
        field: str | None = None,
        value: Any = None,
        suggestion: str | None = None,
        operation_index: int | None = None,
        **extra_context: Any,
    ) -> None:
        known = {"field": field, "value": value, "suggestion": suggestion, "operation_index": operation_index}
        self.context = {name: each for name, each in {**known, **extra_context}.items() if each is not None}
        self.code = code  # type: ignore[misc]
        self._said = message
        super().__init__(self.format_message())
        self.message = message

    def __str__(self) -> str:
        return self.format_message()

    def __reduce__(self) -> Any:
        return (_again, (type(self), self.code, self._said, self.context))

    def format_message(self) -> str:
        """Return code, sentence and context in one line."""
        parts = [f"[{self.code}] {self._said}"]
        for name, label in (("field", "field: "), ("value", "value: "), ("operation_index", "at operation "),
                            ("suggestion", "suggestion: ")):  # fmt: skip
            if name in self.context:
                text = repr(self.context[name]) if name == "value" else str(self.context[name])
                parts.append(
                    label + (text if name != "value" or len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...")
                )
        return " | ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return code, sentence and context as one dict."""
        return {"code": self.code, "message": self._said, **self.context}


def _again(cls: type[GFQLValidationError], code: str, message: str, context: dict[str, Any]) -> GFQLValidationError:
    return cls(code, message, **context)


class GFQLSyntaxError(GFQLValidationError):
    """The query is not built as one."""


class GFQLTypeError(GFQLValidationError):
    """A part of the query has the wrong type or value."""


class GFQLSchemaError(GFQLValidationError):
    """The graph does not have what the query asks for."""


class GFQLCallExecutionError(GFQLTypeError):
    """What a ``call()`` named has failed."""


class GFQLRemoteError(GFQLValidationError):
    """A server could not be asked, or its answer not be used."""


class GFQLUnsupportedError(GFQLValidationError, NotImplementedError):
    """The engine does not do this."""
