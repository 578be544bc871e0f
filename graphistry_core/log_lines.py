"""What a server logs, as lines for people or for programs. Imports nothing of ours.

The library itself only writes to the logger ``graphistry_core``; its records carry their facts in ``record.facts``.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

KINDS = ("problems", "text", "json")
_log = logging.getLogger("graphistry_core")


class TextLines(logging.Formatter):
    """``2026-01-31T12:00:00.000Z info  message``; what cannot be printed is escaped, so that nobody forges a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback below it where there is one."""
        line = f"{_time(record)} {record.levelname.lower():<7} {_printable(record.getMessage())}"
        return "\n".join([line, *([self.formatException(record.exc_info)] if record.exc_info else [])])


class JsonLines(logging.Formatter):
    """One JSON object: ``time`` (UTC), ``level``, ``logger``, ``message``, the record's facts, and ``traceback``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        values: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in getattr(record, "facts", {}).items():
            values.setdefault(name, value)
        if record.exc_info:
            values["traceback"] = self.formatException(record.exc_info)
        return json.dumps(values, default=str)  # ASCII: a lone surrogate cannot break the stream


def write_lines(kind: str) -> logging.Handler:
    """Write the log to stderr: only warnings and errors ('problems'), or all of it as 'text' or 'json'.

    In this process; returns the handler, to be removed by who wants silence again.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if kind == "json" else TextLines())
    _log.addHandler(handler)
    _log.setLevel(logging.WARNING if kind == "problems" else logging.INFO)
    _log.propagate = False
    return handler


def facts(**values: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return the ``extra=`` of a log call, without the facts that are None."""
    return {"facts": {name: value for name, value in values.items() if value is not None}}


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
