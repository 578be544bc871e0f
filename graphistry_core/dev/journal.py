"""The journal: what was asked, by whom, and what became of it, without secrets and without tables."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from .. import wire
from ..messages import Auth, HttpResponse
from .masks import MASK, is_secret, scrub, scrub_path
from .visit import Visit

_KEPT = 1000
_TEXT_KEPT = 16 << 20  # characters of sources, logs and tracebacks, over all entries
_SHOWN = 5  # requests in an assertion's error
_TEXT_EACH = 32 << 10


@dataclass(frozen=True)
class Entry:
    """One request. ``body`` and ``answer`` are summaries: bytes, names of JSON fields, shape of a table."""

    number: int
    time: str
    user: str | None
    operation: str
    method: str
    path: str
    query: Mapping[str, str]
    agent: str
    body: Mapping[str, Any]
    unknown: tuple[str, ...]
    status: int
    answer: Mapping[str, Any]
    duration_s: float
    error: Mapping[str, str] | None = None
    task: Mapping[str, Any] | None = None
    fault: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    def __str__(self) -> str:
        said = f": {self.error['message']}" if self.error else ""
        fields = f" {json.dumps(self.body['json'])[:300]}" if "json" in self.body else ""
        return f"{self.operation} by {self.user or 'nobody'}: {self.method} {self.path}{fields} -> {self.status}{said}"

    def matches(self, operation: str | None, user: str | None, status: int | str | None, text: str | None) -> bool:
        """Say whether this is one of what is searched for."""
        if operation not in (None, self.operation) or user not in (None, self.user):
            return False
        if status is not None and not _status_fits(str(status), self.status):
            return False
        return text is None or text in json.dumps(self.to_dict(), ensure_ascii=False)


class Journal:
    """The last requests, oldest first; bounded in number and in text."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque()
        self._number = 0
        self._text = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def entries(self) -> list[Entry]:
        """All entries, oldest first."""
        with self._lock:
            return [*self._entries]

    @property
    def last(self) -> Entry | None:
        """The newest entry, or None."""
        with self._lock:
            return self._entries[-1] if self._entries else None

    def find(
        self,
        operation: str | None = None,
        *,
        user: str | None = None,
        status: int | str | None = None,
        text: str | None = None,
    ) -> list[Entry]:
        """Return the entries that fit all that is given, oldest first.

        ``status`` is a number, or a class of them as ``'4xx'``; ``text`` is looked for anywhere in an entry.
        """
        return [entry for entry in self.entries if entry.matches(operation, user, status, text)]

    def assert_called(
        self,
        operation: str | None = None,
        *,
        times: int | None = None,
        json: Mapping[str, Any] | None = None,
        **search: Any,
    ) -> list[Entry]:
        """Return the requests that fit, which must be there, ``times`` of them if given; else raise AssertionError.

        ``json`` has fields that a request's JSON body must have with these values; ``search`` is as in :meth:`find`.
        The error shows the requests that come nearest.
        """
        found = [entry for entry in self.find(operation, **search) if _has(entry.body.get("json"), json)]
        if (len(found) == times) if times is not None else found:
            return found
        wanted = " ".join([operation or "a request", *(f"{k}={v!r}" for k, v in {**search, "json": json}.items() if v)])
        often = "at least once" if times is None else f"{times} times"
        near = (self.find(operation) or self.entries)[-_SHOWN:]
        shown = "".join(f"\n  {entry}" for entry in near) or " nothing"
        raise AssertionError(f"Expected {wanted} {often}, found it {len(found)} times. What came nearest:{shown}")

    def assert_not_called(self, operation: str | None = None, **search: Any) -> None:
        """Raise AssertionError when a request fits."""
        self.assert_called(operation, times=0, **search)

    def clear(self) -> None:
        """Forget all entries."""
        with self._lock:
            self._entries.clear()
            self._text = 0

    def record(self, visit: Visit, http: HttpResponse, duration_s: float) -> Entry:
        """Write down a request that was answered, and return what was written."""
        parts = _entry(visit, http, duration_s)
        with self._lock:
            self._number += 1
            entry = Entry(number=self._number, **parts)
            self._entries.append(entry)
            self._text += _text_of(entry)
            while len(self._entries) > _KEPT or (self._text > _TEXT_KEPT and len(self._entries) > 1):
                self._text -= _text_of(self._entries.popleft())
        return entry


