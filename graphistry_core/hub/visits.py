"""Who has which dataset open in the viewer, and links that open one once. In memory; imports nothing of ours.

What Graphistry keeps here is not documented beyond the shape of its answers: that opening the page makes a session,
and what a single-use link allows, are guesses.
"""

from __future__ import annotations

import secrets
import threading
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

_KEPT = 1000


@dataclass(frozen=True)
class Session:
    """One open viewer; nobody tells us when it closes."""

    dataset_id: str
    invited: bool = False  # by a single-use link: sees the dataset whatever its mode
    caller: Any = None  # who opened it, where somebody is logged in
    session_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    revision_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def record(self) -> dict[str, Any]:
        """Return the session as the protocol writes it."""
        revision = {"revision_id": self.revision_id, "dataset": {"dataset_id": self.dataset_id}}
        return {"session_id": self.session_id, "revision": revision}


class Visits:
    """The latest sessions, and single-use links that nobody has used yet (a thousand of each)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._links: OrderedDict[str, str] = OrderedDict()

    def open(self, dataset_id: str, caller: Any = None, *, invited: bool = False) -> Session:
        """Note that a dataset's page was opened; the session's id is what the page asks for its data with."""
        session = Session(dataset_id, invited, caller)
        with self._lock:
            self._sessions[session.session_id] = session
            _trim(self._sessions)
        return session

    def sessions(self) -> list[Session]:
        """Return all sessions, newest first."""
        with self._lock:
            return list(reversed(self._sessions.values()))

    def find(self, session_id: str) -> Session | None:
        """Return a session, or None."""
        with self._lock:
            return self._sessions.get(session_id)

    def link(self, dataset_id: str) -> str:
        """Return a secret that opens a dataset once."""
        secret = secrets.token_urlsafe(24)
        with self._lock:
            self._links[secret] = dataset_id
            _trim(self._links)
        return secret

    def redeem(self, secret: str, dataset_id: str, *, keep: bool = False) -> bool:
        """Say whether a secret opens this dataset; it does so once, unless ``keep``."""
        with self._lock:
            if self._links.get(secret) != dataset_id:
                return False
            if not keep:
                del self._links[secret]
            return True

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._sessions.clear()
            self._links.clear()


def _trim(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > _KEPT:
        kept.popitem(last=False)
