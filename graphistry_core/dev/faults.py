"""Faults on purpose: answers that are late, wrong, broken off or missing."""

from __future__ import annotations

import builtins
import itertools
import json
import math
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from .. import wire
from ..errors import BadRequest, NotFound
from ..messages import JSON_TYPE, HttpResponse
from .visit import PAGES, Visit

Effect = Literal["", "drop", "truncate", "html"]
ANY = "*"
OPERATIONS = (ANY, *(kind.operation for kind in wire.OPERATIONS), *PAGES)
_TEXT_TYPE = "text/plain; charset=utf-8"
_HTML_TYPE = "text/html; charset=utf-8"


@dataclass
class Fault:
    """One fault: which requests it hits, and what it does to them.

    It hits requests of ``operation`` ('*': all) and ``user`` (None: all), from the ``nth`` matching one on (1 is the
    first), ``times`` times: without ``nth`` every one, with it just that one, unless ``times`` says otherwise. Of these
    it hits each with ``probability``, by a generator that starts from ``seed``.

    It waits ``latency_s`` first. ``status`` is answered with ``body`` (text, or anything for JSON), ``headers`` and
    ``retry_after``, and the operation does not take place; the same holds for ``effect`` 'html' (a proxy's page,
    status 502 unless given) and 'drop' (the connection ends without an answer). 'truncate' sends half of the
    operation's real answer. ``carried_out`` decides otherwise: True lets the operation take place behind a lost or
    replaced answer.
    """

    operation: str = ANY
    user: str | None = None
    nth: int | None = None
    times: int | None = None
    probability: float = 1.0
    seed: int = 0
    latency_s: float = 0.0
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    effect: Effect = ""
    carried_out: bool | None = None
    id: int = 0
    matched: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        _check(self)
        self._random = random.Random(self.seed)  # noqa: S311 (repeatable on purpose)

    @property
    def replaces(self) -> bool:
        """Whether the operation is kept from taking place."""
        if self.carried_out is not None:
            return not self.carried_out
        return self.status is not None or self.effect in ("drop", "html")

    def takes(self, visit: Visit) -> bool:
        """Count a request if it matches, and say whether it is hit."""
        if self.operation not in (ANY, visit.operation) or self.user not in (None, visit.user):
            return False
        self.matched += 1
        times = self.times if self.times is not None else (1 if self.nth is not None else math.inf)
        if self.matched < (self.nth or 1) or self.hits >= times:
            return False
        if self.probability < 1 and self._random.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def answer(self, real: HttpResponse | None = None) -> HttpResponse:
        """Return what is sent: the fault's own answer, or the real one with the fault's effect."""
        if self.effect == "drop":
            return HttpResponse(real.status if real else 503, fault="drop")
        if self.effect == "html":
            return _html(self.status or 502, self._headers())
        if self.status is None and real is not None:
            return replace(real, fault=self.effect)
        return _given(self.status or 503, self.body, self._headers(), self.effect)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in vars(self).items()
            if not name.startswith("_")
        }

    def _headers(self) -> dict[str, str]:
        after = {} if self.retry_after is None else {"Retry-After": f"{self.retry_after:g}"}
        return {**after, **self.headers}


# What has happened to users of real servers: name to (operation, what is set), in the order in which it happens.
PRESETS: Mapping[str, tuple[tuple[str, dict[str, Any]], ...]] = {
    "expired_token": (
        ("dataset_create", {"status": 401, "times": 1, "body": {"non_field_errors": ["Token has expired."]}}),
    ),
    "rate_limit": ((ANY, {"status": 429, "retry_after": 1, "times": 2}),),
    "restarting": ((ANY, {"status": 503, "retry_after": 1, "times": 3}),),
    "proxy_page": ((ANY, {"effect": "html", "times": 1}),),
    "proxy_page_for_a_result": (("python", {"effect": "html", "status": 504, "times": 1}),),
    "cut_off_result": (("python", {"effect": "truncate", "times": 1}),),
    "lost_answer": (("dataset_create", {"effect": "drop", "carried_out": True, "times": 1}),),
    "lost_connection": ((ANY, {"effect": "drop", "times": 1}),),
    "endpoint_switched_off": (
        (
            "python",
            {"status": 403, "body": {"success": False, "error": "flag_python_endpoint_enabled_users is not set"}},
        ),
    ),
    "slow_uploads": (("dataset_upload", {"latency_s": 0.5}), ("file_upload", {"latency_s": 0.5})),
}


