"""Run each task in a fork of a process that has its dataset ready: a fresh process at the price of a fork (Linux)."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

from .. import engines
from ..errors import BadRequest, TaskCancelled
from . import processes
from . import sandbox as fence
from .channel import BrokenChannel, Message, receive, send
from .contract import GraphData, Limits, Task, TaskResult
from .dispatch import STOPPING, ProcessExecutor
from .runner import Runner
from .shipping import Shipment, ship
from .spawned import SpawnedExecutor

_KEPT = 8  # datasets that are held ready
_IDLE_S = 300.0
_END_S = 10.0
_ROOT = "import sys; sys.path.insert(0, sys.argv[2]); from graphistry_core.executors.zygote import main; main()"


class IsolatedExecutor(ProcessExecutor):
    """A process of its own for each task, forked from one that holds the dataset; those on cuDF or Dask are spawned.

    ``preload`` names modules to import before any task, besides pandas and, where it is installed, PyGraphistry.
    ``sandbox``: 'on' fences tasks in as far as the kernel can (see ``sandbox.layers``), 'strict' is a ConfigError where
    it cannot. Raises BadRequest where processes cannot be forked safely: everywhere but on Linux.
    """

    name = "isolated"

    def __init__(self, *, preload: Sequence[str] = (), sandbox: str = "off", **options: Any) -> None:
        if not processes.LINUX:
            raise BadRequest("executor='isolated' needs Linux; executor='spawned' runs everywhere but on Windows.")
        fence.check(sandbox)
        super().__init__(**options)
        self.sandbox = sandbox
        theirs = ["graphistry"] if find_spec("graphistry") else []
        self._preload = [*theirs, "graphistry_core.executors.rehearsal", *preload]
        self._root: _Parent | None = None
        self._zygotes: OrderedDict[tuple[str, str], _Parent] = OrderedDict()
        self._zygotes_lock = threading.RLock()  # a graph may be collected, and its zygote dropped, at any moment
        self._seen: weakref.WeakSet[GraphData] = weakref.WeakSet()
        self._spawned: SpawnedExecutor | None = None
        self._options = options

    def run(
        self,
        task: Task,
        graph: GraphData,
        limits: Limits,
        echo: TextIO | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> TaskResult:
        """See :class:`ProcessExecutor`; never forks a process that CUDA, or Dask's threads, run in."""
        if task.engine in ("cudf", *engines.LAZY) and not task.cudf_fallback:
            if self.sandbox != "off":
                library = "cuDF" if task.engine == "cudf" else "Dask frames"
                raise BadRequest(
                    f"Tasks on {library} cannot be fenced in: leave the sandbox off, or use engine='pandas'."
                )
            with self._zygotes_lock:
                if self._spawned is None:
                    self._spawned = SpawnedExecutor(**self._options)
            return self._spawned.run(task, graph, limits, echo, cancelled)
        return super().run(task, graph, limits, echo, cancelled)

    def warm(self) -> None:
        """Start the root, so that the first task need not wait for the libraries."""
        with self._zygotes_lock:
            self._ready_root()

    def _take(self, task: Task, graph: GraphData) -> Runner:
        shipment = ship(graph)
        key = (shipment.key, task.plottable)
        with self._zygotes_lock:
            for _ in range(3):
                zygote = self._zygotes.get(key)
                if zygote is not None and not zygote.is_alive():
                    self._drop(key)
                    zygote = None
                if zygote is None:
                    zygote = self._start(shipment, task.plottable)
                    self._zygotes[key] = zygote
                    if graph not in self._seen:
                        self._seen.add(graph)
                        weakref.finalize(graph, self._forget, shipment.key)
                self._zygotes.move_to_end(key)
                zygote.used = time.monotonic()
                with contextlib.suppress(OSError):
                    runner = zygote.idle.pop(0) if zygote.idle else zygote.order()  # the one with most time to fork
                    runner.home = key
                    self._make_room()
                    return runner
                self._drop(key)
        raise BadRequest("The processes that run tasks cannot be started: see the server's log.")

    def _disown(self) -> None:
        super()._disown()
        self._zygotes_lock = threading.RLock()
        for parent in (*self._zygotes.values(), *([self._root] if self._root is not None else [])):
            parent.disown()
        self._zygotes.clear()
        self._root = None

    def _is_done(self, runner: Runner) -> bool:
        return runner.ended is not None

    def _put_back(self, runner: Runner) -> None:
        runner.let_go()
        with self._zygotes_lock:
            zygote = self._zygotes.get(runner.home)
            if zygote is not None and len(zygote.idle) < self.slots.concurrency:
                zygote.idle.append(runner)
                return
        runner.close()

    def _make_room(self) -> None:
        while len(self._zygotes) > _KEPT:
            self._drop(next(iter(self._zygotes)))

    def _start(self, shipment: Shipment, plottable: str) -> _Parent:
        root = self._ready_root()
        ours, theirs = socket.socketpair()
        with theirs:
            order = Message({**shipment.header, "plottable": plottable}, fds=[theirs.fileno(), *shipment.fds])
            try:
                send(root.control, order)
            except OSError:
                self._end_root()
                send(self._ready_root().control, order)
        return _Parent(ours)

    def _ready_root(self) -> _Parent:
        if self._closed:
            raise TaskCancelled(STOPPING)
        if self._root is not None and not self._root.is_alive():
            self._end_root()
        if self._root is None:
            ours, theirs = socket.socketpair()
            here = str(Path(__file__).parents[2])
            threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
            with theirs:
                process = subprocess.Popen(  # noqa: S603 - this very interpreter
                    [sys.executable, "-c", _ROOT, str(theirs.fileno()), here],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                    cwd="/",
                    env={**os.environ, **threads},
                )
            namespaces = self.sandbox != "off" and fence.has_namespaces()
            told = {"preload": self._preload, "sandbox": self.sandbox != "off", "namespaces": namespaces}
            send(ours, Message({"path": [os.path.abspath(path) for path in sys.path], **told}))
            self._root = _Parent(ours, process)
        return self._root

    def _end_root(self) -> None:
        if self._root is not None:
            self._root.close()
            self._root = None

    def _drop(self, key: tuple[str, str]) -> None:
        with self._zygotes_lock:
            zygote = self._zygotes.pop(key, None)
        if zygote is not None:
            zygote.close()

    def _forget(self, shipment: str) -> None:
        with self._zygotes_lock:
            for key in [key for key in self._zygotes if key[0] == shipment]:
                self._drop(key)

    def _tidy(self) -> None:
        long_ago = time.monotonic() - _IDLE_S
        with self._zygotes_lock:
            for key in [key for key, zygote in self._zygotes.items() if zygote.used < long_ago]:
                self._drop(key)

    def close(self) -> None:
        """End running tasks and all processes."""
        super().close()
        with self._zygotes_lock:
            for key in list(self._zygotes):
                self._drop(key)
            self._end_root()
            if self._spawned is not None:
                self._spawned.close()


