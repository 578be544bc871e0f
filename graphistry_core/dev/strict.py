"""The strict mode: what a client sends and we do not know is an error, and written down for a test to assert."""

from __future__ import annotations

import logging
import threading
from dataclasses import asdict, dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl

import orjson

from ..errors import NotImplementedHere
from .fields import known
from .visit import Visit

log = logging.getLogger("graphistry_core")
_KEPT = 1000
What = Literal["route", "field", "parameter"]


@dataclass(frozen=True)
class Failure:
    """One thing that is not known: a route, a JSON or form field, or a query parameter."""

    what: What
    name: str
    operation: str
    method: str
    path: str
    user: str | None = None

    def __str__(self) -> str:
        where = "" if self.what == "route" else f" of {self.operation}"
        return f"unknown {self.what} {self.name!r}{where} ({self.method} {self.path})"

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


class Strict:
    """Whether unknown routes, fields and parameters are refused with 501, and which there were.

    Off (the default), unknown fields and parameters are accepted, logged once each, and named in the journal.
    """

    def __init__(self) -> None:
        self.enabled = False
        self._lock = threading.Lock()
        self._failures: list[Failure] = []
        self._warned: set[tuple[str, str]] = set()

    def on(self) -> None:
        """Refuse what is not known from now on."""
        self.enabled = True

    def off(self) -> None:
        """Accept what is not known; failures so far are kept."""
        self.enabled = False

    @property
    def failures(self) -> list[Failure]:
        """What was refused so far."""
        with self._lock:
            return [*self._failures]

    def clear(self) -> None:
        """Forget the failures."""
        with self._lock:
            self._failures.clear()

    def assert_none(self) -> None:
        """Raise AssertionError, naming each, when something was refused."""
        failures = self.failures
        if failures:
            lines = "\n  ".join(map(str, failures))
            raise AssertionError(f"{len(failures)} things that graphistry-core does not know were sent:\n  {lines}")

    def route(self, visit: Visit) -> None:
        """Refuse a request that fits no route, when strict."""
        if self.enabled:
            http = visit.http
            self._refuse([Failure("route", f"{http.method} {http.path}", visit.operation, http.method, http.path)])

    def check(self, visit: Visit) -> None:
        """Note the names in a request that its operation does not have; refuse them when strict."""
        assert visit.kind is not None
        fields = known(visit.kind)
        visit.keys = _keys(visit.body or b"", form=fields.form)
        parameters = [name for name in visit.http.query if name not in fields.query]
        names = [] if fields.table else [name for name in visit.keys if name not in fields.body]
        if not parameters and not names:
            return
        visit.unknown = (*names, *parameters)
        if self.enabled:
            at = (visit.operation, visit.http.method, visit.http.path, visit.user)
            self._refuse(
                [Failure("field", name, *at) for name in names]
                + [Failure("parameter", name, *at) for name in parameters]
            )
        self._warn(visit)

    def _refuse(self, failures: list[Failure]) -> None:
        with self._lock:
            self._failures += failures[: max(_KEPT - len(self._failures), 0)]
        said = "; ".join(map(str, failures))
        raise NotImplementedHere(f"The strict mode refuses what it does not know: {said}.")

    def _warn(self, visit: Visit) -> None:
        new = {(visit.operation, name) for name in visit.unknown} - self._warned
        if new and len(self._warned) < _KEPT:
            self._warned |= new
            names = ", ".join(sorted(name for _, name in new))
            log.warning("%s: ignored what graphistry-core does not know: %s", visit.operation, names)


def _keys(body: bytes, *, form: bool) -> tuple[str, ...]:
    """Return the names in a JSON object or form; none when it is neither (decoding says what is wrong)."""
    if form:
        return tuple(name for name, _ in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    if not body:
        return ()
    try:
        values = orjson.loads(body)
    except ValueError:
        return ()
    return tuple(values) if isinstance(values, dict) else ()
