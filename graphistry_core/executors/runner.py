"""The server's end of a supervisor, and of the workers that it keeps ready. May import channel."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from .channel import BrokenChannel, Message, receive, send

_READS = 1000
_MESSAGE_S = 10.0  # for the rest of a message whose beginning is there


@dataclass
class Worker:
    """A process that waits for a task, or runs one: its socket, and the pipe of its output."""

    pid: int
    jobs: socket.socket
    logs: int

    def close(self) -> None:
        """Let go of it."""
        self.jobs.close()
        if self.logs >= 0:
            os.close(self.logs)
            self.logs = -1


class Runner:
    """A supervisor. Used by one thread at a time."""

    def __init__(self) -> None:
        self.control, self.theirs = socket.socketpair()
        self.worker: Worker | None = None
        self.ended: dict[str, Any] | None = None  # how the worker that ran last came to its end
        self.swept = self.sweeping = False
        self.gone = False
        self.begun = False  # whether the current worker was given a task
        self.home: Any = None
        self.answered = 0.0  # when, by time.monotonic()
        self.graphs: list[str] = []  # what a lasting worker has open
        self._spares: deque[Worker] = deque()

    def take(self, seconds: float) -> Worker | None:
        """Make a worker that is ready the current one, or return None when none is in time; raise BrokenChannel."""
        self.begun = False
        deadline = time.monotonic() + seconds
        while not self._spares:
            if not self.hear(deadline - time.monotonic()):
                if self.gone:
                    raise BrokenChannel("no worker came to life")
                return None
        self.worker, self.ended, self.swept = self._spares.popleft(), None, False
        return self.worker

    def hear(self, seconds: float) -> bool:
        """Wait for one word of the supervisor and take note; return False when none came, or it is gone."""
        if self.gone or not self._says_something(max(seconds, 0)):
            return False
        self.control.settimeout(_MESSAGE_S)
        try:
            message = receive(self.control)
        except (BrokenChannel, OSError):
            message = None
        if message is None:
            self.gone = True
            return False
        header = message.header
        if "worker" in header:
            jobs, logs = message.fds
            os.set_blocking(logs, False)
            self._spares.append(Worker(header["worker"], socket.socket(fileno=jobs), logs))
        elif "ended" in header and self.worker is not None and header["ended"] == self.worker.pid:
            self.ended = header
        elif "swept" in header:
            self.swept = True
        return True

    def _says_something(self, seconds: float) -> bool:
        poll = select.poll()  # select() takes no descriptor over 1023
        poll.register(self.control, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def tell(self, **header: Any) -> None:
        """Send the supervisor a word; one that is gone needs none."""
        with contextlib.suppress(OSError):
            send(self.control, Message(header))

    def wait_for_end(self, seconds: float) -> dict[str, Any]:
        """Return how the current worker ended; empty when that was not said in time, or the supervisor is gone."""
        deadline = time.monotonic() + seconds
        while self.ended is None and self.hear(deadline - time.monotonic()):
            pass
        return self.ended or {}

    def rest(self) -> None:
        """Have the current worker, which lasts, wait for another task; what its last one's leftovers said goes."""
        if self.worker is not None:
            with contextlib.suppress(BlockingIOError):
                for _ in range(_READS):
                    if not os.read(self.worker.logs, 1 << 16):
                        break
            self._spares.append(self.worker)
            self.worker = None

    def let_go(self) -> None:
        """Close the current worker's socket and pipe."""
        if self.worker is not None:
            self.worker.close()

    def close(self) -> None:
        """Let go of everything; the supervisor ends what is left, and itself."""
        self.control.close()
        self.theirs.close()
        self.let_go()
        while self._spares:
            self._spares.popleft().close()
