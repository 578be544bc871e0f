"""The tasks that run now, and who may end them. Imports errors only."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import NotFound


@dataclass
class Run:
    """One task that runs."""

    run_id: str
    username: str
    dataset_id: str
    started: float = field(default_factory=time.time)
    ended: threading.Event = field(default_factory=threading.Event, repr=False)

    def cancelled_or(self, gone: Callable[[], bool] | None) -> Callable[[], bool]:
        """Return what tells whether this run was cancelled, or the caller has gone."""
        return self.ended.is_set if gone is None else lambda: self.ended.is_set() or gone()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; ``running_s`` is in seconds."""
        running = round(time.time() - self.started, 3)
        return {"run_id": self.run_id, "user": self.username, "dataset_id": self.dataset_id, "running_s": running}


class Runs:
    """All tasks that run or wait now."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}

    @contextlib.contextmanager
    def entered(self, run_id: str, username: str, dataset_id: str) -> Iterator[Run]:
        """Have a run listed while the block lasts."""
        run = Run(run_id, username, dataset_id)
        with self._lock:
            self._runs[run_id] = run
        try:
            yield run
        finally:
            with self._lock:
                del self._runs[run_id]

    def list(self) -> list[Run]:
        """Return all of them, oldest first."""
        with self._lock:
            return [*self._runs.values()]

    def cancel(self, run_id: str) -> None:
        """End one; raise NotFound. In-process tasks cannot be ended: they go on, and their result is returned."""
        with self._lock:
            run = self._runs.get(run_id)
        if run is None:
            raise NotFound(f"No task {run_id!r} runs here now.")
        run.ended.set()
