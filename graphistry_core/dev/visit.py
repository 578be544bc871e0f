"""One request on its way through the gateway: what is known about it so far."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import wire
from ..errors import GraphistryError
from ..messages import Auth, HttpRequest

UNKNOWN = "unknown"
PAGES = (
    "viewer",
    "viewer_file",
    "viewer_data",
    "health",
    "sso_page",
    "login_page",
)  # what is served beside the operations


@dataclass(frozen=True)
class TaskRun:
    """What a task of a request was and what became of it."""

    run_id: str
    source: str
    engine: str
    logs: str
    traceback: str
    duration_s: float


@dataclass
class Visit:
    """A request, and what was found out while it was answered.

    ``operation`` is the operation's name, or 'viewer', 'health', 'sso_page', 'login_page', or 'unknown'. ``keys`` are
    the names in a JSON or form body, ``unknown`` those (and query parameters) that the operation does not have.
    """

    http: HttpRequest
    operation: str = UNKNOWN
    kind: type[wire.Request[Any]] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    auth: Auth = field(default_factory=Auth)
    user: str | None = None
    body: bytes | None = None
    keys: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    answer: wire.Answer | None = None
    error: GraphistryError | None = None
    task: TaskRun | None = None
    fault: Any = None  # the faults.Fault that was applied
    started: float = field(default_factory=time.perf_counter)
    at: float = field(default_factory=time.time)