class Faults:
    """The faults that are set, in the order in which they were added; the first that takes a request is applied."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._ids = itertools.count(1)
        self._cleared = threading.Event()

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, operation: str = ANY, **options: Any) -> Fault:
        """Set a fault (see :class:`Fault` for the options) and return it; raise BadRequest for a bad option."""
        names = {name for name in Fault.__dataclass_fields__ if name not in ("id", "matched", "hits")}
        for name in options.keys() - names:
            raise BadRequest(f"A fault has no option {name!r}; it has {', '.join(sorted(names))}.")
        fault = Fault(operation, **options)
        with self._lock:
            fault.id = next(self._ids)
            self._faults.append(fault)
        return fault

    def fail(self, operation: str = ANY, *, status: int = 500, **options: Any) -> Fault:
        """Answer with an error; the operation does not take place. ``times``, ``retry_after``, … as :class:`Fault`."""
        return self.add(operation, status=status, **options)

    def latency(self, operation: str = ANY, seconds: float = 1.0, **options: Any) -> Fault:
        """Wait before an operation."""
        return self.add(operation, latency_s=seconds, **options)

    def drop(self, operation: str = ANY, **options: Any) -> Fault:
        """End the connection without an answer; the operation does not take place unless ``carried_out=True``."""
        return self.add(operation, effect="drop", **options)

    def truncate(self, operation: str = ANY, **options: Any) -> Fault:
        """Send half of the real answer."""
        return self.add(operation, effect="truncate", **options)

    def garbage_json(self, operation: str = ANY, **options: Any) -> Fault:
        """Answer 200 with a type of JSON and a body that is none; the operation does not take place."""
        headers = {"Content-Type": JSON_TYPE, **options.pop("headers", {})}
        return self.add(operation, status=200, body='{"success": tru', headers=headers, **options)

    def preset(self, name: str) -> builtins.list[Fault]:
        """Set the faults of a named mishap (see ``PRESETS``) and return them; raise BadRequest for an unknown name."""
        if name not in PRESETS:
            raise BadRequest(f"There is no preset {name!r}; there are {', '.join(PRESETS)}.")
        return [self.add(operation, **options) for operation, options in PRESETS[name]]

    def list(self) -> list[Fault]:
        """Return the faults that are set."""
        with self._lock:
            return [*self._faults]

    def remove(self, fault_id: int) -> None:
        """Remove one fault; raise NotFound."""
        with self._lock:
            left = [fault for fault in self._faults if fault.id != fault_id]
            if len(left) == len(self._faults):
                raise NotFound(f"There is no fault {fault_id}.")
            self._faults = left

    def clear(self) -> None:
        """Remove all faults; requests that are being held back go on."""
        with self._lock:
            self._faults = []
            waiting, self._cleared = self._cleared, threading.Event()
        waiting.set()

    def apply(self, visit: Visit) -> Fault | None:
        """Find the fault that takes a request, wait its latency, and return it."""
        with self._lock:
            fault = next((fault for fault in self._faults if fault.takes(visit)), None)
            cleared = self._cleared
        if fault is not None and fault.latency_s:
            cleared.wait(fault.latency_s)
        return fault


def _check(fault: Fault) -> None:
    """Raise BadRequest for values that make no fault."""
    if fault.operation not in OPERATIONS:
        raise BadRequest(f"There is no operation {fault.operation!r}; there are {', '.join(OPERATIONS)}.")
    for name, expected, fits in _EXPECTED:
        value = getattr(fault, name)
        if value is not None and not fits(value):
            raise BadRequest(f"A fault's {name} is {value!r}; it must be {expected}.")
    if not (fault.latency_s or fault.status is not None or fault.effect):
        raise BadRequest("A fault needs something to do: give it latency_s, status or effect.")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_headers(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    texts = [*value.keys(), *value.values()]
    return all(isinstance(text, str) and text.isprintable() and text.isascii() for text in texts)


def _is_body(value: Any) -> bool:
    try:
        return isinstance(value, bytes) or bool(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return False


def _between(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


_EXPECTED: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("user", "a user name", lambda value: isinstance(value, str)),
    ("nth", "a whole number of 1 or more", lambda value: _is_whole(value) and value >= 1),
    ("times", "a whole number of 1 or more", lambda value: _is_whole(value) and value >= 1),
    ("probability", "a number from 0 to 1", lambda value: _between(value, 1)),
    ("seed", "a whole number", _is_whole),
    ("latency_s", "a number from 0 to 3600", lambda value: _between(value, 3600)),
    ("status", "an HTTP status from 200 to 599", lambda value: _is_whole(value) and 200 <= value <= 599),
    ("body", "text, or what JSON can hold", _is_body),
    ("headers", "an object of names and values", _are_headers),
    ("retry_after", "a number of seconds", lambda value: _between(value, 1e9)),
    ("effect", "one of drop, truncate, html", lambda value: value in get_args(Effect)),
    ("carried_out", "true or false", lambda value: isinstance(value, bool)),
)


def _given(status: int, body: Any, headers: dict[str, str], effect: Effect) -> HttpResponse:
    if isinstance(body, str | bytes):
        raw = body.encode() if isinstance(body, str) else body
        kind = next((value for name, value in headers.items() if name.lower() == "content-type"), _TEXT_TYPE)
        others = {name: value for name, value in headers.items() if name.lower() != "content-type"}
        return HttpResponse(status, raw, kind, others, fault=_cut(effect))
    if body is None:
        sentence = f"A fault was set on this operation: it is answered with {status}."
        body = {"success": False, "error": sentence, "message": sentence, "code": "fault"}
    return HttpResponse(status, json.dumps(body).encode(), JSON_TYPE, headers, fault=_cut(effect))


def _cut(effect: Effect) -> Literal["", "truncate"]:
    return "truncate" if effect == "truncate" else ""


def _html(status: int, headers: dict[str, str]) -> HttpResponse:
    page = f"<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center><hr>nginx</body></html>"
    return HttpResponse(status, page.encode(), _HTML_TYPE, headers)
