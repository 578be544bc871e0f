"""What a task prints, told apart from what everybody else in the process prints. Imports nothing of ours."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, TextIO


class TaskOutput:
    """The text of one task's stdout and stderr in order, up to a cap in MiB, then marked as cut."""

    def __init__(self, cap_mb: float, echo: TextIO | None = None) -> None:
        self._left = int(cap_mb * (1 << 20))
        self._parts: list[str] = []
        self._echo = echo
        self._cut = False

    def write(self, text: str) -> None:
        """Add text; past the cap it is dropped, here and on the echo."""
        if self._cut:
            return
        if len(text) > self._left:
            text, self._cut = text[: self._left], True
            text += "\n[output cut here: the cap is reached]\n"
        self._left -= len(text)
        self._parts.append(text)
        if self._echo is not None:
            self._echo.write(text)

    def note(self, text: str) -> None:
        """Add a line of our own, marked as such; never dropped."""
        line = f"[graphistry-core] {text}\n"
        self._parts.append(line)
        if self._echo is not None:
            self._echo.write(line)

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self._parts)


_current: ContextVar[TaskOutput | None] = ContextVar("graphistry_core_task_output", default=None)


class _Router:
    """Stands in for sys.stdout or sys.stderr while tasks run, and sends each writer to its own place."""

    def __init__(self, original: TextIO) -> None:
        self._original = original

    def write(self, text: str) -> int:
        output = _current.get()
        if output is None:
            return self._original.write(text)
        output.write(text)
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


class _Routers:
    """The pair of routers, put in place by the first running task and removed by the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._saved: dict[str, tuple[Any, Any]] = {}

    def enter(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                for name in ("stdout", "stderr"):
                    original = getattr(sys, name)
                    router = _Router(original)
                    self._saved[name] = (original, router)
                    setattr(sys, name, router)

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
            for name, (original, router) in self._saved.items():
                if getattr(sys, name) is router:  # somebody else may have replaced it since: theirs stays
                    setattr(sys, name, original)
            self._saved.clear()


_routers = _Routers()


@contextlib.contextmanager
def captured(cap_mb: float, echo: TextIO | None = None) -> Iterator[TaskOutput]:
    """Collect what this thread prints while the block runs; other threads print as before."""
    output = TaskOutput(cap_mb, echo)
    _routers.enter()
    token = _current.set(output)
    try:
        yield output
    finally:
        _current.reset(token)
        _routers.leave()
