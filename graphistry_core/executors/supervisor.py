"""The process above one that runs tasks: it watches memory and disk, and leaves nothing behind.

The server's process cannot do this itself: a task's orphans would be nobody's, and a server that was killed kills
nothing. So every worker has a small parent that outlives it, adopts its orphans, and ends all of them when the worker
ends, when it is told to, or when the server is gone. Imports channel and processes.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from . import processes
from .channel import BrokenChannel, Message, receive, send

_LOOK_S = 0.05  # how often memory and disk are looked at while a task runs
_DISK_EVERY = 4  # looks


def supervise(
    control: socket.socket, work: Callable[[], None], theirs: Sequence[int], parent: int | None = None
) -> NoReturn:
    """Fork a worker that does ``work``, watch it to its end, report how it ended, and exit.

    ``theirs`` are descriptors that only the worker needs. With ``parent`` the worker also ends when that process, this
    one's parent, does.

    What comes over ``control``: ``begin`` with the limits of a task, ``sweep`` after it where the worker goes on,
    ``end``. What goes: ``swept``, and at last ``exit`` or ``signal`` with a ``reason`` ('memory', 'scratch', 'told',
    'orphaned').
    """
    wake, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    processes.adopt_orphans()
    if parent is not None:
        processes.end_with_parent(signal.SIGTERM)
    worker = os.fork()
    if worker == 0:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        _in_worker(work)
    for fd in theirs:
        os.close(fd)
    watch = _Watch(control, worker, parent, wake)
    with contextlib.suppress(BaseException):
        report = watch.until_the_end()
        processes.end_descendants(group=worker)
        with contextlib.suppress(OSError):
            send(control, Message(report))
    os._exit(0)


def _in_worker(work: Callable[[], None]) -> NoReturn:
    code = 70
    try:
        os.setsid()
        processes.end_with_parent()
        work()
        code = 0
    finally:
        os._exit(code)


class _Watch:
    def __init__(self, control: socket.socket, worker: int, parent: int | None, wake: socket.socket) -> None:
        self._control, self._worker, self._parent, self._wake = control, worker, parent, wake
        self._limits: dict[str, Any] | None = None
        self._before = 0
        self._looks = 0

    def until_the_end(self) -> dict[str, Any]:
        """Return how the worker ended; where it has to be ended, that is done."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll(_LOOK_S * 1000 if self._limits is not None else None)}
            ended = self._status()
            if ended is not None:
                return ended
            reason = self._reason(ready)
            if reason:
                with contextlib.suppress(OSError):
                    os.killpg(self._worker, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    os.kill(self._worker, signal.SIGKILL)  # before it has a group of its own
                _, status = os.waitpid(self._worker, 0)
                return {**_how(status), "reason": reason}

    def _status(self) -> dict[str, Any] | None:
        with contextlib.suppress(BlockingIOError):
            self._wake.setblocking(False)
            self._wake.recv(4096)
        pid, status = os.waitpid(self._worker, os.WNOHANG)
        return _how(status) if pid else None

    def _reason(self, ready: set[int]) -> str:
        if self._parent is not None and os.getppid() != self._parent:
            return "orphaned"
        if self._control.fileno() in ready:
            try:
                message = receive(self._control)
            except BrokenChannel:
                message = None
            if message is None or "end" in message.header:
                return "told"
            self._obey(message.header)
        return self._over()

    def _obey(self, header: dict[str, Any]) -> None:
        if "begin" in header:
            self._limits, self._looks = header["begin"], 0
            self._before = processes.anonymous_bytes(self._worker)
        if "sweep" in header:
            self._limits = None
            processes.end_descendants(keep=self._worker)
            send(self._control, Message({"swept": True}))

    def _over(self) -> str:
        """Return which limit the running task has passed, if any."""
        if self._limits is None:
            return ""
        memory = self._limits.get("memory")
        if memory is not None:
            tree = [self._worker, *processes.descendants(self._worker)]
            # What forks share is counted for each of them; who really has it is slow to find out.
            if sum(max(processes.anonymous_bytes(pid) - self._before, 0) for pid in tree) > memory and (
                sum(map(processes.proportional_bytes, tree)) - self._before > memory
            ):
                return "memory"
        self._looks += 1
        scratch = self._limits.get("scratch_limit")
        if (
            scratch is not None
            and self._looks % _DISK_EVERY == 0
            and processes.size_below(self._limits["scratch"]) > scratch
        ):
            return "scratch"
        return ""


def _how(status: int) -> dict[str, Any]:
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status), "at": time.time()}
    return {"exit": os.WEXITSTATUS(status), "at": time.time()}
