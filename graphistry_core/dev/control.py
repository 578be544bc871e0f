"""The control side over HTTP, under ``/_dev/``: JSON, no token, for programs on the server's own machine only."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ..errors import BadRequest, NotFound
from ..messages import Fields, HttpRequest, HttpResponse
from ..wire.routes import not_allowed
from . import Dev
from .faults import ANY
from .loopback import require_local

PREFIX = "/_dev"


def is_control(path: str) -> bool:
    """Say whether a path is one of the control side's."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


class Control:
    """Answers requests under ``/_dev/`` from a :class:`Dev`. They are not in the journal, and no fault hits them."""

    def __init__(self, dev: Dev) -> None:
        self.dev = dev

    def answer(self, http: HttpRequest) -> HttpResponse:
        """Carry out one request; raise a GraphistryError."""
        require_local(http)
        name, _, item = http.path.removeprefix(PREFIX).strip("/").partition("/")
        methods = {method: call for (method, known), call in _ROUTES.items() if known == name}
        if not methods:
            raise NotFound(f"The control side has no {PREFIX}/{name}; GET {PREFIX}/ lists what there is.")
        if http.method not in methods:
            raise not_allowed(http.method, http.path, methods)
        return HttpResponse.of_json(methods[http.method](self.dev, item, http))


Handler = Callable[[Dev, str, HttpRequest], Any]


def _fields(http: HttpRequest, *names: str) -> dict[str, Any]:
    """Read the JSON object of a request; raise BadRequest for a name that is not one of these."""
    values = dict(Fields.of(http, optional=True).values)
    for name in values.keys() - set(names):
        raise BadRequest(f"There is no field {name!r} here; there {'is' if len(names) == 1 else 'are'} {_list(names)}.")
    return values


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def _no_item(item: str, http: HttpRequest) -> None:
    if item:
        raise NotFound(f"The control side has no {http.path}.")


def _index(dev: Dev, item: str, http: HttpRequest) -> Any:  # noqa: ARG001
    return {"routes": [f"{method} {PREFIX}/{name}" for method, name in _ROUTES]}


