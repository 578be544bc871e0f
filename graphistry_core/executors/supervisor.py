"""The process above those that run tasks: it watches memory and disk, and leaves nothing behind.

The server's process cannot do this itself: a task's orphans would be nobody's, and a server that was killed kills
nothing. So workers have a small parent that outlives them, adopts their orphans, and ends whatever is below it when a
task's worker ends, when it is told to, or when the server is gone. It runs one task at a time, so that every process
below it that is no spare worker is that task's. Imports channel and processes.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from typing import Any, NoReturn

from . import processes
from .channel import BrokenChannel, Message, receive, send

_LOOK_S = 0.05  # how often memory and disk are looked at while a task runs
_DISK_EVERY = 4  # looks

_FORK_S = 0.005  # how long a task has both cores' attention before the next worker is forked beside it

# What a worker does with its socket, the descriptor for its output, and its scratch directory.
Work = Callable[[socket.socket, int, str], None]


def supervise(control: socket.socket, work: Work, *, lasting: bool, parent: int | None = None) -> NoReturn:
    """Keep a worker ready that does ``work``; watch the one that runs a task; exit when the server is gone.

    A ``lasting`` worker takes one task after the other, and this process ends with it; any other is for one task, and
    the next is forked while that runs. With ``parent`` all end when that process, this one's parent, does.

    What comes over ``control``: ``begin`` (the worker's pid, with the limits of its task), ``sweep`` after the task of
    a lasting one, ``end``. What goes: ``worker`` (its pid, with the server's ends of its socket and its output),
    ``swept``, and ``ended`` (the pid, with ``exit`` or ``signal`` and a ``reason``: 'memory', 'scratch', 'told',
    'orphaned').
    """
    with contextlib.suppress(BaseException):
        supervisor = _Supervisor(control, work, lasting=lasting, parent=parent)
        try:
            supervisor.run()
        finally:
            processes.end_descendants()
            supervisor.clear()
    os._exit(0)


class _Supervisor:
    def __init__(self, control: socket.socket, work: Work, *, lasting: bool, parent: int | None) -> None:
        self._control, self._work, self._lasting, self._parent = control, work, lasting, parent
        self._spares: dict[int, str] = {}  # with their scratch directories
        self._scratch = ""
        self._free: list[str] = []  # directories that tasks have left empty: making and removing takes milliseconds
        self._fork_at: float | None = None
        self._running: int | None = None
        self._limits: dict[str, Any] = {}
        self._before = self._looks = 0
        self._wake, woken = socket.socketpair()
        self._wake.setblocking(False)
        woken.setblocking(False)
        self._woken = woken
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        processes.adopt_orphans()
        if parent is not None:
            processes.end_with_parent(signal.SIGTERM)

    def run(self) -> None:
        """Do what is asked until there is nobody to ask."""
        self._fork()
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poll.poll(self._wait_ms())}
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(4096)
            if self._parent is not None and os.getppid() != self._parent:
                self._end("orphaned")
                return
            # In this order: a task may be over before its beginning was heard of.
            if self._control.fileno() in ready and not self._obey():
                return
            if not self._bury():
                return
            if self._fork_at is not None and (self._running is None or time.monotonic() >= self._fork_at):
                self._fork()
            reason = self._over()
            if reason:
                self._end(reason)
            if self._lasting and not self._spares and self._running is None:
                return

    def clear(self) -> None:
        """Remove the scratch directories."""
        for scratch in (*self._spares.values(), *self._free, self._scratch):
            if scratch:
                processes.remove(scratch)

    def _empty(self) -> None:
        """Free the directory of the task that ended."""
        scratch, self._scratch = self._scratch, ""
        try:
            with os.scandir(scratch) as entries:
                clean = next(entries, None) is None
            os.chmod(scratch, 0o700)
        except OSError:
            clean = False
        if clean:
            self._free.append(scratch)
        else:
            processes.remove(scratch)

    def _wait_ms(self) -> float | None:
        if self._fork_at is not None:
            return 0 if self._running is None else max(self._fork_at - time.monotonic(), 0) * 1000 + 1
        return None if self._running is None else _LOOK_S * 1000

    def _fork(self) -> None:
        self._fork_at = None
        scratch = self._free.pop() if self._free else tempfile.mkdtemp(prefix="graphistry-task-")
        jobs, theirs = socket.socketpair()
        logs, output = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 70
            try:
                signal.set_wakeup_fd(-1)
                for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, signal.SIG_DFL)
                os.setsid()
                processes.end_with_parent()
                self._work(theirs, output, scratch)
                code = 0
            finally:
                os._exit(code)
        self._spares[pid] = scratch
        theirs.close()
        os.close(output)
        with jobs:
            send(self._control, Message({"worker": pid}, fds=[jobs.fileno(), logs]))
        os.close(logs)

    def _obey(self) -> bool:
        """Do what the server says; return whether it is there."""
        try:
            message = receive(self._control)
        except BrokenChannel:
            message = None
        if message is None:
            return False
        header = message.header
        if "begin" in header:
            self._running, self._limits, self._looks = header["begin"], header, 0
            self._scratch = self._spares.pop(header["begin"], "")
            self._before = processes.anonymous_bytes(header["begin"])
            if not self._lasting:
                self._fork_at = time.monotonic() + _FORK_S
        if "sweep" in header and self._running is not None:
            processes.end_descendants(keep={self._running})
            if not _emptied(self._scratch):
                self._end("scratch")
                return False
            self._spares[self._running] = self._scratch
            self._running = None
            send(self._control, Message({"swept": True}))
        if "end" in header:
            if self._running is None:
                return False  # what was to be ended has not begun, and must not
            self._end("told")
        return True

    def _bury(self) -> bool:
        """Report the end of the running worker, replace a spare that was killed; return whether to go on."""
        for pid in [*self._spares, *([self._running] if self._running is not None else [])]:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            if pid == self._running:
                self._report(status)
            else:
                processes.remove(self._spares.pop(pid))
                if not self._lasting:
                    self._fork()
            if self._lasting:
                return False
        return True

    def _end(self, reason: str) -> None:
        if self._running is not None:
            with contextlib.suppress(OSError):
                os.killpg(self._running, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.kill(self._running, signal.SIGKILL)  # before it has a group of its own
            self._report(os.waitpid(self._running, 0)[1], reason)

    def _report(self, status: int, reason: str = "") -> None:
        """Bury what the running worker has left, and say how it ended."""
        pid, self._running = self._running, None
        processes.end_descendants(keep=self._spares, group=pid)
        if not self._lasting and self._fork_at is not None:
            self._fork_at = 0.0
        how = {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"exit": os.WEXITSTATUS(status)}
        with contextlib.suppress(OSError):
            send(self._control, Message({"ended": pid, **how, "reason": reason}))
        self._empty()

    def _over(self) -> str:
        """Return which limit the running task has passed, if any."""
        if self._running is None:
            return ""
        memory = self._limits.get("memory")
        if memory is not None:
            tree = [self._running, *processes.descendants(self._running)]
            # What forks share is counted for each of them; who really has it is slow to find out.
            if sum(max(processes.anonymous_bytes(pid) - self._before, 0) for pid in tree) > memory and (
                sum(map(processes.proportional_bytes, tree)) - self._before > memory
            ):
                return "memory"
        self._looks += 1
        scratch = self._limits.get("scratch_limit")
        if scratch is None or self._looks % _DISK_EVERY:
            return ""
        return "scratch" if processes.size_below(self._scratch) > scratch else ""


def _emptied(scratch: str) -> bool:
    """Remove what is in a directory that its worker goes on to use; return whether it is there, and empty."""
    processes.remove(scratch)
    try:
        os.mkdir(scratch, 0o700)
    except OSError:
        return False
    return True
