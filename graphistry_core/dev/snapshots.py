"""The state of a Hub at one moment, kept in memory, and the way back to it."""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from typing import Any

from ..errors import NotFound
from ..hub import Hub
from ..hub.revoked import Revoked
from ..hub.store import Snapshot


@dataclass(frozen=True)
class _Kept:
    records: Snapshot
    flags: dict[str, bool]
    user_flags: dict[str, dict[str, bool]]
    clock: dict[str, Any]
    revoked: Revoked


class Snapshots:
    """Takes snapshots and restores them: users, files, datasets, shares, flags, the clock and ended tokens.

    Tables are not copied: they never change, and their files stay as long as a snapshot needs them. Logins in the
    browser that wait for approval are not part of it, and neither are journal, faults and strict mode.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._lock = threading.Lock()
        self._kept: dict[str, _Kept] = {}
        self._numbers = itertools.count(1)

    def take(self) -> str:
        """Take a snapshot and return its id."""
        accounts = self._hub.accounts
        with self._lock:
            kept = _Kept(
                self._hub.store.snapshot(),
                dict(accounts.flags),
                {user: dict(flags) for user, flags in accounts.user_flags.items()},
                dict(vars(accounts.clock)),
                accounts.revoked.copy(),
            )
            snapshot_id = f"snapshot-{next(self._numbers)}"
            self._kept[snapshot_id] = kept
        return snapshot_id

    def restore(self, snapshot_id: str) -> None:
        """Go back to a snapshot; it can be restored again. Raise NotFound."""
        with self._lock:
            kept, accounts = self._find(snapshot_id), self._hub.accounts
            self._hub.store.restore(kept.records)
            self._hub.forget_graphs()
            accounts.flags = dict(kept.flags)
            accounts.user_flags = {user: dict(flags) for user, flags in kept.user_flags.items()}
            vars(accounts.clock).update(kept.clock)
            accounts.revoked.take(kept.revoked)

    def list(self) -> list[str]:
        """Return the ids of the snapshots that are kept, oldest first."""
        with self._lock:
            return [*self._kept]

    def drop(self, snapshot_id: str | None = None) -> None:
        """Forget a snapshot, or all of them, and the tables that only it needed; raise NotFound."""
        with self._lock:
            dropped = [*self._kept] if snapshot_id is None else [snapshot_id]
            for each in dropped:
                self._hub.store.release(self._find(each).records)
                del self._kept[each]

    def _find(self, snapshot_id: str) -> _Kept:
        if snapshot_id not in self._kept:
            raise NotFound(f"There is no snapshot {snapshot_id!r}; there are: {', '.join(self._kept) or 'none'}.")
        return self._kept[snapshot_id]