def _entry(visit: Visit, http: HttpResponse, duration_s: float) -> dict[str, Any]:
    asked, secrets = visit.http, _secrets(visit)
    error = visit.error
    return {
        "time": datetime.fromtimestamp(visit.at, UTC).isoformat(),
        "user": None if visit.user is None else scrub(visit.user, secrets)[:1000],
        "operation": visit.operation,
        "method": asked.method,
        "path": scrub(scrub_path(asked.path), secrets)[:_TEXT_EACH],
        "query": {k: MASK if is_secret(k) else scrub(v, secrets)[:1000] for k, v in asked.query.items()},
        "agent": scrub(asked.headers.get("user-agent", ""), secrets)[:200],
        "body": _body(visit, secrets),
        "unknown": visit.unknown,
        "status": http.status,
        "answer": _answer(visit.answer, http),
        "duration_s": round(duration_s, 6),
        "error": None if error is None else {"code": error.code, "message": scrub(error.message, secrets)[:_TEXT_EACH]},
        "task": _task(visit, secrets),
        "fault": None if visit.fault is None else visit.fault.id,
    }


def _fields(visit: Visit, secrets: list[str]) -> Any:
    """Return a small JSON body with its secrets masked; the source of a task is kept with its run."""
    if not visit.body or len(visit.body) > _TEXT_EACH:
        return None
    try:
        return _masked(json.loads(visit.body), secrets)
    except (ValueError, RecursionError):
        return None


def _masked(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, dict):
        return {
            scrub(key, secrets): MASK
            if is_secret(key) and not isinstance(each, dict | list)
            else _masked(each, secrets)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_masked(each, secrets) for each in value]
    return scrub(value, secrets) if isinstance(value, str) else value


def _has(body: Any, fields: Mapping[str, Any] | None) -> bool:
    if fields is None:
        return True
    return isinstance(body, dict) and all(name in body and body[name] == value for name, value in fields.items())


def _body(visit: Visit, secrets: list[str]) -> dict[str, Any]:
    length = visit.http.headers.get("content-length", "")
    size = (
        len(visit.body) if visit.body is not None else int(length) if length.isdecimal() and len(length) < 18 else None
    )
    summary: dict[str, Any] = {"bytes": size}
    if visit.keys:
        summary["keys"] = list(visit.keys)
        fields = _fields(visit, secrets)
        if fields is not None:
            summary["json"] = fields
    table = _shape(visit.answer)
    if table is not None:
        summary["table"] = table
    return summary


def _shape(answer: wire.Answer | None) -> dict[str, Any] | None:
    """Return rows and columns of an uploaded table, as the answer to its upload has them."""
    schema: Any = None
    if isinstance(answer, wire.DatasetAnswer):
        schema = answer.data
    elif isinstance(answer, wire.FileAnswer):
        schema = next(iter(answer.record.get("tables_schemas") or ()), None)
    if not schema or "num_rows" not in schema:
        return None
    return {"rows": schema["num_rows"], "columns": schema["num_cols"]}


def _answer(answer: wire.Answer | None, http: HttpResponse) -> dict[str, Any]:
    summary: dict[str, Any] = {"bytes": len(http.body), "type": http.content_type}
    if isinstance(answer, wire.Page):
        summary["results"] = len(answer.results)
    if http.fault:
        summary["fault"] = http.fault
    return summary


def _task(visit: Visit, secrets: list[str]) -> dict[str, Any] | None:
    if visit.task is None:
        return None
    task = asdict(visit.task)
    for name in ("source", "logs", "traceback"):
        task[name] = scrub(task[name][: 2 * _TEXT_EACH], secrets)[:_TEXT_EACH]
    return task


def _secrets(visit: Visit) -> list[str]:
    """Return what must not be written down of this request: tokens, keys, passwords, cookies, as they were sent."""
    headers = visit.http.headers
    auth = Auth.from_header(headers.get("authorization"))
    found = [auth.token, auth.key_secret, *(value for name, value in headers.items() if is_secret(name))]
    if "cookie" in headers:
        found += [part.partition("=")[2].strip() for part in headers["cookie"].split(";")]
    found += [str(value) for name, value in visit.http.query.items() if is_secret(name)]
    return [*found, *_body_secrets(visit)]


def _body_secrets(visit: Visit) -> list[str]:
    if not visit.body or not any(is_secret(key) for key in visit.keys):
        return []
    try:
        values = json.loads(visit.body)
    except ValueError:
        values = dict(parse_qsl(visit.body.decode("utf-8", "replace")))
    return [value for key, value in values.items() if is_secret(key) and isinstance(value, str)]


def _status_fits(wanted: str, status: int) -> bool:
    return wanted in (str(status), f"{status // 100}xx")


def _text_of(entry: Entry) -> int:
    task = entry.task or {}
    body = (entry.body.get("bytes") or 0) if "json" in entry.body else 0
    return len(entry.path) + body + sum(len(task.get(name, "")) for name in ("source", "logs", "traceback"))
