"""What a task says: its output, told apart from everybody else's, and its exceptions. Imports nothing of ours."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any, TextIO

_LONGEST_TEXT = 10_000


def describe(e: BaseException) -> str:
    """Return ``Type: text`` of an exception, even of one whose ``__str__`` raises; long texts are cut."""
    name = str(type.__getattribute__(type(e), "__name__"))
    try:
        text = str(e)
    except BaseException as broken:  # noqa: BLE001 - even its own text may be broken
        text = f"<its text cannot be shown: {type.__getattribute__(type(broken), '__name__')}>"
    if len(text) > _LONGEST_TEXT:
        text = f"{text[:_LONGEST_TEXT]} … ({len(text)} characters)"
    return f"{name}: {text}" if text else name


class TaskOutput:
    """The text of one task's stdout and stderr in order, up to a cap in MiB of UTF-8, then marked as cut."""

    def __init__(self, cap_mb: float, echo: TextIO | None = None) -> None:
        self._left = int(min(cap_mb, 1 << 40) * (1 << 20))
        self._parts: list[str] = []
        self._echo = echo
        self._lock = threading.Lock()
        self._cut = False

    def write(self, text: str) -> None:
        """Add text; past the cap it is dropped, here and on the echo."""
        with self._lock:
            if self._cut:
                return
            raw = text.encode("utf-8", "surrogatepass")
            if len(raw) > self._left:
                text, self._cut = raw[: self._left].decode("utf-8", "ignore"), True
                text += "\n[output cut here: the cap is reached]\n"
            self._left -= len(raw)
            self._add(text)

    def note(self, text: str) -> None:
        """Add a line of our own, marked as such; never dropped."""
        with self._lock:
            self._add(f"[graphistry-core] {text}\n")

    def add(self, text: str) -> None:
        """Add lines of our own that are marked already; never dropped."""
        with self._lock:
            self._add(text)

    def _add(self, text: str) -> None:
        self._parts.append(text)
        if self._echo is not None:
            self._echo.write(text.encode("utf-8", "replace").decode())

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(self._parts)


_current: ContextVar[TaskOutput | None] = ContextVar("graphistry_core_task_output", default=None)


class _Bytes(io.RawIOBase):
    """The ``buffer`` of a router."""

    def __init__(self, router: _Router) -> None:
        self._router = router

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        raw = bytes(data)
        self._router.write(raw.decode("utf-8", "replace"))
        return len(raw)


class _Router:
    """Stands in for sys.stdout or sys.stderr while tasks run, and sends each writer to its own place."""

    def __init__(self, original: TextIO) -> None:
        self.original = original

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        output = _current.get()
        if output is None:
            return self.original.write(text)
        output.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> Any:
        return _Bytes(self) if _current.get() is not None else self.original.buffer

    def close(self) -> None:
        """Close nothing for a task: the stream is everybody's."""
        if _current.get() is None:
            self.original.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


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
    while isinstance(echo, _Router):  # sys.stderr of a caller beside or above whom another task runs
        outer = _current.get()
        echo = outer._echo if outer is not None else echo.original
    output = TaskOutput(cap_mb, echo)
    _routers.enter()
    token = _current.set(output)
    try:
        yield output
    finally:
        _current.reset(token)
        _routers.leave()
