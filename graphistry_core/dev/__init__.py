"""The control side of a server, for tests: what they look at, and how they make it misbehave.

``server.dev`` and ``mock.dev`` are a :class:`Dev`; :mod:`.control` is the same over HTTP under ``/_dev/``. May import
errors, messages, wire and the hub; knows nothing of Flask, sockets or the gateway.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import Any

import orjson

from .. import wire
from ..errors import NotAuthenticated
from ..executors import Task, TaskResult
from ..hub import Hub
from ..hub.accounts import Clock
from ..log_lines import facts
from ..messages import HttpResponse
from .faults import Fault, Faults
from .fields import known
from .journal import Entry, Journal
from .snapshots import Snapshots
from .state import Flags, Tokens
from .strict import Failure, Strict
from .visit import TaskRun, Visit

log = logging.getLogger("graphistry_core.requests")

__all__ = ["Dev", "Entry", "Failure", "Fault", "Faults", "Flags", "Journal", "Strict", "Tokens", "Visit"]


class Dev:
    """Everything a test does to a server besides sending it requests.

    ``journal`` (what was asked), ``faults`` (what is to go wrong), ``clock`` (the time tokens go by), ``tokens``,
    ``flags``, ``strict`` (unknown things are errors), :meth:`snapshot` and :meth:`restore`, :meth:`reset`,
    :meth:`parity`, :meth:`openapi`. Safe to call from any thread.
    """

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.journal = Journal()
        self.faults = Faults()
        self.strict = Strict()
        self.tokens = Tokens(hub)
        self.flags = Flags(hub)
        self.snapshots = Snapshots(hub)
        self._here = threading.local()
        hub.task_watchers.append(self._ran)

    @property
    def clock(self) -> Clock:
        """The clock: ``advance``, ``freeze``, ``unfreeze``, ``reset``."""
        return self.hub.accounts.clock

    def reset(self) -> None:
        """Begin anew: no data, no journal, no faults, not strict, flags and clock as configured. Snapshots stay."""
        self.faults.clear()
        self.hub.reset()
        self.strict.off()
        self.strict.clear()
        self.journal.clear()

    def snapshot(self) -> str:
        """Keep the state of the Hub as it is now, and return the id to :meth:`restore` it with."""
        return self.snapshots.take()

    def restore(self, snapshot_id: str) -> None:
        """Go back to a snapshot; raise NotFound."""
        self.snapshots.restore(snapshot_id)

    def parity(self) -> list[dict[str, Any]]:
        """Return every route with its fields: implemented, partial or not, and where the fact comes from."""
        from .parity import document

        return document()

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document of the operations, as JSON values."""
        from .openapi import document

        return document()

    def close(self) -> None:
        """Let go of the Hub."""
        self.faults.clear()
        if self._ran in self.hub.task_watchers:
            self.hub.task_watchers.remove(self._ran)

    # --- what the gateway calls, in this order ---

    def unrouted(self, visit: Visit) -> None:
        """A request fits no route; raise NotImplementedHere when strict."""
        self.strict.route(visit)

    def enter(self, visit: Visit) -> HttpResponse | None:
        """A request's operation is known: return the answer of a fault that stands for it, or None."""
        self._here.visit = visit
        if not self.faults:
            return None
        self._identify(visit)
        visit.fault = self.faults.apply(visit)
        return visit.fault.answer() if visit.fault is not None and visit.fault.replaces else None

    def look(self, visit: Visit) -> None:
        """A request is about to be decoded: note its fields, and refuse unknown ones when strict."""
        assert visit.kind is not None
        if visit.body is None and not known(visit.kind).table:
            visit.body = visit.http.read()
            visit.http = replace(visit.http, body=visit.body)
        self.strict.check(visit)
        if visit.user is None:
            visit.user = _username_in(visit)

    def leave(self, visit: Visit, http: HttpResponse) -> HttpResponse:
        """A request is answered: write it down, and return the answer with what a fault does to it."""
        self._here.visit = None
        fault = visit.fault
        if fault is not None and not fault.replaces:
            http = fault.answer(http)
        if isinstance(visit.answer, wire.TokenAnswer | wire.SsoAnswer) and visit.answer.token:
            visit.user = _claimed(visit.answer.token) or visit.user
        entry = self.journal.record(visit, http, time.perf_counter() - visit.started)
        if log.isEnabledFor(logging.INFO):
            _log(entry)
        return http

    def _identify(self, visit: Visit) -> None:
        """Find out who is asking, for faults of one user: by token, or by the name in a login."""
        auth = visit.auth
        if auth.scheme == "personal_key":
            visit.user = f"key-{auth.key_id}"
        elif auth.scheme == "bearer":
            try:
                visit.user = self.hub.caller(auth).username
            except NotAuthenticated:
                visit.user = _claimed(auth.token)
        elif visit.kind is not None and visit.kind.auth == "none" and not known(visit.kind).table:
            visit.body = visit.http.read()
            visit.http = replace(visit.http, body=visit.body)
            visit.user = _username_in(visit)

    def _ran(self, task: Task, result: TaskResult) -> None:
        visit: Visit | None = getattr(self._here, "visit", None)
        if visit is not None:
            traceback = "" if result.error is None else result.error.traceback
            visit.task = TaskRun(
                result.run_id, task.source, task.engine, result.logs, traceback, round(result.duration_s, 6)
            )


def _log(entry: Entry) -> None:
    """Log a request, as the journal has it: without secrets."""
    said = f": {entry.error['message']}" if entry.error else ""
    log.info(
        "%s %s %s %.3f s %s by %s%s",
        entry.status,
        entry.method,
        entry.path,
        entry.duration_s,
        entry.operation,
        entry.user or "nobody",
        said,
        extra=facts(
            event="request",
            number=entry.number,
            operation=entry.operation,
            method=entry.method,
            path=entry.path,
            status=entry.status,
            duration_s=entry.duration_s,
            user=entry.user,
            agent=entry.agent or None,
            bytes_in=entry.body.get("bytes"),
            bytes_out=entry.answer["bytes"],
            error=None if entry.error is None else entry.error["code"],
            fault=entry.fault,
            run_id=None if entry.task is None else entry.task["run_id"],
        ),
    )


def _username_in(visit: Visit) -> str | None:
    """Return the user name in a body, or of the token in it."""
    if not visit.body:
        return None
    try:
        values = orjson.loads(visit.body)
    except ValueError:
        return None
    if not isinstance(values, dict):
        return None
    name, token = values.get("username"), values.get("token")
    if isinstance(name, str):
        return name
    return _claimed(token) if isinstance(token, str) else None


def _claimed(token: str) -> str | None:
    """Return the user name in a token, whether or not the token is good."""
    import jwt

    try:
        name = jwt.decode(token, options={"verify_signature": False}).get("username")
    except (jwt.PyJWTError, ValueError):
        return None
    return name if isinstance(name, str) else None