def _reset(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    dev.reset()
    return {"success": True}


def _journal(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    names = ("operation", "user", "status", "text", "limit")
    for name in http.query.keys() - set(names):
        raise BadRequest(f"There is no query parameter {name!r} here; there are {_list(names)}.")
    search = {name: http.query[name] for name in names[1:4] if name in http.query}
    limit = http.query.get("limit", "1000")
    if not limit.isdecimal() or len(limit) > 9:
        raise BadRequest(f"The query parameter 'limit' is {limit!r}; it must be a number of 0 or more.")
    found = dev.journal.find(http.query.get("operation"), **search)
    newest = found[max(len(found) - int(limit), 0) :]
    return {"count": len(found), "entries": [entry.to_dict() for entry in newest]}


def _clear_journal(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    dev.journal.clear()
    return {"success": True}


def _faults(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    return {"faults": [fault.to_dict() for fault in dev.faults.list()]}


def _add_fault(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    options = dict(Fields.of(http).values)
    operation = options.pop("operation", ANY)
    return dev.faults.add(operation, **options).to_dict()


def _clear_faults(dev: Dev, item: str, http: HttpRequest) -> Any:
    if not item:
        dev.faults.clear()
    elif item.isdecimal() and len(item) < 18:
        dev.faults.remove(int(item))
    else:
        raise NotFound(f"There is no fault {item!r}.")
    return _faults(dev, "", http)


def _clock(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    now = dev.clock.now()
    return {"now": datetime.fromtimestamp(now, UTC).isoformat(), "seconds": now, "frozen": dev.clock.frozen}


def _move_clock(dev: Dev, item: str, http: HttpRequest) -> Any:
    values = _fields(http, "advance", "freeze")
    advance, freeze = values.get("advance", 0), values.get("freeze")
    if not _is_number(advance) or not (freeze is None or isinstance(freeze, bool) or _is_number(freeze)):
        raise BadRequest("advance must be seconds; freeze must be true, false, or seconds since the epoch.")
    if freeze is False:
        dev.clock.unfreeze()
    elif freeze is not None:
        dev.clock.freeze(None if freeze is True else float(freeze))
    dev.clock.advance(advance)
    return _clock(dev, item, http)


def _is_number(value: Any) -> bool:
    """A number that is a time of day within the calendar."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.fabs(value) < 1e10


def _reset_clock(dev: Dev, item: str, http: HttpRequest) -> Any:
    dev.clock.reset()
    return _clock(dev, item, http)


def _end_tokens(dev: Dev, item: str, http: HttpRequest) -> Any:
    ends: Mapping[str, Callable[..., None]] = {"expire": dev.tokens.expire, "revoke": dev.tokens.revoke}
    if item not in ends:
        raise NotFound(f"The control side has no {http.path}; there are {PREFIX}/tokens/expire and …/revoke.")
    values = _fields(http, "user", "token")
    fields = Fields(values)
    ends[item](fields.optional_text("user"), token=fields.optional_text("token"))
    return {"success": True}


def _clear_tokens(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    dev.tokens.clear()
    return {"success": True}


def _flags(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    return {"flags": dev.flags.get(http.query.get("user"))}


def _set_flags(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    fields = Fields(_fields(http, "flags", "user"))
    return {"flags": dev.flags.update(fields.mapping("flags"), fields.optional_text("user"))}


def _snapshots(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    return {"snapshots": dev.snapshots.list()}


def _snapshot(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    return {"snapshot": dev.snapshot()}


def _drop_snapshot(dev: Dev, item: str, http: HttpRequest) -> Any:
    dev.snapshots.drop(item or None)
    return _snapshots(dev, "", http)


def _restore(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    fields = Fields(_fields(http, "snapshot"))
    dev.restore(fields.text("snapshot"))
    return {"success": True}


def _strict(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    return {"enabled": dev.strict.enabled, "failures": [failure.to_dict() for failure in dev.strict.failures]}


def _set_strict(dev: Dev, item: str, http: HttpRequest) -> Any:
    dev.strict.enabled = Fields(_fields(http, "enabled")).flag("enabled", default=True)
    return _strict(dev, item, http)


def _clear_strict(dev: Dev, item: str, http: HttpRequest) -> Any:
    dev.strict.clear()
    return _strict(dev, item, http)


def _tasks(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    return {"tasks": [run.to_dict() for run in dev.hub.runs.list()]}


def _cancel_task(dev: Dev, item: str, http: HttpRequest) -> Any:  # noqa: ARG001
    dev.hub.runs.cancel(item)
    return {"success": True}


def _parity(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    return {"routes": dev.parity()}


def _openapi(dev: Dev, item: str, http: HttpRequest) -> Any:
    _no_item(item, http)
    return dev.openapi()


_ROUTES: Mapping[tuple[str, str], Handler] = {
    ("GET", ""): _index,
    ("POST", "reset"): _reset,
    ("GET", "journal"): _journal,
    ("DELETE", "journal"): _clear_journal,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "clock"): _clock,
    ("POST", "clock"): _move_clock,
    ("DELETE", "clock"): _reset_clock,
    ("POST", "tokens"): _end_tokens,
    ("DELETE", "tokens"): _clear_tokens,
    ("GET", "flags"): _flags,
    ("POST", "flags"): _set_flags,
    ("GET", "snapshot"): _snapshots,
    ("POST", "snapshot"): _snapshot,
    ("DELETE", "snapshot"): _drop_snapshot,
    ("POST", "restore"): _restore,
    ("GET", "strict"): _strict,
    ("POST", "strict"): _set_strict,
    ("DELETE", "strict"): _clear_strict,
    ("GET", "tasks"): _tasks,
    ("DELETE", "tasks"): _cancel_task,
    ("GET", "parity"): _parity,
    ("GET", "openapi.json"): _openapi,
}