class _Parent:
    """The server's end of a process that forks when told to: the root, or a zygote."""

    def __init__(self, control: socket.socket, process: subprocess.Popen[bytes] | None = None) -> None:
        self.control, self.process = control, process
        self.idle: list[Runner] = []
        self.used = time.monotonic()

    def is_alive(self) -> bool:
        """Say whether the process is there; what it said meanwhile is read."""
        try:
            while True:
                self.control.setblocking(False)
                if not self.control.recv(1, socket.MSG_PEEK):
                    return False
                self.control.settimeout(1.0)
                if receive(self.control) is None:
                    return False
        except BlockingIOError:
            return True
        except (BrokenChannel, OSError):
            return False
        finally:
            self.control.settimeout(_END_S)

    def order(self) -> Runner:
        """Have a supervisor forked; raise OSError where the process is gone."""
        runner = Runner()
        with runner.theirs:
            send(self.control, Message({}, fds=[runner.theirs.fileno()]))
        return runner

    def disown(self) -> None:
        """Let go in a forked child, where the process is not this one's."""
        self.process = None
        self.close()

    def close(self) -> None:
        """Let the process end, once its children have; wait for it where it is a child of this one."""
        for runner in self.idle:
            runner.close()
        self.control.close()
        if self.process is not None:
            try:
                self.process.wait(_END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
